package filter_test

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/moatnet/moat/sdn"
)

// topology is a View over plain maps.
type topology struct {
	routers map[sdn.RouterID]sdn.Router
	bridges map[sdn.BridgeID]sdn.Bridge
	ports   map[sdn.PortID]sdn.Port
	chains  map[sdn.ChainID]sdn.Chain
	rules   map[sdn.ChainID][]sdn.Rule
	routes  map[sdn.RouterID][]sdn.Route

	portGroups map[sdn.PortGroupID][]sdn.PortID
	addrGroups map[sdn.IPAddrGroupID][]netip.Addr
}

func newTopology() *topology {
	return &topology{
		routers: map[sdn.RouterID]sdn.Router{}, bridges: map[sdn.BridgeID]sdn.Bridge{}, ports: map[sdn.PortID]sdn.Port{},
		chains: map[sdn.ChainID]sdn.Chain{}, rules: map[sdn.ChainID][]sdn.Rule{}, routes: map[sdn.RouterID][]sdn.Route{},
		portGroups: map[sdn.PortGroupID][]sdn.PortID{}, addrGroups: map[sdn.IPAddrGroupID][]netip.Addr{},
	}
}

func get[K comparable, V any](m map[K]V, k K) (V, bool) { v, ok := m[k]; return v, ok }

func keys[K cmp.Ordered, V any](m map[K]V) []K {
	var out []K
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func (t *topology) Router(id sdn.RouterID) (sdn.Router, bool) { return get(t.routers, id) }
func (t *topology) Bridge(id sdn.BridgeID) (sdn.Bridge, bool) { return get(t.bridges, id) }
func (t *topology) Port(id sdn.PortID) (sdn.Port, bool)       { return get(t.ports, id) }
func (t *topology) Chain(id sdn.ChainID) (sdn.Chain, bool)    { return get(t.chains, id) }
func (t *topology) Host(sdn.HostID) (sdn.Host, bool)          { return sdn.Host{}, false }
func (t *topology) Routers() []sdn.RouterID                   { return keys(t.routers) }
func (t *topology) Bridges() []sdn.BridgeID                   { return keys(t.bridges) }
func (t *topology) RoutesOf(id sdn.RouterID) []sdn.Route      { return t.routes[id] }
func (t *topology) RulesOf(id sdn.ChainID) []sdn.Rule         { return t.rules[id] }
func (t *topology) BridgesAt(sdn.DeviceID) []sdn.Bridge       { return nil }

func (t *topology) PortsOf(id sdn.DeviceID) []sdn.Port {
	var out []sdn.Port
	for _, k := range keys(t.ports) {
		if t.ports[k].Device == id {
			out = append(out, t.ports[k])
		}
	}
	return out
}

func (t *topology) UsersOf(id sdn.ChainID) sdn.Users {
	var u sdn.Users
	for _, k := range keys(t.routers) {
		if r := t.routers[k]; r.InboundFilter == id || r.OutboundFilter == id || r.LocalRedirect == id || r.Forward == id {
			u.Routers = append(u.Routers, k)
		}
	}
	for _, k := range keys(t.bridges) {
		if b := t.bridges[k]; b.InboundFilter == id || b.OutboundFilter == id {
			u.Bridges = append(u.Bridges, k)
		}
	}
	for _, k := range keys(t.ports) {
		if p := t.ports[k]; p.InboundFilter == id || p.OutboundFilter == id {
			u.Ports = append(u.Ports, k)
		}
	}
	for _, k := range keys(t.chains) {
		if slices.ContainsFunc(t.rules[k], func(r sdn.Rule) bool { return r.Type == sdn.RuleJump && r.JumpChain == id }) {
			u.Chains = append(u.Chains, k)
		}
	}
	return u
}

// id makes an ID whose first digits are readable in names of the kernel.
func id[T ~string](kind, n int) T {
	return T(fmt.Sprintf("%02d%06d-0000-4000-8000-000000000000", kind, n))
}

func routerID(n int) sdn.RouterID         { return id[sdn.RouterID](10, n) }
func bridgeID(n int) sdn.BridgeID         { return id[sdn.BridgeID](20, n) }
func portID(n int) sdn.PortID             { return id[sdn.PortID](30, n) }
func portGroupID(n int) sdn.PortGroupID   { return id[sdn.PortGroupID](70, n) }
func addrGroupID(n int) sdn.IPAddrGroupID { return id[sdn.IPAddrGroupID](80, n) }
func chainID(n int) sdn.ChainID           { return id[sdn.ChainID](40, n) }

// chain adds chain n with rules, whose IDs and positions it fills in.
func (t *topology) chain(n int, rules ...sdn.Rule) sdn.ChainID {
	c := chainID(n)
	t.chains[c] = sdn.Chain{ID: c, Name: fmt.Sprint("chain ", n)}
	for i := range rules {
		rules[i].ID = id[sdn.RuleID](50+n, i+1)
		rules[i].Chain, rules[i].Position = c, i+1
	}
	t.rules[c] = rules
	return c
}

// port adds port n of a router, bound to an interface, with its Local route.
func (t *topology) port(n int, r sdn.RouterID, iface, address string) sdn.PortID {
	a := netip.MustParsePrefix(address)
	p := sdn.Port{ID: portID(n), Kind: sdn.RouterPort, Device: sdn.DeviceID(r), AdminStateUp: true, Host: "h", Interface: iface, Address: a}
	t.ports[p.ID] = p
	t.routes[r] = append(t.routes[r], sdn.Route{ID: id[sdn.RouteID](60, n), Router: r, Type: sdn.RouteLocal,
		Dst: netip.PrefixFrom(a.Addr(), 32), NextHopPort: p.ID})
	return p.ID
}

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }
func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }
func number(n int) *int            { return &n }

func target(from, to string, portFrom, portTo uint16) []sdn.NATTarget {
	return []sdn.NATTarget{{AddressFrom: addr(from), AddressTo: addr(to), PortFrom: portFrom, PortTo: portTo}}
}

func when(c sdn.Condition, r sdn.Rule) sdn.Rule {
	r.Condition = c
	return r
}

func accept() sdn.Rule { return sdn.Rule{Type: sdn.RuleAccept} }
func drop() sdn.Rule   { return sdn.Rule{Type: sdn.RuleDrop} }
func reject() sdn.Rule { return sdn.Rule{Type: sdn.RuleReject} }
func ret() sdn.Rule    { return sdn.Rule{Type: sdn.RuleReturn} }

func jump(n int) sdn.Rule { return sdn.Rule{Type: sdn.RuleJump, JumpChain: chainID(n)} }

func nat(t sdn.RuleType, a sdn.FlowAction, targets []sdn.NATTarget) sdn.Rule {
	return sdn.Rule{Type: t, FlowAction: a, NATTargets: targets}
}

func rev(t sdn.RuleType, a sdn.FlowAction) sdn.Rule { return sdn.Rule{Type: t, FlowAction: a} }

// tenant is the router of a tenant as Moat makes it: port 1 leads to the
// provider, port 2 to the tenant's bridge.
func tenant() *topology {
	t := newTopology()
	r := sdn.Router{ID: routerID(1), AdminStateUp: true}
	up := t.port(1, r.ID, "uplink", "100.64.0.2/31")
	t.port(2, r.ID, "pods", "10.128.0.1/22")
	r.OutboundFilter = t.chain(1,
		when(sdn.Condition{MatchReturnFlow: true}, accept()),
		when(sdn.Condition{Dst: prefix("10.128.0.0/9")}, accept()),
		when(sdn.Condition{Dst: prefix("100.64.0.0/16")}, accept()),
		when(sdn.Condition{OutPorts: []sdn.PortID{up}, Fragment: sdn.FragmentUnfragmented},
			nat(sdn.RuleSNAT, sdn.FlowAccept, target("100.64.0.2", "100.64.0.2", 1024, 65535))))
	r.InboundFilter = t.chain(2,
		when(sdn.Condition{InPorts: []sdn.PortID{up}}, rev(sdn.RuleRevSNAT, sdn.FlowContinue)),
		when(sdn.Condition{MatchReturnFlow: true}, accept()),
		when(sdn.Condition{Src: prefix("100.64.255.1/32"), InPorts: []sdn.PortID{up}}, accept()),
		when(sdn.Condition{InPorts: []sdn.PortID{up}}, drop()))
	t.routers[r.ID] = r
	return t
}

// The ports of the router in the lab.
var (
	pods   = portID(1)
	uplink = portID(2)
	third  = portID(3)
)

// labTopology is the router of the lab with inbound and outbound filters, whose
// top chains are 1 and 2; chains adds further ones.
func labTopology(in, out []sdn.Rule, chains ...func(*topology)) *topology {
	t := newTopology()
	r := sdn.Router{ID: routerID(1), AdminStateUp: true}
	t.port(1, r.ID, "pods", "10.1.0.1/24")
	t.port(2, r.ID, "uplink", "10.2.0.1/24")
	t.port(3, r.ID, "third", "10.3.0.1/24")
	if in != nil {
		r.InboundFilter = t.chain(1, in...)
	}
	if out != nil {
		r.OutboundFilter = t.chain(2, out...)
	}
	t.routers[r.ID] = r
	for _, add := range chains {
		add(t)
	}
	return t
}

// withRouter changes the router of the lab.
func withRouter(change func(*sdn.Router)) func(*topology) {
	return func(t *topology) {
		r := t.routers[routerID(1)]
		change(&r)
		t.routers[r.ID] = r
	}
}

func (t *topology) HasPortGroup(g sdn.PortGroupID) bool           { _, ok := t.portGroups[g]; return ok }
func (t *topology) PortsInGroup(g sdn.PortGroupID) []sdn.PortID   { return t.portGroups[g] }
func (t *topology) HasIPAddrGroup(g sdn.IPAddrGroupID) bool       { _, ok := t.addrGroups[g]; return ok }
func (t *topology) AddrsInGroup(g sdn.IPAddrGroupID) []netip.Addr { return t.addrGroups[g] }
func (t *topology) ChainsNaming(string) []sdn.ChainID             { return nil }
func (t *topology) MACPortsOf(sdn.BridgeID) []sdn.MACPort         { return nil }
func (t *topology) IP4MACsOf(sdn.BridgeID) []sdn.IP4MAC           { return nil }
func (t *topology) DHCPSubnetsOf(sdn.BridgeID) []sdn.DHCPSubnet   { return nil }
func (t *topology) DHCPHostsOf(sdn.BridgeID) []sdn.DHCPHost       { return nil }
