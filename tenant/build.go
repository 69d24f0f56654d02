package tenant

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
)

// build makes a tenant's objects in waves: what a wave refers to is there, and
// the tenant router's rules stand before its link to the provider, without which
// the provider's routes lead nowhere.
func (m *Manager) build(ctx context.Context, l layout) error {
	waves := [][]func(context.Context) error{
		{step(m.keep.chain, l.In), step(m.keep.chain, l.Out)},
		{step(m.keep.router, l.Router)},
		{m.portOf("transit", l.Far), m.portOf("transit", l.Near)},
		{func(ctx context.Context) error { return m.keep.rules(ctx, l.In, l.InRules) },
			func(ctx context.Context) error { return m.keep.rules(ctx, l.Out, l.OutRules) }},
		{func(ctx context.Context) error { return m.keep.link(ctx, l.Near.ID, l.Far.ID) }},
	}
	for _, b := range l.Bridges {
		waves[0] = append(waves[0], step(m.keep.bridge, b.Bridge))
		waves[2] = append(waves[2], m.portOf("gateway", b.Gateway), m.portOf("trunk", b.Trunk))
		waves[3] = append(waves[3], func(ctx context.Context) error { return m.keep.link(ctx, b.Gateway.ID, b.Trunk.ID) })
	}
	for _, r := range l.Routes {
		waves[3] = append(waves[3], step(m.keep.route, r))
	}
	for _, r := range l.ProviderRoutes {
		waves[3] = append(waves[3], step(m.keep.route, r))
	}
	var other error // what somebody made otherwise is no reason to leave out the rest, filters above all
	for i, w := range waves {
		if other != nil && i == len(waves)-1 {
			break
		}
		err := together(ctx, w, func(ctx context.Context, f func(context.Context) error) error { return f(ctx) })
		if d := (*differs)(nil); err != nil && !errors.As(err, &d) {
			return errors.Join(other, err)
		}
		other = errors.Join(other, err)
	}
	return other
}

// retire deletes rules and routes of an earlier wording.
func (m *Manager) retire(ctx context.Context, old, now ipam.Built) error {
	if err := each(ctx, minus(old.Rules, now.Rules), func(ctx context.Context, id string) error {
		return op("delete rule "+id, gone(m.opt.API.DeleteRule(ctx, sdn.RuleID(id))))
	}); err != nil {
		return err
	}
	return each(ctx, minus(old.Routes, now.Routes), func(ctx context.Context, id string) error {
		return op("delete route "+id, gone(m.opt.API.DeleteRoute(ctx, sdn.RouteID(id))))
	})
}

func minus(a, b []string) []string {
	in := map[string]bool{}
	for _, s := range b {
		in[s] = true
	}
	var rest []string
	for _, s := range a {
		if !in[s] {
			rest = append(rest, s)
		}
	}
	return rest
}

func step[T any](f func(context.Context, T) error, v T) func(context.Context) error {
	return func(ctx context.Context) error { return f(ctx, v) }
}

// portOf makes a port. A router's has a MAC that follows from its ID: when it is made
// again, its neighbours need not learn another one.
func (m *Manager) portOf(what string, p sdn.Port) func(context.Context) error {
	if p.Kind == sdn.RouterPort {
		p.MAC = hostMAC(p.ID)
	}
	return func(ctx context.Context) error { return m.keep.port(ctx, what, p) }
}

// together does f for all at once, each to its end, and returns the first error.
func together[T any](ctx context.Context, all []T, f func(context.Context, T) error) error {
	var g errgroup.Group
	for _, v := range all {
		g.Go(func() error { return f(ctx, v) })
	}
	return g.Wait()
}

// each does f for one after the other and stops at the first error.
func each[T any](ctx context.Context, all []T, f func(context.Context, T) error) error {
	for _, v := range all {
		if err := f(ctx, v); err != nil {
			return err
		}
	}
	return nil
}
