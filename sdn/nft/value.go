package nft

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Type is the type of a value, under nft's name for it.
type Type string

// The types.
const (
	TypeVerdict   Type = "verdict"
	TypeIfname    Type = "ifname"
	TypeIPv4      Type = "ipv4_addr"
	TypeIPv6      Type = "ipv6_addr"
	TypeEther     Type = "ether_addr"
	TypeEtherType Type = "ether_type"
	TypeProto     Type = "inet_proto"
	TypeService   Type = "inet_service"
	TypeICMPType  Type = "icmp_type"
	TypeICMPCode  Type = "icmp_code"
	TypeMark      Type = "mark"
	TypeCTState   Type = "ct_state"
	TypeCTDir     Type = "ct_dir"
	TypeCTStatus  Type = "ct_status"
	TypePktType   Type = "pkt_type"
	TypeInteger   Type = "integer"
)

// Value is a value as the kernel keeps it in a register: network byte order
// for what stands in a packet, host byte order for marks and connection
// tracking. The empty Value means "none".
type Value string

// Iface is the value of an interface's name, at most 15 bytes.
func Iface(name string) Value { return Value(name + strings.Repeat("\x00", max(0, 16-len(name)))) }

// Addr is the value of an address, in the length of its family.
func Addr(a netip.Addr) Value { return Value(a.Unmap().AsSlice()) }

// Uint8 is the value of a one-byte field: a protocol, an ICMP type, a TOS.
func Uint8(n uint8) Value { return Value([]byte{n}) }

// Uint16 is the value of a two-byte field of a packet: an L4 port, an EtherType.
func Uint16(n uint16) Value { return Value(binary.BigEndian.AppendUint16(nil, n)) }

// Uint32 is the value of a four-byte field outside the packet: a mark, a state.
func Uint32(n uint32) Value { return Value(binary.NativeEndian.AppendUint32(nil, n)) }

// MAC is the value of a hardware address.
func MAC(a net.HardwareAddr) Value { return Value(a) }

// Joined is the value of a key of several parts, each of which fills whole words
// of 4 bytes.
func Joined(parts ...Value) Value {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(string(p))
		b.WriteString("\x00\x00\x00"[:words(len(p))*4-len(p)])
	}
	return Value(b.String())
}

func words(bytes int) int { return (bytes + 3) / 4 }

// PrefixMask is the value of the mask of an address prefix.
func PrefixMask(p netip.Prefix) Value {
	return Value(net.CIDRMask(p.Bits(), p.Addr().Unmap().BitLen()))
}

// Bits of ct state.
const (
	StateInvalid     uint32 = 1
	StateEstablished uint32 = 2
	StateRelated     uint32 = 4
	StateNew         uint32 = 8
	StateUntracked   uint32 = 64
)

// Bits of ct status.
const (
	StatusSeenReply uint32 = 2
	StatusAssured   uint32 = 4
	StatusConfirmed uint32 = 8
	StatusSNAT      uint32 = 16
	StatusDNAT      uint32 = 32
)

// The directions of a packet in its connection.
const (
	DirOriginal uint8 = 0
	DirReply    uint8 = 1
)

type bitName struct {
	bit  uint32
	name string
}

func stateNames() []bitName {
	return []bitName{{StateInvalid, "invalid"}, {StateEstablished, "established"}, {StateRelated, "related"}, {StateNew, "new"}, {StateUntracked, "untracked"}}
}

func statusNames() []bitName {
	return []bitName{{StatusSeenReply, "seen-reply"}, {StatusAssured, "assured"}, {StatusConfirmed, "confirmed"}, {StatusSNAT, "snat"}, {StatusDNAT, "dnat"}}
}

func (v Value) text(t Type) string {
	b := []byte(v)
	switch {
	case strings.Contains(string(t), " . "):
		return v.joinedText(t)
	case t == TypeIfname:
		return strconv.Quote(strings.TrimRight(string(v), "\x00"))
	case t == TypeIPv4 && len(b) == 4, t == TypeIPv6 && len(b) == 16:
		a, _ := netip.AddrFromSlice(b)
		return a.String()
	case t == TypeEther && len(b) == 6:
		return net.HardwareAddr(b).String()
	case t == TypeEtherType && len(b) == 2:
		return fmt.Sprintf("0x%04x", binary.BigEndian.Uint16(b))
	case t == TypeMark && len(b) == 4:
		return fmt.Sprintf("0x%08x", binary.NativeEndian.Uint32(b))
	case t == TypeCTState && len(b) == 4:
		return bitsText(binary.NativeEndian.Uint32(b), stateNames())
	case t == TypeCTStatus && len(b) == 4:
		return bitsText(binary.NativeEndian.Uint32(b), statusNames())
	case len(b) == 1:
		return byteText(t, b[0])
	case len(b) == 2:
		return strconv.Itoa(int(binary.BigEndian.Uint16(b)))
	}
	return fmt.Sprintf("0x%x", b)
}

// joinedText is the text of a key of several parts.
func (v Value) joinedText(t Type) string {
	var parts []string
	rest := v
	for _, name := range strings.Split(string(t), " . ") {
		n := sizes[Type(name)]
		if n == 0 || len(rest) < words(n)*4 {
			return fmt.Sprintf("0x%x", []byte(v))
		}
		parts = append(parts, rest[:n].text(Type(name)))
		rest = rest[words(n)*4:]
	}
	return strings.Join(parts, " . ")
}

// sizes are the lengths in bytes of what keys of several parts are made of.
var sizes = map[Type]int{TypeIfname: 16, TypeEther: 6, TypeIPv4: 4, TypeIPv6: 16, TypeProto: 1, TypeService: 2}

func byteText(t Type, n byte) string {
	var names map[byte]string
	switch t {
	case TypeProto:
		names = map[byte]string{1: "icmp", 6: "tcp", 17: "udp"}
	case TypeICMPType:
		names = map[byte]string{0: "echo-reply", 3: "destination-unreachable", 8: "echo-request", 11: "time-exceeded", 12: "parameter-problem"}
	case TypeCTDir:
		names = map[byte]string{DirOriginal: "original", DirReply: "reply"}
	case TypePktType:
		names = map[byte]string{0: "host", 1: "broadcast", 2: "multicast", 3: "other"}
	}
	if s, ok := names[n]; ok {
		return s
	}
	return strconv.Itoa(int(n))
}

func bitsText(n uint32, names []bitName) string {
	var parts []string
	for _, b := range names {
		if n&b.bit != 0 {
			parts = append(parts, b.name)
			n &^= b.bit
		}
	}
	if n != 0 || len(parts) == 0 {
		parts = append(parts, fmt.Sprintf("0x%x", n))
	}
	return strings.Join(parts, ",")
}
