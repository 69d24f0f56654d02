package client

import (
	"context"
	"net/http"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

// State reads the system state, which says that the endpoint serves.
func (c *Client) State(ctx context.Context) (wire.State, error) {
	q := request{method: http.MethodGet, path: c.paths.At(wire.SystemState), media: wire.SystemStateV2}
	a, err := c.do(ctx, q)
	if err != nil {
		return wire.State{}, err
	}
	if a.status != http.StatusOK {
		return wire.State{}, q.refused(a)
	}
	return decode[wire.State](q, a)
}

// Tenants implements sdn.API.
func (c *Client) Tenants(ctx context.Context) ([]sdn.TenantID, error) {
	return list[sdn.TenantID, wire.Tenant](ctx, c, c.paths.At(wire.Tenants), wire.TenantV2)
}

// Hosts implements sdn.API.
func (c *Client) Hosts(ctx context.Context) ([]sdn.Host, error) {
	return list[sdn.Host, wire.Host](ctx, c, c.paths.At(wire.Hosts), wire.HostV3)
}

// Host implements sdn.API.
func (c *Client) Host(ctx context.Context, id sdn.HostID) (sdn.Host, error) {
	return get[sdn.Host, wire.Host](ctx, c, c.paths.At(wire.Hosts, string(id)), wire.HostV3)
}

// CreateHost implements sdn.API. The ID must be given.
func (c *Client) CreateHost(ctx context.Context, h sdn.Host) (sdn.Host, error) {
	return create[sdn.Host, wire.Host](ctx, c, creation{
		path: c.paths.At(wire.Hosts), at: c.paths.At(wire.Hosts, string(h.ID)),
		media: wire.HostV3, body: wire.NewHost(h),
	})
}

// UpdateHost implements sdn.API.
func (c *Client) UpdateHost(ctx context.Context, h sdn.Host) error {
	return put(ctx, c, c.paths.At(wire.Hosts, string(h.ID)), wire.HostV3, wire.NewHost(h))
}

// DeleteHost implements sdn.API.
func (c *Client) DeleteHost(ctx context.Context, id sdn.HostID) error {
	return remove(ctx, c, c.paths.At(wire.Hosts, string(id)))
}

// TunnelZones implements sdn.API.
func (c *Client) TunnelZones(ctx context.Context) ([]sdn.TunnelZone, error) {
	return list[sdn.TunnelZone, wire.TunnelZone](ctx, c, c.paths.At(wire.TunnelZones), wire.TunnelZoneV1)
}

// TunnelZone implements sdn.API.
func (c *Client) TunnelZone(ctx context.Context, id sdn.TunnelZoneID) (sdn.TunnelZone, error) {
	return get[sdn.TunnelZone, wire.TunnelZone](ctx, c, c.paths.At(wire.TunnelZones, string(id)), wire.TunnelZoneV1)
}

// CreateTunnelZone implements sdn.API.
func (c *Client) CreateTunnelZone(ctx context.Context, z sdn.TunnelZone) (sdn.TunnelZone, error) {
	ours := own(&z.ID)
	return create[sdn.TunnelZone, wire.TunnelZone](ctx, c, creation{
		path: c.paths.At(wire.TunnelZones), at: c.paths.At(wire.TunnelZones, string(z.ID)),
		media: wire.TunnelZoneV1, body: wire.NewTunnelZone(z), ours: ours,
	})
}

// UpdateTunnelZone implements sdn.API.
func (c *Client) UpdateTunnelZone(ctx context.Context, z sdn.TunnelZone) error {
	return put(ctx, c, c.paths.At(wire.TunnelZones, string(z.ID)), wire.TunnelZoneV1, wire.NewTunnelZone(z))
}

// DeleteTunnelZone implements sdn.API. A zone that was not there is nil as
// well.
func (c *Client) DeleteTunnelZone(ctx context.Context, id sdn.TunnelZoneID) error {
	return remove(ctx, c, c.paths.At(wire.TunnelZones, string(id)))
}

func (c *Client) zoneHosts(zone sdn.TunnelZoneID) string {
	return c.paths.At(wire.TunnelZones, string(zone), wire.Hosts)
}

// TunnelZoneHosts implements sdn.API.
func (c *Client) TunnelZoneHosts(ctx context.Context, zone sdn.TunnelZoneID) ([]sdn.TunnelZoneHost, error) {
	return list[sdn.TunnelZoneHost, wire.TunnelZoneHost](ctx, c, c.zoneHosts(zone), wire.TunnelZoneHostV1)
}

// TunnelZoneHost implements sdn.API.
func (c *Client) TunnelZoneHost(ctx context.Context, zone sdn.TunnelZoneID, host sdn.HostID) (sdn.TunnelZoneHost, error) {
	return get[sdn.TunnelZoneHost, wire.TunnelZoneHost](ctx, c,
		c.paths.At(wire.TunnelZones, string(zone), wire.Hosts, string(host)), wire.TunnelZoneHostV1)
}

// AddTunnelZoneHost implements sdn.API. A conflict with what an own attempt
// did, whose answer was lost, is a success.
func (c *Client) AddTunnelZoneHost(ctx context.Context, m sdn.TunnelZoneHost) error {
	q := request{method: http.MethodPost, path: c.zoneHosts(m.Zone), media: wire.TunnelZoneHostV1,
		body: wire.NewTunnelZoneHost(m)}
	a, err := c.do(ctx, q)
	switch {
	case err != nil:
		return err
	case a.status == http.StatusConflict:
		stored, err := c.TunnelZoneHost(ctx, m.Zone, m.Host)
		if err == nil && a.repeated && stored == m {
			return nil
		}
		refused := q.refused(a)
		if err == nil {
			refused.Err = sdn.ErrExists
		}
		return refused
	case a.status >= http.StatusMultipleChoices:
		return q.refused(a)
	}
	return nil
}

// RemoveTunnelZoneHost implements sdn.API.
func (c *Client) RemoveTunnelZoneHost(ctx context.Context, zone sdn.TunnelZoneID, host sdn.HostID) error {
	return remove(ctx, c, c.paths.At(wire.TunnelZones, string(zone), wire.Hosts, string(host)))
}
