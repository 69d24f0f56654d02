package topology

import (
	"context"

	"github.com/moatnet/moat/sdn"
)

// Routes implements sdn.API.
func (t *Topology) Routes(ctx context.Context, router sdn.RouterID) ([]sdn.Route, error) {
	return read(ctx, t, func(g *graph) ([]sdn.Route, error) {
		if !g.has(sdn.KindRouter, string(router)) {
			return nil, missing(sdn.KindRouter, router)
		}
		return g.RoutesOf(router), nil
	})
}

// Route implements sdn.API.
func (t *Topology) Route(ctx context.Context, id sdn.RouteID) (sdn.Route, error) {
	return one(ctx, t, sdn.KindRoute, id, func(g *graph) (sdn.Route, bool) { return g.route(id) })
}

// CreateRoute implements sdn.API. A route goes with its next-hop port, which
// must be a port of the router, also where the type of route needs none.
func (t *Topology) CreateRoute(ctx context.Context, r sdn.Route) (sdn.Route, error) {
	if err := validRoute(&r); err != nil {
		return sdn.Route{}, err
	}
	_, err := t.write(ctx, func(x *txn) error {
		if err := parent(x, sdn.KindRouter, r.Router); err != nil {
			return err
		}
		if r.NextHopPort != "" || r.Type == sdn.RouteNormal {
			p, err := look[sdn.Port](x, sdn.KindPort, r.NextHopPort)
			if err != nil || string(p.Device) != string(r.Router) {
				return refuse(sdn.ErrInvalid, "This type of route requires a next hop port that is a port on the same router.")
			}
		}
		return x.create(sdn.KindRoute, string(r.ID), r)
	})
	return result(r, err)
}

// DeleteRoute implements sdn.API.
func (t *Topology) DeleteRoute(ctx context.Context, id sdn.RouteID) error {
	_, err := t.write(ctx, func(x *txn) error {
		if err := need(x, sdn.KindRoute, id); err != nil {
			return err
		}
		x.remove(key{sdn.KindRoute, string(id)})
		return nil
	})
	return err
}
