package wire

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/moatnet/moat/sdn"
)

// maxMTU is the greatest MTU that MidoNet takes.
const maxMTU = 65536

// DHCPSubnet is resource DhcpSubnet-v2. Its bridge stands in the URI alone.
type DHCPSubnet struct {
	URI            Text        `json:"uri"`
	SubnetPrefix   Text        `json:"subnetPrefix"`
	SubnetLength   Int         `json:"subnetLength"`
	DefaultGateway Text        `json:"defaultGateway"`
	ServerAddr     Text        `json:"serverAddr"`
	DNSServerAddrs []Text      `json:"dnsServerAddrs"`
	InterfaceMTU   *Int        `json:"interfaceMTU"`
	Opt121Routes   []DHCPRoute `json:"opt121Routes"`
	Enabled        Bool        `json:"enabled"`
	Hosts          Text        `json:"hosts"`
}

// DHCPRoute is an entry of opt121Routes.
type DHCPRoute struct {
	DestinationPrefix Text `json:"destinationPrefix"`
	DestinationLength Int  `json:"destinationLength"`
	GatewayAddr       Text `json:"gatewayAddr"`
}

// NewDHCPSubnet is the request body for a DHCP subnet: no links.
func NewDHCPSubnet(s sdn.DHCPSubnet) DHCPSubnet {
	d := DHCPSubnet{
		DefaultGateway: addrText(s.Gateway),
		ServerAddr:     addrText(s.Server),
		Opt121Routes:   make([]DHCPRoute, len(s.Routes)),
		Enabled:        Bool(s.Enabled),
	}
	d.SubnetPrefix, d.SubnetLength = split(s.Prefix)
	if len(s.DNS) > 0 {
		d.DNSServerAddrs = addrTexts(s.DNS)
	}
	if s.MTU != 0 {
		d.InterfaceMTU = optional(&s.MTU)
	}
	for i, r := range s.Routes {
		d.Opt121Routes[i].DestinationPrefix, d.Opt121Routes[i].DestinationLength = split(r.Dst)
		d.Opt121Routes[i].GatewayAddr = addrText(r.Gateway)
	}
	return d
}

// DHCPSubnet is the representation of a DHCP subnet, with its links.
func (u URIs) DHCPSubnet(s sdn.DHCPSubnet) DHCPSubnet {
	d := NewDHCPSubnet(s)
	d.URI = u.text(Bridges, string(s.Bridge), DHCP, prefixKey(s.Prefix))
	d.Hosts = d.URI + "/" + Hosts
	return d
}

// prefixKey is a prefix as URIs have it: "10.0.0.0_24".
func prefixKey(p netip.Prefix) string { return p.Addr().String() + "_" + strconv.Itoa(p.Bits()) }

// Noun reads a representation; the bridge is left out.
func (d DHCPSubnet) Noun() (sdn.DHCPSubnet, error) {
	var c check
	c.need("subnetPrefix", d.SubnetPrefix)
	s := sdn.DHCPSubnet{
		Prefix:  c.prefix("subnetPrefix", d.SubnetPrefix, "subnetLength", d.SubnetLength).Masked(),
		Gateway: c.ipv4("defaultGateway", d.DefaultGateway),
		Server:  c.ipv4("serverAddr", d.ServerAddr),
		DNS:     c.ipv4s("dnsServerAddrs", d.DNSServerAddrs),
		Routes:  c.dhcpRoutes(d.Opt121Routes),
		Enabled: bool(d.Enabled),
	}
	if n := c.optional("interfaceMTU", d.InterfaceMTU, 0, maxMTU); n != nil {
		s.MTU = *n
	}
	return s, c.err()
}

// ipv4s reads a list of IPv4 addresses; no list and an empty one are nil.
func (c *check) ipv4s(property string, vs []Text) []netip.Addr {
	var out []netip.Addr
	for _, v := range vs {
		c.need(property, v)
		if a := c.ipv4(property, v); a.IsValid() {
			out = append(out, a)
		}
	}
	return out
}

func (c *check) dhcpRoutes(rs []DHCPRoute) []sdn.DHCPRoute {
	var out []sdn.DHCPRoute
	for _, r := range rs {
		c.need("destinationPrefix", r.DestinationPrefix)
		c.need("gatewayAddr", r.GatewayAddr)
		out = append(out, sdn.DHCPRoute{
			Dst:     c.prefix("destinationPrefix", r.DestinationPrefix, "destinationLength", r.DestinationLength).Masked(),
			Gateway: c.ipv4("gatewayAddr", r.GatewayAddr),
		})
	}
	return out
}

// ParseDHCPSubnet reads the body of a POST or PUT.
func ParseDHCPSubnet(body []byte) (sdn.DHCPSubnet, error) {
	d := DHCPSubnet{Enabled: true}
	if err := Decode(body, &d); err != nil {
		return sdn.DHCPSubnet{}, err
	}
	return d.Noun()
}

// ParsePrefixKey reads a subnet of a URI: "10.0.0.0_24". Host bits are cut off.
// The error wraps sdn.ErrInvalid.
func ParsePrefixKey(key string) (netip.Prefix, error) {
	addr, bits, _ := strings.Cut(key, "_")
	a, err := netip.ParseAddr(addr)
	if err != nil || !a.Is4() {
		return netip.Prefix{}, badKey(key, "a subnet")
	}
	n, err := strconv.ParseUint(bits, 10, 8)
	if err != nil || n > 32 {
		return netip.Prefix{}, badKey(key, "a subnet")
	}
	return netip.PrefixFrom(a, int(n)).Masked(), nil
}
