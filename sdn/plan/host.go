package plan

import (
	"net/netip"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/nft"
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
		Sysctls: hostSysctls(dev),
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
	n.Tables = []nft.Table{hostTable(c, dev)}
	n.Sort()
	return n, nil
}

// Priorities on the host: before the source translation of others, who would
// take Moat's sources for their own, and after it; and before who filters what
// comes in.
const (
	prioMasquerade = 90
	prioGuard      = 110
	prioDoors      = -10
)

const protoTCP = 6

// hostTable translates what leaves the machine from behind the uplink. It does
// not filter by tenant, but for Moat's own doors, which no pod reaches: who may start connections to pods is said by the
// tenants' chains alone. But these let the host itself pass, so nothing that the
// host forwards may look like it: what somebody's masquerading has given the
// host's own source on its way to pods is dropped.
func hostTable(c Config, dev string) nft.Table {
	uplink := nft.Iface(dev)
	var masquerade []nft.Rule
	for _, p := range c.Uplink.Masquerade {
		masquerade = append(masquerade, nft.NewRule(
			nft.Match{Field: nft.IPSrc, Mask: nft.PrefixMask(p), Value: nft.Addr(p.Masked().Addr())},
			nft.Match{Field: nft.OIfName, Not: true, Value: uplink},
			nft.Masquerade{},
		))
	}
	guard := []nft.Rule{nft.NewRule(
		nft.Match{Field: nft.OIfName, Value: uplink},
		nft.Match{Field: nft.IIfName, Not: true, Value: nft.Iface("")},
		nft.Match{Field: nft.CTDirection, Not: true, Value: nft.Uint8(nft.DirReply)},
		nft.Match{Field: nft.CTStatus, Value: nft.Uint32(nft.StatusSNAT)},
		nft.Drop(),
	).WithComment("forwarded and translated is not the host itself")}
	var doors []nft.Rule
	for _, port := range c.Uplink.Closed {
		doors = append(doors, nft.NewRule(
			nft.Match{Field: nft.IIfName, Value: uplink},
			nft.Match{Field: nft.IPProto, Value: nft.Uint8(protoTCP)},
			nft.Match{Field: nft.DstPort, Value: nft.Uint16(port)},
			nft.Drop(),
		).WithComment("of Moat itself, and not for pods"))
	}
	t := nft.Table{Family: nft.IP, Name: c.HostTable(), Chains: []nft.Chain{
		{Name: "postrouting", Base: &nft.Base{Type: nft.NATChain, Hook: nft.Postrouting, Priority: prioMasquerade, Policy: nft.PolicyAccept}, Rules: masquerade},
		{Name: "guard", Base: &nft.Base{Type: nft.FilterChain, Hook: nft.Postrouting, Priority: prioGuard, Policy: nft.PolicyAccept}, Rules: guard},
	}}
	if len(doors) > 0 {
		t.Chains = append(t.Chains, nft.Chain{
			Name: "doors", Base: &nft.Base{Type: nft.FilterChain, Hook: nft.Input, Priority: prioDoors, Policy: nft.PolicyAccept}, Rules: doors})
	}
	return t.Normal()
}
