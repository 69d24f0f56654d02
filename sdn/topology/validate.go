package topology

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/moatnet/moat/sdn"
)

// Limits of the API's contract.
const (
	maxName      = 255
	maxInterface = 15 // bytes of a Linux interface name
	maxVLAN      = 4094
)

// checker gathers violations; its methods return whether the field is right.
type checker struct{ found []sdn.Violation }

func (c *checker) require(ok bool, property, format string, args ...any) bool {
	if !ok {
		c.found = append(c.found, sdn.Violation{Property: property, Message: fmt.Sprintf(format, args...)})
	}
	return ok
}

func (c *checker) err() error {
	if len(c.found) == 0 {
		return nil
	}
	return &sdn.ValidationError{Violations: c.found}
}

func (c *checker) name(s string) {
	c.require(len([]rune(s)) <= maxName, "name", "size must be between 0 and %d", maxName)
}

func (c *checker) between(v, low, high int, property string) {
	c.require(v >= low, property, "must be greater than or equal to %d", low)
	c.require(v <= high, property, "must be less than or equal to %d", high)
}

// id demands a UUID in canonical form; the zero ID passes.
func id[T ~string](c *checker, v T, property string) {
	if v == "" {
		return
	}
	canonical, err := sdn.ParseID[T](string(v))
	c.require(err == nil && canonical == v, property, "must be a UUID in lower case")
}

// given demands an ID.
func given[T ~string](c *checker, v T, property string) {
	if c.require(v != "", property, "may not be null") {
		id(c, v, property)
	}
}

// own makes an ID for an object that came without one.
func own[T ~string](c *checker, v *T) {
	if *v == "" {
		*v = sdn.NewID[T]()
	}
	id(c, *v, "id")
}

func ipv4(a netip.Addr) bool { return a.Is4() }

func validRouter(r *sdn.Router) error {
	var c checker
	own(&c, &r.ID)
	c.name(r.Name)
	return c.err()
}

func validBridge(b *sdn.Bridge) error {
	var c checker
	own(&c, &b.ID)
	c.name(b.Name)
	return c.err()
}

func validChain(ch *sdn.Chain) error {
	var c checker
	own(&c, &ch.ID)
	c.name(ch.Name)
	return c.err()
}

// validPort checks a port, and drops what its kind does not have.
func validPort(p *sdn.Port) error {
	var c checker
	own(&c, &p.ID)
	given(&c, p.Device, "deviceId")
	id(&c, p.VIF, "vifId")
	if p.Host != "" || p.Interface != "" {
		given(&c, p.Host, "hostId")
		c.iface(p.Interface)
	}
	switch p.Kind {
	case sdn.RouterPort:
		p.VLAN, p.Senders = 0, nil
		if c.require(p.Address.IsValid(), "portAddress", "may not be null") {
			c.require(ipv4(p.Address.Addr()), "portAddress", "is not a valid IPv4 address")
		}
		if p.MAC != "" {
			c.mac(&p.MAC, "portMac")
		}
	case sdn.BridgePort:
		p.Address, p.MAC = netip.Prefix{}, ""
		c.require(p.VLAN <= maxVLAN, "vlanId", "must be less than or equal to %d", maxVLAN)
		p.Senders = c.senders(p.Senders)
	default:
		c.require(false, "type", "must be Router or Bridge")
	}
	return c.err()
}

// mac demands an Ethernet address and gives it its canonical form.
func (c *checker) mac(s *string, property string) {
	hw, err := net.ParseMAC(*s)
	if c.require(err == nil && len(hw) == 6, property, "is not a valid MAC address") {
		*s = hw.String()
	}
}

// iface demands what Linux takes as the name of an interface.
func (c *checker) iface(name string) {
	if !c.require(name != "", "interfaceName", "may not be null") {
		return
	}
	c.require(len(name) <= maxInterface, "interfaceName", "must have at most %d bytes", maxInterface)
	bad := name == "." || name == ".." || strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r == '/' || r == ':' || r == 0x7f
	})
	c.require(!bad, "interfaceName", "is not a valid interface name")
	// The loopback is every namespace's own; the others are names of settings.
	c.require(name != "lo" && name != "all" && name != "default", "interfaceName", "%s cannot be bound", name)
}

func validBinding(b sdn.Binding) error {
	var c checker
	given(&c, b.Host, "hostId")
	given(&c, b.Port, "portId")
	c.iface(b.Interface)
	return c.err()
}

func validRoute(r *sdn.Route) error {
	var c checker
	own(&c, &r.ID)
	types := []sdn.RouteType{sdn.RouteNormal, sdn.RouteBlackHole, sdn.RouteReject, sdn.RouteLocal}
	c.require(slices.Contains(types, r.Type), "type", "This type of route is invalid.")
	c.network(r.Src, "srcNetworkAddr")
	c.network(r.Dst, "dstNetworkAddr")
	if r.Gateway.IsValid() {
		c.require(ipv4(r.Gateway), "nextHopGateway", "is not a valid IPv4 address")
	}
	c.require(r.Weight >= 0, "weight", "must be greater than or equal to 0")
	return c.err()
}

func (c *checker) network(p netip.Prefix, property string) {
	if c.require(p.IsValid(), property, "may not be null") {
		c.require(ipv4(p.Addr()), property, "is not a valid IPv4 address")
	}
}

func validHost(h sdn.Host) error {
	var c checker
	given(&c, h.ID, "id")
	c.between(h.FloodingProxyWeight, 0, 65535, "floodingProxyWeight")
	c.require(h.ContainerWeight >= 0, "containerWeight", "must be greater than or equal to 0")
	c.require(h.ContainerLimit >= -1, "containerLimit", "must be greater than or equal to -1")
	return c.err()
}

func validZone(z *sdn.TunnelZone) error {
	var c checker
	own(&c, &z.ID)
	c.require(z.Name != "", "name", "size must be between 1 and %d", maxName)
	c.require(len([]rune(z.Name)) <= maxName, "name", "size must be between 1 and %d", maxName)
	c.require(slices.Contains([]string{"gre", "vxlan", "vtep"}, z.Type), "type", "must be gre, vxlan or vtep")
	return c.err()
}

func validMember(m sdn.TunnelZoneHost) error {
	var c checker
	given(&c, m.Host, "hostId")
	c.require(ipv4(m.Address), "ipAddress", "is not a valid IPv4 address")
	return c.err()
}
