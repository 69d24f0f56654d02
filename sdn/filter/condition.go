package filter

import (
	"net"
	"net/netip"
	"slices"
	"strings"

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
)

// maxTerms bounds the nftables rules that one rule may become.
const maxTerms = 64

func equal(f nft.Field, v nft.Value) literal { return one(nft.Match{Field: f, Value: v}) }

func masked(f nft.Field, mask, v nft.Value) literal {
	return one(nft.Match{Field: f, Mask: mask, Value: v})
}

// condition is the formula of a rule's condition at a place.
func (d *device) condition(r sdn.Rule, p place) (formula, error) {
	if names := unrealised(r.Condition); len(names) > 0 {
		return nil, unsupported(r, strings.Join(names, ", "), "this condition is not realised")
	}
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

// literals lists the fields that are set; each with its inverse applied.
func (d *device) literals(r sdn.Rule, p place) ([]literal, error) {
	c := r.Condition
	var ls []literal
	add := func(l literal, inv bool) { ls = append(ls, l.inverted(inv)) }
	if err := d.flow(r, p, add); err != nil {
		return nil, err
	}
	if len(c.InPorts) > 0 {
		add(d.portLiteral("in", r, p.in, nft.IIfName, c.InPorts), c.InvInPorts)
	}
	if len(c.OutPorts) > 0 {
		l := d.portLiteral("out", r, p.out, nft.OIfName, c.OutPorts)
		if p.unicastOut && p.out.kind != sideNone {
			l = both(masked(nft.EtherDst, multicastBit, "\x00\x00\x00\x00\x00\x00"), l)
		}
		add(l, c.InvOutPorts)
	}
	if err := linkLayer(r, p, add); err != nil {
		return nil, err
	}
	if c.Src.IsValid() {
		add(address(p, nft.IPSrc, nft.ARPSrcIP, c.Src), c.InvSrc)
	}
	if c.Dst.IsValid() {
		add(address(p, nft.IPDst, nft.ARPDstIP, c.Dst), c.InvDst)
	}
	if c.Proto != nil {
		if *c.Proto < 0 || *c.Proto > 255 {
			return nil, unsupported(r, "nwProto", "no IP protocol has this number")
		}
		add(protocol(p, uint8(*c.Proto)), c.InvProto)
	}
	if c.TOS != nil {
		if *c.TOS < 0 || *c.TOS > 255 {
			return nil, unsupported(r, "nwTos", "the field has 8 bits")
		}
		add(p.ip(equal(nft.IPTOS, nft.Uint8(uint8(*c.TOS)))), c.InvTOS)
	}
	if c.TPSrc != nil {
		add(transport(p, nft.SrcPort, nft.ICMPType, *c.TPSrc), c.InvTPSrc)
	}
	if c.TPDst != nil {
		add(transport(p, nft.DstPort, nft.ICMPCode, *c.TPDst), c.InvTPDst)
	}
	return ls, nil
}

const multicastBit nft.Value = "\x01\x00\x00\x00\x00\x00"

func (d *device) flow(r sdn.Rule, p place, add func(literal, bool)) error {
	c := r.Condition
	if !c.MatchForwardFlow && !c.MatchReturnFlow {
		return nil
	}
	field := "matchForwardFlow"
	if c.MatchReturnFlow {
		field = "matchReturnFlow"
	}
	if p.bridge {
		return unsupported(r, field, "bridges keep no connections")
	}
	ret := returnFlow(p)
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

// portLiteral matches the ports of a list. Ports of other devices, and ports
// that are gone, match nothing.
func (d *device) portLiteral(list string, r sdn.Rule, s side, f nft.Field, ids []sdn.PortID) literal {
	switch s.kind {
	case sideNone:
		return literal{yes: never(), no: always()}
	case sidePort:
		in := slices.Contains(ids, s.port)
		return literal{yes: constant(in), no: constant(!in)}
	}
	var names []string
	for _, id := range ids {
		if name := d.ports[id]; name != "" {
			names = append(names, name)
		}
	}
	switch slices.Sort(names); len(names) {
	case 0:
		return literal{yes: never(), no: always()}
	case 1:
		return equal(f, nft.Iface(names[0]))
	}
	set := d.name(list+"-"+short(r.ID), "set "+list+" "+string(r.ID))
	d.addSet(interfaceSet(set, slices.Compact(names)))
	return one(nft.Match{Field: f, Set: set})
}

func interfaceSet(name string, interfaces []string) nft.Set {
	s := nft.Set{Name: name, Key: nft.TypeIfname}
	for _, i := range interfaces {
		s.Elements = append(s.Elements, nft.Element{Key: nft.Iface(i)})
	}
	return s
}

func linkLayer(r sdn.Rule, p place, add func(literal, bool)) error {
	c := r.Condition
	if c.DLType != nil {
		l := literal{yes: constant(*c.DLType == etherIPv4), no: constant(*c.DLType != etherIPv4)}
		if p.bridge {
			l = equal(nft.EtherType, nft.Uint16(uint16(*c.DLType)))
		}
		add(l, c.InvDLType)
	}
	for _, m := range []struct {
		name, mac, mask string
		field           nft.Field
		inv             bool
	}{{"dlSrc", c.DLSrc, c.DLSrcMask, nft.EtherSrc, c.InvDLSrc}, {"dlDst", c.DLDst, c.DLDstMask, nft.EtherDst, c.InvDLDst}} {
		if m.mac == "" {
			continue
		}
		if !p.ether {
			return unsupported(r, m.name, "a router's outbound filter has no Ethernet header to look at")
		}
		l, ok := hardware(m.field, m.mac, m.mask)
		if !ok {
			return unsupported(r, m.name, "this is no MAC address and mask")
		}
		add(l, m.inv)
	}
	return nil
}

func hardware(f nft.Field, mac, mask string) (literal, bool) {
	a, err := net.ParseMAC(mac)
	if err != nil || len(a) != 6 {
		return literal{}, false
	}
	if mask == "" {
		return equal(f, nft.MAC(a)), true
	}
	m, err := net.ParseMAC(mask)
	if err != nil || len(m) != 6 {
		return literal{}, false
	}
	for i := range a {
		a[i] &= m[i]
	}
	return masked(f, nft.MAC(m), nft.MAC(a)), true
}

// address matches an address of an IPv4 packet or, on a bridge, of an ARP one.
func address(p place, ip, arp nft.Field, prefix netip.Prefix) literal {
	if prefix.Bits() == 0 {
		return literal{yes: always(), no: never()}
	}
	match := func(f nft.Field) literal {
		if prefix.IsSingleIP() {
			return equal(f, nft.Addr(prefix.Addr()))
		}
		return masked(f, nft.PrefixMask(prefix), nft.Addr(prefix.Masked().Addr()))
	}
	if !p.bridge {
		return match(ip)
	}
	return either(p.ip(match(ip)), both(equal(nft.EtherType, nft.Uint16(etherARP)), match(arp)))
}

// protocol matches the IP protocol or, on a bridge, the operation of ARP.
func protocol(p place, n uint8) literal {
	l := p.ip(equal(nft.IPProto, nft.Uint8(n)))
	if !p.bridge {
		return l
	}
	return either(l, both(equal(nft.EtherType, nft.Uint16(etherARP)), equal(nft.ARPOperation, nft.Uint16(uint16(n)))))
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

// unrealised names the conditions that are set and that this engine does not realise. An
// inverse alone changes nothing.
func unrealised(n sdn.Condition) []string {
	var names []string
	for _, p := range []struct {
		name string
		set  bool
	}{
		{"portGroup", n.PortGroup != ""},
		{"inPortGroup", n.InPortGroup != ""},
		{"outPortGroup", n.OutPortGroup != ""},
		{"ipAddrGroupSrc", n.SrcGroup != ""},
		{"ipAddrGroupDst", n.DstGroup != ""},
		{"traversedDevice", n.TraversedDevice != ""},
		{"noVlan", n.NoVLAN},
		{"vlan", n.VLAN != nil && *n.VLAN != 0},
		{"icmpDataSrcIpAddress", n.ICMPDataSrc.IsValid()},
		{"icmpDataDstIpAddress", n.ICMPDataDst.IsValid()},
		{"matchNwDstRewritten", n.DstRewritten},
	} {
		if p.set {
			names = append(names, p.name)
		}
	}
	return names
}
