package filter

import (
	"net/netip"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/nft"
)

// transportLayer adds the conditions on L4 ports.
func transportLayer(r sdn.Rule, p place, add func(literal, bool)) error {
	if c := r.Condition; c.TPSrc != nil {
		add(transport(p, nft.SrcPort, nft.ICMPType, *c.TPSrc), c.InvTPSrc)
	}
	if c := r.Condition; c.TPDst != nil {
		add(transport(p, nft.DstPort, nft.ICMPCode, *c.TPDst), c.InvTPDst)
	}
	return nil
}

// transport matches an L4 port of TCP and UDP, or ICMP's type or code. Of any
// other protocol it is false.
func transport(p place, port, icmp nft.Field, r sdn.PortRange) literal {
	ports := within(port, nft.Uint16(r.Start), nft.Uint16(r.End))
	types := literal{yes: never(), no: always()}
	if r.Start <= 255 {
		types = within(icmp, nft.Uint8(uint8(r.Start)), nft.Uint8(uint8(min(r.End, 255))))
	}
	proto := func(n uint8) literal { return equal(nft.IPProto, nft.Uint8(n)) }
	l := either(both(proto(protoTCP), ports), either(both(proto(protoUDP), ports), both(proto(protoICMP), types)))
	return p.ip(l)
}

func within(f nft.Field, lo, hi nft.Value) literal {
	if lo == hi {
		return equal(f, lo)
	}
	return one(nft.Match{Field: f, Value: lo, To: hi})
}

// quotedLength is the least length in bytes of a packet that quotes an IPv4
// header behind an ICMP header of 8 bytes.
const quotedLength = 20 + 8 + 20

// quoted adds the conditions on the packet that an ICMP error quotes. They are
// false of whatever quotes none.
func (d *device) quoted(r sdn.Rule, p place, add func(literal, bool)) error {
	match := func(f nft.Field, prefix netip.Prefix) literal {
		d.addSet(nft.Set{Name: "quoting", Key: nft.TypeICMPType, Elements: quoting()})
		l := literal{yes: always(), no: never()}
		if prefix.Bits() > 0 {
			l = within32(f, prefix)
		}
		l = both(inSet(nft.ICMPType, "quoting"), l)
		if p.bridge { // a later fragment has no ICMP header
			l = both(masked(nft.IPFragment, nft.Uint16(fragmentOffset), nft.Uint16(0)), l)
		}
		long := one(nft.Match{Field: nft.IPLength, Value: nft.Uint16(quotedLength), To: nft.Uint16(0xffff)})
		return p.ip(both(equal(nft.IPProto, nft.Uint8(protoICMP)), both(long, l)))
	}
	if c := r.Condition; c.ICMPDataSrc.IsValid() {
		add(match(nft.QuotedSrc, c.ICMPDataSrc), c.InvICMPDataSrc)
	}
	if c := r.Condition; c.ICMPDataDst.IsValid() {
		add(match(nft.QuotedDst, c.ICMPDataDst), c.InvICMPDataDst)
	}
	return nil
}

// quoting lists the types of ICMP errors, which quote what they are about.
func quoting() []nft.Element {
	return []nft.Element{{Key: nft.Uint8(icmpUnreachable)}, {Key: nft.Uint8(icmpQuench)}, {Key: nft.Uint8(icmpRedirect)},
		{Key: nft.Uint8(icmpExceeded)}, {Key: nft.Uint8(icmpParameter)}}
}
