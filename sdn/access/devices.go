package access

import (
	"context"
	"slices"

	"github.com/moatnet/moat/sdn"
)

func (s scoped) Tenants(ctx context.Context) ([]sdn.TenantID, error) {
	if err := s.reads(ctx); err != nil {
		return nil, err
	}
	all, err := s.api.Tenants(ctx)
	if err != nil || !slices.Contains(all, s.who.Tenant) {
		return nil, err
	}
	return []sdn.TenantID{s.who.Tenant}, nil
}

func (s scoped) Routers(ctx context.Context, tenant sdn.TenantID) ([]sdn.Router, error) {
	if err := s.reads(ctx, s.tenant(&tenant)); err != nil {
		return nil, err
	}
	return s.api.Routers(ctx, tenant)
}

func (s scoped) Router(ctx context.Context, id sdn.RouterID) (sdn.Router, error) {
	if err := s.reads(ctx, s.router(id)); err != nil {
		return sdn.Router{}, err
	}
	return s.api.Router(ctx, id)
}

func (s scoped) CreateRouter(ctx context.Context, r sdn.Router) (sdn.Router, error) {
	if err := s.writes(ctx, s.tenant(&r.TenantID), each(s.chain, routerChains(r)...)); err != nil {
		return sdn.Router{}, err
	}
	return s.api.CreateRouter(ctx, r)
}

// UpdateRouter lets references stand that an admin has made.
func (s scoped) UpdateRouter(ctx context.Context, r sdn.Router) error {
	if err := s.writes(ctx, s.router(r.ID), s.tenant(&r.TenantID)); err != nil {
		return err
	}
	old, err := s.api.Router(ctx, r.ID)
	if err != nil {
		return err
	}
	if err := s.writes(ctx, each(s.chain, added(routerChains(old), routerChains(r))...)); err != nil {
		return err
	}
	return s.api.UpdateRouter(ctx, r)
}

func (s scoped) DeleteRouter(ctx context.Context, id sdn.RouterID) error {
	if err := s.writes(ctx, s.router(id)); err != nil {
		return err
	}
	return s.api.DeleteRouter(ctx, id)
}

func routerChains(r sdn.Router) []sdn.ChainID {
	return []sdn.ChainID{r.InboundFilter, r.OutboundFilter, r.LocalRedirect, r.Forward}
}

// added lists what is in after and was not in before.
func added[T comparable](before, after []T) []T {
	return slices.DeleteFunc(after, func(v T) bool { return slices.Contains(before, v) })
}

func (s scoped) Routes(ctx context.Context, router sdn.RouterID) ([]sdn.Route, error) {
	if err := s.reads(ctx, s.router(router)); err != nil {
		return nil, err
	}
	return s.api.Routes(ctx, router)
}

func (s scoped) Route(ctx context.Context, id sdn.RouteID) (sdn.Route, error) {
	if err := s.reads(ctx); err != nil {
		return sdn.Route{}, err
	}
	r, err := s.api.Route(ctx, id)
	if err != nil {
		return sdn.Route{}, err
	}
	if err := s.reads(ctx, s.router(r.Router)); err != nil {
		return sdn.Route{}, err
	}
	return r, nil
}

func (s scoped) CreateRoute(ctx context.Context, r sdn.Route) (sdn.Route, error) {
	if err := s.writes(ctx, s.router(r.Router), each(s.port, r.NextHopPort)); err != nil {
		return sdn.Route{}, err
	}
	return s.api.CreateRoute(ctx, r)
}

func (s scoped) DeleteRoute(ctx context.Context, id sdn.RouteID) error {
	if err := s.writes(ctx); err != nil {
		return err
	}
	if _, err := s.Route(ctx, id); err != nil {
		return err
	}
	return s.api.DeleteRoute(ctx, id)
}

func (s scoped) Bridges(ctx context.Context, tenant sdn.TenantID) ([]sdn.Bridge, error) {
	if err := s.reads(ctx, s.tenant(&tenant)); err != nil {
		return nil, err
	}
	return s.api.Bridges(ctx, tenant)
}

func (s scoped) Bridge(ctx context.Context, id sdn.BridgeID) (sdn.Bridge, error) {
	if err := s.reads(ctx, s.bridge(id)); err != nil {
		return sdn.Bridge{}, err
	}
	return s.api.Bridge(ctx, id)
}

func (s scoped) CreateBridge(ctx context.Context, b sdn.Bridge) (sdn.Bridge, error) {
	if err := s.writes(ctx, s.tenant(&b.TenantID), each(s.chain, b.InboundFilter, b.OutboundFilter)); err != nil {
		return sdn.Bridge{}, err
	}
	return s.api.CreateBridge(ctx, b)
}

// UpdateBridge lets references stand that an admin has made.
func (s scoped) UpdateBridge(ctx context.Context, b sdn.Bridge) error {
	if err := s.writes(ctx, s.bridge(b.ID), s.tenant(&b.TenantID)); err != nil {
		return err
	}
	old, err := s.api.Bridge(ctx, b.ID)
	if err != nil {
		return err
	}
	refs := added([]sdn.ChainID{old.InboundFilter, old.OutboundFilter}, []sdn.ChainID{b.InboundFilter, b.OutboundFilter})
	if err := s.writes(ctx, each(s.chain, refs...)); err != nil {
		return err
	}
	return s.api.UpdateBridge(ctx, b)
}

func (s scoped) DeleteBridge(ctx context.Context, id sdn.BridgeID) error {
	if err := s.writes(ctx, s.bridge(id)); err != nil {
		return err
	}
	return s.api.DeleteBridge(ctx, id)
}
