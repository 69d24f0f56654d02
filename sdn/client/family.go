package client

import (
	"context"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

// family is a kind of object that has an ID and lies in a collection of the
// root.
type family[N any, D representation[N]] struct{ collection, media string }

// The families.
var (
	routers      = family[sdn.Router, wire.Router]{wire.Routers, wire.RouterV3}
	bridges      = family[sdn.Bridge, wire.Bridge]{wire.Bridges, wire.BridgeV4}
	ports        = family[sdn.Port, wire.Port]{wire.Ports, wire.PortV3}
	routes       = family[sdn.Route, wire.Route]{wire.Routes, wire.RouteV1}
	chains       = family[sdn.Chain, wire.Chain]{wire.Chains, wire.ChainV1}
	rules        = family[sdn.Rule, wire.Rule]{wire.Rules, wire.RuleV2}
	hosts        = family[sdn.Host, wire.Host]{wire.Hosts, wire.HostV3}
	tunnelZones  = family[sdn.TunnelZone, wire.TunnelZone]{wire.TunnelZones, wire.TunnelZoneV1}
	portGroups   = family[sdn.PortGroup, wire.PortGroup]{wire.PortGroups, wire.PortGroupV1}
	ipAddrGroups = family[sdn.IPAddrGroup, wire.IPAddrGroup]{wire.IPAddrGroups, wire.IPAddrGroupV1}
)

// of lists a tenant's objects; the zero tenant means all.
func (f family[N, D]) of(ctx context.Context, c *Client, tenant sdn.TenantID) ([]N, error) {
	return list[N, D](ctx, c, c.paths.Of(f.collection, string(tenant)), f.media)
}

// below lists the objects at a path below the root.
func (f family[N, D]) below(ctx context.Context, c *Client, path ...string) ([]N, error) {
	return list[N, D](ctx, c, c.paths.At(path...), f.media)
}

func (f family[N, D]) one(ctx context.Context, c *Client, id string) (N, error) {
	return get[N, D](ctx, c, c.paths.At(f.collection, id), f.media)
}

// create makes an object by a POST to a path, which is the collection unless
// others are named.
func (f family[N, D]) create(ctx context.Context, c *Client, id string, ours bool, body D, path ...string) (N, error) {
	if len(path) == 0 {
		path = []string{f.collection}
	}
	return create[N, D](ctx, c, creation{
		path: c.paths.At(path...), at: c.paths.At(f.collection, id), media: f.media, body: body, ours: ours,
	})
}

func (f family[N, D]) update(ctx context.Context, c *Client, id string, body D) error {
	return put(ctx, c, c.paths.At(f.collection, id), f.media, body)
}

func (f family[N, D]) remove(ctx context.Context, c *Client, id string) error {
	return remove(ctx, c, c.paths.At(f.collection, id))
}
