package ledger

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/moatnet/moat/ipam"
)

// Reservation implements ipam.ReservationStore.
func (l *Ledger) Reservation(ctx context.Context, s ipam.Scope, a netip.Addr) (ipam.Reservation, error) {
	what := fmt.Sprintf("read reservation of address %s of %s", a, s)
	for range maxTries {
		r, err := l.reservation(ctx, s, a)
		switch {
		case err == nil:
			return r, nil
		case !errors.Is(err, errAgain):
			return ipam.Reservation{}, fmt.Errorf("%s: %w", what, err)
		}
	}
	return ipam.Reservation{}, fmt.Errorf("%s: it changed %d times in a row: %w", what, maxTries, ipam.ErrUnavailable)
}

func (l *Ledger) reservation(ctx context.Context, s ipam.Scope, a netip.Addr) (ipam.Reservation, error) {
	res, err := l.read(ctx, "read address", get(heldKey(s, a)))
	if err != nil {
		return ipam.Reservation{}, err
	}
	kv, ok := res.Out[0].one()
	if !ok {
		return ipam.Reservation{}, ipam.ErrNotFound
	}
	ref, err := parseRef(string(kv.Value))
	if err != nil {
		return ipam.Reservation{}, err
	}
	c := &ref.Claimant
	if ref.Kind != ipam.ReservationRef {
		if c, err = l.reservedOf(ctx, string(kv.Value), ref, a); err != nil {
			return ipam.Reservation{}, err
		}
	}
	if c == nil {
		return ipam.Reservation{}, ipam.ErrNotFound
	}
	if res, err = l.read(ctx, "read reservation", get(reservationKey(s, *c, a))); err != nil {
		return ipam.Reservation{}, err
	}
	p, ok := res.Out[0].one()
	if !ok {
		if ref.Kind == ipam.ReservationRef {
			return ipam.Reservation{}, l.orphaned(ctx, s, a, kv)
		}
		return ipam.Reservation{}, ipam.ErrNotFound // released while it was held
	}
	r, err := decodeReservation(p)
	if ref.Kind != ipam.ReservationRef {
		r.Holder = &ref.Attachment
	}
	return r, err
}

// reservedOf is whose reservation an attachment's address has, or nil.
func (l *Ledger) reservedOf(ctx context.Context, key string, ref ipam.Ref, a netip.Addr) (*ipam.Claimant, error) {
	res, err := l.read(ctx, "read attachment "+ref.Attachment.String(), get(key))
	if err != nil {
		return nil, err
	}
	p, ok := res.Out[0].one()
	if !ok {
		return nil, nil
	}
	if ref.Kind == ipam.AttachmentRef {
		r, err := decodeRecord(p)
		return r.Reserved, err
	}
	h, err := decodeHolding(p)
	i := slices.IndexFunc(h.Leases, func(l ipam.PoolLease) bool { return l.Address.Addr() == a })
	if err != nil || i < 0 {
		return nil, err
	}
	return h.Leases[i].Reserved, nil
}

// Reservations implements ipam.ReservationStore.
func (l *Ledger) Reservations(ctx context.Context, s ipam.Scope) ([]ipam.Reservation, error) {
	pairs, _, err := l.pages(ctx, reservationsOf(s), 0)
	if err != nil {
		return nil, err
	}
	rs, err := decodeAll(pairs, decodeReservation)
	if err != nil {
		return nil, err
	}
	if err := l.holders(ctx, rs); err != nil {
		return nil, err
	}
	slices.SortFunc(rs, func(a, b ipam.Reservation) int {
		if c := strings.Compare(a.Scope.String(), b.Scope.String()); c != 0 {
			return c
		}
		return a.Address.Compare(b.Address)
	})
	return rs, nil
}

// holders fills in who has the addresses of reservations now.
func (l *Ledger) holders(ctx context.Context, rs []ipam.Reservation) error {
	for part := range slices.Chunk(rs, batch) {
		ops := make([]Op, len(part))
		for i, r := range part {
			ops[i] = get(heldKey(r.Scope, r.Address))
		}
		res, err := l.read(ctx, "read reserved addresses", ops...)
		if err != nil {
			return err
		}
		for i := range part {
			kv, ok := res.Out[i].one()
			if !ok || reserved(kv.Value) {
				continue
			}
			ref, err := parseRef(string(kv.Value))
			if err != nil {
				return fmt.Errorf("address %s: %w", part[i].Address, err)
			}
			part[i].Holder = &ref.Attachment
		}
	}
	return nil
}
