package tenant

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
)

// picture is what is looked at to find out whether a network is whole; an
// sdn.View is one.
type picture interface {
	Router(sdn.RouterID) (sdn.Router, bool)
	Bridge(sdn.BridgeID) (sdn.Bridge, bool)
	Port(sdn.PortID) (sdn.Port, bool)
	Chain(sdn.ChainID) (sdn.Chain, bool)
	RoutesOf(sdn.RouterID) []sdn.Route
	RulesOf(sdn.ChainID) []sdn.Rule
}

// ready is a network that was built, as it is to be.
type ready struct {
	rec    ipam.Tenant
	names  names
	layout layout
	rules  map[string]string // by ID, how they are called; those of this process's wording
}

func readyOf(rec ipam.Tenant, n names, l layout) ready {
	r := ready{rec, n, l, map[string]string{}}
	for i, rule := range l.InRules {
		r.rules[string(rule.ID)] = fmt.Sprintf("%s rule %d of chain %s", rule.Type, i+1, l.In.Name)
	}
	for i, rule := range l.OutRules {
		r.rules[string(rule.ID)] = fmt.Sprintf("%s rule %d of chain %s", rule.Type, i+1, l.Out.Name)
	}
	return r
}

// lacks names what is missing of a network. Rules and routes are those with which
// it was built, whoever did that: another process may word them otherwise.
func (r ready) lacks(p picture, providerRoutes map[string]bool) (out []string) {
	l := r.layout
	chains := true
	for _, c := range []sdn.Chain{l.In, l.Out} {
		if _, ok := p.Chain(c.ID); !ok {
			chains = false
			out = append(out, "chain "+c.Name)
		}
	}
	router, ok := p.Router(l.Router.ID)
	if !ok {
		out = append(out, "router "+l.Router.Name)
	} else if router.InboundFilter != l.In.ID || router.OutboundFilter != l.Out.ID {
		out = append(out, "filters of router "+l.Router.Name)
	}
	out = append(out, linkLacks(p, "link to the provider router", l.Near, l.Far)...)
	for _, b := range l.Bridges {
		if _, ok := p.Bridge(b.Bridge.ID); !ok {
			out = append(out, "bridge "+b.Bridge.Name)
		}
		out = append(out, linkLacks(p, "link of bridge "+b.Bridge.Name, b.Gateway, b.Trunk)...)
	}
	if chains {
		out = append(out, r.lacksRules(p)...)
	}
	if ok {
		out = append(out, r.lacksRoutes(p, providerRoutes)...)
	}
	return out
}

func linkLacks(p picture, what string, a, b sdn.Port) (out []string) {
	near, there := p.Port(a.ID)
	_, far := p.Port(b.ID)
	switch {
	case !there || !far:
		return []string{"port of the " + what}
	case near.Peer != b.ID:
		return []string{what}
	}
	return nil
}

func (r ready) lacksRules(p picture) (out []string) {
	have := map[string]bool{}
	for _, chain := range []sdn.ChainID{r.layout.In.ID, r.layout.Out.ID} {
		for _, rule := range p.RulesOf(chain) {
			have[string(rule.ID)] = true
		}
	}
	for _, id := range r.rec.Built.Rules {
		if have[id] {
			continue
		}
		if name, ok := r.rules[id]; ok {
			out = append(out, name)
		} else {
			out = append(out, "rule "+id)
		}
	}
	return out
}

func (r ready) lacksRoutes(p picture, provider map[string]bool) (out []string) {
	have := idsOf(p.RoutesOf(r.layout.Router.ID))
	names := map[string]string{}
	for _, route := range r.layout.Routes {
		names[string(route.ID)] = fmt.Sprintf("route to %s of router %s", route.Dst, r.layout.Router.Name)
	}
	for _, route := range r.layout.ProviderRoutes {
		names[string(route.ID)] = fmt.Sprintf("the provider router's route to %s", route.Dst)
	}
	for _, id := range r.rec.Built.Routes {
		if have[id] || provider[id] {
			continue
		}
		if name, ok := names[id]; ok {
			out = append(out, name)
		} else {
			out = append(out, "route "+id)
		}
	}
	return out
}

// ports of the tenant's router, and its one of the provider's.
func (r ready) ports() []sdn.Port {
	ports := []sdn.Port{r.layout.Near, r.layout.Far}
	for _, b := range r.layout.Bridges {
		ports = append(ports, b.Gateway)
	}
	return ports
}

// unanswered are the Local routes that routers' ports lack: an SDN makes one with
// each port, and nobody else does when it is deleted alone.
func unanswered(p picture, n names, ports ...sdn.Port) (out []sdn.Route) {
	for _, port := range ports {
		if _, there := p.Port(port.ID); !there {
			continue // it comes with the port
		}
		router := sdn.RouterID(port.Device)
		local := func(r sdn.Route) bool { return r.Type == sdn.RouteLocal && r.NextHopPort == port.ID }
		if !slices.ContainsFunc(p.RoutesOf(router), local) {
			out = append(out, n.route(sdn.Route{Router: router, Type: sdn.RouteLocal, Src: everywhere,
				Dst: netip.PrefixFrom(port.Address.Addr(), port.Address.Addr().BitLen()), NextHopPort: port.ID}))
		}
	}
	return out
}

func idsOf(routes []sdn.Route) map[string]bool {
	ids := make(map[string]bool, len(routes))
	for _, r := range routes {
		ids[string(r.ID)] = true
	}
	return ids
}

// lacks names what is missing of the provider's network. An uplink that is bound
// to no host is to be bound to this one.
func (l providerLayout) lacks(p picture, host sdn.HostID) (out []string) {
	if _, ok := p.Router(l.Router.ID); !ok {
		return []string{"provider router"}
	}
	up, ok := p.Port(l.Uplink.ID)
	switch {
	case !ok:
		out = append(out, "uplink port")
	case up.Host == "" && host != "":
		out = append(out, "binding of the uplink port")
	}
	have := idsOf(p.RoutesOf(l.Router.ID))
	for _, r := range l.Routes {
		if !have[string(r.ID)] {
			out = append(out, fmt.Sprintf("the provider router's route to %s", r.Dst))
		}
	}
	return out
}

// picture shows the networks to f: the SDN's own picture where it is in this
// process, else what its API answers.
func (m *mender) picture(ctx context.Context, b *base, of map[string]ready, f func(picture)) error {
	if m.opt.Source != nil {
		m.opt.Source.View(func(v sdn.View) { f(v) })
		return nil
	}
	g := gathered{routers: map[sdn.RouterID]sdn.Router{}, bridges: map[sdn.BridgeID]sdn.Bridge{}, ports: map[sdn.PortID]sdn.Port{},
		chains: map[sdn.ChainID]sdn.Chain{}, routes: map[sdn.RouterID][]sdn.Route{}, rules: map[sdn.ChainID][]sdn.Rule{}}
	if err := g.devices(ctx, m.opt.API); err != nil {
		return err
	}
	if err := g.routesOf(ctx, m.opt.API, b.layout.Router.ID); err != nil {
		return err
	}
	for _, r := range of {
		if err := g.contents(ctx, m.opt.API, r.layout); err != nil {
			return err
		}
	}
	f(g)
	return nil
}
