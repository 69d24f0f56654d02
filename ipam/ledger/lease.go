package ledger

import (
	"context"
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
	if err := leasable(t, r); err != nil {
		return ipam.Record{}, fmt.Errorf("lease for attachment %s: %w", r.Attachment, err)
	}
	p := l.picture(t, r.Subnet)
	if err := l.load(ctx, p, t.Name, r.Subnet, 0); err != nil {
		return ipam.Record{}, err
	}
	c, err := l.candidate(ctx, p, t, r, r.Address)
	for range maxTries {
		if err != nil {
			return ipam.Record{}, fmt.Errorf("lease for attachment %s: %w", r.Attachment, err)
		}
		var res Result
		leased := filled(t, r, ipam.Nth(r.Subnet, c.place))
		if res, err = l.claim(ctx, t, leased, c.rev, with); err != nil {
			p.taken(c.place) // it may be: the next load tells
			return ipam.Record{}, err
		}
		if res.OK {
			p.taken(c.place)
			leased.Created, leased.Revision = res.Revision, res.Revision
			return leased, nil
		}
		c, err = l.lost(ctx, p, t, leased, c, res)
	}
	return ipam.Record{}, fmt.Errorf("lease for attachment %s: %d addresses taken by others in a row: %w", r.Attachment, maxTries, ipam.ErrUnavailable)
}

func leasable(t ipam.Tenant, r ipam.Record) error {
	if err := r.Attachment.Validate(); err != nil {
		return err
	}
	if t.State == ipam.TenantDeleting {
		return stale(t)
	}
	if r.Address.IsValid() {
		last := ipam.Nth(r.Subnet, size(r.Subnet)-1)
		switch {
		case !r.Subnet.Contains(r.Address):
			return fmt.Errorf("address %s is not in subnet %s: %w", r.Address, r.Subnet, ipam.ErrInvalid)
		case r.Address == r.Subnet.Addr(), r.Address == last:
			return fmt.Errorf("address %s is subnet %s's network or broadcast address: %w", r.Address, r.Subnet, ipam.ErrInvalid)
		case r.Address == t.Subnet(r.Subnet).Router():
			return fmt.Errorf("address %s is the gateway of subnet %s: %w", r.Address, r.Subnet, ipam.ErrInvalid)
		case t.Subnet(r.Subnet).Excludes(r.Address):
			return fmt.Errorf("address %s of subnet %s is excluded by the configuration: %w", r.Address, r.Subnet, ipam.ErrInvalid)
		}
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
	return r
}

// candidate is the requested address, or the next free one; what seems full is
// looked at once more before it is called so.
func (l *Ledger) candidate(ctx context.Context, p *picture, t ipam.Tenant, r ipam.Record, asked netip.Addr) (candidate, error) {
	if asked.IsValid() {
		c := candidate{place: placeOf(r.Subnet, asked), asked: true}
		c.rev, c.was = p.reserve(c.place)
		return c, nil
	}
	for range 2 {
		seen := p.count()
		if place, rev, ok := p.take(l.opt.Now()); ok {
			return candidate{place: place, rev: rev}, nil
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

func (l *Ledger) claim(ctx context.Context, t ipam.Tenant, r ipam.Record, freedRev int64, with []ipam.Rider) (Result, error) {
	v, err := encode(r)
	if err != nil {
		return Result{}, err
	}
	key := attachmentKey(r.Attachment)
	address, freed := addressesOf(t.Name)+sortable(r.Address), freedOf(t.Name)+sortable(r.Address)
	then := []Op{put(key, v), put(address, []byte(key)), del(freed)}
	for _, rider := range with {
		then = append(then, Op{Kind: OpRide, Rider: rider, Record: r})
	}
	return l.commit(ctx, "lease for attachment "+r.Attachment.String(), Txn{
		If:   []Cond{at(tenantKey(t.Name), t.Revision), absent(key), absent(address), at(freed, freedRev)},
		Then: then,
		Else: append([]Op{get(key), get(tenantKey(t.Name))}, addresses(t.Name, r.Subnet)...),
	})
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
	if !c.asked {
		p.jump()
		return l.candidate(ctx, p, t, r, netip.Addr{})
	}
	key := addressesOf(t.Name) + sortable(r.Address)
	if i := slices.IndexFunc(held, func(kv Pair) bool { return kv.Key == key }); i >= 0 {
		return c, inUse(r.Address, held[i])
	}
	return l.candidate(ctx, p, t, r, r.Address)
}

func inUse(a netip.Addr, kv Pair) error {
	holder, err := parseAttachment(string(kv.Value))
	if err != nil {
		return err
	}
	return &ipam.AddressInUseError{Address: a, Holder: holder}
}
