package filter_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// packet is an IPv4 packet as far as rules can tell packets apart.
type packet struct {
	src, dst     netip.Addr
	proto        uint8
	sport, dport uint16 // ICMP: id and, for errors, nothing
	icmpType     uint8
	icmpCode     uint8
	tos          uint8
	id           uint16 // IP identification
	fragment     uint16 // flags and offset, as in the header
	tcpFlags     uint8  // 0: SYN
	udpLength    uint16 // 0: that of the payload
	payload      string
}

const (
	icmp = 1
	igmp = 2
	tcp  = 6
	udp  = 17
	gre  = 47

	moreFragments = 0x2000
)

func udpPacket(src, dst string, sport, dport uint16) packet {
	return packet{src: addr(src), dst: addr(dst), proto: udp, sport: sport, dport: dport}
}

func tcpSYN(src, dst string, sport, dport uint16) packet {
	p := udpPacket(src, dst, sport, dport)
	p.proto = tcp
	return p
}

func echo(src, dst string, id uint16) packet {
	return packet{src: addr(src), dst: addr(dst), proto: icmp, icmpType: 8, sport: id}
}

// quotes reports whether it is an ICMP error.
func (p packet) quotes() bool { return p.proto == icmp && p.icmpType == 3 }

// answer is what the receiver of p sends back.
func (p packet) answer() packet {
	a := p
	a.src, a.dst, a.sport, a.dport, a.fragment = p.dst, p.src, p.dport, p.sport, 0
	if p.proto == icmp {
		a.sport, a.dport, a.icmpType = p.sport, 0, 0
	}
	return a
}

func (p packet) String() string {
	s := fmt.Sprintf("%s:%d > %s:%d", p.src, p.sport, p.dst, p.dport)
	switch p.proto {
	case udp:
		s = "udp " + s
	case tcp:
		s = "tcp " + s
	case icmp:
		s = fmt.Sprintf("icmp %d/%d id %d %s > %s", p.icmpType, p.icmpCode, p.sport, p.src, p.dst)
	default:
		s = fmt.Sprintf("proto %d %s > %s", p.proto, p.src, p.dst)
	}
	if p.tos != 0 {
		s += fmt.Sprintf(" tos %#x", p.tos)
	}
	if p.fragment != 0 {
		s += fmt.Sprintf(" fragment %#x", p.fragment)
	}
	return s
}

// bytes is the packet with its IPv4 header. A UDP checksum of 0 means none.
func (p packet) bytes() []byte {
	var body []byte
	switch p.proto {
	case udp:
		body = binary.BigEndian.AppendUint16(body, p.sport)
		body = binary.BigEndian.AppendUint16(body, p.dport)
		body = binary.BigEndian.AppendUint16(body, max(p.udpLength, uint16(8+len(p.payload))))
		body = append(body, 0, 0)
	case tcp:
		body = binary.BigEndian.AppendUint16(body, p.sport)
		body = binary.BigEndian.AppendUint16(body, p.dport)
		flags := p.tcpFlags
		if flags == 0 {
			flags = 0x02
		}
		body = append(body, 0, 0, 0, 1, 0, 0, 0, 0, 5<<4, flags, 0xff, 0xff, 0, 0, 0, 0)
	case icmp:
		body = append(body, p.icmpType, p.icmpCode, 0, 0)
		body = binary.BigEndian.AppendUint16(body, p.sport)
		body = append(body, 0, 1)
	case gre:
		body = append(body, 0, 0, 0x08, 0, 0x45, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	}
	if p.fragment&0x1fff != 0 {
		body = nil
	}
	body = append(body, p.payload...)
	if p.proto == icmp || p.proto == tcp {
		p.checksum(body)
	}
	h := make([]byte, 20, 20+len(body))
	h[0], h[1], h[8], h[9] = 0x45, p.tos, 64, p.proto
	binary.BigEndian.PutUint16(h[2:], uint16(20+len(body)))
	binary.BigEndian.PutUint16(h[4:], p.id)
	binary.BigEndian.PutUint16(h[6:], p.fragment)
	copy(h[12:], p.src.AsSlice())
	copy(h[16:], p.dst.AsSlice())
	binary.BigEndian.PutUint16(h[10:], ^fold(add16(0, h)))
	return append(h, body...)
}

func (p packet) checksum(body []byte) {
	sum := uint32(0)
	at := 2
	if p.proto == tcp {
		at = 16
		pseudo := append(p.src.AsSlice(), p.dst.AsSlice()...)
		pseudo = append(pseudo, 0, tcp, 0, byte(len(body)))
		sum = add16(sum, pseudo)
	}
	binary.BigEndian.PutUint16(body[at:], ^fold(add16(sum, body)))
}

func fold(sum uint32) uint16 {
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

func add16(sum uint32, b []byte) uint32 {
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	return sum
}

// parse reads an IPv4 packet.
func parse(b []byte) (packet, bool) {
	if len(b) < 20 || b[0]>>4 != 4 {
		return packet{}, false
	}
	src, _ := netip.AddrFromSlice(b[12:16])
	dst, _ := netip.AddrFromSlice(b[16:20])
	p := packet{src: src, dst: dst, proto: b[9], tos: b[1], fragment: binary.BigEndian.Uint16(b[6:]) &^ 0x4000}
	body := b[int(b[0]&15)*4 : binary.BigEndian.Uint16(b[2:])]
	if p.fragment&0x1fff != 0 {
		p.payload = string(body)
		return p, true
	}
	switch {
	case p.proto == udp && len(body) >= 8:
		p.sport, p.dport, p.payload = binary.BigEndian.Uint16(body), binary.BigEndian.Uint16(body[2:]), string(body[8:])
	case p.proto == tcp && len(body) >= 20:
		p.sport, p.dport = binary.BigEndian.Uint16(body), binary.BigEndian.Uint16(body[2:])
	case p.proto == icmp && len(body) >= 8:
		p.icmpType, p.icmpCode, p.payload = body[0], body[1], string(body[8:])
		if p.icmpType == 0 || p.icmpType == 8 {
			p.sport = binary.BigEndian.Uint16(body[4:])
		}
	}
	return p, true
}
