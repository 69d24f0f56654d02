package topology

import "github.com/moatnet/moat/sdn"

// see is what readers see of a stored object: nil and false when it is marked
// as deleted or something that it cannot be without is gone, and without the
// references whose targets are gone.
func (g *graph) see(f fact) (any, bool) {
	if f.body == nil || f.deleted {
		return nil, false
	}
	switch b := f.body.(type) {
	case sdn.Router:
		keep(g, sdn.KindChain, &b.InboundFilter)
		keep(g, sdn.KindChain, &b.OutboundFilter)
		keep(g, sdn.KindChain, &b.LocalRedirect)
		keep(g, sdn.KindChain, &b.Forward)
		return b, true
	case sdn.Bridge:
		keep(g, sdn.KindChain, &b.InboundFilter)
		keep(g, sdn.KindChain, &b.OutboundFilter)
		keep(g, sdn.KindPort, &b.Home.Self)
		return b, true
	case sdn.Port:
		return g.seePort(b, f.created)
	case sdn.Route:
		if !g.has(sdn.KindRouter, string(b.Router)) || !g.hasIfSet(sdn.KindPort, string(b.NextHopPort)) {
			return nil, false
		}
	case sdn.Rule:
		if !g.has(sdn.KindChain, string(b.Chain)) || !g.hasIfSet(sdn.KindChain, string(b.JumpChain)) {
			return nil, false
		}
	case sdn.TunnelZoneHost:
		if !g.has(sdn.KindTunnelZone, string(b.Zone)) || !g.has(sdn.KindHost, string(b.Host)) {
			return nil, false
		}
	case sdn.PortGroupPort:
		return b, g.has(sdn.KindPortGroup, string(b.Group)) && g.has(sdn.KindPort, string(b.Port))
	case sdn.IPAddrGroupAddr:
		return b, g.has(sdn.KindIPAddrGroup, string(b.Group))
	case sdn.MACPort:
		return b, g.has(sdn.KindBridge, string(b.Bridge)) && g.has(sdn.KindPort, string(b.Port))
	case sdn.IP4MAC:
		return b, g.has(sdn.KindBridge, string(b.Bridge))
	case sdn.DHCPSubnet:
		return b, g.has(sdn.KindBridge, string(b.Bridge))
	case dhcpHost:
		return g.seeHost(b)
	}
	return f.body, true
}

// seeHost adds what the subnet decides.
func (g *graph) seeHost(h dhcpHost) (any, bool) {
	s, ok := object[sdn.DHCPSubnet](g, sdn.KindDHCPSubnet, h.Subnet)
	h.Host.Bridge, h.Host.Subnet = s.Bridge, s.Prefix
	return h, ok
}

// seePort adds the tunnel key, which is the revision of the port's creation: a
// sequence that no two writers have to share.
func (g *graph) seePort(p sdn.Port, created int64) (any, bool) {
	if !g.has(deviceKind(p.Kind), string(p.Device)) {
		return nil, false
	}
	keep(g, sdn.KindChain, &p.InboundFilter)
	keep(g, sdn.KindChain, &p.OutboundFilter)
	keep(g, sdn.KindPort, &p.Peer)
	if !g.has(sdn.KindHost, string(p.Host)) {
		p.Host, p.Interface = "", ""
	}
	p.TunnelKey = created
	return p, true
}

// deviceKind is the kind of device that a kind of port belongs to.
func deviceKind(k sdn.PortKind) sdn.Kind {
	if k == sdn.RouterPort {
		return sdn.KindRouter
	}
	return sdn.KindBridge
}

func (g *graph) hasIfSet(kind sdn.Kind, id string) bool { return id == "" || g.has(kind, id) }

// keep clears a reference whose target is gone.
func keep[T ~string](g *graph, kind sdn.Kind, ref *T) {
	if !g.has(kind, string(*ref)) {
		*ref = ""
	}
}
