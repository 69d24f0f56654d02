package client

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

// State reads the system state, which says that the endpoint serves.
func (c *Client) State(ctx context.Context) (wire.State, error) {
	var s wire.State
	q := request{method: http.MethodGet, path: c.paths.At(wire.SystemState), media: wire.SystemStateV2}
	q.read = func(body []byte) error { return json.Unmarshal(body, &s) }
	a, err := c.do(ctx, q)
	if err != nil {
		return wire.State{}, err
	}
	if a.status != http.StatusOK {
		return wire.State{}, q.refused(a)
	}
	return s, nil
}

// Tenants implements sdn.API.
func (c *Client) Tenants(ctx context.Context) ([]sdn.TenantID, error) {
	return list[sdn.TenantID, wire.Tenant](ctx, c, c.paths.At(wire.Tenants), wire.TenantV2)
}

// Hosts implements sdn.API.
func (c *Client) Hosts(ctx context.Context) ([]sdn.Host, error) { return hosts.of(ctx, c, "") }

// Host implements sdn.API.
func (c *Client) Host(ctx context.Context, id sdn.HostID) (sdn.Host, error) {
	return hosts.one(ctx, c, string(id))
}

// CreateHost implements sdn.API. The ID must be given.
func (c *Client) CreateHost(ctx context.Context, h sdn.Host) (sdn.Host, error) {
	return hosts.create(ctx, c, string(h.ID), false, wire.NewHost(h))
}

// UpdateHost implements sdn.API. Servers of 1.9 know the flooding proxy's
// weight alone.
func (c *Client) UpdateHost(ctx context.Context, h sdn.Host) error {
	return hosts.update(ctx, c, string(h.ID), wire.NewHost(h))
}

// DeleteHost implements sdn.API.
func (c *Client) DeleteHost(ctx context.Context, id sdn.HostID) error {
	return hosts.remove(ctx, c, string(id))
}

// TunnelZones implements sdn.API.
func (c *Client) TunnelZones(ctx context.Context) ([]sdn.TunnelZone, error) {
	return tunnelZones.of(ctx, c, "")
}

// TunnelZone implements sdn.API.
func (c *Client) TunnelZone(ctx context.Context, id sdn.TunnelZoneID) (sdn.TunnelZone, error) {
	return tunnelZones.one(ctx, c, string(id))
}

// CreateTunnelZone implements sdn.API.
func (c *Client) CreateTunnelZone(ctx context.Context, z sdn.TunnelZone) (sdn.TunnelZone, error) {
	ours := own(&z.ID)
	return tunnelZones.create(ctx, c, string(z.ID), ours, wire.NewTunnelZone(z))
}

// UpdateTunnelZone implements sdn.API.
func (c *Client) UpdateTunnelZone(ctx context.Context, z sdn.TunnelZone) error {
	return tunnelZones.update(ctx, c, string(z.ID), wire.NewTunnelZone(z))
}

// DeleteTunnelZone implements sdn.API. A zone that was not there is nil as
// well.
func (c *Client) DeleteTunnelZone(ctx context.Context, id sdn.TunnelZoneID) error {
	return tunnelZones.remove(ctx, c, string(id))
}

// TunnelZoneHosts implements sdn.API.
func (c *Client) TunnelZoneHosts(ctx context.Context, zone sdn.TunnelZoneID) ([]sdn.TunnelZoneHost, error) {
	return list[sdn.TunnelZoneHost, wire.TunnelZoneHost](ctx, c,
		c.paths.At(wire.TunnelZones, string(zone), wire.Hosts), wire.TunnelZoneHostV1)
}

// TunnelZoneHost implements sdn.API.
func (c *Client) TunnelZoneHost(ctx context.Context, zone sdn.TunnelZoneID, host sdn.HostID) (sdn.TunnelZoneHost, error) {
	return get[sdn.TunnelZoneHost, wire.TunnelZoneHost](ctx, c,
		c.paths.At(wire.TunnelZones, string(zone), wire.Hosts, string(host)), wire.TunnelZoneHostV1)
}

// AddTunnelZoneHost implements sdn.API. A conflict with what an own attempt
// did, whose answer was lost, is a success.
func (c *Client) AddTunnelZoneHost(ctx context.Context, m sdn.TunnelZoneHost) error {
	q := request{path: c.paths.At(wire.TunnelZones, string(m.Zone), wire.Hosts), media: wire.TunnelZoneHostV1,
		body: wire.NewTunnelZoneHost(m)}
	return c.add(ctx, q, func() (bool, error) {
		stored, err := c.TunnelZoneHost(ctx, m.Zone, m.Host)
		return stored == m, err
	})
}

// RemoveTunnelZoneHost implements sdn.API.
func (c *Client) RemoveTunnelZoneHost(ctx context.Context, zone sdn.TunnelZoneID, host sdn.HostID) error {
	return remove(ctx, c, c.paths.At(wire.TunnelZones, string(zone), wire.Hosts, string(host)))
}
