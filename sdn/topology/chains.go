package topology

import (
	"context"
	"slices"

	"github.com/moatnet/moat/sdn"
)

// Chains implements sdn.API.
func (t *Topology) Chains(ctx context.Context, tenant sdn.TenantID) ([]sdn.Chain, error) {
	return read(ctx, t, func(g *graph) ([]sdn.Chain, error) {
		if tenant == "" {
			return fetch(g.Chain, all[sdn.ChainID](g, sdn.KindChain)), nil
		}
		return fetch(g.Chain, referrers[sdn.ChainID](g, tenantOfChain, tenant)), nil
	})
}

// Chain implements sdn.API.
func (t *Topology) Chain(ctx context.Context, id sdn.ChainID) (sdn.Chain, error) {
	return one(ctx, t, sdn.KindChain, id, func(g *graph) (sdn.Chain, bool) { return g.Chain(id) })
}

// CreateChain implements sdn.API.
func (t *Topology) CreateChain(ctx context.Context, c sdn.Chain) (sdn.Chain, error) {
	if err := validChain(&c); err != nil {
		return sdn.Chain{}, err
	}
	_, err := t.write(ctx, func(x *txn) error { return x.create(sdn.KindChain, string(c.ID), c) })
	return result(c, err)
}

// DeleteChain implements sdn.API.
func (t *Topology) DeleteChain(ctx context.Context, id sdn.ChainID) error {
	return t.erase(ctx, sdn.KindChain, string(id), unguarded)
}

// Rules implements sdn.API.
func (t *Topology) Rules(ctx context.Context, chain sdn.ChainID) ([]sdn.Rule, error) {
	return read(ctx, t, func(g *graph) ([]sdn.Rule, error) {
		if !g.has(sdn.KindChain, string(chain)) {
			return nil, missing(sdn.KindChain, chain)
		}
		list := slices.Clone(g.RulesOf(chain))
		for i := range list {
			list[i] = cloneRule(list[i])
		}
		return list, nil
	})
}

// Rule implements sdn.API.
func (t *Topology) Rule(ctx context.Context, id sdn.RuleID) (sdn.Rule, error) {
	return one(ctx, t, sdn.KindRule, id, func(g *graph) (sdn.Rule, bool) {
		r, ok := g.rule(id)
		return cloneRule(r), ok
	})
}

// CreateRule implements sdn.API. The fragment policy that the type of rule
// implies is filled in.
func (t *Topology) CreateRule(ctx context.Context, r sdn.Rule) (sdn.Rule, error) {
	if err := validRule(&r); err != nil {
		return sdn.Rule{}, err
	}
	_, err := t.write(ctx, func(x *txn) error {
		if err := parent(x, sdn.KindChain, r.Chain); err != nil {
			return err
		}
		if r.Type == sdn.RuleJump {
			if err := need(x, sdn.KindChain, r.JumpChain); err != nil {
				return err
			}
		}
		if err := x.groups(r.Condition); err != nil {
			return err
		}
		order := x.order(r.Chain)
		if len(order) >= maxRules {
			return refuse(sdn.ErrConflict, "Chain %s has %d rules, and cannot have more.", r.Chain, len(order))
		}
		if r.Position > len(order)+1 {
			return refuse(sdn.ErrInvalid, "Position exceeds number of rules in chain")
		}
		if err := x.create(sdn.KindRule, string(r.ID), r); err != nil {
			return err
		}
		x.put(key{kindOrder, string(r.Chain)}, slices.Insert(order, r.Position-1, string(r.ID)))
		x.touch(r.Chain, r.JumpChain)
		return nil
	})
	if err != nil {
		return sdn.Rule{}, err
	}
	return cloneRule(r), nil
}

// groups needs the groups that a condition names.
func (x *txn) groups(n sdn.Condition) error {
	if err := need(x, sdn.KindPortGroup, n.PortGroup, n.InPortGroup, n.OutPortGroup); err != nil {
		return err
	}
	return need(x, sdn.KindIPAddrGroup, n.SrcGroup, n.DstGroup)
}

// DeleteRule implements sdn.API.
func (t *Topology) DeleteRule(ctx context.Context, id sdn.RuleID) error {
	_, err := t.write(ctx, func(x *txn) error {
		r, err := look[sdn.Rule](x, sdn.KindRule, id)
		if err != nil {
			return err
		}
		x.remove(key{sdn.KindRule, string(id)})
		x.unlist(r)
		x.touch(r.Chain)
		return nil
	})
	return err
}

// order lists the rules of a chain that can be seen, for a write to change.
func (x *txn) order(chain sdn.ChainID) []string {
	var list []string
	for _, r := range x.graph.rules[chain] {
		list = append(list, string(r.ID))
	}
	return list
}

// unlist takes a rule out of its chain's order. It returns by how many IDs the
// write grew: those of an order that it did not write yet.
func (x *txn) unlist(r sdn.Rule) int {
	k := key{kindOrder, string(r.Chain)}
	order, pending := x.writes[k].body.([]string)
	if !pending {
		order, _ = x.graph.facts[k].body.([]string)
	}
	at := slices.Index(order, string(r.ID))
	if at < 0 {
		return 0
	}
	x.put(k, slices.Delete(slices.Clone(order), at, at+1))
	if pending {
		return 0
	}
	return len(order)
}
