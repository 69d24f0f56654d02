package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/moatnet/moat/ipam"
)

// endBatch is how many reservations one transaction ends.
const endBatch = 50

// Unreserve implements ipam.ReservationStore.
func (l *Ledger) Unreserve(ctx context.Context, r ipam.Reservation) error {
	key := reservationKey(r.Scope, r.Claimant, r.Address)
	gone, err := free(r.Scope, r.Address, key, l.opt.Now().UTC())
	if err != nil {
		return err
	}
	what := fmt.Sprintf("end the reservation of address %s of %s", r.Address, r.Scope)
	res, err := l.commit(ctx, what, Txn{
		If: []Cond{at(key, r.Revision)}, Then: append(delReservation(r), gone), Else: []Op{get(key)}})
	if err != nil || res.OK {
		return err
	}
	if _, there := res.Out[0].one(); there {
		return fmt.Errorf("%s: %w", what, ipam.ErrStale)
	}
	return nil
}

// EndReservations implements ipam.ReservationStore.
func (l *Ledger) EndReservations(ctx context.Context) (int, error) {
	total := 0
	for {
		key, end := endedBy(l.opt.Now())
		res, err := l.read(ctx, "look for reservations whose time is over", Op{Kind: OpGet, Key: key, End: end, Limit: batch})
		if err != nil {
			return total, err
		}
		over := res.Out[0].Pairs
		n, err := l.endOver(ctx, over)
		if total += n; err != nil || len(over) < batch {
			return total, err
		}
	}
}

// endOver ends the reservations that endings name, and clears away endings of
// reservations that are not there.
func (l *Ledger) endOver(ctx context.Context, over []Pair) (int, error) {
	if len(over) == 0 {
		return 0, nil
	}
	ops := make([]Op, len(over))
	for i, ending := range over {
		ops[i] = get(string(ending.Value))
	}
	res, err := l.read(ctx, "read reservations whose time is over", ops...)
	if err != nil {
		return 0, err
	}
	var rs []ipam.Reservation
	var stale []Op
	var unreadable []error
	for i, ending := range over {
		if p, ok := res.Out[i].one(); ok {
			r, err := decodeReservation(p)
			if err != nil {
				unreadable = append(unreadable, err)
				continue
			}
			if !r.Until.IsZero() && endingKey(r) == ending.Key {
				rs = append(rs, r)
				continue
			}
		}
		stale = append(stale, only(at(ending.Key, ending.Mod), del(ending.Key)))
	}
	if len(stale) > 0 {
		if _, err := l.commit(ctx, "clear away what ends nothing", Txn{Then: stale}); err != nil {
			return 0, err
		}
	}
	n, err := l.endAll(ctx, rs)
	return n, errors.Join(append(unreadable, err)...)
}

// endAll ends reservations that are still as they were read, and says how many it
// ended. An address that is not held by its attachment is free then.
func (l *Ledger) endAll(ctx context.Context, rs []ipam.Reservation) (int, error) {
	n := 0
	for part := range slices.Chunk(rs, endBatch) {
		ops := make([]Op, len(part))
		for i, r := range part {
			key := reservationKey(r.Scope, r.Claimant, r.Address)
			gone, err := free(r.Scope, r.Address, key, l.opt.Now().UTC())
			if err != nil {
				return n, err
			}
			ops[i] = only(at(key, r.Revision), append(delReservation(r), gone)...)
		}
		res, err := l.commit(ctx, "end reservations whose time is over", Txn{Then: ops})
		if err != nil {
			return n, err
		}
		for _, out := range res.Out {
			if out.Txn.OK {
				n++
			}
		}
	}
	return n, nil
}
