package ledger

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/moatnet/moat/ipam"
)

// PoolOptions of Pools.
type PoolOptions struct {
	Timeout time.Duration    // of a transaction, where ctx allows more; 0 means 3 s
	Now     func() time.Time // nil means time.Now
}

// Pools implements ipam.PoolStore over a KV.
type Pools struct {
	ledger *Ledger // for its transactions

	mu       sync.Mutex
	pictures map[string]*setPicture
}

// NewPools returns pools over kv, which may be a Ledger's, too.
func NewPools(kv KV, opt PoolOptions) *Pools {
	l := New(kv, Options{Timeout: opt.Timeout, Now: opt.Now})
	return &Pools{ledger: l, pictures: map[string]*setPicture{}}
}

var _ ipam.PoolStore = (*Pools)(nil)

// Hold implements ipam.PoolStore.
func (p *Pools) Hold(ctx context.Context, h ipam.Holding, w ipam.Wish) (ipam.Holding, error) {
	what := "lease for attachment " + h.Attachment.String()
	if err := holdable(h, w.Sets, w.Asked); err != nil {
		return ipam.Holding{}, fmt.Errorf("%s: %w", what, err)
	}
	for range maxTries {
		got, err := p.hold(ctx, h, w)
		switch {
		case err == nil:
			return got, nil
		case !errors.Is(err, errAgain):
			return ipam.Holding{}, fmt.Errorf("%s: %w", what, err)
		}
	}
	return ipam.Holding{}, fmt.Errorf("%s: %d decisions overtaken by others in a row: %w", what, maxTries, ipam.ErrUnavailable)
}

// hold is errAgain when the decision was overtaken.
func (p *Pools) hold(ctx context.Context, h ipam.Holding, w ipam.Wish) (ipam.Holding, error) {
	kept, fence, have, err := p.keeps(ctx, h, w)
	if err != nil || have != nil {
		return deref(have), err
	}
	claims, err := p.claims(ctx, h.Pool, w, kept)
	if errors.Is(err, ipam.ErrExhausted) { // which does not matter to who holds an address
		if have, missing := p.Holding(ctx, h.Attachment); missing == nil {
			return have, nil
		}
	}
	if err != nil {
		return ipam.Holding{}, err
	}
	for range maxTries {
		full, res, err := p.try(ctx, h, claims, fence)
		switch {
		case err != nil:
			for _, c := range claims {
				c.taken() // it may be: settle finds out
				c.of.unsure.Store(true)
			}
			return ipam.Holding{}, err
		case res.OK:
			for _, c := range claims {
				c.taken()
			}
			full.Revision, full.Made = res.Revision, true
			return full, nil
		}
		if kv, ok := res.Out[0].one(); ok {
			giveUp(claims)
			return decodeHolding(kv)
		}
		if err := p.again(ctx, h, claims, res.Out[1:]); err != nil {
			return ipam.Holding{}, err
		}
	}
	giveUp(claims)
	return ipam.Holding{}, fmt.Errorf("%d addresses taken by others in a row: %w", maxTries, ipam.ErrUnavailable)
}

func deref(h *ipam.Holding) ipam.Holding {
	if h == nil {
		return ipam.Holding{}
	}
	return *h
}

func holdable(h ipam.Holding, sets []ipam.Set, asked []netip.Addr) error {
	if err := h.Attachment.Validate(); err != nil {
		return err
	}
	if !ipam.ValidName(h.Pool) {
		return fmt.Errorf("pool %q: %w", h.Pool, ipam.ErrInvalid)
	}
	if err := validSticky(h.Sticky); err != nil {
		return err
	}
	if len(sets) == 0 {
		return fmt.Errorf("pool %s is empty: %w", h.Pool, ipam.ErrInvalid)
	}
	for _, a := range asked {
		found := false
		for _, s := range sets {
			_, ok := s.Lease(a)
			found = found || ok
		}
		if !found {
			return fmt.Errorf("requested address %s is in no range of pool %s, or excluded: %w", a, h.Pool, ipam.ErrInvalid)
		}
	}
	return nil
}

// try is one transaction. Else brings the attachment's holding, for each claim
// what is held and was given back from its address on, and with a fence what the
// identity has got since.
func (p *Pools) try(ctx context.Context, h ipam.Holding, claims []claim, fence int64) (ipam.Holding, Result, error) {
	key, now := holdingKey(h.Attachment), p.ledger.opt.Now().UTC()
	h.Schema, h.At, h.Leases = ipam.Schema, now, make([]ipam.PoolLease, len(claims))
	t := Txn{If: []Cond{absent(key)}, Else: []Op{get(key)}}
	for i, c := range claims {
		cond, then, err := c.take(h, key, now)
		if err != nil {
			return h, Result{}, err
		}
		h.Leases[i], _ = c.of.set.Lease(c.address)
		h.Leases[i].Reserved = c.reserved(h)
		t.If, t.Then = append(t.If, cond...), append(t.Then, then...)
		t.Else = append(t.Else, c.window(poolAddresses(h.Pool)), c.window(poolFreed(h.Pool)))
	}
	if fence != 0 {
		own := claimantOf(poolScope(h.Pool), claimantIn(h))
		t.If, t.Else = append(t.If, unchangedUnder(own, fence)), append(t.Else, newerUnder(own, fence))
	}
	v, err := encode(h)
	if err != nil {
		return h, Result{}, err
	}
	t.Then = append(t.Then, put(key, v))
	res, err := p.ledger.commit(ctx, "write what it holds", t)
	return h, res, err
}

// again learns what a lost transaction brought and makes other claims of those
// that are not to be had.
func (p *Pools) again(ctx context.Context, h ipam.Holding, claims []claim, out []Out) error {
	if moved := len(out) > 2*len(claims) && len(out[2*len(claims)].Pairs) > 0; moved {
		giveUp(claims)
		return errAgain
	}
	for i, c := range claims {
		next, err := p.other(ctx, h, c, out[2*i].Pairs, out[2*i+1].Pairs)
		if err != nil {
			giveUp(append(slices.Clone(claims[:i]), claims[i+1:]...))
			return err
		}
		claims[i] = next
	}
	return nil
}

// other is what is tried in place of a claim; with an error c is given up.
func (p *Pools) other(ctx context.Context, h ipam.Holding, c claim, held, given []Pair) (claim, error) {
	at := slices.IndexFunc(held, func(kv Pair) bool { return kv.Key == poolAddresses(c.of.pool)+sortable(c.address) })
	if c.kept != nil {
		if at < 0 {
			return c, errAgain
		}
		return c, p.ledger.overtaken(ctx, *c.kept, h.Sticky, Out{Pairs: held[at : at+1]})
	}
	if c.asked && at < 0 {
		return c, nil // it was not for this one that the transaction failed
	}
	c.drop()
	if c.asked {
		err := p.ledger.refusal(ctx, poolScope(h.Pool), c.address, held[at])
		var kept *ipam.ReservedError
		if errors.As(err, &kept) && entitled(kept.Reservation, h.Sticky, h.PodNamespace, h.PodName, h.IfName) {
			return claim{of: c.of, address: c.address, kept: &kept.Reservation}, nil
		}
		return c, err
	}
	err := c.of.learn(held, given, at < 0, c.place)
	if at >= 0 {
		c.of.jump()
	}
	if err != nil {
		return c, err
	}
	return p.claim(ctx, c.of, netip.Addr{})
}
