package ledger

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/moatnet/moat/ipam"
)

func tenantScope(name string) ipam.Scope { return ipam.Scope{Kind: ipam.TenantScope, Name: name} }
func poolScope(name string) ipam.Scope   { return ipam.Scope{Kind: ipam.PoolScope, Name: name} }

func validSticky(s *ipam.Sticky) error {
	switch {
	case s == nil:
		return nil
	case s.Identity == "":
		return fmt.Errorf("a sticky attachment needs an identity: %w", ipam.ErrInvalid)
	case s.For < 0:
		return fmt.Errorf("sticky addresses cannot be kept for %s: %w", s.For, ipam.ErrInvalid)
	}
	return validClaimant(ipam.Claimant{Identity: s.Identity})
}

// keptFor is the reservation of an address that a sticky attachment leases.
func keptFor(s ipam.Scope, c ipam.Claimant, a netip.Addr, now time.Time) ipam.Reservation {
	return ipam.Reservation{Scope: s, Address: a, Claimant: c, Sticky: true, Since: now}
}

// entitled says whether a reservation is for an attachment, by its identity or by
// its pod's name.
func entitled(r ipam.Reservation, s *ipam.Sticky, namespace, pod, ifName string) bool {
	mine := namespace != "" && pod != "" && r.Identity == namespace+"/"+pod ||
		s != nil && r.Identity == s.Identity
	return mine && (r.IfName == "" || r.IfName == ifName)
}

// taking is how an attachment takes the address of a reservation: the address
// still goes by that and by nothing else.
func taking(r ipam.Reservation, s *ipam.Sticky, by string) ([]Cond, []Op, error) {
	key, held := reservationKey(r.Scope, r.Claimant, r.Address), heldKey(r.Scope, r.Address)
	cond := []Cond{at(key, r.Revision), is(held, key)}
	then := []Op{put(held, []byte(by))}
	if !r.Sticky || s == nil || r.Until.IsZero() {
		return cond, then, nil
	}
	next := r
	next.Until = time.Time{}
	ops, err := putReservation(next, &r)
	return cond, append(then, ops...), err
}

// identified is what an identity has in a scope, for one interface.
type identified struct {
	revision int64  // at which it was read
	record   []Pair // of the attachment
	free     []ipam.Reservation
	held     []ipam.Reservation // by attachments
}

// identity reads it, and the record at key.
func (l *Ledger) identity(ctx context.Context, s ipam.Scope, sticky ipam.Sticky, ifName, key string) (identified, error) {
	c := ipam.Claimant{Identity: sticky.Identity, IfName: ifName}
	res, err := l.read(ctx, "read what is reserved for "+c.Identity, get(key), list(identityOf(s, c.Identity)))
	if err != nil {
		return identified{}, err
	}
	id := identified{revision: res.Revision, record: res.Out[0].Pairs}
	rs, err := decodeAll(res.Out[1].Pairs, decodeReservation)
	if err != nil || len(id.record) > 0 {
		return id, err
	}
	var unsure []ipam.Reservation
	for _, r := range rs {
		switch {
		case r.IfName != "" && r.IfName != c.IfName:
		case r.Sticky && !r.Until.IsZero() && !sticky.Shared:
			id.free = append(id.free, r) // or somebody who asked by name has it: overtaken says so
		default:
			unsure = append(unsure, r)
		}
	}
	if err := l.holders(ctx, unsure); err != nil {
		return id, err
	}
	for _, r := range unsure {
		if r.Holder == nil {
			id.free = append(id.free, r)
		} else {
			id.held = append(id.held, r)
		}
	}
	return id, nil
}

// refused is an error when an identity that is not shared is in use.
func (id identified) refused(s ipam.Sticky) error {
	if s.Shared || len(id.held) == 0 {
		return nil
	}
	return &ipam.AddressInUseError{Address: id.held[0].Address, Holder: *id.held[0].Holder}
}

// best is which free reservation is taken: an operator's before those of sticky
// attachments, of these the one given back last.
func (id identified) best(fits func(netip.Addr) bool) *ipam.Reservation {
	var best *ipam.Reservation
	for i, r := range id.free {
		if !fits(r.Address) {
			continue
		}
		if best == nil || !r.Sticky && best.Sticky || r.Sticky == best.Sticky && r.Until.After(best.Until) {
			best = &id.free[i]
		}
	}
	return best
}

// leaseSticky leases the address that is kept for r's identity, or one that is
// kept for it from then on.
func (l *Ledger) leaseSticky(ctx context.Context, t ipam.Tenant, r ipam.Record, with []ipam.Rider) (ipam.Record, error) {
	id, err := l.identity(ctx, tenantScope(t.Name), *r.Sticky, r.IfName, attachmentKey(r.Attachment))
	if err != nil {
		return ipam.Record{}, err
	}
	if len(id.record) > 0 {
		return ipam.Record{}, exists(id.record[0])
	}
	if err := id.refused(*r.Sticky); err != nil {
		return ipam.Record{}, err
	}
	if kept := id.best(func(netip.Addr) bool { return true }); kept != nil {
		return l.leaseKept(ctx, t, r, *kept, with)
	}
	fence := id.revision
	if r.Sticky.Shared {
		fence = 0
	}
	return l.leaseFree(ctx, t, r, fence, with)
}

func exists(kv Pair) error {
	have, err := decodeRecord(kv)
	if err != nil {
		return err
	}
	return &ipam.ExistsError{Record: have}
}

// leaseKept leases the address of a reservation; when that changed, errAgain.
func (l *Ledger) leaseKept(ctx context.Context, t ipam.Tenant, r ipam.Record, kept ipam.Reservation, with []ipam.Rider) (ipam.Record, error) {
	if !r.Subnet.Contains(kept.Address) {
		return ipam.Record{}, &ipam.ElsewhereError{Address: kept.Address, Identity: kept.Identity,
			Where: fmt.Sprintf("subnet %s of tenant %s", r.Subnet, t.Name)}
	}
	if err := usable(t.Subnet(r.Subnet), kept.Address); err != nil {
		return ipam.Record{}, fmt.Errorf("kept for %s: %w", kept.Identity, err)
	}
	leased := filled(t, r, kept.Address)
	leased.Reserved = &kept.Claimant
	v, err := encode(leased)
	if err != nil {
		return ipam.Record{}, err
	}
	key := attachmentKey(r.Attachment)
	cond, then, err := taking(kept, r.Sticky, key)
	if err != nil {
		return ipam.Record{}, err
	}
	res, err := l.commit(ctx, "write the record", Txn{
		If:   append(cond, at(tenantKey(t.Name), t.Revision), absent(key)),
		Then: append(append(then, put(key, v)), rides(with, leased)...),
		Else: []Op{get(key), get(tenantKey(t.Name)), get(heldKey(kept.Scope, kept.Address))},
	})
	if err != nil {
		return ipam.Record{}, err
	}
	if res.OK {
		return written(leased, res), nil
	}
	if kv, ok := res.Out[0].one(); ok {
		return ipam.Record{}, exists(kv)
	}
	if kv, _ := res.Out[1].one(); kv.Mod != t.Revision {
		return ipam.Record{}, stale(t)
	}
	return ipam.Record{}, l.overtaken(ctx, kept, r.Sticky, res.Out[2])
}

// overtaken says why the address of a reservation was not to be had: an
// attachment has it, and the identity's addresses are not shared, or errAgain.
func (l *Ledger) overtaken(ctx context.Context, kept ipam.Reservation, s *ipam.Sticky, held Out) error {
	kv, ok := held.one()
	if !ok || s != nil && s.Shared {
		return errAgain
	}
	if ref, err := parseRef(string(kv.Value)); err != nil || ref.Kind == ipam.ReservationRef {
		return errors.Join(errAgain, err)
	}
	return l.refusal(ctx, kept.Scope, kept.Address, kv)
}
