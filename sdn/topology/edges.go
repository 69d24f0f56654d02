package topology

import (
	"slices"

	"github.com/moatnet/moat/sdn"
)

// edges lists what an object refers to.
func edges(body any) []edge {
	switch b := body.(type) {
	case sdn.Router:
		return slices.Concat([]edge{{tenantOfRouter, string(b.TenantID)}},
			to(filterOfRouter, b.InboundFilter, b.OutboundFilter, b.LocalRedirect, b.Forward))
	case sdn.Bridge:
		return slices.Concat([]edge{{tenantOfBridge, string(b.TenantID)}},
			to(filterOfBridge, b.InboundFilter, b.OutboundFilter), to(homeOfBridge, b.Home.Device), to(selfOfBridge, b.Home.Self))
	case sdn.Port:
		return slices.Concat(to(deviceOfPort, b.Device), to(peerOfPort, b.Peer), to(hostOfPort, b.Host),
			to(filterOfPort, b.InboundFilter, b.OutboundFilter))
	case sdn.Route:
		return slices.Concat(to(routerOfRoute, b.Router), to(hopOfRoute, b.NextHopPort))
	case sdn.Chain:
		return []edge{{tenantOfChain, string(b.TenantID)}}
	case sdn.Rule:
		return slices.Concat(to(chainOfRule, b.Chain), to(jumpOfRule, b.JumpChain), to(groupOfRule, groups(b)...))
	case sdn.TunnelZoneHost:
		return slices.Concat(to(zoneOfMember, b.Zone), to(hostOfMember, b.Host))
	case sdn.PortGroup:
		return []edge{{tenantOfPortGroup, string(b.TenantID)}}
	case sdn.PortGroupPort:
		return slices.Concat(to(groupOfGroupPort, b.Group), to(portOfGroupPort, b.Port))
	case sdn.IPAddrGroupAddr:
		return to(groupOfAddr, b.Group)
	case sdn.MACPort:
		return slices.Concat(to(bridgeOfMAC, b.Bridge), to(portOfMAC, b.Port))
	case sdn.IP4MAC:
		return to(bridgeOfARP, b.Bridge)
	case sdn.DHCPSubnet:
		return to(bridgeOfSubnet, b.Bridge)
	case dhcpHost:
		return to(subnetOfHost, b.Subnet)
	}
	return nil
}

// to lists the edges to the IDs that are not zero.
func to[ID ~string](rel relation, ids ...ID) []edge {
	list := make([]edge, 0, len(ids))
	for _, id := range ids {
		if id != "" {
			list = append(list, edge{rel, string(id)})
		}
	}
	return list
}

// groups lists the groups that a rule names, of either kind.
func groups(r sdn.Rule) []string {
	n := r.Condition
	return []string{string(n.PortGroup), string(n.InPortGroup), string(n.OutPortGroup), string(n.SrcGroup), string(n.DstGroup)}
}

func tenantOf(body any) sdn.TenantID {
	switch b := body.(type) {
	case sdn.Router:
		return b.TenantID
	case sdn.Bridge:
		return b.TenantID
	case sdn.Chain:
		return b.TenantID
	case sdn.PortGroup:
		return b.TenantID
	}
	return ""
}
