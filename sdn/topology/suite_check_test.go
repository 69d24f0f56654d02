package topology

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

// testCheck uses an engine that cannot have more than one rule in a chain that
// a port uses.
func testCheck(t *testing.T, open opener) {
	asked := map[sdn.ChainID]int{}
	s := furnish(t, open(t, Options{Check: func(v sdn.View, c sdn.ChainID) error {
		asked[c]++
		if len(v.UsersOf(c).Ports) > 0 && len(v.RulesOf(c)) > 1 {
			return fmt.Errorf("chain %s at a port: %w", c, sdn.ErrUnsupported)
		}
		return nil
	}}))
	ctx := t.Context()
	c, b := s.chain(t), s.bridge(t)
	filtered := bridgePort(b)
	filtered.InboundFilter = c
	first := s.rule(t, sdn.Rule{Chain: c, Type: sdn.RuleDrop})
	p := s.port(t, filtered)

	before := viewOf(s.Topology, func(v sdn.View) []sdn.Rule { return v.RulesOf(c) })
	_, err := s.CreateRule(ctx, sdn.Rule{Chain: c, Type: sdn.RuleAccept})
	require.ErrorIs(t, err, sdn.ErrUnsupported)
	require.Equal(t, before, viewOf(s.Topology, func(v sdn.View) []sdn.Rule { return v.RulesOf(c) }))
	requireSound(t, s.Topology)

	require.NoError(t, s.UpdatePort(ctx, sdn.Port{ID: p.ID}))
	s.rule(t, sdn.Rule{Chain: c, Type: sdn.RuleAccept})
	_, err = s.CreatePort(ctx, filtered)
	require.ErrorIs(t, err, sdn.ErrUnsupported, "by using the chain")
	require.ErrorIs(t, s.UpdatePort(ctx, sdn.Port{ID: p.ID, OutboundFilter: c}), sdn.ErrUnsupported)
	ports, err := s.Ports(ctx, sdn.DeviceID(b))
	require.NoError(t, err)
	require.Len(t, ports, 1)
	require.Empty(t, ports[0].OutboundFilter)

	target := s.chain(t)
	s.rule(t, sdn.Rule{Chain: c, Type: sdn.RuleJump, JumpChain: target})
	require.Equal(t, 1, asked[target], "a jump is a new user")
	clear(asked)
	s.bound(t, b, "eth0")
	require.Empty(t, asked, "a port without filters concerns no chain")
	require.NoError(t, s.DeleteRule(ctx, first.ID))
	require.Equal(t, map[sdn.ChainID]int{c: 1}, asked)
	requireSound(t, s.Topology)
}

// testCheckOfMembers uses an engine that cannot have a group of two ports in a
// rule.
func testCheckOfMembers(t *testing.T, open opener) {
	asked := map[sdn.ChainID]int{}
	s := furnish(t, open(t, Options{Check: func(v sdn.View, c sdn.ChainID) error {
		asked[c]++
		for _, r := range v.RulesOf(c) {
			if len(v.PortsInGroup(r.Condition.InPortGroup)) > 1 {
				return fmt.Errorf("chain %s: two ports: %w", c, sdn.ErrUnsupported)
			}
		}
		return nil
	}}))
	ctx := t.Context()
	b, g, addrs := s.bridge(t), s.portGroup(t, "a"), s.addrGroup(t)
	p, q := s.port(t, bridgePort(b)), s.port(t, bridgePort(b))
	require.NoError(t, s.AddPortGroupPort(ctx, sdn.PortGroupPort{Group: g, Port: p.ID}))
	require.NoError(t, s.AddPortGroupPort(ctx, sdn.PortGroupPort{Group: g, Port: q.ID}))
	require.Empty(t, asked, "no rule names the group")
	named := sdn.Rule{Chain: s.chain(t), Type: sdn.RuleDrop, Condition: sdn.Condition{InPortGroup: g, SrcGroup: addrs}}
	_, err := s.CreateRule(ctx, named)
	require.ErrorIs(t, err, sdn.ErrUnsupported)
	require.NoError(t, s.RemovePortGroupPort(ctx, sdn.PortGroupPort{Group: g, Port: q.ID}))
	s.rule(t, named)
	clear(asked)
	require.ErrorIs(t, s.AddPortGroupPort(ctx, sdn.PortGroupPort{Group: g, Port: q.ID}), sdn.ErrUnsupported)
	require.Equal(t, []sdn.PortID{p.ID}, viewOf(s.Topology, func(v sdn.View) []sdn.PortID { return v.PortsInGroup(g) }))
	require.Positive(t, asked[named.Chain])
	clear(asked)
	require.NoError(t, s.AddIPAddrGroupAddr(ctx, sdn.IPAddrGroupAddr{Group: addrs, Addr: routerPort("").Address.Addr()}))
	require.NoError(t, s.RemovePortGroupPort(ctx, sdn.PortGroupPort{Group: g, Port: p.ID}))
	require.Empty(t, asked, "neither an address nor a member less can be refused")

	redirect := s.chain(t)
	r, err := s.CreateRouter(ctx, sdn.Router{LocalRedirect: redirect})
	require.NoError(t, err)
	require.Equal(t, 1, asked[redirect])
	require.NoError(t, s.UpdateRouter(ctx, sdn.Router{ID: r.ID, LocalRedirect: redirect, Name: "n"}))
	require.Equal(t, 1, asked[redirect], "it was there before")
	require.NoError(t, s.UpdateRouter(ctx, sdn.Router{ID: r.ID, Forward: redirect}))
	require.Equal(t, 2, asked[redirect], "in another place it means something else")
	requireSound(t, s.Topology)
	s.clear(t)
}

// testSlowCheck has a check that takes its time: reads, views and writes that
// concern no chain do not wait for it, and it does not see them.
func testSlowCheck(t *testing.T, open opener) {
	entered, release := make(chan struct{}), make(chan struct{})
	s := furnish(t, open(t, Options{Check: func(v sdn.View, _ sdn.ChainID) error {
		if len(v.Bridges()) == 1 { // the first to be checked
			close(entered)
			<-release
			if len(v.Bridges()) != 1 {
				return sdn.ErrUnsupported
			}
		}
		return nil
	}}))
	c, b := s.chain(t), s.bridge(t)
	done := make(chan error, 1)
	go func() {
		_, err := s.CreateRule(t.Context(), sdn.Rule{Chain: c, Type: sdn.RuleDrop})
		done <- err
	}()
	<-entered
	more := s.bridge(t)
	s.port(t, bridgePort(more))
	require.NoError(t, s.DeleteBridge(t.Context(), b))
	require.Empty(t, viewOf(s.Topology, func(v sdn.View) []sdn.Rule { return v.RulesOf(c) }), "what is tried is not shown")
	close(release)
	require.NoError(t, <-done)
	require.Len(t, viewOf(s.Topology, func(v sdn.View) []sdn.Rule { return v.RulesOf(c) }), 1)
	s.bridge(t)
	s.rule(t, sdn.Rule{Chain: c, Type: sdn.RuleDrop})
	requireSound(t, s.Topology)
	s.clear(t)
}
