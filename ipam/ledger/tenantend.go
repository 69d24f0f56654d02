package ledger

import (
	"context"
	"fmt"

	"github.com/moatnet/moat/ipam"
)

// MarkDeleting implements ipam.Store. Reservations do not keep a tenant: where
// there are some the condition is that no address was leased since they were read.
func (l *Ledger) MarkDeleting(ctx context.Context, t ipam.Tenant) (ipam.Tenant, error) {
	next := t
	next.State = ipam.TenantDeleting
	nothing := noneUnder(addressesOf(t.Name))
	for range maxTries {
		gone, res, err := l.change(ctx, "mark deleting", t, next, []Cond{nothing},
			func(have ipam.Tenant) bool { return have.State == ipam.TenantDeleting })
		if err == nil || len(res.Out) == 0 {
			return gone, err
		}
		if p, _ := res.Out[0].one(); p.Mod != t.Revision {
			return ipam.Tenant{}, err
		}
		if nothing, err = l.onlyReserved(ctx, t.Name); err != nil {
			return ipam.Tenant{}, fmt.Errorf("delete tenant %s: %w", t.Name, err)
		}
	}
	return ipam.Tenant{}, fmt.Errorf("delete tenant %s: its addresses changed %d times in a row: %w", t.Name, maxTries, ipam.ErrUnavailable)
}

// onlyReserved is the condition that no attachment holds an address of a tenant,
// or ErrInUse.
func (l *Ledger) onlyReserved(ctx context.Context, tenant string) (Cond, error) {
	held, rev, err := l.pages(ctx, addressesOf(tenant), 0)
	if err != nil {
		return Cond{}, err
	}
	for _, p := range held {
		if !reserved(p.Value) {
			return Cond{}, fmt.Errorf("%s: %w", p.Value, ipam.ErrInUse)
		}
	}
	return unchangedUnder(addressesOf(tenant), rev), nil
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
	then := []Op{del(tenantKey(t.Name)), delAll(freedOf(t.Name)),
		delAll(addressesOf(t.Name)), delAll(reservationsOf(tenantScope(t.Name))), // nothing but reservations holds them
		put(slotKey(transitSlots, t.TransitSlot), free)}
	if t.Own {
		then = append(then, delAll(rangesOf(t.Name)))
	} else {
		for _, s := range t.Subnets {
			then = append(then, put(slotKey(slotsOf(t), s.Slot), free))
		}
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
