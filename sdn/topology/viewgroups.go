package topology

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/moatnet/moat/sdn"
)

func (g *graph) HasPortGroup(id sdn.PortGroupID) bool { return g.has(sdn.KindPortGroup, string(id)) }

func (g *graph) PortsInGroup(id sdn.PortGroupID) []sdn.PortID {
	list := make([]sdn.PortID, 0)
	for _, m := range fetch(g.groupPort, referrers[string](g, groupOfGroupPort, id)) {
		list = append(list, m.Port)
	}
	return list
}

func (g *graph) HasIPAddrGroup(id sdn.IPAddrGroupID) bool {
	return g.has(sdn.KindIPAddrGroup, string(id))
}

func (g *graph) AddrsInGroup(id sdn.IPAddrGroupID) []netip.Addr {
	list := fetch(g.groupAddr, referrers[string](g, groupOfAddr, id))
	slices.SortFunc(list, netip.Addr.Compare)
	return list
}

func (g *graph) ChainsNaming(group string) []sdn.ChainID {
	var list []sdn.ChainID
	for _, r := range fetch(g.rule, referrers[sdn.RuleID](g, groupOfRule, group)) {
		list = append(list, r.Chain)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func (g *graph) MACPortsOf(b sdn.BridgeID) []sdn.MACPort {
	list := fetch(g.macPort, referrers[string](g, bridgeOfMAC, b))
	slices.SortStableFunc(list, func(a, b sdn.MACPort) int { return cmp.Compare(a.VLAN, b.VLAN) })
	return list
}

func (g *graph) IP4MACsOf(b sdn.BridgeID) []sdn.IP4MAC {
	list := fetch(g.ip4MAC, referrers[string](g, bridgeOfARP, b))
	slices.SortStableFunc(list, func(a, b sdn.IP4MAC) int { return a.Addr.Compare(b.Addr) })
	return list
}

func (g *graph) DHCPSubnetsOf(b sdn.BridgeID) []sdn.DHCPSubnet {
	var list []sdn.DHCPSubnet
	for _, id := range g.subnetsOf(b) {
		s, _ := object[sdn.DHCPSubnet](g, sdn.KindDHCPSubnet, id)
		list = append(list, s)
	}
	return list
}

func (g *graph) DHCPHostsOf(b sdn.BridgeID) []sdn.DHCPHost {
	var list []sdn.DHCPHost
	for _, id := range g.subnetsOf(b) {
		list = append(list, g.hostsIn(id)...)
	}
	return list
}

// subnetsOf lists the stored IDs of a bridge's subnets, by prefix.
func (g *graph) subnetsOf(b sdn.BridgeID) []string {
	list := referrers[string](g, bridgeOfSubnet, b)
	slices.SortFunc(list, func(x, y string) int {
		s, _ := object[sdn.DHCPSubnet](g, sdn.KindDHCPSubnet, x)
		u, _ := object[sdn.DHCPSubnet](g, sdn.KindDHCPSubnet, y)
		return cmp.Or(s.Prefix.Addr().Compare(u.Prefix.Addr()), cmp.Compare(s.Prefix.Bits(), u.Prefix.Bits()))
	})
	return list
}
