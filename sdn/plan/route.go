package plan

import (
	"net/netip"

	"github.com/moatnet/moat/sdn"
)

// addRoutes plans the router's routes. Those of a router that is down stay: its
// filters refuse everything, and the refusals need a way back.
func (n *Namespace) addRoutes(v sdn.View, c Config, r sdn.Router) {
	t := tables{at: make(map[Key]int), sources: sourcesOf(v.RoutesOf(r.ID))}
	for _, rt := range v.RoutesOf(r.ID) {
		if err := CheckRoute(rt); err != nil {
			n.Unrealised = append(n.Unrealised, err.Error())
			continue
		}
		kr, ok := kernelRoute(v, c, rt)
		if !ok || n.holds(kr) {
			continue
		}
		if matchesSource(rt) {
			t.addFor(kr, rt.Src.Masked())
			continue
		}
		t.add(kr)
		t.addFor(kr, anySource)
	}
	n.Routes = t.routes
	n.Rules = t.sources.rules()
}

// tables collects the routes of a namespace, those of equal key joined.
type tables struct {
	routes  []Route
	at      map[Key]int // in routes
	sources sources
}

func (t *tables) add(r Route) {
	at, taken := t.at[r.Key()]
	if taken {
		t.routes[at] = merge(t.routes[at], r)
		return
	}
	t.at[r.Key()] = len(t.routes)
	t.routes = append(t.routes, r)
}

// addFor adds a route to the table of each source prefix that lies in src.
func (t *tables) addFor(r Route, src netip.Prefix) {
	for _, s := range t.sources {
		if src.Bits() <= s.prefix.Bits() && src.Contains(s.prefix.Addr()) {
			r.Table = s.table
			t.add(r)
		}
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
