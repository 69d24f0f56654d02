package tenant

import (
	"fmt"
	"net/netip"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
)

// layout is the whole of one tenant's network, as it is to be: a pure function
// of the installation's plan and the tenant's record.
type layout struct {
	In, Out        sdn.Chain
	Router         sdn.Router
	Far, Near      sdn.Port // the transit link's ends, on provider and tenant router
	InRules        []sdn.Rule
	OutRules       []sdn.Rule
	Routes         []sdn.Route // the tenant router's
	ProviderRoutes []sdn.Route
	Bridges        []bridgeLayout
}

// bridgeLayout is one subnet's bridge with the link to the tenant router.
type bridgeLayout struct {
	Subnet  netip.Prefix
	Bridge  sdn.Bridge
	Gateway sdn.Port // of the router
	Trunk   sdn.Port // of the bridge
}

// everywhere is the source of all routes and the destination of default ones.
var everywhere = netip.MustParsePrefix("0.0.0.0/0")

// surroundings are what a tenant's layout depends on beside its record.
type surroundings struct {
	plan     ipam.Installation
	networks ipam.Networks
	provider sdn.RouterID
	host     netip.Addr     // the host's end of the uplink, which may open connections to pods; invalid: none may
	noNAT    []netip.Prefix // destinations beyond the uplink that see pods' own addresses
}

func (s surroundings) layout(n names, t ipam.Tenant) layout {
	owner := sdn.TenantID(t.Name)
	l := layout{
		In:  sdn.Chain{ID: id[sdn.ChainID](n, roleChainIn, t.Name+"-in"), TenantID: owner, Name: t.Name + "-in"},
		Out: sdn.Chain{ID: id[sdn.ChainID](n, roleChainOut, t.Name+"-out"), TenantID: owner, Name: t.Name + "-out"},
	}
	l.Router = sdn.Router{
		ID: id[sdn.RouterID](n, roleRouter), TenantID: owner, Name: t.Name + " router", AdminStateUp: true,
		InboundFilter: l.In.ID, OutboundFilter: l.Out.ID,
	}
	l.Far = routerPort(id[sdn.PortID](n, roleTransitFar), s.provider, netip.PrefixFrom(t.Transit.Provider, 31))
	l.Near = routerPort(id[sdn.PortID](n, roleTransitNear), l.Router.ID, netip.PrefixFrom(t.Transit.Tenant, 31))
	for i, sub := range t.Subnets {
		b := sdn.Bridge{ID: sdn.BridgeID(sub.Bridge), TenantID: owner, Name: fmt.Sprintf("%s bridge %d", t.Name, i), AdminStateUp: true}
		l.Bridges = append(l.Bridges, bridgeLayout{
			Subnet:  sub.Prefix,
			Bridge:  b,
			Gateway: routerPort(id[sdn.PortID](n, roleGateway, sub.Bridge), l.Router.ID, netip.PrefixFrom(sub.Router(), sub.Prefix.Bits())),
			Trunk:   sdn.Port{ID: id[sdn.PortID](n, roleTrunk, sub.Bridge), Kind: sdn.BridgePort, Device: sdn.DeviceID(b.ID), AdminStateUp: true},
		})
	}
	s.routes(n, t, &l)
	l.InRules = s.inRules(n, l)
	l.OutRules = s.outRules(n, t, l)
	return l
}

func routerPort(id sdn.PortID, router sdn.RouterID, address netip.Prefix) sdn.Port {
	return sdn.Port{ID: id, Kind: sdn.RouterPort, Device: sdn.DeviceID(router), AdminStateUp: true, Address: address}
}

func normal(n names, router sdn.RouterID, dst netip.Prefix, port sdn.PortID, gateway netip.Addr) sdn.Route {
	return n.route(sdn.Route{Router: router, Type: sdn.RouteNormal, Src: everywhere, Dst: dst, NextHopPort: port, Gateway: gateway})
}

func (s surroundings) routes(n names, t ipam.Tenant, l *layout) {
	direct := netip.Addr{}
	l.Routes = []sdn.Route{normal(n, l.Router.ID, everywhere, l.Near.ID, t.Transit.Provider)}
	l.ProviderRoutes = []sdn.Route{normal(n, s.provider, netip.PrefixFrom(t.Transit.Tenant, 32), l.Far.ID, direct)}
	for _, b := range l.Bridges {
		l.Routes = append(l.Routes, normal(n, l.Router.ID, b.Subnet, b.Gateway.ID, direct))
		l.ProviderRoutes = append(l.ProviderRoutes, s.inward(n, t, *l, b.Subnet)...)
	}
}

// Weights of the provider's routes to a tenant's own subnet: the lightest of
// those that a packet's source admits is taken.
const (
	weightFromHost = 50 * (iota + 1)
	weightFromTenants
	weightFromOutside
)

// inward are the provider's routes to a tenant's subnet. There are none to what
// another tenant may have as well. The drop rules of other tenants know the
// pools, not each tenant's own subnets; so what they send there, with their
// transit addresses, ends at the provider.
func (s surroundings) inward(n names, t ipam.Tenant, l layout, subnet netip.Prefix) []sdn.Route {
	in := sdn.Route{Router: s.provider, Type: sdn.RouteNormal, Src: everywhere, Dst: subnet, NextHopPort: l.Far.ID, Gateway: t.Transit.Tenant}
	switch {
	case t.Overlap:
		return nil
	case !t.Own:
		return []sdn.Route{n.route(in)}
	}
	in.Weight = weightFromOutside
	routes := []sdn.Route{n.route(in),
		n.route(sdn.Route{Router: s.provider, Type: sdn.RouteBlackHole, Src: s.plan.Transit, Dst: subnet, Weight: weightFromTenants})}
	if s.host.IsValid() {
		in.Src, in.Weight = netip.PrefixFrom(s.host, 32), weightFromHost
		routes = append(routes, n.route(in))
	}
	return routes
}

// inRules see what enters the tenant router, before the route lookup. An accept
// rule that someone puts at the head opens what it says, no more.
func (s surroundings) inRules(n names, l layout) []sdn.Rule {
	fromOutside := []sdn.PortID{l.Near.ID}
	rules := []sdn.Rule{
		{Type: sdn.RuleRevSNAT, FlowAction: sdn.FlowContinue, Condition: sdn.Condition{InPorts: fromOutside}},
		{Type: sdn.RuleAccept, Condition: sdn.Condition{MatchReturnFlow: true}},
	}
	if s.host.IsValid() {
		rules = append(rules, sdn.Rule{Type: sdn.RuleAccept, Condition: sdn.Condition{
			InPorts: fromOutside, Src: netip.PrefixFrom(s.host, 32)}})
	}
	rules = append(rules, sdn.Rule{Type: sdn.RuleDrop, Condition: sdn.Condition{InPorts: fromOutside}})
	return inChain(n, l.In.ID, rules)
}

// outRules see what leaves the tenant router, after the route lookup. Nothing goes
// to other tenants: a flow that the other side's router drops would still stand
// in this router's connection table, and let the other side's own flow in as its
// answer. Two tenants that shall talk need a rule in both chains.
func (s surroundings) outRules(n names, t ipam.Tenant, l layout) []sdn.Rule {
	rules := []sdn.Rule{{Type: sdn.RuleAccept, Condition: sdn.Condition{MatchReturnFlow: true}}}
	for _, b := range l.Bridges {
		rules = append(rules, sdn.Rule{Type: sdn.RuleDrop, Condition: sdn.Condition{
			InPorts: []sdn.PortID{b.Gateway.ID}, Src: b.Subnet, InvSrc: true}})
	}
	for _, b := range l.Bridges {
		rules = append(rules, sdn.Rule{Type: sdn.RuleAccept, Condition: sdn.Condition{Dst: b.Subnet}})
	}
	for _, others := range append(s.networks.Supernets(s.plan), s.plan.Transit) {
		rules = append(rules, sdn.Rule{Type: sdn.RuleDrop, Condition: sdn.Condition{Dst: others}})
	}
	for _, dst := range s.noNAT {
		if t.Overlap {
			break // nobody has a way back to its addresses
		}
		rules = append(rules, sdn.Rule{Type: sdn.RuleAccept, Condition: sdn.Condition{Dst: dst}})
	}
	rules = append(rules, sdn.Rule{
		Type: sdn.RuleSNAT, FlowAction: sdn.FlowAccept,
		Condition:  sdn.Condition{OutPorts: []sdn.PortID{l.Near.ID}},
		NATTargets: []sdn.NATTarget{{AddressFrom: t.Transit.Tenant, AddressTo: t.Transit.Tenant, PortFrom: 1024, PortTo: 65535}},
	})
	return inChain(n, l.Out.ID, rules)
}

// inChain completes rules: chain, the fragment policy that the server would
// fill in (dynamic NAT works on unfragmented packets only), and the ID.
func inChain(n names, chain sdn.ChainID, rules []sdn.Rule) []sdn.Rule {
	for i, r := range rules {
		r.Chain, r.Condition.Fragment = chain, sdn.FragmentAny
		if r.Type == sdn.RuleSNAT {
			r.Condition.Fragment = sdn.FragmentUnfragmented
		}
		rules[i] = n.rule(r)
	}
	return rules
}

// built is what the record keeps of a layout.
func (l layout) built() ipam.Built {
	b := ipam.Built{Digest: digest(l)}
	for _, r := range append(append([]sdn.Rule(nil), l.InRules...), l.OutRules...) {
		b.Rules = append(b.Rules, string(r.ID))
	}
	for _, r := range append(append([]sdn.Route(nil), l.Routes...), l.ProviderRoutes...) {
		b.Routes = append(b.Routes, string(r.ID))
	}
	return b
}
