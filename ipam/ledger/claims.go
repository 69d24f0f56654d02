package ledger

import (
	"context"
	"net/netip"
	"time"

	"github.com/moatnet/moat/ipam"
)

// claim is one address that a Hold tries. One that was asked for or is reserved
// may have no place among those that are leased in turn.
type claim struct {
	of *setPicture
	candidate
	address netip.Addr
	placed  bool
	kept    *ipam.Reservation // from which it is taken; nil: it is free
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

func (c claim) drop() {
	if c.placed {
		c.of.drop(c.place)
	}
}

func giveUp(claims []claim) {
	for _, c := range claims {
		c.giveUp()
	}
}

// claims makes one of each set, or none.
func (p *Pools) claims(ctx context.Context, pool string, w ipam.Wish, kept []*ipam.Reservation) ([]claim, error) {
	claims := make([]claim, len(w.Sets))
	for i, s := range w.Sets {
		of := p.picture(pool, s, w.CoolDown)
		if kept[i] != nil {
			claims[i] = claim{of: of, address: kept[i].Address, kept: kept[i]}
			continue
		}
		c, err := p.claim(ctx, of, askedOf(s, w.Asked))
		if err != nil {
			giveUp(claims[:i])
			return nil, err
		}
		claims[i] = c
	}
	return claims, nil
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

// take is what the transaction of a claim relies on and does.
func (c claim) take(h ipam.Holding, key string, now time.Time) ([]Cond, []Op, error) {
	if c.kept != nil {
		return taking(*c.kept, h.Sticky, key)
	}
	scope := poolScope(h.Pool)
	held, freed := heldKey(scope, c.address), freedKey(scope, c.address)
	cond, then := []Cond{absent(held)}, []Op{put(held, []byte(key)), del(freed)}
	if !c.asked {
		cond = append(cond, at(freed, c.rev)) // nobody had it since: it does not cool
	}
	if h.Sticky == nil {
		return cond, then, nil
	}
	keep, err := putReservation(keptFor(scope, claimantIn(h), c.address, now), nil)
	return cond, append(then, keep...), err
}

// reserved is whose reservation the address of a claim has.
func (c claim) reserved(h ipam.Holding) *ipam.Claimant {
	switch {
	case c.kept != nil:
		return &c.kept.Claimant
	case h.Sticky != nil:
		own := claimantIn(h)
		return &own
	}
	return nil
}

func claimantIn(h ipam.Holding) ipam.Claimant {
	return ipam.Claimant{Identity: h.Sticky.Identity, IfName: h.IfName}
}
