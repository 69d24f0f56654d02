package dhcp

import (
	"math"
	"net"
	"net/netip"

	"github.com/insomniacslk/dhcp/dhcpv4"

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

// emptySize is the size of a message without options, with their end, in bytes.
const emptySize = 241

// message is the answer to a request. It holds nothing of the request but what
// is named here: the library's own reply copies options of any length.
func (c client) message(request *dhcpv4.DHCPv4, kind dhcpv4.MessageType, mtu int) *dhcpv4.DHCPv4 {
	m := &draft{room: limit(request, mtu) - emptySize, DHCPv4: &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootReply, HWType: request.HWType, ClientHWAddr: request.ClientHWAddr,
		TransactionID: request.TransactionID, Flags: request.Flags, Options: make(dhcpv4.Options),
	}}
	server := net.IP(c.server().AsSlice())
	m.put(dhcpv4.OptMessageType(kind))
	m.put(dhcpv4.OptServerIdentifier(server))
	m.put(dhcpv4.OptClientIdentifier(request.GetOneOption(dhcpv4.OptionClientIdentifier))) // RFC 6842
	if kind == dhcpv4.MessageTypeNak {
		return m.DHCPv4
	}
	m.YourIPAddr, m.ServerIPAddr = c.addr.AsSlice(), server
	if kind == dhcpv4.MessageTypeAck {
		m.ClientIPAddr = request.ClientIPAddr
	}
	m.put(dhcpv4.OptIPAddressLeaseTime(lease))
	m.put(dhcpv4.OptRenewTimeValue(renew))
	m.put(dhcpv4.OptRebindingTimeValue(rebind))
	c.configure(m, mtu)
	return m.DHCPv4
}

// draft is a message with room, in bytes, for further options.
type draft struct {
	*dhcpv4.DHCPv4
	room int
}

// put sets an option, in place of one that is there. One of no length or more
// than 255 bytes, or for which there is no room, is left out.
func (m *draft) put(o dhcpv4.Option) {
	code, value := o.Code.Code(), o.Value.ToBytes()
	more := 2 + len(value)
	if was, had := m.Options[code]; had {
		more -= 2 + len(was)
	}
	if len(value) == 0 || len(value) > maxValue || more > m.room {
		return
	}
	m.Options[code] = value
	m.room -= more
}

// configure puts what the subnet says, and then the host's own options, which
// come before the subnet's.
func (c client) configure(m *draft, mtu int) {
	n := c.subnet
	m.put(dhcpv4.OptSubnetMask(net.CIDRMask(n.Prefix.Bits(), 32)))
	if n.Gateway.Is4() {
		m.put(dhcpv4.OptRouter(n.Gateway.AsSlice()))
	}
	var dns []net.IP
	for _, a := range n.DNS[:min(len(n.DNS), maxDNS)] {
		if a.Is4() {
			dns = append(dns, a.AsSlice())
		}
	}
	m.put(dhcpv4.OptDNS(dns...))
	if n.MTU != 0 {
		mtu = n.MTU
	}
	if mtu >= minMTU {
		m.put(dhcpv4.Option{Code: dhcpv4.OptionInterfaceMTU, Value: dhcpv4.Uint16(min(mtu, math.MaxUint16))})
	}
	if len(n.Routes) > 0 {
		m.put(dhcpv4.OptClasslessStaticRoute(staticRoutes(withDefault(n.Routes, n.Gateway))...))
	}
	for _, o := range c.extra {
		if o.Code.Code() == nextServer {
			m.ServerIPAddr = o.Value.ToBytes()
			continue
		}
		m.put(o)
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

// staticRoutes are the routes that are IPv4's.
func staticRoutes(routes []sdn.DHCPRoute) dhcpv4.Routes {
	var out dhcpv4.Routes
	for _, r := range routes {
		if r.Dst.Addr().Is4() && r.Gateway.Is4() {
			dst := &net.IPNet{IP: r.Dst.Masked().Addr().AsSlice(), Mask: net.CIDRMask(r.Dst.Bits(), 32)}
			out = append(out, &dhcpv4.Route{Dest: dst, Router: r.Gateway.AsSlice()})
		}
	}
	return out
}

// limit is how long a message the client takes, in bytes.
func limit(request *dhcpv4.DHCPv4, mtu int) int {
	size := minDatagram
	if most, err := request.MaxMessageSize(); err == nil {
		size = max(size, min(int(most), mtu))
	}
	return size - headers
}
