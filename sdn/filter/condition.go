package filter

import (
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/nft"
)

// L4 protocols and EtherTypes that conditions know.
const (
	protoICMP = 1
	protoTCP  = 6
	protoUDP  = 17
	etherIPv4 = 0x0800
	etherARP  = 0x0806
	etherVLAN = 0x8100
	etherIPv6 = 0x86dd
)

// maxTerms bounds the nftables rules that one rule may become.
const maxTerms = 64

func equal(f nft.Field, v nft.Value) literal { return one(nft.Match{Field: f, Value: v}) }

func masked(f nft.Field, mask, v nft.Value) literal {
	return one(nft.Match{Field: f, Mask: mask, Value: v})
}

func inSet(f nft.Field, set string) literal { return one(nft.Match{Field: f, Set: set}) }

// condition is the formula of a rule's condition at a place.
func (d *device) condition(r sdn.Rule, p place) (formula, error) {
	ls, err := d.literals(r, p)
	if err != nil {
		return nil, err
	}
	f := always()
	for _, l := range ls {
		f = and(f, l.yes)
	}
	if r.Condition.Invert {
		f = never()
		before := always() // tried only where all earlier literals hold
		for _, l := range ls {
			f = or(f, and(before, l.no))
			before = and(before, l.yes)
		}
	}
	fragment, err := fragments(r, p)
	if err != nil {
		return nil, err
	}
	if f = and(fragment, f); len(f) > maxTerms {
		return nil, unsupported(r, "condInvert", "the condition is too complex")
	}
	return f, nil
}

// literals lists the fields that are set, each with its inverse applied. Those
// about VLANs come first: the others then look into the tagged frame.
func (d *device) literals(r sdn.Rule, p place) ([]literal, error) {
	if r.Condition.TraversedDevice != "" {
		return nil, unsupported(r, "traversedDevice", "which devices a packet passed before is not known")
	}
	var ls []literal
	add := func(l literal, inv bool) { ls = append(ls, l.inverted(inv)) }
	p.tagged = vlan(r.Condition, p, add)
	for _, fields := range []func(sdn.Rule, place, func(literal, bool)) error{
		d.flow, d.portLists, d.portGroups, linkLayer, d.network, transportLayer, d.quoted,
	} {
		if err := fields(r, p, add); err != nil {
			return nil, err
		}
	}
	return ls, nil
}

// flow adds what is asked of a packet's place in its connection.
func (d *device) flow(r sdn.Rule, p place, add func(literal, bool)) error {
	c := r.Condition
	if c.DstRewritten {
		if p.bridge {
			return unsupported(r, "matchNwDstRewritten", "a bridge translates no addresses")
		}
		add(dstRewritten(p), false)
	}
	if !c.MatchForwardFlow && !c.MatchReturnFlow {
		return nil
	}
	ret := returnFlow(p)
	if p.bridge {
		d.stateful = true
		ret = one(isReturn())
	}
	if c.MatchReturnFlow {
		add(ret, false)
	}
	if c.MatchForwardFlow {
		add(ret, true)
	}
	return nil
}

// returnFlow is true of packets that answer an earlier one. What the router
// itself makes counts as an answer; what connection tracking does not know, not.
func returnFlow(p place) literal {
	tracked := literal{
		yes: formula{{{Field: nft.CTDirection, Value: nft.Uint8(nft.DirReply)}}},
		no: formula{
			{{Field: nft.CTDirection, Value: nft.Uint8(nft.DirOriginal)}},
			{{Field: nft.CTState, Value: nft.Uint32(nft.StateInvalid | nft.StateUntracked)}},
		},
	}
	switch p.generated {
	case generatedAll:
		return literal{yes: always(), no: never()}
	case generatedMarked:
		return either(one(generatedHere()), tracked)
	}
	return tracked
}

// dstRewritten is true of packets whose destination this router translated: by
// a dnat rule or, of an answer, back. What a place comes before, or what the
// router itself makes, is not translated.
func dstRewritten(p place) literal {
	if !p.rewritten || p.generated == generatedAll {
		return literal{yes: never(), no: always()}
	}
	side := func(dir uint8, status uint32) (yes, no []nft.Match) {
		is := nft.Match{Field: nft.CTDirection, Value: nft.Uint8(dir)}
		by := translated(status)
		other := by
		other.Not = true
		return []nft.Match{is, by}, []nft.Match{is, other}
	}
	forth, notForth := side(nft.DirOriginal, nft.StatusDNAT)
	back, notBack := side(nft.DirReply, nft.StatusSNAT)
	untracked := []nft.Match{{Field: nft.CTState, Value: nft.Uint32(nft.StateInvalid | nft.StateUntracked)}}
	l := literal{yes: formula{forth, back}, no: formula{notForth, notBack, untracked}}
	if p.generated == generatedMarked {
		return both(one(generatedHere()).inverted(true), l)
	}
	return l
}
