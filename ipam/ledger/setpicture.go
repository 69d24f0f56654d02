package ledger

import (
	"context"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/moatnet/moat/ipam"
)

// ahead is how many places a lost transaction tells about.
const ahead = 256

// setPicture is the picture of a pool's set. Asked addresses outside its places
// have none in it.
type setPicture struct {
	*picture
	pool string
	set  ipam.Set
	// unsure: a place may be called held that a lost transaction did not lease.
	unsure atomic.Bool
	seen   int64 // revision up to which what was given back is drawn in; guarded by a turn
}

// setPlaces are a set's places.
type setPlaces struct{ ipam.Set }

func (setPlaces) nobodys() []int { return nil }

func (p *Pools) picture(pool string, s ipam.Set, coolDown time.Duration) *setPicture {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := fmt.Sprintf("%s %s %s", pool, coolDown, s)
	if p.pictures[key] == nil {
		p.pictures[key] = &setPicture{pool: pool, picture: newPicture(setPlaces{s}, s.Len(), coolDown, p.ledger.opt.Now), set: s}
	}
	return p.pictures[key]
}

// claim is the asked address, or the next free one; before a set is called full,
// what was given back elsewhere and reservations whose time is over are looked for.
func (p *Pools) claim(ctx context.Context, of *setPicture, asked netip.Addr) (claim, error) {
	if err := p.load(ctx, of); err != nil {
		return claim{}, err
	}
	if asked.IsValid() {
		c := claim{of: of, address: asked, candidate: candidate{asked: true}}
		if c.place, c.placed = of.set.Place(asked); c.placed {
			c.rev, c.was = of.reserve(c.place)
		}
		return c, nil
	}
	for _, look := range []func(context.Context, *setPicture) error{p.refresh, p.settle, p.endings, nil} {
		if place, rev, ok := of.take(); ok {
			return claim{of: of, candidate: candidate{place: place, rev: rev}, address: of.set.At(place), placed: true}, nil
		}
		if look == nil {
			break
		}
		if err := look(ctx, of); err != nil {
			return claim{}, err
		}
	}
	return claim{}, &ipam.ExhaustedError{Pool: fmt.Sprintf("pool %s, %d addresses", of.pool, of.set.Len()), Key: ipam.KeyRanges}
}

// load draws the picture when there is none yet, page by page at one revision's
// keys or later ones: what changes meanwhile is found out by transactions.
func (p *Pools) load(ctx context.Context, of *setPicture) (err error) {
	if of.count() > 0 {
		return nil
	}
	leave, err := of.turn(ctx)
	if err != nil {
		return err
	}
	defer leave(&err)
	if of.count() > 0 {
		return nil
	}
	return p.read(ctx, of)
}

// settle draws the picture anew when there are places of which nobody here knows
// whether they were leased.
func (p *Pools) settle(ctx context.Context, of *setPicture) (err error) {
	leave, err := of.turn(ctx)
	if err != nil {
		return err
	}
	defer leave(&err)
	if !of.unsure.Swap(false) {
		return nil
	}
	if err := p.read(ctx, of); err != nil {
		of.unsure.Store(true)
		return err
	}
	return nil
}

// read draws the picture; it is the caller's turn.
func (p *Pools) read(ctx context.Context, of *setPicture) error {
	given, rev, err := p.ledger.pages(ctx, poolFreed(of.pool), 0)
	if err != nil {
		return err
	}
	held, _, err := p.ledger.pages(ctx, poolAddresses(of.pool), 0)
	if err != nil {
		return err
	}
	of.seen = rev
	return of.draw(held, given)
}

// refresh draws in what was given back since the last look.
func (p *Pools) refresh(ctx context.Context, of *setPicture) (err error) {
	leave, err := of.turn(ctx)
	if err != nil {
		return err
	}
	defer leave(&err)
	prefix := poolFreed(of.pool)
	res, err := p.ledger.read(ctx, "read free addresses of pool "+of.pool, Op{Kind: OpGet, Key: prefix, End: after(prefix), Since: of.seen + 1})
	if err != nil {
		return err
	}
	of.seen = res.Revision
	of.mu.Lock()
	defer of.mu.Unlock()
	return of.givenBack(res.Out[0].Pairs)
}

// endings ends the reservations whose time is over, and draws in what that freed.
func (p *Pools) endings(ctx context.Context, of *setPicture) error {
	if !p.ledger.ended(ctx) {
		return nil
	}
	return p.refresh(ctx, of)
}

// givenBack draws in what nobody holds any more, but for what is under way here.
func (s *setPicture) givenBack(given []Pair) error {
	var news []Pair
	for _, kv := range given {
		i, ok, err := s.place(kv.Key)
		if err != nil {
			return err
		}
		if !ok || s.pending[i] || s.freed[i].rev == kv.Mod {
			continue
		}
		s.vacate(i)
		news = append(news, kv)
	}
	return s.drawFreed(news, nil)
}

// learn draws in what a lost transaction told about the places from one on. free
// says that the place itself turned out to be held by nobody.
func (s *setPicture) learn(held, given []Pair, free bool, place int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if free {
		s.vacate(place)
	}
	for _, kv := range held {
		i, ok, err := s.picture.place(kv.Key)
		if err != nil {
			return err
		}
		if ok {
			s.hold(i)
		}
	}
	return s.givenBack(given)
}

// window asks for the keys under a prefix from a claim's address on.
func (c claim) window(prefix string) Op {
	last := c.address
	if c.placed {
		if end := c.of.set.At(min(c.place+ahead, c.of.set.Len()-1)); end.Compare(last) > 0 {
			last = end
		}
	}
	return Op{Kind: OpGet, Key: prefix + sortable(c.address), End: prefix + sortable(last) + "\x00"}
}
