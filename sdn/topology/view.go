package topology

import (
	"slices"

	"github.com/moatnet/moat/sdn"
)

// The graph is an sdn.View.
var _ sdn.View = (*graph)(nil)

func object[T any, ID ~string](g *graph, kind sdn.Kind, id ID) (T, bool) {
	v, ok := g.objects[kind][string(id)].(T)
	return v, ok
}

func (g *graph) Router(id sdn.RouterID) (sdn.Router, bool) {
	return object[sdn.Router](g, sdn.KindRouter, id)
}

func (g *graph) Bridge(id sdn.BridgeID) (sdn.Bridge, bool) {
	return object[sdn.Bridge](g, sdn.KindBridge, id)
}

func (g *graph) Chain(id sdn.ChainID) (sdn.Chain, bool) {
	return object[sdn.Chain](g, sdn.KindChain, id)
}

func (g *graph) Port(id sdn.PortID) (sdn.Port, bool) {
	p, ok := object[sdn.Port](g, sdn.KindPort, id)
	return g.overlay.port(p), ok
}

func (g *graph) Host(id sdn.HostID) (sdn.Host, bool) {
	h, ok := object[sdn.Host](g, sdn.KindHost, id)
	if !ok {
		return sdn.Host{}, false
	}
	return g.overlay.host(h), true
}

func (g *graph) Routers() []sdn.RouterID { return all[sdn.RouterID](g, sdn.KindRouter) }
func (g *graph) Bridges() []sdn.BridgeID { return all[sdn.BridgeID](g, sdn.KindBridge) }

func (g *graph) PortsOf(d sdn.DeviceID) []sdn.Port {
	return fetch(g.Port, referrers[sdn.PortID](g, deviceOfPort, d))
}

func (g *graph) RoutesOf(r sdn.RouterID) []sdn.Route {
	return fetch(g.route, referrers[sdn.RouteID](g, routerOfRoute, r))
}

func (g *graph) route(id sdn.RouteID) (sdn.Route, bool) {
	return object[sdn.Route](g, sdn.KindRoute, id)
}

func (g *graph) rule(id sdn.RuleID) (sdn.Rule, bool) {
	return object[sdn.Rule](g, sdn.KindRule, id)
}

func (g *graph) zone(id sdn.TunnelZoneID) (sdn.TunnelZone, bool) {
	return object[sdn.TunnelZone](g, sdn.KindTunnelZone, id)
}

func (g *graph) RulesOf(c sdn.ChainID) []sdn.Rule { return g.rules[c] }

func (g *graph) BridgesAt(d sdn.DeviceID) []sdn.Bridge {
	return fetch(g.Bridge, referrers[sdn.BridgeID](g, homeOfBridge, d))
}

func (g *graph) UsersOf(c sdn.ChainID) sdn.Users {
	u := sdn.Users{
		Routers: referrers[sdn.RouterID](g, filterOfRouter, c),
		Bridges: referrers[sdn.BridgeID](g, filterOfBridge, c),
		Ports:   referrers[sdn.PortID](g, filterOfPort, c),
	}
	for _, r := range fetch(g.rule, referrers[sdn.RuleID](g, jumpOfRule, c)) {
		u.Chains = append(u.Chains, r.Chain)
	}
	slices.Sort(u.Chains)
	u.Chains = slices.Compact(u.Chains)
	return u
}

// bindings lists the bound ports of a host, by ID.
func (g *graph) bindings(h sdn.HostID) []sdn.Binding {
	var list []sdn.Binding
	for _, p := range fetch(g.Port, referrers[sdn.PortID](g, hostOfPort, h)) {
		list = append(list, sdn.Binding{Host: h, Port: p.ID, Interface: p.Interface})
	}
	return list
}

// tenants lists the owners of at least one object, by name.
func (g *graph) tenants() []sdn.TenantID { return collect[sdn.TenantID](g.lists[edge{ofTenant, ""}]) }

// referrers lists the objects that have a relation to one, by ID.
func referrers[T, ID ~string](g *graph, rel relation, to ID) []T {
	return collect[T](g.seen[edge{rel, string(to)}])
}

// all lists every object of a kind, by ID.
func all[T ~string](g *graph, kind sdn.Kind) []T {
	return collect[T](g.lists[edge{ofKind, string(kind)}])
}

func collect[T ~string](set *ids) []T {
	list := make([]T, 0, set.len())
	for id := range set.all() {
		list = append(list, T(id))
	}
	return list
}

func fetch[ID ~string, T any](get func(ID) (T, bool), ids []ID) []T {
	list := make([]T, 0, len(ids))
	for _, id := range ids {
		if v, ok := get(id); ok {
			list = append(list, v)
		}
	}
	return list
}
