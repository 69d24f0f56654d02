package client

import (
	"context"
	"net/netip"
	"net/url"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

// PortGroups implements sdn.PortGroupAPI.
func (c *Client) PortGroups(ctx context.Context, tenant sdn.TenantID, member sdn.PortID) ([]sdn.PortGroup, error) {
	query := url.Values{}
	if tenant != "" {
		query.Set(wire.TenantQuery, string(tenant))
	}
	if member != "" {
		query.Set(wire.PortQuery, string(member))
	}
	path := c.paths.At(wire.PortGroups)
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return list[sdn.PortGroup, wire.PortGroup](ctx, c, path, wire.PortGroupV1)
}

// PortGroup implements sdn.PortGroupAPI.
func (c *Client) PortGroup(ctx context.Context, id sdn.PortGroupID) (sdn.PortGroup, error) {
	return portGroups.one(ctx, c, string(id))
}

// CreatePortGroup implements sdn.PortGroupAPI.
func (c *Client) CreatePortGroup(ctx context.Context, g sdn.PortGroup) (sdn.PortGroup, error) {
	ours := own(&g.ID)
	return portGroups.create(ctx, c, string(g.ID), ours, wire.NewPortGroup(g))
}

// UpdatePortGroup implements sdn.PortGroupAPI.
func (c *Client) UpdatePortGroup(ctx context.Context, g sdn.PortGroup) error {
	return portGroups.update(ctx, c, string(g.ID), wire.NewPortGroup(g))
}

// DeletePortGroup implements sdn.PortGroupAPI. A group that was not there is
// nil as well.
func (c *Client) DeletePortGroup(ctx context.Context, id sdn.PortGroupID) error {
	return portGroups.remove(ctx, c, string(id))
}

// PortGroupPorts implements sdn.PortGroupAPI.
func (c *Client) PortGroupPorts(ctx context.Context, group sdn.PortGroupID) ([]sdn.PortGroupPort, error) {
	return list[sdn.PortGroupPort, wire.PortGroupPort](ctx, c,
		c.paths.At(wire.PortGroups, string(group), wire.Ports), wire.PortGroupPortV1)
}

// GroupsOfPort implements sdn.PortGroupAPI.
func (c *Client) GroupsOfPort(ctx context.Context, port sdn.PortID) ([]sdn.PortGroupPort, error) {
	return list[sdn.PortGroupPort, wire.PortGroupPort](ctx, c,
		c.paths.At(wire.Ports, string(port), wire.PortGroups), wire.PortGroupPortV1)
}

func (c *Client) member(m sdn.PortGroupPort) string {
	return c.paths.At(wire.PortGroups, string(m.Group), wire.Ports, string(m.Port))
}

// AddPortGroupPort implements sdn.PortGroupAPI.
func (c *Client) AddPortGroupPort(ctx context.Context, m sdn.PortGroupPort) error {
	q := request{path: c.paths.At(wire.PortGroups, string(m.Group), wire.Ports), media: wire.PortGroupPortV1,
		body: wire.NewPortGroupPort(m)}
	return c.add(ctx, q, held[sdn.PortGroupPort, wire.PortGroupPort](ctx, c, c.member(m), wire.PortGroupPortV1))
}

// RemovePortGroupPort implements sdn.PortGroupAPI.
func (c *Client) RemovePortGroupPort(ctx context.Context, m sdn.PortGroupPort) error {
	return remove(ctx, c, c.member(m))
}

// IPAddrGroups implements sdn.IPAddrGroupAPI.
func (c *Client) IPAddrGroups(ctx context.Context) ([]sdn.IPAddrGroup, error) {
	return ipAddrGroups.of(ctx, c, "")
}

// IPAddrGroup implements sdn.IPAddrGroupAPI.
func (c *Client) IPAddrGroup(ctx context.Context, id sdn.IPAddrGroupID) (sdn.IPAddrGroup, error) {
	return ipAddrGroups.one(ctx, c, string(id))
}

// CreateIPAddrGroup implements sdn.IPAddrGroupAPI.
func (c *Client) CreateIPAddrGroup(ctx context.Context, g sdn.IPAddrGroup) (sdn.IPAddrGroup, error) {
	ours := own(&g.ID)
	return ipAddrGroups.create(ctx, c, string(g.ID), ours, wire.NewIPAddrGroup(g))
}

// DeleteIPAddrGroup implements sdn.IPAddrGroupAPI. A group that was not there
// is nil as well.
func (c *Client) DeleteIPAddrGroup(ctx context.Context, id sdn.IPAddrGroupID) error {
	return ipAddrGroups.remove(ctx, c, string(id))
}

// IPAddrGroupAddrs implements sdn.IPAddrGroupAPI.
func (c *Client) IPAddrGroupAddrs(ctx context.Context, group sdn.IPAddrGroupID) ([]sdn.IPAddrGroupAddr, error) {
	return list[sdn.IPAddrGroupAddr, wire.IPAddrGroupAddr](ctx, c,
		c.paths.At(wire.IPAddrGroups, string(group), wire.IPAddrs), wire.IPAddrGroupAddrV1)
}

// AddIPAddrGroupAddr implements sdn.IPAddrGroupAPI.
func (c *Client) AddIPAddrGroupAddr(ctx context.Context, a sdn.IPAddrGroupAddr) error {
	q := request{path: c.paths.At(wire.IPAddrGroups, string(a.Group), wire.IPAddrs), media: wire.IPAddrGroupAddrV1,
		body: wire.NewIPAddrGroupAddr(a)}
	at := string(c.paths.IPAddrGroupAddr(a).URI)
	return c.add(ctx, q, held[sdn.IPAddrGroupAddr, wire.IPAddrGroupAddr](ctx, c, at, wire.IPAddrGroupAddrV1))
}

// RemoveIPAddrGroupAddr implements sdn.IPAddrGroupAPI. The dialect does not
// tell an address that was not there from one that was removed: both are nil.
func (c *Client) RemoveIPAddrGroupAddr(ctx context.Context, a sdn.IPAddrGroupAddr) error {
	if a.Addr == (netip.Addr{}) {
		return request{method: "DELETE", path: c.paths.At(wire.IPAddrGroups, string(a.Group), wire.IPAddrs)}.failed(noKey("address"))
	}
	return remove(ctx, c, string(c.paths.IPAddrGroupAddr(a).URI))
}
