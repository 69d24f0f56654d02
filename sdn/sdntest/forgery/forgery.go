package forgery

import (
	"net"
	"net/netip"
	"slices"
)

// Station is a machine on the bridge.
type Station struct {
	MAC  net.HardwareAddr
	Addr netip.Addr // IPv4
}

// LinkLocal is the IPv6 address that is made of its MAC.
func (s Station) LinkLocal() netip.Addr {
	m := s.MAC
	return netip.AddrFrom16([16]byte{0xfe, 0x80, 8: m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]})
}

// Frame is a frame by what it tries. Almost all go to everybody, so that any
// other station hears them.
type Frame struct {
	Name  string
	Bytes []byte
}

// Marked is the frame with a text at its end, where no protocol looks.
func (f Frame) Marked(text string) []byte { return append(slices.Clone(f.Bytes), text...) }

var (
	everyone = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	stpGroup = net.HardwareAddr{0x01, 0x80, 0xc2, 0, 0, 0}
	nobody   = make(net.HardwareAddr, 6)

	none4 = netip.IPv4Unspecified()
	none6 = netip.IPv6Unspecified()
	far4  = netip.MustParseAddr("192.0.2.1")
	far6  = netip.MustParseAddr("2001:db8::1")
	all4  = netip.MustParseAddr("255.255.255.255")
	all6  = netip.MustParseAddr("ff02::1")
)

// Forgeries are what self may not send: as another, which is the router's port
// too, as a router, as a server of DHCP, and what has no address to look at.
func Forgeries(self, other, router Station) []Frame {
	return slices.Concat(forged4(self, other, router), forgedARP(self, other, router), forged6(self, other, router), forgedND(self, other), untold(self, other))
}

func forged4(self, other, router Station) []Frame {
	udp := func(src netip.Addr) []byte { return ipv4(src, all4, 0, udp4(7, 7)) }
	return []Frame{
		{"IPv4 with another's MAC", ether(everyone, other.MAC, typeIPv4, udp(self.Addr))},
		{"IPv4 with a MAC of nobody's", ether(everyone, net.HardwareAddr{2, 0, 0, 9, 9, 9}, typeIPv4, udp(self.Addr))},
		{"IPv4 with another's address", ether(everyone, self.MAC, typeIPv4, udp(other.Addr))},
		{"IPv4 with another's MAC and address", ether(everyone, other.MAC, typeIPv4, udp(other.Addr))},
		{"IPv4 with the router's address", ether(everyone, self.MAC, typeIPv4, udp(router.Addr))},
		{"IPv4 with the router's MAC and address", ether(everyone, router.MAC, typeIPv4, udp(router.Addr))},
		{"IPv4 with an address of elsewhere", ether(everyone, self.MAC, typeIPv4, udp(far4))},
		{"IPv4 from everybody", ether(everyone, self.MAC, typeIPv4, udp(all4))},
		{"IPv4 from nobody", ether(everyone, self.MAC, typeIPv4, udp(none4))},
		{"a later fragment with another's address", ether(everyone, self.MAC, typeIPv4, ipv4(other.Addr, all4, 100, udp4(7, 7)))},
		{"a server's answer of DHCP", ether(everyone, self.MAC, typeIPv4, ipv4(self.Addr, all4, 0, udp4(67, 68)))},
		{"a server's answer of DHCP from another port", ether(everyone, self.MAC, typeIPv4, ipv4(self.Addr, all4, 0, udp4(6767, 68)))},
		{"a server's answer of DHCP as the router", ether(everyone, self.MAC, typeIPv4, ipv4(router.Addr, all4, 0, udp4(67, 68)))},
		{"a question of DHCP with another's MAC", ether(everyone, other.MAC, typeIPv4, ipv4(none4, all4, 0, udp4(68, 67)))},
	}
}

func forgedARP(self, other, router Station) []Frame {
	frame := func(src net.HardwareAddr, body []byte) []byte { return ether(everyone, src, typeARP, body) }
	odd := arp(arpReply, self.MAC, other.Addr, everyone, self.Addr)
	odd[1] = 6 // IEEE 802 instead of Ethernet, which Linux takes too
	return []Frame{
		{"ARP answer for another", frame(self.MAC, arp(arpReply, self.MAC, other.Addr, everyone, self.Addr))},
		{"ARP answer for the router", frame(self.MAC, arp(arpReply, self.MAC, router.Addr, everyone, self.Addr))},
		{"ARP answer as the router", frame(router.MAC, arp(arpReply, router.MAC, router.Addr, everyone, self.Addr))},
		{"ARP announcement for another", frame(self.MAC, arp(arpRequest, self.MAC, other.Addr, nobody, other.Addr))},
		{"ARP announcement for the router", frame(self.MAC, arp(arpRequest, self.MAC, router.Addr, nobody, router.Addr))},
		{"ARP question with another's address", frame(self.MAC, arp(arpRequest, self.MAC, other.Addr, nobody, router.Addr))},
		{"ARP question that names another's MAC", frame(self.MAC, arp(arpRequest, other.MAC, self.Addr, nobody, router.Addr))},
		{"ARP question in a frame with another's MAC", frame(other.MAC, arp(arpRequest, self.MAC, self.Addr, nobody, router.Addr))},
		{"ARP probe for another's address", frame(self.MAC, arp(arpRequest, self.MAC, none4, nobody, other.Addr))},
		{"ARP answer with no address", frame(self.MAC, arp(arpReply, self.MAC, none4, everyone, self.Addr))},
		{"ARP answer of another kind of network", frame(self.MAC, odd)},
		{"reverse ARP", ether(everyone, self.MAC, 0x8035, arp(4, self.MAC, other.Addr, self.MAC, self.Addr))},
	}
}

func forged6(self, other, router Station) []Frame {
	own := self.LinkLocal()
	frame := func(src net.HardwareAddr, from netip.Addr, next byte, body []byte) []byte {
		return ether(everyone, src, typeIPv6, ipv6(from, all6, next, body))
	}
	return []Frame{
		{"IPv6 with another's MAC", frame(other.MAC, own, protoUDP, udp6(own, all6, 7, 7))},
		{"IPv6 with another's address", frame(self.MAC, other.LinkLocal(), protoUDP, udp6(other.LinkLocal(), all6, 7, 7))},
		{"IPv6 with a random address of the link", frame(self.MAC, netip.MustParseAddr("fe80::7"), protoUDP, udp6(own, all6, 7, 7))},
		{"IPv6 with an address of elsewhere", frame(self.MAC, far6, protoUDP, udp6(far6, all6, 7, 7))},
		{"IPv6 from nobody", frame(self.MAC, none6, protoUDP, udp6(none6, all6, 7, 7))},
		{"a router's advertisement", frame(self.MAC, own, protoICMP6, advertisedRouter(own))},
		{"a router's advertisement as the router", frame(router.MAC, router.LinkLocal(), protoICMP6, advertisedRouter(router.LinkLocal()))},
		{"a router's advertisement behind options", frame(self.MAC, own, 60, behind(protoICMP6, advertisedRouter(own)))},
		{"a router's advertisement in a fragment", frame(self.MAC, own, 44, fragment(protoICMP6, advertisedRouter(own)))},
		{"a redirect", frame(self.MAC, own, protoICMP6, icmp6(own, all6, 137, make([]byte, 36)))},
		{"a server's answer of DHCPv6", frame(self.MAC, own, protoUDP, udp6(own, all6, 547, 546))},
		{"a server's answer of DHCPv6 from another port", frame(self.MAC, own, protoUDP, udp6(own, all6, 5470, 546))},
	}
}

func forgedND(self, other Station) []Frame {
	own, others := self.LinkLocal(), other.LinkLocal()
	frame := func(from netip.Addr, body []byte) []byte {
		return ether(everyone, self.MAC, typeIPv6, ipv6(from, all6, protoICMP6, body))
	}
	two := func(kind byte, first, second []byte) []byte {
		return neighbour(own, kind, own, slices.Concat(first, second))
	}
	return []Frame{
		{"a neighbour's advertisement of another's address", frame(own, neighbour(own, advertises, others, linkLayer(2, self.MAC)))},
		{"a neighbour's advertisement as another", frame(others, neighbour(others, advertises, others, linkLayer(2, self.MAC)))},
		{"a neighbour's advertisement of an address of elsewhere", frame(own, neighbour(own, advertises, far6, linkLayer(2, self.MAC)))},
		{"a neighbour's advertisement with another's MAC", frame(own, neighbour(own, advertises, own, linkLayer(2, other.MAC)))},
		{"a neighbour's advertisement with a second MAC", frame(own, two(advertises, linkLayer(2, self.MAC), linkLayer(2, other.MAC)))},
		{"a neighbour's advertisement behind options", ether(everyone, self.MAC, typeIPv6, ipv6(own, all6, 60, behind(protoICMP6, neighbour(own, advertises, others, linkLayer(2, self.MAC)))))},
		{"a question for a neighbour as another", frame(others, neighbour(others, solicits, own, linkLayer(1, self.MAC)))},
		{"a question for a neighbour with another's MAC", frame(own, neighbour(own, solicits, others, linkLayer(1, other.MAC)))},
		{"a question for a neighbour with a second MAC", frame(own, two(solicits, linkLayer(14, self.MAC), linkLayer(1, other.MAC)))},
		{"a probe for another's IPv6 address", frame(none6, neighbour(none6, solicits, others, nil))},
	}
}

// untold has no address to look at, or hides it behind a tag.
func untold(self, other Station) []Frame {
	honest := ipv4(self.Addr, all4, 0, udp4(7, 7))
	tagged := func(id uint16, inner uint16, body []byte) []byte {
		return append([]byte{byte(id >> 8), byte(id), byte(inner >> 8), byte(inner)}, body...)
	}
	return []Frame{
		{"a VLAN tag", ether(everyone, self.MAC, 0x8100, tagged(7, typeIPv4, honest))},
		{"a tag with a priority alone", ether(everyone, self.MAC, 0x8100, tagged(0x6000, typeIPv4, honest))},
		{"a provider's VLAN tag", ether(everyone, self.MAC, 0x88a8, tagged(7, typeIPv4, honest))},
		{"two VLAN tags", ether(everyone, self.MAC, 0x88a8, tagged(7, 0x8100, tagged(8, typeIPv4, honest)))},
		{"ARP for another in a VLAN", ether(everyone, self.MAC, 0x8100, tagged(7, typeARP, arp(arpReply, self.MAC, other.Addr, everyone, self.Addr)))},
		{"spanning tree", ether(stpGroup, self.MAC, 0x26, append([]byte{0x42, 0x42, 3}, make([]byte, 35)...))},
		{"another protocol", ether(everyone, self.MAC, 0x88b5, make([]byte, 46))},
	}
}

// Honest are what self may send, and has to, to be reached by IPv4, and by IPv6
// on the link.
func Honest(self, other Station) []Frame {
	own := self.LinkLocal()
	frame4 := func(body []byte) []byte { return ether(everyone, self.MAC, typeIPv4, body) }
	frame6 := func(from netip.Addr, next byte, body []byte) []byte {
		return ether(everyone, self.MAC, typeIPv6, ipv6(from, all6, next, body))
	}
	question := func(body []byte) []byte { return ether(everyone, self.MAC, typeARP, body) }
	return []Frame{
		{"IPv4", frame4(ipv4(self.Addr, all4, 0, udp4(7, 7)))},
		{"a later fragment", frame4(ipv4(self.Addr, all4, 100, udp4(7, 7)))},
		{"a question of DHCP", frame4(ipv4(none4, all4, 0, udp4(68, 67)))},
		{"a lease of DHCP renewed", frame4(ipv4(self.Addr, all4, 0, udp4(68, 67)))},
		{"ARP question", question(arp(arpRequest, self.MAC, self.Addr, nobody, other.Addr))},
		{"ARP answer", question(arp(arpReply, self.MAC, self.Addr, other.MAC, other.Addr))},
		{"ARP announcement", question(arp(arpRequest, self.MAC, self.Addr, nobody, self.Addr))},
		{"ARP probe", question(arp(arpRequest, self.MAC, none4, nobody, self.Addr))},
		{"IPv6 on the link", frame6(own, protoUDP, udp6(own, all6, 7, 7))},
		{"echo of ICMPv6", frame6(own, protoICMP6, icmp6(own, all6, 128, make([]byte, 4)))},
		{"a question for routers", frame6(own, protoICMP6, icmp6(own, all6, 133, append(make([]byte, 4), linkLayer(1, self.MAC)...)))},
		{"a question for a neighbour", frame6(own, protoICMP6, neighbour(own, solicits, other.LinkLocal(), linkLayer(1, self.MAC)))},
		{"a neighbour's advertisement", frame6(own, protoICMP6, neighbour(own, advertises, own, linkLayer(2, self.MAC)))},
		{"a neighbour's advertisement without a MAC", frame6(own, protoICMP6, neighbour(own, advertises, own, nil))},
		{"a probe for the own IPv6 address", frame6(none6, protoICMP6, neighbour(none6, solicits, own, nil))},
		{"a probe with a nonce", frame6(none6, protoICMP6, neighbour(none6, solicits, own, linkLayer(14, net.HardwareAddr{1, 2, 3, 4, 5, 6})))},
	}
}
