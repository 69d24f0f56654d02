package ledger

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

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

func same(a, b ipam.Reservation) bool {
	return a.Claimant == b.Claimant && a.Sticky == b.Sticky && a.Note == b.Note && a.Until.Equal(b.Until)
}

// reservable returns ErrInvalid for what no reservation may be.
func reservable(r ipam.Reservation) error {
	unprintable := func(c rune) bool { return !unicode.IsPrint(c) }
	var wrong string
	switch {
	case r.Scope.Kind != ipam.TenantScope && r.Scope.Kind != ipam.PoolScope:
		wrong = fmt.Sprintf("scope %q is neither %q nor %q", r.Scope.Kind, ipam.TenantScope, ipam.PoolScope)
	case !ipam.ValidName(r.Scope.Name):
		wrong = fmt.Sprintf("%q is not the name of a %s", r.Scope.Name, r.Scope.Kind)
	case !r.Address.IsValid():
		wrong = "no address is given"
	case r.Address.Is4In6(), r.Address.Zone() != "":
		wrong = fmt.Sprintf("address %s is not a plain IPv4 or IPv6 address", r.Address)
	case !r.Address.IsGlobalUnicast():
		wrong = fmt.Sprintf("address %s is no unicast address that a pod may have", r.Address)
	case len(r.Note) > ipam.MaxNote:
		wrong = fmt.Sprintf("the note has %d bytes, at most %d are possible", len(r.Note), ipam.MaxNote)
	case strings.ContainsFunc(r.Note, unprintable):
		wrong = fmt.Sprintf("note %q has characters that cannot be printed", r.Note)
	case validClaimant(r.Claimant) != nil:
		return validClaimant(r.Claimant)
	case !r.Until.IsZero() && !r.Until.After(r.Since):
		wrong = fmt.Sprintf("it would end at %s, which is over", r.Until.Format(time.RFC3339))
	default:
		return nil
	}
	return fmt.Errorf("%s: %w", wrong, ipam.ErrInvalid)
}

// maxIdentity is how many bytes an identity may have: namespace, kind, name and
// node of a pod's owner.
const maxIdentity = 1024

func validClaimant(c ipam.Claimant) error {
	unfit := func(r rune) bool { return r <= ' ' || r > '~' }
	switch {
	case len(c.Identity) > maxIdentity, strings.ContainsFunc(c.Identity, unfit):
		return fmt.Errorf("identity %q is not of at most %d printable characters of ASCII: %w", c.Identity, maxIdentity, ipam.ErrInvalid)
	case c.Identity != "" && !strings.Contains(c.Identity, "/"):
		return fmt.Errorf("identity %q is not of the form NAMESPACE/POD or NAMESPACE/KIND/NAME: %w", c.Identity, ipam.ErrInvalid)
	case len(c.IfName) > 15, strings.ContainsFunc(c.IfName, unfit), strings.Contains(c.IfName, "/"):
		return fmt.Errorf("%q is not the name of an interface: %w", c.IfName, ipam.ErrInvalid)
	}
	return nil
}

// fits says whether an address is one of its scope's, and under which condition
// it stays so. Pools are defined by network configurations, which the store does
// not know: any address may be reserved in any pool.
func (l *Ledger) fits(ctx context.Context, r ipam.Reservation) ([]Cond, error) {
	if r.Scope.Kind == ipam.PoolScope {
		return nil, nil
	}
	t, err := l.Tenant(ctx, r.Scope.Name)
	if err != nil {
		return nil, err
	}
	if t.State == ipam.TenantDeleting {
		return nil, fmt.Errorf("tenant %s is being deleted: %w", t.Name, ipam.ErrNotFound)
	}
	var names []string
	for _, s := range t.Subnets {
		if s.Prefix.Contains(r.Address) {
			return []Cond{at(tenantKey(t.Name), t.Revision)}, usable(s, r.Address)
		}
		names = append(names, s.Prefix.String())
	}
	return nil, fmt.Errorf("the address is in none of the tenant's subnets %s: %w", strings.Join(names, ", "), ipam.ErrInvalid)
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
