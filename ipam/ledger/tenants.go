package ledger

import (
	"context"
	"fmt"

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
	subnet, transit := l.searches(plan, c.Tenant)
	for {
		t := ipam.Tenant{
			Schema: ipam.Schema, Name: c.Tenant, State: ipam.TenantBuilding, Generation: c.Generation,
			Transit: plan.Pair(transit.slot), TransitSlot: transit.slot,
			Subnets: []ipam.Subnet{{Prefix: plan.Subnet(subnet.slot), Slot: subnet.slot, Bridge: c.Bridge}},
		}
		then, err := puts(t, subnet, transit)
		if err != nil {
			return ipam.Tenant{}, err
		}
		res, err := l.commit(ctx, "claim tenant "+c.Tenant, Txn{
			If:   []Cond{absent(tenantKey(c.Tenant)), subnet.cond(), transit.cond()},
			Then: then,
			Else: []Op{get(tenantKey(c.Tenant)), subnet.look(), transit.look()},
		})
		if err != nil {
			return ipam.Tenant{}, err
		}
		if res.OK {
			t.Revision = res.Revision
			return t, nil
		}
		if p, ok := res.Out[0].one(); ok {
			return decodeTenant(p)
		}
		for i, s := range []*search{subnet, transit} {
			if err := s.learn(res.Out[i+1].Pairs, l.opt.Now(), l.opt.SlotCoolDown); err != nil {
				return ipam.Tenant{}, fmt.Errorf("claim tenant %s: %w", c.Tenant, err)
			}
		}
	}
}

// puts writes a tenant's record and the slots that it takes.
func puts(t ipam.Tenant, slots ...*search) ([]Op, error) {
	v, err := encode(t)
	if err != nil {
		return nil, err
	}
	ops := []Op{put(tenantKey(t.Name), v)}
	for _, s := range slots {
		op, err := s.take(t)
		if err != nil {
			return nil, err
		}
		ops = append(ops, op)
	}
	return ops, nil
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
	plan, err := l.installation()
	if err != nil {
		return ipam.Tenant{}, err
	}
	if len(t.Subnets) >= maxSubnets {
		return ipam.Tenant{}, fmt.Errorf("tenant %s has %d subnets, no more are given: %w", t.Name, maxSubnets, ipam.ErrExhausted)
	}
	slot, _ := l.searches(plan, fmt.Sprint(t.Name, "/", len(t.Subnets)))
	for {
		next := t
		next.State = ipam.TenantBuilding
		next.Subnets = append(append([]ipam.Subnet(nil), t.Subnets...),
			ipam.Subnet{Prefix: plan.Subnet(slot.slot), Slot: slot.slot, Bridge: bridge})
		then, err := puts(next, slot)
		if err != nil {
			return ipam.Tenant{}, err
		}
		res, err := l.commit(ctx, "add subnet to tenant "+t.Name, Txn{
			If:   []Cond{at(tenantKey(t.Name), t.Revision), slot.cond()},
			Then: then,
			Else: []Op{get(tenantKey(t.Name)), slot.look()},
		})
		if err != nil {
			return ipam.Tenant{}, err
		}
		if res.OK {
			next.Revision = res.Revision
			return next, nil
		}
		if p, _ := res.Out[0].one(); p.Mod != t.Revision {
			return ipam.Tenant{}, stale(t)
		}
		if err := slot.learn(res.Out[1].Pairs, l.opt.Now(), l.opt.SlotCoolDown); err != nil {
			return ipam.Tenant{}, fmt.Errorf("add subnet to tenant %s: %w", t.Name, err)
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
		Else: []Op{get(tenantKey(t.Name)), {Kind: OpGet, Key: addressesOf(t.Name), End: after(addressesOf(t.Name)), Limit: 1}},
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

// MarkDeleting implements ipam.Store.
func (l *Ledger) MarkDeleting(ctx context.Context, t ipam.Tenant) (ipam.Tenant, error) {
	next := t
	next.State = ipam.TenantDeleting
	gone, res, err := l.change(ctx, "mark deleting", t, next, []Cond{noneUnder(addressesOf(t.Name))},
		func(have ipam.Tenant) bool { return have.State == ipam.TenantDeleting })
	if err == nil || len(res.Out) < 2 {
		return gone, err
	}
	if p, held := res.Out[1].one(); held {
		return ipam.Tenant{}, fmt.Errorf("delete tenant %s: %s: %w", t.Name, p.Value, ipam.ErrInUse)
	}
	return ipam.Tenant{}, err
}

// DropTenant implements ipam.Store.
func (l *Ledger) DropTenant(ctx context.Context, t ipam.Tenant) error {
	if t.State != ipam.TenantDeleting {
		return fmt.Errorf("drop tenant %s, which is %s: %w", t.Name, t.State, ipam.ErrInvalid)
	}
	now := l.opt.Now().UTC()
	free, err := encode(slotValue{FreedAt: &now})
	if err != nil {
		return err
	}
	then := []Op{del(tenantKey(t.Name)), delAll(freedOf(t.Name)), put(slotKey(transitSlots, t.TransitSlot), free)}
	for _, s := range t.Subnets {
		then = append(then, put(slotKey(subnetSlots, s.Slot), free))
	}
	res, err := l.commit(ctx, "drop tenant "+t.Name, Txn{
		If:   []Cond{at(tenantKey(t.Name), t.Revision)},
		Then: then,
		Else: []Op{get(tenantKey(t.Name))},
	})
	if err != nil {
		return err
	}
	l.forget(t)
	if res.OK {
		return nil
	}
	p, ok := res.Out[0].one()
	if !ok {
		return nil
	}
	if have, err := decodeTenant(p); err != nil || have.Generation != t.Generation {
		return err
	}
	return stale(t)
}
