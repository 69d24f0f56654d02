package filter

import (
	"net/netip"

	"github.com/moatnet/moat/sdn/nft"
)

// What a sender may send. Every frame that no rule lets in is forged: other
// EtherTypes, VLAN tags and spanning tree among them.

// Ports of DHCP (RFC 2131) and DHCPv6 (RFC 8415).
const (
	dhcpServer  = 67
	dhcpClient  = 68
	dhcp6Client = 546
	dhcp6Server = 547
)

// Types of ICMPv6 (RFC 4861).
const (
	ndAdvertisedRouter = 134
	ndSolicited        = 135
	ndAdvertised       = 136
	ndRedirect         = 137
)

const protoICMP6 = 58

func forged() nft.Rule { return nft.NewRule(nft.Goto("forged")) }

func from(f nft.Field, set string) nft.Lookup {
	return nft.Lookup{Key: nft.Tuple{nft.IIfName, nft.EtherSrc, f}, Set: set}
}

func senderRules() []nft.Rule {
	kind := func(n uint16, chain string) nft.Rule {
		return nft.NewRule(match(nft.EtherType, nft.Uint16(n)), nft.Goto(chain))
	}
	return []nft.Rule{kind(etherIPv4, "ipv4"), kind(etherARP, "arp"), kind(etherIPv6, "ipv6"), forged()}
}

// sentIPv4 knows, beside a sender's addresses, the client of DHCP that has none
// yet.
func sentIPv4() []nft.Rule {
	udp := match(nft.IPProto, nft.Uint8(protoUDP))
	none, all := nft.Addr(netip.IPv4Unspecified()), nft.Addr(netip.AddrFrom4([4]byte{255, 255, 255, 255}))
	return []nft.Rule{
		nft.NewRule(udp, match(nft.SrcPort, nft.Uint16(dhcpServer)), nft.Goto("forged")),
		nft.NewRule(udp, match(nft.DstPort, nft.Uint16(dhcpClient)), nft.Goto("forged")),
		nft.NewRule(from(nft.IPSrc, setIPv4), nft.Accept()),
		nft.NewRule(match(nft.IPSrc, none), match(nft.IPDst, all), udp,
			match(nft.SrcPort, nft.Uint16(dhcpClient)), match(nft.DstPort, nft.Uint16(dhcpServer)), nft.Accept()),
		forged(),
	}
}

// sentARP lets a sender name its own addresses, and probe for them (RFC 5227,
// section 2.1.1): a probe for another's would keep that one from using it.
func sentARP() []nft.Rule {
	// Ethernet, IPv4, and the lengths of their addresses.
	format := match(nft.ARPFormat, "\x00\x01\x08\x00\x06\x04")
	named := func(f nft.Field) nft.Lookup {
		return nft.Lookup{Key: nft.Tuple{nft.IIfName, nft.ARPSrcMAC, f}, Set: setIPv4}
	}
	return []nft.Rule{
		nft.NewRule(format, named(nft.ARPSrcIP), nft.Accept()),
		nft.NewRule(format, match(nft.ARPOperation, nft.Uint16(1)), match(nft.ARPSrcIP, nft.Addr(netip.IPv4Unspecified())), named(nft.ARPDstIP), nft.Accept()),
		forged(),
	}
}

// setExtensions names the headers of IPv6 that stand between the first one and
// what a packet is about, fragments' among them. Behind them neighbour discovery
// could hide (RFC 7113).
const setExtensions = "extensions"

func extensions() nft.Set {
	s := nft.Set{Name: setExtensions, Key: nft.TypeProto}
	for _, n := range []uint8{0, 43, 44, 60, 135, 139, 140, 253, 254} {
		s.Elements = append(s.Elements, nft.Element{Key: nft.Uint8(n)})
	}
	return s
}

// icmp6 begins a rule about a type of ICMPv6.
func icmp6(kind uint8, then ...nft.Statement) nft.Rule {
	return nft.NewRule(append([]nft.Statement{
		match(nft.IP6Next, nft.Uint8(protoICMP6)), match(nft.ICMP6Type, nft.Uint8(kind))}, then...)...)
}

func sentIPv6() []nft.Rule {
	return []nft.Rule{
		nft.NewRule(nft.Match{Field: nft.IP6Next, Set: setExtensions}, nft.Goto("forged")),
		icmp6(ndSolicited, nft.Goto("nd-solicit")),
		nft.NewRule(from(nft.IP6Src, setIPv6), nft.Goto("ipv6-known")),
		forged(),
	}
}

// sentIPv6Known is for packets from a sender's own address. What routers and
// DHCP servers say is nobody's here; a sender advertises its own addresses.
func sentIPv6Known() []nft.Rule {
	udp := match(nft.IP6Next, nft.Uint8(protoUDP))
	return []nft.Rule{
		icmp6(ndAdvertisedRouter, nft.Goto("forged")),
		icmp6(ndRedirect, nft.Goto("forged")),
		icmp6(ndAdvertised, from(nft.NDTarget, setIPv6), nft.Goto("nd-option")),
		icmp6(ndAdvertised, nft.Goto("forged")),
		nft.NewRule(udp, match(nft.SrcPort, nft.Uint16(dhcp6Server)), nft.Goto("forged")),
		nft.NewRule(udp, match(nft.DstPort, nft.Uint16(dhcp6Client)), nft.Goto("forged")),
		nft.NewRule(nft.Accept()),
	}
}

// sentSolicitation is for who asks for a neighbour, and for who asks without an
// address whether its own is free (RFC 4862, section 5.4).
func sentSolicitation() []nft.Rule {
	return []nft.Rule{
		nft.NewRule(from(nft.IP6Src, setIPv6), nft.Goto("nd-option")),
		nft.NewRule(match(nft.IP6Src, nft.Addr(netip.IPv6Unspecified())), from(nft.NDTarget, setIPv6), nft.Goto("nd-option")),
		forged(),
	}
}

// sentOption lets through what has no option behind the target, or one alone: a
// link-layer address, which is to be the sender's, or a nonce (RFC 7527).
func sentOption() []nft.Rule {
	length := func(n uint16) []nft.Statement {
		return []nft.Statement{match(nft.IP6Next, nft.Uint8(protoICMP6)), match(nft.IP6Length, nft.Uint16(n))}
	}
	one := func(kind uint8, then ...nft.Statement) nft.Rule {
		return nft.NewRule(append(append(length(32), match(nft.NDOption, nft.Uint16(uint16(kind)<<8|1))), then...)...)
	}
	own := nft.Lookup{Key: nft.Tuple{nft.IIfName, nft.NDOptionMAC}, Set: setMACs}
	return []nft.Rule{
		nft.NewRule(append(length(24), nft.Accept())...),
		one(1, own, nft.Accept()),
		one(2, own, nft.Accept()),
		one(14, nft.Accept()),
		forged(),
	}
}
