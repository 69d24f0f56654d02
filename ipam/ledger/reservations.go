package ledger

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/moatnet/moat/ipam"
)

var _ ipam.ReservationStore = (*Ledger)(nil)

// errAgain says that what a decision was based on changed; it is made anew.
var errAgain = errors.New("changed meanwhile")

func decodeReservation(p Pair) (ipam.Reservation, error) {
	var r ipam.Reservation
	err := decode(p, &r, &r.Schema)
	r.Revision = p.Mod
	return r, err
}

// putReservation writes a reservation in place of old, if there is one.
func putReservation(r ipam.Reservation, old *ipam.Reservation) ([]Op, error) {
	r.Schema, r.Holder = ipam.Schema, nil
	v, err := encode(r)
	if err != nil {
		return nil, err
	}
	key := reservationKey(r.Scope, r.Claimant, r.Address)
	ops := []Op{put(key, v)}
	if !r.Until.IsZero() {
		ops = append(ops, put(endingKey(r), []byte(key)))
	}
	if old != nil && !old.Until.IsZero() && (r.Until.IsZero() || endingKey(*old) != endingKey(r)) {
		ops = append(ops, del(endingKey(*old)))
	}
	return ops, nil
}

func delReservation(r ipam.Reservation) []Op {
	ops := []Op{del(reservationKey(r.Scope, r.Claimant, r.Address))}
	if !r.Until.IsZero() {
		ops = append(ops, del(endingKey(r)))
	}
	return ops
}

// free frees an address if it is held by what value names, and says since when it
// rests.
func free(s ipam.Scope, a netip.Addr, value string, now time.Time) (Op, error) {
	v, err := encode(freedValue{now})
	held := heldKey(s, a)
	return only(is(held, value), del(held), put(freedKey(s, a), v)), err
}

// wholeSeconds rounds up: an ending's key counts seconds.
func wholeSeconds(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Add(time.Second - time.Nanosecond).Truncate(time.Second)
}

// Reserve implements ipam.ReservationStore. Repeated, it succeeds.
func (l *Ledger) Reserve(ctx context.Context, r ipam.Reservation) (ipam.Reservation, error) {
	what := fmt.Sprintf("reserve address %s of %s", r.Address, r.Scope)
	r.Schema, r.Since, r.Until = ipam.Schema, l.opt.Now().UTC(), wholeSeconds(r.Until)
	r.Sticky, r.Holder, r.Revision = false, nil, 0
	if err := reservable(r); err != nil {
		return ipam.Reservation{}, fmt.Errorf("%s: %w", what, err)
	}
	for range maxTries {
		got, err := l.reserve(ctx, what, r)
		if !errors.Is(err, errAgain) {
			return got, err
		}
	}
	return ipam.Reservation{}, fmt.Errorf("%s: the record of %s changed %d times in a row: %w", what, r.Scope, maxTries, ipam.ErrUnavailable)
}

func (l *Ledger) reserve(ctx context.Context, what string, r ipam.Reservation) (ipam.Reservation, error) {
	cond, err := l.fits(ctx, r)
	if err != nil {
		return ipam.Reservation{}, fmt.Errorf("%s: %w", what, err)
	}
	then, err := putReservation(r, nil)
	if err != nil {
		return ipam.Reservation{}, err
	}
	held := heldKey(r.Scope, r.Address)
	res, err := l.commit(ctx, what, Txn{
		If: append(cond, absent(held)),
		Then: append(then, put(held, []byte(reservationKey(r.Scope, r.Claimant, r.Address))),
			del(freedKey(r.Scope, r.Address))),
		Else: []Op{get(held)},
	})
	if err != nil {
		return ipam.Reservation{}, err
	}
	if res.OK {
		r.Revision = res.Revision
		return r, nil
	}
	kv, ok := res.Out[0].one()
	if !ok {
		return ipam.Reservation{}, errAgain
	}
	err = l.refusal(ctx, r.Scope, r.Address, kv)
	var kept *ipam.ReservedError
	if errors.As(err, &kept) && same(kept.Reservation, r) {
		return kept.Reservation, nil
	}
	if errors.Is(err, errAgain) {
		return ipam.Reservation{}, err
	}
	return ipam.Reservation{}, fmt.Errorf("%s: %w", what, err)
}

// refusal says who holds an address: an *ipam.AddressInUseError or an
// *ipam.ReservedError. A reservation whose time is over is ended, and errAgain
// returned.
func (l *Ledger) refusal(ctx context.Context, s ipam.Scope, a netip.Addr, kv Pair) error {
	ref, err := parseRef(string(kv.Value))
	if err != nil {
		return fmt.Errorf("address %s: %w", a, err)
	}
	if ref.Kind != ipam.ReservationRef {
		return &ipam.AddressInUseError{Address: a, Holder: ref.Attachment}
	}
	res, err := l.read(ctx, "read reservation of address "+a.String(), get(string(kv.Value)))
	if err != nil {
		return err
	}
	p, ok := res.Out[0].one()
	if !ok {
		return l.orphaned(ctx, s, a, kv)
	}
	r, err := decodeReservation(p)
	if err != nil {
		return err
	}
	if r.Until.IsZero() || l.opt.Now().Before(r.Until) {
		return &ipam.ReservedError{Reservation: r}
	}
	if _, err := l.endAll(ctx, []ipam.Reservation{r}); err != nil {
		return err
	}
	return errAgain
}

// orphaned is the refusal of an address whose reservation is not there: a moment
// ago, or never.
func (l *Ledger) orphaned(ctx context.Context, s ipam.Scope, a netip.Addr, kv Pair) error {
	res, err := l.read(ctx, "read address "+a.String(), get(kv.Key))
	if err != nil {
		return err
	}
	if now, ok := res.Out[0].one(); ok && now.Mod == kv.Mod {
		return fmt.Errorf("address %s of %s names a reservation that is not there; an audit repairs it: %w", a, s, ipam.ErrCorrupt)
	}
	return errAgain
}
