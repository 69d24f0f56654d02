package ledger

import (
	"math/rand/v2"
	"net/netip"
	"slices"
)

// taken says that the lease of a place was recorded, or may have been.
func (p *picture) taken(place int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hold(place)
	delete(p.pending, place)
	delete(p.freed, place)
}

// untaken gives a place back that was taken here and then not leased.
func (p *picture) untaken(place int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.pending, place)
	if p.has(place) {
		p.clear(place)
		p.held--
	}
	if p.next == place+1 {
		p.next = place
	}
}

// giveUp is untaken for a candidate; an asked one may have been another's.
func (p *picture) giveUp(c candidate) {
	if !c.was {
		p.untaken(c.place)
	}
}

// drop ends what was under way for a place that turned out to be another's.
func (p *picture) drop(place int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.pending, place)
}

// jump goes on somewhere else, so as not to follow in the winner's steps.
func (p *picture) jump() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = rand.IntN(p.places.Len())
}

// released draws in that an address was given back here.
func (p *picture) released(a netip.Addr, rev int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i, ok := p.places.Place(a)
	if p.loads == 0 || !ok || p.nobodys[i/64]&(1<<(i%64)) != 0 {
		return
	}
	p.vacate(i)
	p.cool(i, freed{p.now(), rev})
}

// vacate says that nobody holds a place; it may be cooling.
func (p *picture) vacate(i int) {
	if k := slices.Index(p.cooling, i); k >= 0 {
		p.cooling = slices.Delete(p.cooling, k, k+1)
		p.clear(i)
	} else if p.has(i) {
		p.clear(i)
		p.held--
	}
}

// reserve marks a requested place as used and says if it was so before.
func (p *picture) reserve(place int) (rev int64, was bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.cooling, place); i >= 0 {
		p.cooling = slices.Delete(p.cooling, i, i+1)
		p.clear(place)
	}
	was = p.has(place)
	p.hold(place)
	return p.freed[place].rev, was
}
