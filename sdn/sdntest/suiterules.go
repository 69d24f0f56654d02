package sdntest

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

func chains(t *testing.T, b *bed) {
	c := b.chain()
	got, err := b.Chain(b.ctx(), c.ID)
	require.NoError(t, err)
	require.Equal(t, c, got)
	_, err = b.CreateChain(b.ctx(), c)
	require.ErrorIs(t, err, sdn.ErrExists)
	twin := b.chain()
	require.Equal(t, c.Name, twin.Name, "names need not be unique")
	list, err := b.Chains(b.ctx(), b.tenant)
	require.NoError(t, err)
	require.ElementsMatch(t, []sdn.Chain{c, twin}, list)
	rules, err := b.Rules(b.ctx(), c.ID)
	require.NoError(t, err)
	require.Empty(t, rules)
	require.NoError(t, b.DeleteChain(b.ctx(), c.ID))
	require.ErrorIs(t, b.DeleteChain(b.ctx(), c.ID), sdn.ErrNotFound)
}

func ruleOrder(t *testing.T, b *bed) {
	c := b.chain()
	add := func(position int) sdn.RuleID {
		r, err := b.CreateRule(b.ctx(), sdn.Rule{Chain: c.ID, Type: sdn.RuleAccept, Position: position})
		require.NoError(t, err)
		require.Equal(t, max(position, 1), r.Position)
		return r.ID
	}
	order := func() (ids []sdn.RuleID) {
		rs, err := b.Rules(b.ctx(), c.ID)
		require.NoError(t, err)
		for i, r := range rs {
			require.Equal(t, i+1, r.Position)
			ids = append(ids, r.ID)
		}
		return ids
	}
	first := add(0)
	head := add(1)
	last := add(3)
	middle := add(2)
	require.Equal(t, []sdn.RuleID{head, middle, first, last}, order())
	_, err := b.CreateRule(b.ctx(), sdn.Rule{Chain: c.ID, Type: sdn.RuleAccept, Position: 6})
	require.ErrorIs(t, err, sdn.ErrInvalid)
	_, err = b.CreateRule(b.ctx(), sdn.Rule{Chain: c.ID, Type: sdn.RuleAccept, Position: -1})
	require.ErrorIs(t, err, sdn.ErrInvalid)
	require.NoError(t, b.DeleteRule(b.ctx(), middle))
	require.ErrorIs(t, b.DeleteRule(b.ctx(), middle), sdn.ErrNotFound)
	require.Equal(t, []sdn.RuleID{head, first, last}, order())
	r, err := b.Rule(b.ctx(), last)
	require.NoError(t, err)
	require.Equal(t, 3, r.Position)
	_, err = b.CreateRule(b.ctx(), sdn.Rule{ID: last, Chain: c.ID, Type: sdn.RuleAccept})
	require.ErrorIs(t, err, sdn.ErrExists)
	require.Len(t, order(), 3, "a refused rule leaves no trace")
}

func ruleContent(t *testing.T, b *bed) {
	c, target, br := b.chain(), b.chain(), b.bridge()
	p := b.bridgePort(br.ID)
	ip, tcp, tos := 0x0800, 6, 0
	if b.release == wire.V1 {
		tos = 0x10 // there 0 is any
	}
	natTo := []sdn.NATTarget{{AddressFrom: netip.MustParseAddr("10.0.0.1"), AddressTo: netip.MustParseAddr("10.0.0.9"), PortFrom: 1024, PortTo: 65535}}
	for name, want := range map[string]sdn.Rule{
		"everything": {Type: sdn.RuleDrop, Condition: sdn.Condition{
			Invert: true, MatchForwardFlow: true, MatchReturnFlow: true,
			InPorts: []sdn.PortID{p.ID}, InvInPorts: true, OutPorts: []sdn.PortID{p.ID}, InvOutPorts: true,
			DLType: &ip, InvDLType: true, DLSrc: "02:00:00:00:00:01", DLSrcMask: "ffff.ff00.0000", InvDLSrc: true,
			DLDst: "02:00:00:00:00:02", DLDstMask: "ffff.ffff.ffff", InvDLDst: true,
			TOS: &tos, InvTOS: true, Proto: &tcp, InvProto: true,
			Src: netip.MustParsePrefix("10.0.0.7/24"), InvSrc: true, Dst: netip.MustParsePrefix("0.0.0.0/0"), InvDst: true,
			TPSrc: &sdn.PortRange{Start: 1, End: 65535}, InvTPSrc: true, TPDst: &sdn.PortRange{Start: 80, End: 80}, InvTPDst: true,
			Fragment: sdn.FragmentHeader,
		}},
		"jump":     {Type: sdn.RuleJump, JumpChain: target.ID, JumpChainName: "free text", Condition: sdn.Condition{Fragment: sdn.FragmentAny}},
		"snat":     {Type: sdn.RuleSNAT, FlowAction: sdn.FlowAccept, NATTargets: natTo, Condition: sdn.Condition{Fragment: sdn.FragmentUnfragmented}},
		"rev_dnat": {Type: sdn.RuleRevDNAT, FlowAction: sdn.FlowReturn, Condition: sdn.Condition{Fragment: sdn.FragmentAny}},
	} {
		want.ID, want.Chain, want.Position = sdn.NewID[sdn.RuleID](), c.ID, 1
		made, err := b.CreateRule(b.ctx(), want)
		require.NoError(t, err, name)
		got, err := b.Rule(b.ctx(), want.ID)
		require.NoError(t, err, name)
		require.Equal(t, tidy(want), tidy(made), name)
		require.Equal(t, tidy(want), tidy(got), name)
	}
	r, err := b.CreateRule(b.ctx(), sdn.Rule{Chain: c.ID, Type: sdn.RuleDNAT, FlowAction: sdn.FlowContinue, NATTargets: natTo})
	require.NoError(t, err)
	require.Equal(t, sdn.FragmentUnfragmented, r.Condition.Fragment, "the default of dynamic NAT")
}

// tidy makes nil of empty lists, which mean the same.
func tidy(r sdn.Rule) sdn.Rule {
	if len(r.Condition.InPorts) == 0 {
		r.Condition.InPorts = nil
	}
	if len(r.Condition.OutPorts) == 0 {
		r.Condition.OutPorts = nil
	}
	if len(r.NATTargets) == 0 {
		r.NATTargets = nil
	}
	return r
}

func badRules(t *testing.T, b *bed) {
	c := b.chain()
	one := netip.MustParseAddr("10.0.0.1")
	static := []sdn.NATTarget{{AddressFrom: one, AddressTo: one}}
	proto := 256
	for name, bad := range map[string]sdn.Rule{
		"no type":             {},
		"unknown type":        {Type: "mirror"},
		"jump to nowhere":     {Type: sdn.RuleJump},
		"NAT without targets": {Type: sdn.RuleSNAT, FlowAction: sdn.FlowAccept},
		"NAT without action":  {Type: sdn.RuleSNAT, NATTargets: static},
		"wrong action":        {Type: sdn.RuleRevSNAT, FlowAction: "drop"},
		"target backwards":    {Type: sdn.RuleSNAT, FlowAction: sdn.FlowAccept, NATTargets: []sdn.NATTarget{{AddressFrom: one.Next(), AddressTo: one}}},
		"range backwards":     {Type: sdn.RuleDrop, Condition: sdn.Condition{TPDst: &sdn.PortRange{Start: 2, End: 1}}},
		"protocol":            {Type: sdn.RuleDrop, Condition: sdn.Condition{Proto: &proto}},
		"MAC":                 {Type: sdn.RuleDrop, Condition: sdn.Condition{DLSrc: "nonsense"}},
		"MAC mask":            {Type: sdn.RuleDrop, Condition: sdn.Condition{DLSrcMask: "ff:ff:ff:ff:ff:ff"}},
		"fragment policy":     {Type: sdn.RuleDrop, Condition: sdn.Condition{Fragment: "some"}},
		"fragments and ports": {Type: sdn.RuleDrop, Condition: sdn.Condition{Fragment: sdn.FragmentAny, TPDst: &sdn.PortRange{Start: 1, End: 1}}},
	} {
		bad.Chain = c.ID
		_, err := b.CreateRule(b.ctx(), bad)
		require.ErrorIs(t, err, sdn.ErrInvalid, name)
	}
	_, err := b.CreateRule(b.ctx(), sdn.Rule{Chain: c.ID, Type: sdn.RuleJump, JumpChain: sdn.NewID[sdn.ChainID]()})
	require.ErrorIs(t, err, sdn.ErrNotFound)
	_, err = b.CreateRule(b.ctx(), sdn.Rule{Chain: sdn.NewID[sdn.ChainID](), Type: sdn.RuleDrop})
	require.ErrorIs(t, err, sdn.ErrNotFound)
	rules, err := b.Rules(b.ctx(), c.ID)
	require.NoError(t, err)
	require.Empty(t, rules)
}

func unsupportedRules(t *testing.T, b *bed) {
	c := b.chain()
	_, err := b.CreateRule(b.ctx(), sdn.Rule{Chain: c.ID, Type: sdn.RuleDrop, Condition: sdn.Condition{TraversedDevice: "a4a1b2c3-0000-4000-8000-000000000001"}})
	require.ErrorIs(t, err, sdn.ErrUnsupported)
	require.ErrorContains(t, err, "traversedDevice")
}

func chainCascades(t *testing.T, b *bed) {
	doomed, caller := b.chain(), b.chain()
	r := b.router(func(r *sdn.Router) { r.InboundFilter, r.OutboundFilter = doomed.ID, caller.ID })
	br := b.bridge(func(br *sdn.Bridge) { br.OutboundFilter = doomed.ID })
	p := b.port(sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(br.ID), InboundFilter: doomed.ID})
	inside, err := b.CreateRule(b.ctx(), sdn.Rule{Chain: doomed.ID, Type: sdn.RuleDrop})
	require.NoError(t, err)
	jump, err := b.CreateRule(b.ctx(), sdn.Rule{Chain: caller.ID, Type: sdn.RuleJump, JumpChain: doomed.ID})
	require.NoError(t, err)
	stays, err := b.CreateRule(b.ctx(), sdn.Rule{Chain: caller.ID, Type: sdn.RuleAccept, Position: 2})
	require.NoError(t, err)

	require.NoError(t, b.DeleteChain(b.ctx(), doomed.ID))
	for _, id := range []sdn.RuleID{inside.ID, jump.ID} {
		_, err := b.Rule(b.ctx(), id)
		require.ErrorIs(t, err, sdn.ErrNotFound)
	}
	got, err := b.Rule(b.ctx(), stays.ID)
	require.NoError(t, err)
	require.Equal(t, 1, got.Position)
	router, err := b.Router(b.ctx(), r.ID)
	require.NoError(t, err)
	require.Empty(t, router.InboundFilter)
	require.Equal(t, caller.ID, router.OutboundFilter)
	bridge, err := b.Bridge(b.ctx(), br.ID)
	require.NoError(t, err)
	require.Empty(t, bridge.OutboundFilter)
	port, err := b.Port(b.ctx(), p.ID)
	require.NoError(t, err)
	require.Empty(t, port.InboundFilter)
}
