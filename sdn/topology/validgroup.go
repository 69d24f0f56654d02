package topology

import (
	"net/netip"

	"github.com/moatnet/moat/sdn"
)

const maxMTU = 65536 // the contract's, section 3.12

// invalid is the error for one field that is wrong.
func invalid(property, message string) error {
	return &sdn.ValidationError{Violations: []sdn.Violation{{Property: property, Message: message}}}
}

func validPortGroup(g *sdn.PortGroup) error {
	var c checker
	own(&c, &g.ID)
	c.name(g.Name)
	return c.err()
}

func validIPAddrGroup(g *sdn.IPAddrGroup) error {
	var c checker
	own(&c, &g.ID)
	n := len([]rune(g.Name))
	c.require(n > 0 && n <= maxName, "name", "size must be between 1 and %d", maxName)
	return c.err()
}

func validGroupAddr(a sdn.IPAddrGroupAddr) error {
	var c checker
	c.require(a.Addr.IsValid() && a.Addr.Zone() == "", "addr", "is not a valid IP address")
	return c.err()
}

// validMACPort checks an entry and gives its MAC the canonical form.
func validMACPort(m *sdn.MACPort) error {
	var c checker
	c.mac(&m.MAC, "macAddr")
	given(&c, m.Port, "portId")
	c.require(m.VLAN <= maxVLAN, "vlanId", "must be less than or equal to %d", maxVLAN)
	return c.err()
}

func validIP4MAC(m *sdn.IP4MAC) error {
	var c checker
	c.require(ipv4(m.Addr), "ip", "is not a valid IPv4 address")
	c.mac(&m.MAC, "mac")
	return c.err()
}

// validSubnet checks a subnet; a list without entries is none.
func validSubnet(s *sdn.DHCPSubnet) error {
	var c checker
	c.network(s.Prefix, "subnetPrefix")
	s.Prefix = s.Prefix.Masked()
	c.ipv4IfSet(s.Gateway, "defaultGateway")
	c.ipv4IfSet(s.Server, "serverAddr")
	for _, a := range s.DNS {
		c.require(ipv4(a), "dnsServerAddrs", "%s is not a valid IPv4 address", a)
	}
	c.between(s.MTU, 0, maxMTU, "interfaceMTU")
	for _, r := range s.Routes {
		c.network(r.Dst, "destinationPrefix")
		c.require(ipv4(r.Gateway), "gatewayAddr", "is not a valid IPv4 address")
	}
	if len(s.DNS) == 0 {
		s.DNS = nil
	}
	if len(s.Routes) == 0 {
		s.Routes = nil
	}
	*s = cloneSubnet(*s)
	return c.err()
}

// validDHCPHost checks a host and gives its MAC the canonical form.
func validDHCPHost(h *sdn.DHCPHost) error {
	var c checker
	c.mac(&h.MAC, "macAddr")
	c.require(ipv4(h.Addr), "ipAddr", "is not a valid IPv4 address")
	if len(h.Options) == 0 {
		h.Options = nil
	}
	return c.err()
}

func (c *checker) ipv4IfSet(a netip.Addr, property string) {
	if a.IsValid() {
		c.require(ipv4(a), property, "is not a valid IPv4 address")
	}
}
