package ledger

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/moatnet/moat/ipam"
)

// ending is the end of a record that holds addresses.
type ending struct {
	scope  ipam.Scope
	key    string // of the record
	fence  Cond   // on it
	sticky *ipam.Sticky
	leases []leaseEnd
}

// leaseEnd is an address of a record, with whose reservation it has.
type leaseEnd struct {
	address  netip.Addr
	reserved *ipam.Claimant
}

// Release implements ipam.Store.
func (l *Ledger) Release(ctx context.Context, r ipam.Record) error {
	if !r.Address.IsValid() {
		return l.leave(ctx, r)
	}
	key, now := attachmentKey(r.Attachment), l.opt.Now().UTC()
	freed, rev, err := l.end(ctx, "release attachment "+r.Attachment.String(), now, ending{
		tenantScope(r.Tenant), key, born(key, r.Created), r.Sticky, []leaseEnd{{r.Address, r.Reserved}}})
	if len(freed) == 0 {
		return err
	}
	if p := l.known(ipam.Tenant{Name: r.Tenant, Generation: r.Generation}, r.Subnet); p != nil {
		p.released(r.Address, rev)
	}
	return err
}

// end ends a record that is still as its fence says. Its addresses are free then,
// but for those that are kept; it returns which are, and since which revision.
func (l *Ledger) end(ctx context.Context, what string, now time.Time, e ending) ([]netip.Addr, int64, error) {
	for range maxTries {
		kept, err := l.keptOf(ctx, what, e)
		if err != nil {
			return nil, 0, err
		}
		t := Txn{If: []Cond{e.fence}, Then: []Op{del(e.key)}, Else: []Op{get(e.key)}}
		frees := make([]bool, len(e.leases))
		for i, lease := range e.leases {
			var op Op
			if op, frees[i], err = e.back(lease.address, kept[i], now); err != nil {
				return nil, 0, err
			}
			t.Then = append(t.Then, op)
			if kept[i] != nil {
				t.If = append(t.If, at(reservationKey(e.scope, kept[i].Claimant, lease.address), kept[i].Revision))
			}
		}
		res, err := l.commit(ctx, what, t)
		if err != nil {
			return nil, 0, err
		}
		if res.OK {
			var freed []netip.Addr
			for i, lease := range e.leases {
				if frees[i] && res.Out[1+i].Txn.OK {
					freed = append(freed, lease.address)
				}
			}
			return freed, res.Revision, nil
		}
		kv, ok := res.Out[0].one()
		if !ok || e.fence.On == CreateRevision && kv.Create != e.fence.Want || e.fence.On == ModRevision && kv.Mod != e.fence.Want {
			return nil, 0, nil
		}
	}
	return nil, 0, fmt.Errorf("%s: its reservation changed %d times in a row: %w", what, maxTries, ipam.ErrUnavailable)
}

// keptOf reads the reservations that a record's addresses have; nil where there is
// none, or none any more.
func (l *Ledger) keptOf(ctx context.Context, what string, e ending) ([]*ipam.Reservation, error) {
	kept := make([]*ipam.Reservation, len(e.leases))
	var ops []Op
	var of []int
	for i, lease := range e.leases {
		if lease.reserved != nil {
			ops, of = append(ops, get(reservationKey(e.scope, *lease.reserved, lease.address))), append(of, i)
		}
	}
	if len(ops) == 0 {
		return kept, nil
	}
	res, err := l.read(ctx, what, ops...)
	if err != nil {
		return nil, err
	}
	for k, i := range of {
		if kv, ok := res.Out[k].one(); ok {
			r, err := decodeReservation(kv)
			if err != nil {
				return nil, err
			}
			kept[i] = &r
		}
	}
	return kept, nil
}

// back gives one address back, to its reservation if it has one; true: it is free.
// An address that another record holds is left alone.
func (e ending) back(a netip.Addr, kept *ipam.Reservation, now time.Time) (Op, bool, error) {
	held := heldKey(e.scope, a)
	if kept == nil {
		op, err := free(e.scope, a, e.key, now)
		return op, true, err
	}
	mine, key := is(held, e.key), reservationKey(e.scope, kept.Claimant, a)
	if !kept.Sticky || e.sticky == nil {
		return only(mine, put(held, []byte(key))), false, nil
	}
	if e.sticky.For == 0 {
		op, err := free(e.scope, a, e.key, now)
		op.Txn.Then = append(op.Txn.Then, delReservation(*kept)...)
		return op, true, err
	}
	next := *kept
	next.Until = wholeSeconds(now.Add(e.sticky.For))
	ops, err := putReservation(next, kept)
	return only(mine, append(ops, put(held, []byte(key)))...), false, err
}
