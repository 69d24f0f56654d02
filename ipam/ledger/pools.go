package ledger

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moatnet/moat/ipam"
)

// PoolOptions of Pools.
type PoolOptions struct {
	Timeout time.Duration    // of a transaction, where ctx allows more; 0 means 5 s
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

// claim is one address that a Hold tries. One that was asked for may have no
// place among those that are leased in turn.
type claim struct {
	of *setPicture
	candidate
	address netip.Addr
	placed  bool
}

func (c claim) taken() {
	if c.placed {
		c.of.taken(c.place)
	}
}

func (c claim) giveUp() {
	if c.placed {
		c.of.giveUp(c.candidate)
	}
}

// Hold implements ipam.PoolStore.
func (p *Pools) Hold(ctx context.Context, h ipam.Holding, w ipam.Wish) (ipam.Holding, error) {
	what := "lease for attachment " + h.Attachment.String()
	if err := holdable(h, w.Sets, w.Asked); err != nil {
		return ipam.Holding{}, fmt.Errorf("%s: %w", what, err)
	}
	claims, err := p.claims(ctx, h.Pool, w)
	if errors.Is(err, ipam.ErrExhausted) { // which does not matter to who holds an address
		if have, missing := p.Holding(ctx, h.Attachment); missing == nil {
			return have, nil
		}
	}
	if err != nil {
		return ipam.Holding{}, fmt.Errorf("%s: %w", what, err)
	}
	for range maxTries {
		full, res, err := p.try(ctx, what, h, claims)
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
			full.Revision = res.Revision
			return full, nil
		}
		if kv, ok := res.Out[0].one(); ok {
			giveUp(claims)
			return decodeHolding(kv)
		}
		if err := p.again(ctx, claims, res.Out[1:]); err != nil {
			return ipam.Holding{}, fmt.Errorf("%s: %w", what, err)
		}
	}
	giveUp(claims)
	return ipam.Holding{}, fmt.Errorf("%s: %d addresses taken by others in a row: %w", what, maxTries, ipam.ErrUnavailable)
}

// claims makes one of each set, or none.
func (p *Pools) claims(ctx context.Context, pool string, w ipam.Wish) ([]claim, error) {
	claims := make([]claim, len(w.Sets))
	for i, s := range w.Sets {
		c, err := p.claim(ctx, p.picture(pool, s, w.CoolDown), askedOf(s, w.Asked))
		if err != nil {
			giveUp(claims[:i])
			return nil, err
		}
		claims[i] = c
	}
	return claims, nil
}

func giveUp(claims []claim) {
	for _, c := range claims {
		c.giveUp()
	}
}

func holdable(h ipam.Holding, sets []ipam.Set, asked []netip.Addr) error {
	if err := h.Attachment.Validate(); err != nil {
		return err
	}
	if err := (ipam.Attachment{Node: h.Pool, Network: "n", ContainerID: "c", IfName: "i"}).Validate(); err != nil {
		return fmt.Errorf("pool %q: %w", h.Pool, ipam.ErrInvalid)
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

// askedOf is the first asked address that a set has.
func askedOf(s ipam.Set, asked []netip.Addr) netip.Addr {
	for _, a := range asked {
		if _, ok := s.Lease(a); ok {
			return a
		}
	}
	return netip.Addr{}
}

// try is one transaction. Else brings the attachment's holding, and for each
// claim what is held and was given back from its address on.
func (p *Pools) try(ctx context.Context, what string, h ipam.Holding, claims []claim) (ipam.Holding, Result, error) {
	key := holdingKey(h.Attachment)
	h.Schema, h.At, h.Leases = ipam.Schema, p.ledger.opt.Now().UTC(), make([]ipam.PoolLease, len(claims))
	cond, els := []Cond{absent(key)}, []Op{get(key)}
	var then []Op
	for i, c := range claims {
		h.Leases[i], _ = c.of.set.Lease(c.address)
		held, freed := poolAddresses(h.Pool)+sortable(c.address), poolFreed(h.Pool)+sortable(c.address)
		cond = append(cond, absent(held))
		if !c.asked {
			cond = append(cond, at(freed, c.rev)) // nobody had it since: it does not cool
		}
		then = append(then, put(held, []byte(key)), del(freed))
		els = append(els, c.window(poolAddresses(h.Pool)), c.window(poolFreed(h.Pool)))
	}
	v, err := encode(h)
	if err != nil {
		return h, Result{}, err
	}
	res, err := p.ledger.commit(ctx, what, Txn{If: cond, Then: append(then, put(key, v)), Else: els})
	return h, res, err
}

// again learns what a lost transaction brought and makes other claims of those
// that are not to be had.
func (p *Pools) again(ctx context.Context, claims []claim, out []Out) error {
	for i, c := range claims {
		held, given := out[2*i].Pairs, out[2*i+1].Pairs
		at := slices.IndexFunc(held, func(kv Pair) bool { return kv.Key == poolAddresses(c.of.pool)+sortable(c.address) })
		if c.asked && at < 0 {
			continue // it was not for this one that the transaction failed
		}
		if c.asked {
			c.drop()
			giveUp(append(slices.Clone(claims[:i]), claims[i+1:]...))
			return heldBy(c.address, string(held[at].Value))
		}
		c.drop()
		err := c.of.learn(held, given, at < 0, c.place)
		if at >= 0 {
			c.of.jump()
		}
		next := c
		if err == nil {
			next, err = p.claim(ctx, c.of, netip.Addr{})
		}
		if err != nil {
			giveUp(append(slices.Clone(claims[:i]), claims[i+1:]...))
			return err
		}
		claims[i] = next
	}
	return nil
}

func (c claim) drop() {
	if c.placed {
		c.of.drop(c.place)
	}
}

func heldBy(a netip.Addr, key string) error {
	f := strings.Split(key, "/")
	if len(f) != 5 {
		return fmt.Errorf("address %s: holder %q: %w", a, key, ipam.ErrCorrupt)
	}
	return &ipam.AddressInUseError{Address: a, Holder: ipam.Attachment{Node: f[1], Network: f[2], ContainerID: f[3], IfName: f[4]}}
}
