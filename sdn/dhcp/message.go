package dhcp

import (
	"encoding/binary"
	"math"
	"net"
	"net/netip"
	"time"

	"github.com/moatnet/moat/sdn"
)

// Sizes, in bytes.
const (
	headers     = 28  // of IPv4 and UDP
	minDatagram = 576 // every client takes a datagram of this size
	minMTU      = 68  // the smallest that option 26 can name
)

// maxDNS is how many servers of names a client is told of.
const maxDNS = 16

// message is the answer to a request.
func (c client) message(request message, kind byte, mtu int) message {
	none := netip.IPv4Unspecified()
	m := &draft{limit: limit(request, mtu), message: message{
		op: opReply, hardware: hardwareEthernet, mac: request.mac, id: request.id, flags: request.flags,
		client: none, your: none, next: none, relay: none, options: make(map[uint8][]byte),
	}}
	m.put(optKind, []byte{kind})
	m.put(optServer, c.server().AsSlice())
	if id := request.options[optClient]; len(id) <= maxValue { // RFC 6842
		m.put(optClient, id)
	}
	if kind == nak {
		return m.message
	}
	m.your, m.next = c.addr, c.server()
	if kind == ack {
		m.client = request.client
	}
	m.put(optLease, seconds(lease))
	m.put(optRenew, seconds(renew))
	m.put(optRebind, seconds(rebind))
	c.configure(m, mtu)
	return m.message
}

// draft is a message that does not grow longer than its limit, in bytes.
type draft struct {
	message
	limit int
}

// put sets an option, in place of one that is there. One of no length or more
// than 255 bytes, or with which the message would be too long, is left out.
func (m *draft) put(code uint8, value []byte) {
	if len(value) == 0 || len(value) > maxValue {
		return
	}
	was, had := m.options[code]
	m.options[code] = value
	if len(m.encode()) <= m.limit {
		return
	}
	delete(m.options, code)
	if had {
		m.options[code] = was
	}
}

// configure puts what the subnet says, and then the host's own options, which
// come before the subnet's.
func (c client) configure(m *draft, mtu int) {
	n := c.subnet
	m.put(optMask, net.CIDRMask(n.Prefix.Bits(), 32))
	if n.Gateway.Is4() {
		m.put(optRouter, n.Gateway.AsSlice())
	}
	var dns []byte
	for _, a := range n.DNS[:min(len(n.DNS), maxDNS)] {
		if a.Is4() {
			dns = append(dns, a.AsSlice()...)
		}
	}
	m.put(optDNS, dns)
	if n.MTU != 0 {
		mtu = n.MTU
	}
	if mtu >= minMTU {
		m.put(optMTU, binary.BigEndian.AppendUint16(nil, uint16(min(mtu, math.MaxUint16))))
	}
	if len(n.Routes) > 0 {
		m.put(optStaticRoutes, encodeRoutes(withDefault(n.Routes, n.Gateway)))
	}
	for _, o := range c.extra {
		if o.code == nextServer {
			m.next = netip.AddrFrom4([4]byte(o.value))
			continue
		}
		m.put(o.code, o.value)
	}
}

// withDefault adds the way by the gateway: who reads option 121 ignores option 3
// (RFC 3442).
func withDefault(routes []sdn.DHCPRoute, gateway netip.Addr) []sdn.DHCPRoute {
	for _, r := range routes {
		if r.Dst.Bits() == 0 {
			return routes
		}
	}
	if !gateway.Is4() {
		return routes
	}
	all := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	return append(routes[:len(routes):len(routes)], sdn.DHCPRoute{Dst: all, Gateway: gateway})
}

func encodeRoutes(routes []sdn.DHCPRoute) []byte {
	var out []byte
	for _, r := range routes {
		if !r.Dst.Addr().Is4() || !r.Gateway.Is4() {
			continue
		}
		dst := r.Dst.Masked().Addr().As4()
		out = append(out, byte(r.Dst.Bits()))
		out = append(out, dst[:(r.Dst.Bits()+7)/8]...)
		out = append(out, r.Gateway.AsSlice()...)
	}
	return out
}

// limit is how long a message the client takes.
func limit(request message, mtu int) int {
	size := minDatagram
	if most := request.options[optMaxSize]; len(most) == 2 {
		size = max(size, min(int(binary.BigEndian.Uint16(most)), mtu))
	}
	return size - headers
}

func seconds(d time.Duration) []byte {
	return binary.BigEndian.AppendUint32(nil, uint32(d/time.Second))
}
