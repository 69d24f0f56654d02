package client

import (
	"context"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

// Routers implements sdn.API.
func (c *Client) Routers(ctx context.Context, tenant sdn.TenantID) ([]sdn.Router, error) {
	return list[sdn.Router, wire.Router](ctx, c, c.paths.Of(wire.Routers, string(tenant)), wire.RouterV3)
}

// Router implements sdn.API.
func (c *Client) Router(ctx context.Context, id sdn.RouterID) (sdn.Router, error) {
	return get[sdn.Router, wire.Router](ctx, c, c.paths.At(wire.Routers, string(id)), wire.RouterV3)
}

// CreateRouter implements sdn.API.
func (c *Client) CreateRouter(ctx context.Context, r sdn.Router) (sdn.Router, error) {
	ours := own(&r.ID)
	return create[sdn.Router, wire.Router](ctx, c, creation{
		path: c.paths.At(wire.Routers), at: c.paths.At(wire.Routers, string(r.ID)),
		media: wire.RouterV3, body: wire.NewRouter(r), ours: ours,
	})
}

// UpdateRouter implements sdn.API.
func (c *Client) UpdateRouter(ctx context.Context, r sdn.Router) error {
	return put(ctx, c, c.paths.At(wire.Routers, string(r.ID)), wire.RouterV3, wire.NewRouter(r))
}

// DeleteRouter implements sdn.API. The dialect does not tell a router that was
// not there from one that was deleted: both are nil.
func (c *Client) DeleteRouter(ctx context.Context, id sdn.RouterID) error {
	return remove(ctx, c, c.paths.At(wire.Routers, string(id)))
}

// Routes implements sdn.API.
func (c *Client) Routes(ctx context.Context, router sdn.RouterID) ([]sdn.Route, error) {
	return list[sdn.Route, wire.Route](ctx, c, c.paths.At(wire.Routers, string(router), wire.Routes), wire.RouteV1)
}

// Route implements sdn.API.
func (c *Client) Route(ctx context.Context, id sdn.RouteID) (sdn.Route, error) {
	return get[sdn.Route, wire.Route](ctx, c, c.paths.At(wire.Routes, string(id)), wire.RouteV1)
}

// CreateRoute implements sdn.API.
func (c *Client) CreateRoute(ctx context.Context, r sdn.Route) (sdn.Route, error) {
	ours := own(&r.ID)
	return create[sdn.Route, wire.Route](ctx, c, creation{
		path: c.paths.At(wire.Routers, string(r.Router), wire.Routes), at: c.paths.At(wire.Routes, string(r.ID)),
		media: wire.RouteV1, body: wire.NewRoute(r), ours: ours,
	})
}

// DeleteRoute implements sdn.API. A route that was not there is nil as well.
func (c *Client) DeleteRoute(ctx context.Context, id sdn.RouteID) error {
	return remove(ctx, c, c.paths.At(wire.Routes, string(id)))
}

// Bridges implements sdn.API.
func (c *Client) Bridges(ctx context.Context, tenant sdn.TenantID) ([]sdn.Bridge, error) {
	return list[sdn.Bridge, wire.Bridge](ctx, c, c.paths.Of(wire.Bridges, string(tenant)), wire.BridgeV4)
}

// Bridge implements sdn.API.
func (c *Client) Bridge(ctx context.Context, id sdn.BridgeID) (sdn.Bridge, error) {
	return get[sdn.Bridge, wire.Bridge](ctx, c, c.paths.At(wire.Bridges, string(id)), wire.BridgeV4)
}

// CreateBridge implements sdn.API.
func (c *Client) CreateBridge(ctx context.Context, b sdn.Bridge) (sdn.Bridge, error) {
	ours := own(&b.ID)
	return create[sdn.Bridge, wire.Bridge](ctx, c, creation{
		path: c.paths.At(wire.Bridges), at: c.paths.At(wire.Bridges, string(b.ID)),
		media: wire.BridgeV4, body: wire.NewBridge(b), ours: ours,
	})
}

// UpdateBridge implements sdn.API.
func (c *Client) UpdateBridge(ctx context.Context, b sdn.Bridge) error {
	return put(ctx, c, c.paths.At(wire.Bridges, string(b.ID)), wire.BridgeV4, wire.NewBridge(b))
}

// DeleteBridge implements sdn.API.
func (c *Client) DeleteBridge(ctx context.Context, id sdn.BridgeID) error {
	return remove(ctx, c, c.paths.At(wire.Bridges, string(id)))
}
