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
