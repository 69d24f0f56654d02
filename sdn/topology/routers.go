package topology

import (
	"context"

	"github.com/moatnet/moat/sdn"
)

// Routers implements sdn.API.
func (t *Topology) Routers(ctx context.Context, tenant sdn.TenantID) ([]sdn.Router, error) {
	return read(ctx, t, func(g *graph) ([]sdn.Router, error) {
		if tenant == "" {
			return fetch(g.Router, g.Routers()), nil
		}
		return fetch(g.Router, referrers[sdn.RouterID](g, tenantOfRouter, tenant)), nil
	})
}

// Router implements sdn.API.
func (t *Topology) Router(ctx context.Context, id sdn.RouterID) (sdn.Router, error) {
	return one(ctx, t, sdn.KindRouter, id, func(g *graph) (sdn.Router, bool) { return g.Router(id) })
}

// CreateRouter implements sdn.API.
func (t *Topology) CreateRouter(ctx context.Context, r sdn.Router) (sdn.Router, error) {
	if err := validRouter(&r); err != nil {
		return sdn.Router{}, err
	}
	_, err := t.write(ctx, func(x *txn) error {
		if err := x.createDevice(sdn.KindRouter, string(r.ID), r); err != nil {
			return err
		}
		return x.filters(routerFilters(r), nil)
	})
	return result(r, err)
}

// UpdateRouter implements sdn.API.
func (t *Topology) UpdateRouter(ctx context.Context, r sdn.Router) error {
	if err := validRouter(&r); err != nil {
		return err
	}
	_, err := t.write(ctx, func(x *txn) error {
		old, err := look[sdn.Router](x, sdn.KindRouter, r.ID)
		if err != nil {
			return err
		}
		x.put(key{sdn.KindRouter, string(r.ID)}, r)
		return x.filters(routerFilters(r), routerFilters(old))
	})
	return err
}

func routerFilters(r sdn.Router) []sdn.ChainID {
	return []sdn.ChainID{r.InboundFilter, r.OutboundFilter, r.LocalRedirect, r.Forward}
}

// DeleteRouter implements sdn.API.
func (t *Topology) DeleteRouter(ctx context.Context, id sdn.RouterID) error {
	return t.erase(ctx, sdn.KindRouter, string(id), unguarded)
}

// createDevice creates a router or bridge; the two share one space of IDs,
// because a port names its device by ID alone.
func (x *txn) createDevice(kind sdn.Kind, id string, body any) error {
	other := sdn.KindRouter
	if kind == sdn.KindRouter {
		other = sdn.KindBridge
	}
	if x.graph.has(other, id) {
		return exists(other, id)
	}
	if err := x.vacate(key{other, id}); err != nil {
		return err
	}
	return x.create(kind, id, body)
}

func result[T any](v T, err error) (T, error) {
	if err != nil {
		var none T
		return none, err
	}
	return v, nil
}
