package ledger

import (
	"slices"
	"time"

	"github.com/moatnet/moat/ipam"
)

// taken says that the lease of a place was recorded, or may have been.
func (p *picture) taken(place int) {
	p.mu.Lock()
	defer p.mu.Unlock()
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
}

// giveUp is untaken for a candidate; an asked one may have been another's.
func (p *picture) giveUp(c candidate) {
	if !c.was {
		p.untaken(c.place)
	}
}

// lost draws in that a place is another's, with its neighbours that are too,
// and, unless the place was asked for, goes on somewhere else.
func (p *picture) lost(place int, neighbours []Pair, jump bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.pending, place)
	for _, kv := range neighbours {
		i, err := p.place(kv.Key)
		if err != nil {
			return err
		}
		p.hold(i)
	}
	if jump {
		p.next = somewhere(size(p.subnet))
	}
	return nil
}

// cooled draws in that a place was given back elsewhere and is cooling.
func (p *picture) cooled(place int, kv Pair) error {
	p.untaken(place)
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.drawFreed(kv)
}

// released draws in that an address was given back here.
func (p *picture) released(r ipam.Record, now time.Time, rev int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.loads == 0 {
		return
	}
	i := placeOf(p.subnet, r.Address)
	if p.has(i) {
		p.clear(i)
		p.held--
	}
	p.cool(i, freed{now, rev})
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
