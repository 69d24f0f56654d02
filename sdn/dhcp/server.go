package dhcp

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"

	"github.com/moatnet/moat/sdn"
)

// lease is how long a client may keep its address without asking again. The
// address is its own as long as the topology says so; a client that asks in vain
// for half of this time, as while a machine is serviced, loses nothing.
const (
	lease  = 24 * time.Hour
	renew  = lease / 2     // T1: from then on it asks this server
	rebind = lease * 7 / 8 // T2: from then on it asks any
)

// Server answers for one bridge. It does not change and may be used by many.
type Server struct {
	mac     net.HardwareAddr
	mtu     int
	clients map[[6]byte]client
}

// client is what one client is told.
type client struct {
	addr   netip.Addr
	subnet sdn.DHCPSubnet
	extra  []dhcpv4.Option
}

// New returns a server of the subnets that are enabled, for the hosts in them.
// Its frames come from mac; mtu, in bytes, is what clients are told by a subnet
// that names none. Of several hosts with one MAC the first counts.
func New(mac net.HardwareAddr, mtu int, subnets []sdn.DHCPSubnet, hosts []sdn.DHCPHost) *Server {
	s := &Server{mac: mac, mtu: mtu, clients: make(map[[6]byte]client, len(hosts))}
	for _, h := range hosts {
		at := slices.IndexFunc(subnets, func(n sdn.DHCPSubnet) bool { return n.Enabled && n.Prefix == h.Subnet })
		key, ok := keyOf(h.MAC)
		if at < 0 || !ok || !h.Addr.Is4() {
			continue
		}
		if _, taken := s.clients[key]; taken {
			continue
		}
		extra, _ := options(h.Options) // those that make no sense were refused when the host was made
		s.clients[key] = client{addr: h.Addr, subnet: subnets[at], extra: extra}
	}
	return s
}

func keyOf(text string) (key [6]byte, ok bool) {
	mac, err := net.ParseMAC(text)
	if err != nil || len(mac) != len(key) {
		return key, false
	}
	return [6]byte(mac), true
}

// server is the address by which a client knows who answered.
func (c client) server() netip.Addr {
	switch {
	case c.subnet.Server.Is4():
		return c.subnet.Server
	case c.subnet.Gateway.Is4():
		return c.subnet.Gateway
	}
	return c.subnet.Prefix.Masked().Addr().Next()
}

// Answer returns the frame that answers one, and for whom it is; false when that
// is none of this server's business.
func (s *Server) Answer(frame []byte) (reply []byte, to net.HardwareAddr, ok bool) {
	in, ok := parse(frame)
	if !ok {
		return nil, nil, false
	}
	c, known := s.clients[[6]byte(in.src)]
	if !known || in.dst != broadcast && in.dst != c.server() {
		return nil, nil, false
	}
	request, err := dhcpv4.FromBytes(in.payload)
	if err != nil || !direct(request, in.src) {
		return nil, nil, false
	}
	kind, ok := c.decide(request)
	if !ok {
		return nil, nil, false
	}
	answer := c.message(request, kind, s.mtu)
	return s.frame(answer, request, in.src, c.server()), in.src, true
}

// direct says whether a client itself sent the message, for itself.
func direct(m *dhcpv4.DHCPv4, src net.HardwareAddr) bool {
	return m.OpCode == dhcpv4.OpcodeBootRequest && m.HWType == iana.HWTypeEthernet &&
		bytes.Equal(m.ClientHWAddr, src) && m.GatewayIPAddr.IsUnspecified()
}

// decide says with what kind of message a request is answered (RFC 2131,
// section 4.3).
func (c client) decide(m *dhcpv4.DHCPv4) (kind dhcpv4.MessageType, ok bool) {
	switch m.MessageType() {
	case dhcpv4.MessageTypeDiscover:
		return dhcpv4.MessageTypeOffer, true
	case dhcpv4.MessageTypeRequest:
	default:
		return dhcpv4.MessageTypeNone, false
	}
	if m.Options.Has(dhcpv4.OptionServerIdentifier) && !same(m.ServerIdentifier(), c.server()) {
		return dhcpv4.MessageTypeNone, false // it chose another server
	}
	wish := m.ClientIPAddr // it has an address, and wants to keep it
	if m.Options.Has(dhcpv4.OptionRequestedIPAddress) {
		wish = m.RequestedIPAddress()
	}
	if !same(wish, c.addr) {
		return dhcpv4.MessageTypeNak, true
	}
	return dhcpv4.MessageTypeAck, true
}

func same(ip net.IP, a netip.Addr) bool { return ip.Equal(a.AsSlice()) }
