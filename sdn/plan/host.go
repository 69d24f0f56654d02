package plan

import (
	"net/netip"

	"github.com/moatnet/moat/sdn"
)

// Host plans what Moat keeps in the host's own namespace: the far end of the
// uplink with its routes, or nothing.
func Host(v sdn.View, c Config) (Namespace, error) {
	p, ok := v.Port(c.Uplink.Port)
	if !ok || !boundHere(c, p) || !c.isUplink(p) {
		return Namespace{}, nil
	}
	dev := sdn.InterfaceName(p.ID)
	n := Namespace{
		Sysctls: []Sysctl{
			{Key: ForwardKey, Value: "1"},
			{Key: "net/ipv4/conf/" + dev + "/rp_filter", Value: "0"},
			{Key: "net/ipv6/conf/" + dev + "/disable_ipv6", Value: "1", Optional: true},
		},
		Links: []Link{{
			Name: dev, Kind: VethLink, Alias: c.UplinkStamp(), MAC: MACOf(string(p.ID) + "/host"),
			MTU: c.MTU, Up: true, PeerNamespace: sdn.NamespaceName(p.Device), Peer: dev,
		}},
		Addresses: []Address{{Dev: dev, Prefix: c.Uplink.HostAddress}},
	}
	gateway := netip.Addr{}
	if p.Address.IsValid() {
		gateway = p.Address.Addr()
	}
	for _, dst := range c.Uplink.HostRoutes {
		n.Routes = append(n.Routes, Route{Type: Unicast, Dst: dst.Masked(), Hops: []Hop{{Via: gateway, Dev: dev}}})
	}
	n.Sort()
	return n, nil
}
