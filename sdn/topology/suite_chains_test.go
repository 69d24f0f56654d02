package topology

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

func (s *site) rule(t *testing.T, r sdn.Rule) sdn.Rule {
	t.Helper()
	made, err := s.CreateRule(t.Context(), r)
	require.NoError(t, err)
	return made
}

func snat() []sdn.NATTarget {
	a := netip.MustParseAddr("192.0.2.7")
	return []sdn.NATTarget{{AddressFrom: a, AddressTo: a, PortFrom: 1024, PortTo: 65535}}
}

func testRefusedRules(t *testing.T, open opener) {
	s := newSite(t, open)
	c := s.chain(t)
	n := func(v int) *int { return &v }
	refused := []struct {
		name string
		rule sdn.Rule
		kind error
		text string
	}{
		{"no type", sdn.Rule{}, sdn.ErrInvalid, "type"},
		{"chain missing", sdn.Rule{Type: sdn.RuleDrop, Chain: sdn.NewID[sdn.ChainID]()}, sdn.ErrNotFound, "There is no Chain"},
		{"negative position", sdn.Rule{Type: sdn.RuleDrop, Position: -1}, sdn.ErrInvalid, "position"},
		{"position past the end", sdn.Rule{Type: sdn.RuleDrop, Position: 2}, sdn.ErrInvalid, "Position exceeds number of rules in chain"},
		{"jump nowhere", sdn.Rule{Type: sdn.RuleJump}, sdn.ErrInvalid, "jumpChainId"},
		{"jump to a missing chain", sdn.Rule{Type: sdn.RuleJump, JumpChain: sdn.NewID[sdn.ChainID]()}, sdn.ErrNotFound, "There is no Chain"},
		{"NAT without an action", sdn.Rule{Type: sdn.RuleSNAT, NATTargets: snat()}, sdn.ErrInvalid, "flowAction"},
		{"NAT without a target", sdn.Rule{Type: sdn.RuleDNAT, FlowAction: sdn.FlowAccept}, sdn.ErrInvalid, "natTargets"},
		{"NAT to nowhere", sdn.Rule{Type: sdn.RuleDNAT, FlowAction: sdn.FlowAccept, NATTargets: []sdn.NATTarget{{}}}, sdn.ErrInvalid, "addressFrom"},
		{"reverse NAT without an action", sdn.Rule{Type: sdn.RuleRevSNAT}, sdn.ErrInvalid, "flowAction"},
		{"EtherType too small", sdn.Rule{Type: sdn.RuleDrop, Condition: sdn.Condition{DLType: n(0x5ff)}}, sdn.ErrInvalid, "dlType"},
		{"protocol too large", sdn.Rule{Type: sdn.RuleDrop, Condition: sdn.Condition{Proto: n(256)}}, sdn.ErrInvalid, "nwProto"},
		{"port 0", sdn.Rule{Type: sdn.RuleDrop, Condition: sdn.Condition{TPDst: &sdn.PortRange{End: 9}}}, sdn.ErrInvalid, "tpDst"},
		{"range backwards", sdn.Rule{Type: sdn.RuleDrop, Condition: sdn.Condition{TPSrc: &sdn.PortRange{Start: 9, End: 8}}}, sdn.ErrInvalid, "tpSrc"},
		{"bad mask", sdn.Rule{Type: sdn.RuleDrop, Condition: sdn.Condition{DLSrcMask: "ff:ff"}}, sdn.ErrInvalid, "dlSrcMask"},
		{"bad policy", sdn.Rule{Type: sdn.RuleDrop, Condition: sdn.Condition{Fragment: "some"}}, sdn.ErrInvalid, "fragmentPolicy"},
		{"L4 ports of any fragment", sdn.Rule{Type: sdn.RuleDrop, Condition: sdn.Condition{Fragment: sdn.FragmentAny, TPDst: &sdn.PortRange{Start: 1, End: 1}}}, sdn.ErrInvalid, "fragmentPolicy"},
		{"dynamic NAT of fragments", sdn.Rule{Type: sdn.RuleSNAT, FlowAction: sdn.FlowAccept, NATTargets: snat(), Condition: sdn.Condition{Fragment: sdn.FragmentHeader}}, sdn.ErrInvalid, "fragmentPolicy"},
		{"what cannot be realised", sdn.Rule{Type: sdn.RuleDrop, Condition: sdn.Condition{TraversedDevice: "00000000-0000-4000-8000-000000000001"}}, sdn.ErrUnsupported, "traversedDevice"},
	}
	for _, r := range refused {
		t.Run(r.name, func(t *testing.T) {
			if r.rule.Chain == "" {
				r.rule.Chain = c
			}
			_, err := s.CreateRule(t.Context(), r.rule)
			require.ErrorIs(t, err, r.kind)
			require.ErrorContains(t, err, r.text)
		})
	}
	rules, err := s.Rules(t.Context(), c)
	require.NoError(t, err)
	require.Empty(t, rules)
}

func testRules(t *testing.T, open opener) {
	s := newSite(t, open)
	ctx := t.Context()
	c := s.chain(t)
	var ids []sdn.RuleID
	for i := range 3 {
		ids = append(ids, s.rule(t, sdn.Rule{Chain: c, Type: sdn.RuleDrop, Position: i + 1}).ID)
	}
	head := s.rule(t, sdn.Rule{Chain: c, Type: sdn.RuleAccept})
	require.Equal(t, 1, head.Position, "no position is the head")
	middle := s.rule(t, sdn.Rule{Chain: c, Type: sdn.RuleSNAT, FlowAction: sdn.FlowAccept, NATTargets: snat(), Position: 3})
	want := []sdn.RuleID{head.ID, ids[0], middle.ID, ids[1], ids[2]}
	requireOrder(t, s, c, want)

	_, err := s.CreateRule(ctx, sdn.Rule{ID: middle.ID, Chain: s.chain(t), Type: sdn.RuleDrop})
	require.ErrorIs(t, err, sdn.ErrExists, "in another chain, too")
	got, err := s.Rule(ctx, middle.ID)
	require.NoError(t, err)
	require.Equal(t, middle, got)
	require.Equal(t, sdn.FragmentUnfragmented, got.Condition.Fragment)
	got.NATTargets[0].PortTo = 0
	again, err := s.Rule(ctx, middle.ID)
	require.NoError(t, err)
	require.Equal(t, middle, again, "what a caller does to its copy changes nothing")

	require.NoError(t, s.DeleteRule(ctx, ids[0]))
	require.ErrorIs(t, s.DeleteRule(ctx, ids[0]), sdn.ErrNotFound)
	requireOrder(t, s, c, []sdn.RuleID{head.ID, middle.ID, ids[1], ids[2]})
	requireSound(t, s.Topology)
}

func requireOrder(t *testing.T, s *site, c sdn.ChainID, want []sdn.RuleID) {
	t.Helper()
	rules, err := s.Rules(t.Context(), c)
	require.NoError(t, err)
	require.Len(t, rules, len(want))
	for i, r := range rules {
		require.Equal(t, want[i], r.ID)
		require.Equal(t, i+1, r.Position)
		alone, err := s.Rule(t.Context(), r.ID)
		require.NoError(t, err)
		require.Equal(t, r, alone)
	}
}

func testFragmentDefaults(t *testing.T, open opener) {
	s := newSite(t, open)
	c := s.chain(t)
	a := netip.MustParseAddr("192.0.2.7")
	floating := []sdn.NATTarget{{AddressFrom: a, AddressTo: a}}
	l4 := sdn.Condition{TPDst: &sdn.PortRange{Start: 80, End: 80}}
	for want, rules := range map[sdn.FragmentPolicy][]sdn.Rule{
		sdn.FragmentAny: {
			{Type: sdn.RuleDrop}, {Type: sdn.RuleRevSNAT, FlowAction: sdn.FlowContinue},
			{Type: sdn.RuleDNAT, FlowAction: sdn.FlowAccept, NATTargets: floating},
		},
		sdn.FragmentHeader: {{Type: sdn.RuleDrop, Condition: l4}},
		sdn.FragmentUnfragmented: {
			{Type: sdn.RuleSNAT, FlowAction: sdn.FlowAccept, NATTargets: snat()},
			{Type: sdn.RuleDNAT, FlowAction: sdn.FlowAccept, NATTargets: floating, Condition: l4},
		},
	} {
		for i, r := range rules {
			t.Run(fmt.Sprintf("%s %d", want, i), func(t *testing.T) {
				r.Chain = c
				require.Equal(t, want, s.rule(t, r).Condition.Fragment)
			})
		}
	}
	icmp := 1
	s.rule(t, sdn.Rule{Chain: c, Type: sdn.RuleDrop, Condition: sdn.Condition{Proto: &icmp, TPSrc: &sdn.PortRange{}}})
}
