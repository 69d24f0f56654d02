package ledger

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/moatnet/moat/ipam"
)

// keeps finds for each set the reservation that a sticky attachment's address is
// taken from, nil where a free one is leased, and the revision up to which the
// identity was seen if nobody else of it may come meanwhile. What the attachment
// holds already is returned instead.
func (p *Pools) keeps(ctx context.Context, h ipam.Holding, w ipam.Wish) (kept []*ipam.Reservation, fence int64, have *ipam.Holding, err error) {
	kept = make([]*ipam.Reservation, len(w.Sets))
	if h.Sticky == nil || byName(w) {
		return kept, 0, nil, nil
	}
	id, err := p.ledger.identity(ctx, poolScope(h.Pool), *h.Sticky, h.IfName, holdingKey(h.Attachment))
	if err != nil {
		return nil, 0, nil, err
	}
	if len(id.record) > 0 {
		held, err := decodeHolding(id.record[0])
		return nil, 0, &held, err
	}
	if err := id.refused(*h.Sticky); err != nil {
		return nil, 0, nil, err
	}
	for i, s := range w.Sets {
		if askedOf(s, w.Asked).IsValid() {
			continue
		}
		kept[i] = id.best(func(a netip.Addr) bool { _, ok := s.Lease(a); return ok })
		if kept[i] != nil {
			continue
		}
		if r := id.outside(w.Sets, s); r != nil {
			return nil, 0, nil, &ipam.ElsewhereError{Address: r.Address, Identity: r.Identity,
				Where: fmt.Sprintf("any range of pool %s, or is excluded (configuration %s)", h.Pool, ipam.KeyRanges)}
		}
	}
	if !h.Sticky.Shared {
		fence = id.revision
	}
	return kept, fence, nil, nil
}

// byName says whether an address of each set is asked for.
func byName(w ipam.Wish) bool {
	for _, s := range w.Sets {
		if !askedOf(s, w.Asked).IsValid() {
			return false
		}
	}
	return true
}

// outside is a free reservation of a set's family that no set has: the
// configuration changed since it was made.
func (id identified) outside(sets []ipam.Set, s ipam.Set) *ipam.Reservation {
	return id.best(func(a netip.Addr) bool {
		if s.Len() == 0 || a.Is4() != s.At(0).Is4() {
			return false
		}
		for _, other := range sets {
			if _, ok := other.Lease(a); ok {
				return false
			}
		}
		return true
	})
}
