package ledger

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/moatnet/moat/ipam"
)

// maxTries bounds the transactions of one Lease; each that is lost but the
// first means that another node took an address in that moment.
const maxTries = 64

// candidate is a place that a lease is tried with, and the revision at which
// it was last given back (0: never, or long ago and forgotten).
type candidate struct {
	place int
	rev   int64
	asked bool // the caller named the address
	was   bool // asked, and the picture had it as used already
}

// Lease implements ipam.Store.
func (l *Ledger) Lease(ctx context.Context, t ipam.Tenant, r ipam.Record, with ...ipam.Rider) (ipam.Record, error) {
	what := fmt.Sprintf("lease for attachment %s", r.Attachment)
	if err := leasable(t, r); err != nil {
		return ipam.Record{}, fmt.Errorf("%s: %w", what, err)
	}
	for range maxTries {
		got, err := l.lease(ctx, t, r, with)
		switch {
		case err == nil:
			return got, nil
		case !errors.Is(err, errAgain):
			return ipam.Record{}, fmt.Errorf("%s: %w", what, err)
		}
	}
	return ipam.Record{}, fmt.Errorf("%s: %d decisions overtaken by others in a row: %w", what, maxTries, ipam.ErrUnavailable)
}

// lease is errAgain when the decision was overtaken.
func (l *Ledger) lease(ctx context.Context, t ipam.Tenant, r ipam.Record, with []ipam.Rider) (ipam.Record, error) {
	if r.Sticky != nil && !r.Address.IsValid() {
		return l.leaseSticky(ctx, t, r, with)
	}
	got, err := l.leaseFree(ctx, t, r, 0, with)
	if errors.Is(err, ipam.ErrExhausted) { // which does not matter to who holds an address
		if have, missing := l.Attachment(ctx, r.Attachment); missing == nil {
			err = &ipam.ExistsError{Record: have}
		}
	}
	var kept *ipam.ReservedError
	if errors.As(err, &kept) && entitled(kept.Reservation, r.Sticky, r.PodNamespace, r.PodName, r.IfName) {
		return l.leaseKept(ctx, t, r, kept.Reservation, with)
	}
	return got, err
}

// leaseFree leases an address that nobody holds. With a fence, the claimant has
// got no reservation after that revision, or else the answer is errAgain.
func (l *Ledger) leaseFree(ctx context.Context, t ipam.Tenant, r ipam.Record, fence int64, with []ipam.Rider) (ipam.Record, error) {
	p := l.picture(t, r.Subnet)
	if err := l.load(ctx, p, t.Name, r.Subnet, 0); err != nil {
		return ipam.Record{}, err
	}
	c, err := l.candidate(ctx, p, t, r, r.Address)
	for range maxTries {
		if err != nil {
			return ipam.Record{}, err
		}
		var res Result
		leased := filled(t, r, ipam.Nth(r.Subnet, c.place))
		if res, err = l.claim(ctx, t, leased, c.rev, fence, with); err != nil {
			p.taken(c.place) // it may be: the next load tells
			return ipam.Record{}, err
		}
		if res.OK {
			p.taken(c.place)
			return written(leased, res), nil
		}
		c, err = l.lost(ctx, p, t, leased, c, res)
	}
	return ipam.Record{}, fmt.Errorf("%d addresses taken by others in a row: %w", maxTries, ipam.ErrUnavailable)
}

// rides are what riders write beside a record.
func rides(with []ipam.Rider, r ipam.Record) []Op {
	ops := make([]Op, len(with))
	for i, rider := range with {
		ops[i] = Op{Kind: OpRide, Rider: rider, Record: r}
	}
	return ops
}

func written(r ipam.Record, res Result) ipam.Record {
	r.Created, r.Revision = res.Revision, res.Revision
	return r
}

func leasable(t ipam.Tenant, r ipam.Record) error {
	if err := r.Attachment.Validate(); err != nil {
		return err
	}
	if err := validSticky(r.Sticky); err != nil {
		return err
	}
	if t.State == ipam.TenantDeleting {
		return stale(t)
	}
	if !r.Address.IsValid() {
		return nil
	}
	if !r.Subnet.Contains(r.Address) {
		return fmt.Errorf("address %s is not in subnet %s: %w", r.Address, r.Subnet, ipam.ErrInvalid)
	}
	return usable(t.Subnet(r.Subnet), r.Address)
}

// usable returns ErrInvalid for an address of a subnet that no pod may have.
func usable(s ipam.Subnet, a netip.Addr) error {
	switch {
	case a == s.Prefix.Addr(), a == ipam.Nth(s.Prefix, size(s.Prefix)-1):
		return fmt.Errorf("address %s is subnet %s's network or broadcast address: %w", a, s.Prefix, ipam.ErrInvalid)
	case a == s.Router():
		return fmt.Errorf("address %s is the gateway of subnet %s: %w", a, s.Prefix, ipam.ErrInvalid)
	case s.Excludes(a):
		return fmt.Errorf("address %s of subnet %s is excluded by the configuration: %w", a, s.Prefix, ipam.ErrInvalid)
	}
	return nil
}

func filled(t ipam.Tenant, r ipam.Record, a netip.Addr) ipam.Record {
	r.Schema, r.State = ipam.Schema, ipam.Adding
	r.Address = a
	if !r.Gateway.IsValid() {
		r.Gateway = t.Subnet(r.Subnet).Router()
	}
	if r.PodMAC == "" {
		r.PodMAC = ipam.MAC(a)
	}
	r.Reserved = nil
	if r.Sticky != nil {
		r.Reserved = &ipam.Claimant{Identity: r.Sticky.Identity, IfName: r.IfName}
	}
	return r
}

// candidate is the requested address, or the next free one; what seems full is
// looked at once more, and reservations whose time is over are ended, before it is
// called so.
func (l *Ledger) candidate(ctx context.Context, p *picture, t ipam.Tenant, r ipam.Record, asked netip.Addr) (candidate, error) {
	if asked.IsValid() {
		c := candidate{place: placeOf(r.Subnet, asked), asked: true}
		c.rev, c.was = p.reserve(c.place)
		return c, nil
	}
	for try := range 3 {
		seen := p.count()
		if place, rev, ok := p.take(); ok {
			return candidate{place: place, rev: rev}, nil
		}
		if try == 2 || try == 1 && !l.ended(ctx) {
			break
		}
		if err := l.load(ctx, p, t.Name, r.Subnet, seen); err != nil {
			return candidate{}, err
		}
	}
	key := ipam.KeySubnetLength
	if t.Own {
		key = ipam.KeyOwnSubnets(t.Name)
	}
	return candidate{}, &ipam.ExhaustedError{Pool: fmt.Sprintf("subnet %s of tenant %s", r.Subnet, t.Name), Key: key}
}

// ended ends the reservations whose time is over, and says whether there were any.
// What keeps them from ending is not a lease's to say.
func (l *Ledger) ended(ctx context.Context) bool {
	n, err := l.EndReservations(ctx)
	return err == nil && n > 0
}

func (l *Ledger) claim(ctx context.Context, t ipam.Tenant, r ipam.Record, freedRev, fence int64, with []ipam.Rider) (Result, error) {
	scope := tenantScope(t.Name)
	var keep []Op
	var err error
	if r.Reserved != nil {
		if keep, err = putReservation(keptFor(scope, *r.Reserved, r.Address, l.opt.Now().UTC()), nil); err != nil {
			return Result{}, err
		}
	}
	v, err := encode(r)
	if err != nil {
		return Result{}, err
	}
	key, address, freed := attachmentKey(r.Attachment), heldKey(scope, r.Address), freedKey(scope, r.Address)
	tx := Txn{
		If:   []Cond{at(tenantKey(t.Name), t.Revision), absent(key), absent(address), at(freed, freedRev)},
		Then: append(append([]Op{put(key, v), put(address, []byte(key)), del(freed)}, keep...), rides(with, r)...),
		Else: append([]Op{get(key), get(tenantKey(t.Name))}, addresses(t.Name, r.Subnet)...),
	}
	if fence != 0 {
		own := claimantOf(scope, *r.Reserved)
		tx.If = append(tx.If, unchangedUnder(own, fence))
		tx.Else = append(tx.Else, newerUnder(own, fence))
	}
	return l.commit(ctx, "write the record", tx)
}

// lost reads why a claim did not go through and returns what to try next. The
// answer brought all addresses of the subnet, so the next try is wrong only if
// another node is quick in that moment.
func (l *Ledger) lost(ctx context.Context, p *picture, t ipam.Tenant, r ipam.Record, c candidate, res Result) (candidate, error) {
	held, given := res.Out[2].Pairs, res.Out[3].Pairs
	if kv, ok := res.Out[0].one(); ok {
		p.giveUp(c)
		have, err := decodeRecord(kv)
		if err != nil {
			return c, err
		}
		return c, &ipam.ExistsError{Record: have}
	}
	if kv, _ := res.Out[1].one(); kv.Mod != t.Revision {
		p.giveUp(c)
		return c, stale(t)
	}
	p.drop(c.place)
	if err := p.draw(held, given); err != nil {
		return c, err
	}
	if len(res.Out) > 4 && len(res.Out[4].Pairs) > 0 {
		return c, errAgain
	}
	if !c.asked {
		p.jump()
		return l.candidate(ctx, p, t, r, netip.Addr{})
	}
	key := addressesOf(t.Name) + sortable(r.Address)
	if i := slices.IndexFunc(held, func(kv Pair) bool { return kv.Key == key }); i >= 0 {
		return c, l.refusal(ctx, tenantScope(t.Name), r.Address, held[i])
	}
	return l.candidate(ctx, p, t, r, r.Address)
}
