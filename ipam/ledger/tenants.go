package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/moatnet/moat/ipam"
)

// maxSubnets is how many subnets one tenant may have, so that its removal fits
// into one transaction of etcd (128 operations).
const maxSubnets = 100

// ClaimTenant implements ipam.Store.
func (l *Ledger) ClaimTenant(ctx context.Context, c ipam.Claim) (ipam.Tenant, error) {
	plan, err := l.installation()
	if err != nil {
		return ipam.Tenant{}, err
	}
	t := ipam.Tenant{
		Schema: ipam.Schema, Name: c.Tenant, State: ipam.TenantBuilding, Generation: c.Generation,
		Pool: c.Pool, Own: len(c.Own) > 0, Overlap: c.Overlap,
	}
	if t.Own || t.Pool == ipam.DefaultPool {
		t.Pool = ""
	}
	transit := newSearch(transitSlots, "transit pool "+plan.Transit.String(), ipam.KeyTransit, plan.Pairs(), c.Tenant)
	for {
		from, err := l.source(ctx, plan, t, c.Tenant, c.Own)
		if err != nil {
			return l.present(ctx, c.Tenant, err)
		}
		got, done, err := l.claimFrom(ctx, plan, t, from, transit, c.Bridge)
		if done || err != nil {
			return got, err
		}
	}
}

// present is a tenant's record, or the reason why it cannot be made.
func (l *Ledger) present(ctx context.Context, name string, reason error) (ipam.Tenant, error) {
	t, err := l.Tenant(ctx, name)
	if errors.Is(err, ipam.ErrNotFound) {
		err = fmt.Errorf("claim tenant %s: %w", name, reason)
	}
	return t, err
}

// claimFrom makes t's record with what the source has; false: the source has to
// be asked for anew.
func (l *Ledger) claimFrom(ctx context.Context, plan ipam.Installation, t ipam.Tenant, from source, transit *search, bridge string) (ipam.Tenant, bool, error) {
	for {
		t.Transit, t.TransitSlot = plan.Pair(transit.slot), transit.slot
		t.Subnets = from.subnets(bridge)
		pair, err := transit.take(t)
		if err != nil {
			return ipam.Tenant{}, false, err
		}
		then, err := puts(t, from)
		if err != nil {
			return ipam.Tenant{}, false, err
		}
		res, err := l.commit(ctx, "claim tenant "+t.Name, Txn{
			If:   append(from.conds(), absent(tenantKey(t.Name)), transit.cond()),
			Then: append(then, pair),
			Else: append([]Op{get(tenantKey(t.Name)), transit.look()}, from.look()...),
		})
		if err != nil {
			return ipam.Tenant{}, false, err
		}
		if res.OK {
			t.Revision = res.Revision
			return t, true, nil
		}
		if p, ok := res.Out[0].one(); ok {
			have, err := decodeTenant(p)
			return have, true, err
		}
		err = transit.learn(res.Out[1].Pairs, l.opt.Now(), l.opt.SlotCoolDown)
		same := false
		if err == nil {
			same, err = from.learn(l, res.Out[2:])
		}
		if err != nil {
			return ipam.Tenant{}, false, fmt.Errorf("claim tenant %s: %w", t.Name, err)
		}
		if !same {
			return ipam.Tenant{}, false, nil
		}
	}
}

// puts writes a tenant's record and the subnets that it takes.
func puts(t ipam.Tenant, from source) ([]Op, error) {
	v, err := encode(t)
	if err != nil {
		return nil, err
	}
	ops, err := from.puts(t)
	return append(ops, put(tenantKey(t.Name), v)), err
}

// Tenant implements ipam.Store.
func (l *Ledger) Tenant(ctx context.Context, name string) (ipam.Tenant, error) {
	res, err := l.read(ctx, "read tenant "+name, get(tenantKey(name)))
	if err != nil {
		return ipam.Tenant{}, err
	}
	p, ok := res.Out[0].one()
	if !ok {
		return ipam.Tenant{}, fmt.Errorf("read tenant %s: %w", name, ipam.ErrNotFound)
	}
	return decodeTenant(p)
}

// Tenants implements ipam.Store.
func (l *Ledger) Tenants(ctx context.Context) ([]ipam.Tenant, error) {
	res, err := l.read(ctx, "list tenants", list(tenantsPrefix))
	if err != nil {
		return nil, err
	}
	return decodeAll(res.Out[0].Pairs, decodeTenant)
}

func decodeAll[T any](ps []Pair, one func(Pair) (T, error)) ([]T, error) {
	all := make([]T, 0, len(ps))
	for _, p := range ps {
		v, err := one(p)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// AddSubnet implements ipam.Store.
func (l *Ledger) AddSubnet(ctx context.Context, t ipam.Tenant, bridge string) (ipam.Tenant, error) {
	if t.Own {
		return ipam.Tenant{}, fmt.Errorf("tenant %s has own subnets, none is carved for it: %w", t.Name, ipam.ErrInvalid)
	}
	return l.addSubnet(ctx, t, bridge, nil)
}

// AddOwnSubnet implements ipam.Store.
func (l *Ledger) AddOwnSubnet(ctx context.Context, t ipam.Tenant, s ipam.Subnet) (ipam.Tenant, error) {
	if !t.Own {
		return ipam.Tenant{}, fmt.Errorf("tenant %s has no own subnets but those of a pool: %w", t.Name, ipam.ErrInvalid)
	}
	return l.addSubnet(ctx, t, "", []ipam.Subnet{s})
}

func (l *Ledger) addSubnet(ctx context.Context, t ipam.Tenant, bridge string, own []ipam.Subnet) (ipam.Tenant, error) {
	plan, err := l.installation()
	if err != nil {
		return ipam.Tenant{}, err
	}
	if len(t.Subnets) >= maxSubnets {
		return ipam.Tenant{}, fmt.Errorf("tenant %s has %d subnets, no more are given: %w", t.Name, maxSubnets, ipam.ErrExhausted)
	}
	for {
		from, err := l.source(ctx, plan, t, fmt.Sprint(t.Name, "/", len(t.Subnets)), own)
		if err != nil {
			return ipam.Tenant{}, fmt.Errorf("add subnet to tenant %s: %w", t.Name, err)
		}
		got, done, err := l.addFrom(ctx, t, from, bridge)
		if done || err != nil {
			return got, err
		}
	}
}

// addFrom adds what the source has; false: the source has to be asked for anew.
func (l *Ledger) addFrom(ctx context.Context, t ipam.Tenant, from source, bridge string) (ipam.Tenant, bool, error) {
	for {
		next := t
		next.State = ipam.TenantBuilding
		next.Subnets = append(slices.Clone(t.Subnets), from.subnets(bridge)...)
		then, err := puts(next, from)
		if err != nil {
			return ipam.Tenant{}, false, err
		}
		res, err := l.commit(ctx, "add subnet to tenant "+t.Name, Txn{
			If:   append(from.conds(), at(tenantKey(t.Name), t.Revision)),
			Then: then,
			Else: append([]Op{get(tenantKey(t.Name))}, from.look()...),
		})
		if err != nil {
			return ipam.Tenant{}, false, err
		}
		if res.OK {
			next.Revision = res.Revision
			return next, true, nil
		}
		if p, _ := res.Out[0].one(); p.Mod != t.Revision {
			return ipam.Tenant{}, false, stale(t)
		}
		same, err := from.learn(l, res.Out[1:])
		if err != nil {
			return ipam.Tenant{}, false, fmt.Errorf("add subnet to tenant %s: %w", t.Name, err)
		}
		if !same {
			return ipam.Tenant{}, false, nil
		}
	}
}

func stale(t ipam.Tenant) error {
	return fmt.Errorf("record of tenant %s at revision %d: %w", t.Name, t.Revision, ipam.ErrStale)
}

// change replaces a tenant's record; when it is not as t any more, the present
// one answers instead if it will do.
func (l *Ledger) change(ctx context.Context, what string, t, next ipam.Tenant, extra []Cond, does func(ipam.Tenant) bool) (ipam.Tenant, Result, error) {
	v, err := encode(next)
	if err != nil {
		return ipam.Tenant{}, Result{}, err
	}
	res, err := l.commit(ctx, what+" tenant "+t.Name, Txn{
		If:   append([]Cond{at(tenantKey(t.Name), t.Revision)}, extra...),
		Then: []Op{put(tenantKey(t.Name), v)},
		Else: []Op{get(tenantKey(t.Name))},
	})
	if err != nil {
		return ipam.Tenant{}, Result{}, err
	}
	if res.OK {
		next.Revision = res.Revision
		return next, res, nil
	}
	p, ok := res.Out[0].one()
	if !ok {
		return ipam.Tenant{}, res, stale(t)
	}
	have, err := decodeTenant(p)
	if err != nil {
		return ipam.Tenant{}, res, err
	}
	if have.Generation == t.Generation && does(have) {
		return have, res, nil
	}
	return ipam.Tenant{}, res, stale(t)
}

// MarkReady implements ipam.Store.
func (l *Ledger) MarkReady(ctx context.Context, t ipam.Tenant, b ipam.Built) (ipam.Tenant, error) {
	next := t
	next.State, next.Built = ipam.TenantReady, b
	ready, _, err := l.change(ctx, "mark ready", t, next, nil, func(have ipam.Tenant) bool {
		return have.State == ipam.TenantReady && have.Built.Digest == b.Digest
	})
	return ready, err
}
