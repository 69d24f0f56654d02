package client

import (
	"context"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

// Routers implements sdn.API.
func (c *Client) Routers(ctx context.Context, tenant sdn.TenantID) ([]sdn.Router, error) {
	return routers.of(ctx, c, tenant)
}

// Router implements sdn.API.
func (c *Client) Router(ctx context.Context, id sdn.RouterID) (sdn.Router, error) {
	return routers.one(ctx, c, string(id))
}

// CreateRouter implements sdn.API.
func (c *Client) CreateRouter(ctx context.Context, r sdn.Router) (sdn.Router, error) {
	ours := own(&r.ID)
	made, err := routers.create(ctx, c, string(r.ID), ours, wire.NewRouter(r))
	if err == nil {
		c.devices.learn(sdn.DeviceID(made.ID), wire.Routers)
	}
	return made, err
}

// UpdateRouter implements sdn.API.
func (c *Client) UpdateRouter(ctx context.Context, r sdn.Router) error {
	return routers.update(ctx, c, string(r.ID), wire.NewRouter(r))
}

// DeleteRouter implements sdn.API. The dialect does not tell a router that was
// not there from one that was deleted: both are nil.
func (c *Client) DeleteRouter(ctx context.Context, id sdn.RouterID) error {
	return routers.remove(ctx, c, string(id))
}

// Routes implements sdn.API.
func (c *Client) Routes(ctx context.Context, router sdn.RouterID) ([]sdn.Route, error) {
	return routes.below(ctx, c, wire.Routers, string(router), wire.Routes)
}

// Route implements sdn.API.
func (c *Client) Route(ctx context.Context, id sdn.RouteID) (sdn.Route, error) {
	return routes.one(ctx, c, string(id))
}

// CreateRoute implements sdn.API.
func (c *Client) CreateRoute(ctx context.Context, r sdn.Route) (sdn.Route, error) {
	ours := own(&r.ID)
	return routes.create(ctx, c, string(r.ID), ours, wire.NewRoute(r), wire.Routers, string(r.Router), wire.Routes)
}

// DeleteRoute implements sdn.API. A route that was not there is nil as well.
func (c *Client) DeleteRoute(ctx context.Context, id sdn.RouteID) error {
	return routes.remove(ctx, c, string(id))
}

// Bridges implements sdn.API.
func (c *Client) Bridges(ctx context.Context, tenant sdn.TenantID) ([]sdn.Bridge, error) {
	return bridges.of(ctx, c, tenant)
}

// Bridge implements sdn.API.
func (c *Client) Bridge(ctx context.Context, id sdn.BridgeID) (sdn.Bridge, error) {
	return bridges.one(ctx, c, string(id))
}

// CreateBridge implements sdn.API.
func (c *Client) CreateBridge(ctx context.Context, b sdn.Bridge) (sdn.Bridge, error) {
	ours := own(&b.ID)
	made, err := bridges.create(ctx, c, string(b.ID), ours, wire.NewBridge(b))
	if err == nil {
		c.devices.learn(sdn.DeviceID(made.ID), wire.Bridges)
	}
	return made, err
}

// UpdateBridge implements sdn.API.
func (c *Client) UpdateBridge(ctx context.Context, b sdn.Bridge) error {
	return bridges.update(ctx, c, string(b.ID), wire.NewBridge(b))
}

// DeleteBridge implements sdn.API.
func (c *Client) DeleteBridge(ctx context.Context, id sdn.BridgeID) error {
	return bridges.remove(ctx, c, string(id))
}
