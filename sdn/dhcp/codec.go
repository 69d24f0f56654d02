package dhcp

import (
	"encoding/binary"
	"maps"
	"net"
	"net/netip"
	"slices"
)

// Kinds of message (RFC 2132, section 9.6).
const (
	discover = 1
	offer    = 2
	ask      = 3 // DHCPREQUEST
	decline  = 4
	ack      = 5
	nak      = 6
	release  = 7
	inform   = 8
)

// Options, by IANA's numbers.
const (
	optPad           = 0
	optMask          = 1
	optRouter        = 3
	optDNS           = 6
	optMTU           = 26
	optRequested     = 50
	optLease         = 51
	optKind          = 53
	optServer        = 54
	optMaxSize       = 57
	optRenew         = 58
	optRebind        = 59
	optClient        = 61
	optStaticRoutes  = 121
	optEnd           = 255
	opRequest        = 1
	opReply          = 2
	hardwareEthernet = 1
)

// Offsets and sizes in a message, in bytes.
const (
	hardwareAt  = 28
	maxHardware = 16
	cookieAt    = 236
	optionsAt   = cookieAt + 4
	minMessage  = 300 // of BOOTP, which some clients insist on
)

const cookie = 0x63825363

// broadcastFlag says that a client cannot take unicast before it has an address.
const broadcastFlag = 1 << 15

// message is a DHCP message, as far as it matters here.
type message struct {
	op, hardware byte
	id           [4]byte
	flags        uint16
	client       netip.Addr // what it has already, or 0.0.0.0
	your, next   netip.Addr // what it is given, and from where it boots
	relay        netip.Addr
	mac          net.HardwareAddr
	options      map[uint8][]byte // those that come in pieces joined (RFC 3396)
}

// decode reads a message; false when it is none, or cut short.
func decode(b []byte) (message, bool) {
	if len(b) < optionsAt || int(b[2]) > maxHardware || binary.BigEndian.Uint32(b[cookieAt:]) != cookie {
		return message{}, false
	}
	addr := func(at int) netip.Addr { return netip.AddrFrom4([4]byte(b[at : at+4])) }
	m := message{
		op: b[0], hardware: b[1], id: [4]byte(b[4:8]), flags: binary.BigEndian.Uint16(b[10:]),
		client: addr(12), your: addr(16), next: addr(20), relay: addr(24),
		mac: slices.Clone(b[hardwareAt : hardwareAt+int(b[2])]), options: make(map[uint8][]byte),
	}
	return m, m.decodeOptions(b[optionsAt:])
}

func (m message) decodeOptions(b []byte) (ended bool) {
	for len(b) > 0 {
		code := b[0]
		switch {
		case code == optEnd:
			return true
		case code == optPad:
			b = b[1:]
			continue
		case len(b) < 2 || len(b) < 2+int(b[1]):
			return false
		}
		n := 2 + int(b[1])
		m.options[code] = append(m.options[code], b[2:n]...)
		b = b[n:]
	}
	return false
}

// kind is the kind of message; 0 when it says none.
func (m message) kind() byte {
	if v := m.options[optKind]; len(v) == 1 {
		return v[0]
	}
	return 0
}

// encode writes a message. No option is longer than 255 bytes.
func (m message) encode() []byte {
	b := make([]byte, optionsAt, minMessage)
	b[0], b[1], b[2] = m.op, m.hardware, byte(len(m.mac))
	copy(b[4:], m.id[:])
	binary.BigEndian.PutUint16(b[10:], m.flags)
	for i, a := range []netip.Addr{m.client, m.your, m.next, m.relay} {
		copy(b[12+4*i:], a.AsSlice())
	}
	copy(b[hardwareAt:], m.mac)
	binary.BigEndian.PutUint32(b[cookieAt:], cookie)
	for _, code := range slices.Sorted(maps.Keys(m.options)) {
		v := m.options[code]
		b = append(append(b, code, byte(len(v))), v...)
	}
	b = append(b, optEnd)
	return append(b, make([]byte, max(0, minMessage-len(b)))...)
}
