package topology

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

// tangle is two routers and a bridge that refer to one another in every way.
type tangle struct {
	*site
	left, right    sdn.RouterID
	bridge         sdn.BridgeID
	in, out        sdn.ChainID
	lr, rl, lb, bl sdn.Port // left to right and back, left to bridge and back
	pod            sdn.Port
}

func newTangle(t *testing.T, open opener) tangle {
	t.Helper()
	x := tangle{site: newSite(t, open)}
	ctx := t.Context()
	x.in, x.out = x.chain(t), x.chain(t)
	x.left, x.right, x.bridge = x.router(t), x.router(t), x.site.bridge(t)
	require.NoError(t, x.UpdateRouter(ctx, sdn.Router{ID: x.left, TenantID: "a", InboundFilter: x.in, OutboundFilter: x.out}))
	require.NoError(t, x.UpdateBridge(ctx, sdn.Bridge{ID: x.bridge, TenantID: "a", OutboundFilter: x.out}))
	x.lr, x.rl = x.port(t, routerPort(x.left)), x.port(t, routerPort(x.right))
	x.lb, x.bl = x.port(t, routerPort(x.left)), x.port(t, bridgePort(x.bridge))
	require.NoError(t, x.Link(ctx, x.lr.ID, x.rl.ID))
	require.NoError(t, x.Link(ctx, x.lb.ID, x.bl.ID))
	pod := bridgePort(x.bridge)
	pod.Host, pod.Interface, pod.InboundFilter = x.host, "pod0", x.in
	x.pod = x.port(t, pod)
	for _, hop := range []struct {
		router sdn.RouterID
		port   sdn.PortID
	}{{x.left, x.lr.ID}, {x.left, x.lb.ID}, {x.right, x.rl.ID}} {
		_, err := x.CreateRoute(ctx, route(hop.router, hop.port))
		require.NoError(t, err)
	}
	x.rule(t, sdn.Rule{Chain: x.in, Type: sdn.RuleDrop})
	x.rule(t, sdn.Rule{Chain: x.in, Type: sdn.RuleJump, JumpChain: x.out})
	x.rule(t, sdn.Rule{Chain: x.in, Type: sdn.RuleAccept})
	x.rule(t, sdn.Rule{Chain: x.out, Type: sdn.RuleDrop})
	return x
}

func testDeleteRouter(t *testing.T, open opener) {
	x := newTangle(t, open)
	ctx := t.Context()
	require.NoError(t, x.DeleteRouter(ctx, x.left))
	require.ErrorIs(t, x.DeleteRouter(ctx, x.left), sdn.ErrNotFound)
	for _, id := range []sdn.PortID{x.lr.ID, x.lb.ID} {
		_, err := x.Port(ctx, id)
		require.ErrorIs(t, err, sdn.ErrNotFound)
	}
	for _, id := range []sdn.PortID{x.rl.ID, x.bl.ID} {
		p, err := x.Port(ctx, id)
		require.NoError(t, err)
		require.Empty(t, p.Peer)
	}
	require.Equal(t, sdn.Home{Device: sdn.DeviceID(x.left)}, x.home(t, x.bridge), "the home stays, its port does not")
	requireSound(t, x.Topology)
	_, err := x.CreateRouter(ctx, sdn.Router{ID: x.left})
	require.NoError(t, err, "the ID is free again")
	ports, err := x.Ports(ctx, sdn.DeviceID(x.left))
	require.NoError(t, err)
	require.Empty(t, ports)
	routes, err := x.Routes(ctx, x.left)
	require.NoError(t, err)
	require.Empty(t, routes)
	x.clear(t)
}

func testDeleteBridge(t *testing.T, open opener) {
	x := newTangle(t, open)
	ctx := t.Context()
	require.NoError(t, x.DeleteBridge(ctx, x.bridge))
	p, err := x.Port(ctx, x.lb.ID)
	require.NoError(t, err)
	require.Empty(t, p.Peer)
	list, err := x.Bindings(ctx, x.host)
	require.NoError(t, err)
	require.Empty(t, list)
	x.bound(t, x.site.bridge(t), "pod0")
	requireSound(t, x.Topology)
	x.clear(t)
}

func testDeletePorts(t *testing.T, open opener) {
	x := newTangle(t, open)
	ctx := t.Context()
	require.ErrorIs(t, x.DeletePort(ctx, sdn.NewID[sdn.PortID]()), sdn.ErrNotFound)
	require.NoError(t, x.DeletePort(ctx, x.pod.ID))
	require.ErrorIs(t, x.DeletePort(ctx, x.pod.ID), sdn.ErrNotFound)
	x.bound(t, x.bridge, "pod0")
	require.NoError(t, x.DeletePort(ctx, x.lb.ID))
	p, err := x.Port(ctx, x.bl.ID)
	require.NoError(t, err)
	require.Empty(t, p.Peer)
	routes, err := x.Routes(ctx, x.left)
	require.NoError(t, err)
	require.Len(t, routes, 2, "the local and the normal route of the other port")
	require.NoError(t, x.DeletePort(ctx, x.bl.ID))
	requireSound(t, x.Topology)
	x.clear(t)
}

func testDeleteChain(t *testing.T, open opener) {
	x := newTangle(t, open)
	ctx := t.Context()
	require.NoError(t, x.DeleteChain(ctx, x.out))
	require.ErrorIs(t, x.DeleteChain(ctx, x.out), sdn.ErrNotFound)
	r, err := x.Router(ctx, x.left)
	require.NoError(t, err)
	require.Equal(t, x.in, r.InboundFilter)
	require.Empty(t, r.OutboundFilter)
	b, err := x.Bridge(ctx, x.bridge)
	require.NoError(t, err)
	require.Empty(t, b.OutboundFilter)
	rules, err := x.Rules(ctx, x.in)
	require.NoError(t, err)
	require.Len(t, rules, 2, "the jump is gone")
	for i, r := range rules {
		require.Equal(t, i+1, r.Position)
	}
	require.NoError(t, x.DeleteChain(ctx, x.in))
	p, err := x.Port(ctx, x.pod.ID)
	require.NoError(t, err)
	require.Empty(t, p.InboundFilter)
	requireSound(t, x.Topology)
	x.clear(t)
}

// clear deletes every device, chain and group, and demands that nothing stays
// stored.
func (s *site) clear(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	routers, err := s.Routers(ctx, "")
	require.NoError(t, err)
	for _, r := range routers {
		require.NoError(t, s.DeleteRouter(ctx, r.ID))
	}
	bridges, err := s.Bridges(ctx, "")
	require.NoError(t, err)
	for _, b := range bridges {
		require.NoError(t, s.DeleteBridge(ctx, b.ID))
	}
	chains, err := s.Chains(ctx, "")
	require.NoError(t, err)
	for _, c := range chains {
		require.NoError(t, s.DeleteChain(ctx, c.ID))
	}
	portGroups, err := s.PortGroups(ctx, "", "")
	require.NoError(t, err)
	for _, g := range portGroups {
		require.NoError(t, s.DeletePortGroup(ctx, g.ID))
	}
	addrGroups, err := s.IPAddrGroups(ctx)
	require.NoError(t, err)
	for _, g := range addrGroups {
		require.NoError(t, s.DeleteIPAddrGroup(ctx, g.ID))
	}
	s.nothingLeft(t)
}

// testLongCascades deletes what one transaction of etcd cannot hold.
func testLongCascades(t *testing.T, open opener) {
	s := newSite(t, open)
	ctx := t.Context()
	hub, c := s.router(t), s.chain(t)
	for i := range 150 {
		far := s.leaf(t, i, c)
		p := routerPort(hub)
		p.Peer, p.InboundFilter = far.ID, c
		s.port(t, p)
	}
	for range 150 {
		s.rule(t, sdn.Rule{Chain: c, Type: sdn.RuleDrop})
	}
	requireSound(t, s.Topology)
	require.NoError(t, s.DeleteRouter(ctx, hub))
	ports, err := s.Ports(ctx, "")
	require.NoError(t, err)
	require.Len(t, ports, 150)
	for _, p := range ports {
		require.Empty(t, p.Peer)
		require.Equal(t, c, p.InboundFilter)
	}
	require.NoError(t, s.DeleteChain(ctx, c))
	ports, err = s.Ports(ctx, "")
	require.NoError(t, err)
	for _, p := range ports {
		require.Empty(t, p.InboundFilter)
	}
	requireSound(t, s.Topology)
	s.clear(t)
}

// leaf makes a bound bridge port with a filter.
func (s *site) leaf(t *testing.T, i int, c sdn.ChainID) sdn.Port {
	t.Helper()
	p := bridgePort(s.bridge(t))
	p.InboundFilter, p.Host, p.Interface = c, s.host, fmt.Sprintf("eth%d", i)
	return s.port(t, p)
}

// testLongOrders deletes a chain that long chains jump to, whose orders would not
// fit into one request of etcd. The chains are put into the picture and the
// store by hand, with IDs of rules that are not there.
func testLongOrders(t *testing.T, open opener) {
	s := newSite(t, open)
	ctx := t.Context()
	target := s.chain(t)
	const chains, length = 12, 8000
	for range chains {
		c := s.chain(t)
		s.rule(t, sdn.Rule{Chain: c, Type: sdn.RuleJump, JumpChain: target})
		_, err := s.write(ctx, func(x *txn) error {
			order := newIDs[string](length)
			x.put(key{kindOrder, string(c)}, append(order, x.order(c)...))
			return nil
		})
		require.NoError(t, err)
	}
	require.NoError(t, s.DeleteChain(ctx, target))
	require.Empty(t, s.unfinished())
	for _, c := range viewOf(s.Topology, func(v sdn.View) []sdn.ChainID { return all[sdn.ChainID](s.graph, sdn.KindChain) }) {
		require.Empty(t, viewOf(s.Topology, func(v sdn.View) []sdn.Rule { return v.RulesOf(c) }))
	}
	s.clear(t)
}

// testFullChain gives a chain all the rules that it can have, by hand.
func testFullChain(t *testing.T, open opener) {
	s := newSite(t, open)
	c := s.chain(t)
	s.mu.Lock()
	s.graph.rules[c] = make([]sdn.Rule, maxRules)
	s.mu.Unlock()
	_, err := s.CreateRule(t.Context(), sdn.Rule{Chain: c, Type: sdn.RuleDrop})
	require.ErrorIs(t, err, sdn.ErrConflict)
	s.mu.Lock()
	delete(s.graph.rules, c)
	s.mu.Unlock()
	s.rule(t, sdn.Rule{Chain: c, Type: sdn.RuleDrop})
	s.clear(t)
}
