package plan

import (
	"github.com/moatnet/moat/sdn"
)

// addRoutes plans the router's routes. Those of a router that is down stay: its
// filters refuse everything, and the refusals need a way back.
func (n *Namespace) addRoutes(v sdn.View, c Config, r sdn.Router) {
	byKey := make(map[Key]int)
	for _, rt := range v.RoutesOf(r.ID) {
		if err := CheckRoute(rt); err != nil {
			n.Unrealised = append(n.Unrealised, err.Error())
			continue
		}
		kr, ok := kernelRoute(v, c, rt)
		if !ok || n.holds(kr) {
			continue
		}
		at, taken := byKey[kr.Key()]
		if !taken {
			byKey[kr.Key()] = len(n.Routes)
			n.Routes = append(n.Routes, kr)
			continue
		}
		n.Routes[at] = merge(n.Routes[at], kr)
	}
}

// holds says whether a Local route is for an address of a port, for which the
// kernel has the route by itself.
func (n *Namespace) holds(r Route) bool {
	for _, a := range n.Addresses {
		if r.Type == Local && r.Dst.IsSingleIP() && a.Prefix.Addr() == r.Dst.Addr() {
			return true
		}
	}
	return false
}

// kernelRoute is one route as the kernel has it; false while its port carries
// no traffic. Behind a bridge that is down nothing may be reached another way.
func kernelRoute(v sdn.View, c Config, r sdn.Route) (Route, bool) {
	out := Route{Dst: r.Dst.Masked(), Metric: r.Weight}
	switch r.Type {
	case sdn.RouteBlackHole:
		out.Type = Blackhole
		return out, true
	case sdn.RouteReject:
		out.Type = Prohibit
		return out, true
	}
	p, ok := v.Port(r.NextHopPort)
	if !ok || !p.AdminStateUp || !connected(c, p) || CheckPort(p) != nil {
		return Route{}, false
	}
	dev := sdn.PortInterface(v, p)
	switch {
	case ownBridgeDown(v, p):
		out.Type = Blackhole
	case r.Type == sdn.RouteLocal:
		out.Type, out.Hops = Local, []Hop{{Dev: dev}}
	default:
		out.Type, out.Hops = Unicast, []Hop{{Via: r.Gateway, Dev: dev}}
	}
	return out, true
}

func ownBridgeDown(v sdn.View, p sdn.Port) bool {
	peer, ok := v.Port(p.Peer)
	if !ok || !selfLink(v, p, peer) {
		return false
	}
	b, ok := v.Bridge(sdn.BridgeID(peer.Device))
	return ok && !b.AdminStateUp
}

// severity orders types for routes of equal destination and weight: the kernel
// keeps one, and a refusal is never traded for a way through.
var severity = map[RouteType]int{Unicast: 0, Local: 1, Prohibit: 2, Blackhole: 3}

// merge joins two routes of one key: unicast ones share the traffic.
func merge(a, b Route) Route {
	switch {
	case severity[b.Type] > severity[a.Type]:
		return b
	case severity[b.Type] < severity[a.Type] || a.Type != Unicast:
		return a
	}
	for _, h := range a.Hops {
		if h == b.Hops[0] {
			return a
		}
	}
	a.Hops = append(a.Hops[:len(a.Hops):len(a.Hops)], b.Hops...)
	return a
}
