package forgery

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
)

const (
	typeIPv4 = 0x0800
	typeARP  = 0x0806
	typeIPv6 = 0x86dd

	protoUDP   = 17
	protoICMP6 = 58

	arpRequest = 1
	arpReply   = 2

	solicits   = 135
	advertises = 136
)

func be16(n uint16) []byte { return binary.BigEndian.AppendUint16(nil, n) }

// ether is an Ethernet frame, or one of 802.3 where kind is a length.
func ether(dst, src net.HardwareAddr, kind uint16, body []byte) []byte {
	return slices.Concat(dst, src, be16(kind), body)
}

// arp is a message of RFC 826 for Ethernet and IPv4.
func arp(op uint16, fromMAC net.HardwareAddr, from netip.Addr, toMAC net.HardwareAddr, to netip.Addr) []byte {
	return slices.Concat([]byte{0, 1, 8, 0, 6, 4}, be16(op), fromMAC, from.AsSlice(), toMAC, to.AsSlice())
}

// sum is the Internet checksum, RFC 1071.
func sum(b []byte) uint16 {
	var s uint32
	for i := 0; i < len(b); i += 2 {
		s += uint32(b[i]) << 8
		if i+1 < len(b) {
			s += uint32(b[i+1])
		}
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}

// ipv4 is a packet of UDP; with an offset, in units of 8 bytes, the last fragment
// of one.
func ipv4(src, dst netip.Addr, offset uint16, body []byte) []byte {
	h := slices.Concat([]byte{0x45, 0}, be16(uint16(20+len(body))), be16(7), be16(offset), []byte{64, protoUDP, 0, 0}, src.AsSlice(), dst.AsSlice())
	binary.BigEndian.PutUint16(h[10:], sum(h))
	return append(h, body...)
}

func udp4(from, to uint16) []byte {
	return slices.Concat(be16(from), be16(to), be16(8+4), be16(0), make([]byte, 4)) // no checksum, RFC 768
}

func ipv6(src, dst netip.Addr, next byte, body []byte) []byte {
	return slices.Concat([]byte{0x60, 0, 0, 0}, be16(uint16(len(body))), []byte{next, 255}, src.AsSlice(), dst.AsSlice(), body)
}

// summed fills in the checksum over the pseudo header, RFC 8200, section 8.1.
func summed(src, dst netip.Addr, next byte, body []byte, at int) []byte {
	pseudo := slices.Concat(src.AsSlice(), dst.AsSlice(), []byte{0, 0}, be16(uint16(len(body))), []byte{0, 0, 0, next}, body)
	binary.BigEndian.PutUint16(body[at:], sum(pseudo))
	return body
}

func udp6(src, dst netip.Addr, from, to uint16) []byte {
	return summed(src, dst, protoUDP, slices.Concat(be16(from), be16(to), be16(8), be16(0)), 6)
}

// icmp6 is a message to all by its type and what follows the checksum.
func icmp6(src, dst netip.Addr, kind byte, rest []byte) []byte {
	return summed(src, dst, protoICMP6, slices.Concat([]byte{kind, 0, 0, 0}, rest), 2)
}

// advertisedRouter says that the sender is a router for half an hour, RFC 4861,
// section 4.2.
func advertisedRouter(src netip.Addr) []byte {
	return icmp6(src, all6, 134, slices.Concat([]byte{64, 0}, be16(1800), make([]byte, 8)))
}

// neighbour is a question or an advertisement, RFC 4861, sections 4.3 and 4.4.
func neighbour(src netip.Addr, kind byte, target netip.Addr, options []byte) []byte {
	flags := []byte{0, 0, 0, 0}
	if kind == advertises {
		flags[0] = 0x20 // override
	}
	return icmp6(src, all6, kind, slices.Concat(flags, target.AsSlice(), options))
}

// linkLayer is an option of 8 bytes: 1 the sender's MAC, 2 the target's, 14 a
// nonce.
func linkLayer(kind byte, mac net.HardwareAddr) []byte { return slices.Concat([]byte{kind, 1}, mac) }

// behind puts a header of options for the destination before a message.
func behind(next byte, body []byte) []byte {
	return slices.Concat([]byte{next, 0, 1, 4, 0, 0, 0, 0}, body)
}

// fragment puts a message into a fragment that is the only one.
func fragment(next byte, body []byte) []byte {
	return slices.Concat([]byte{next, 0, 0, 0, 0, 0, 0, 7}, body)
}
