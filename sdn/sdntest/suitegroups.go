package sdntest

import (
	"context"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

func (b *bed) portGroup() sdn.PortGroup {
	b.t.Helper()
	g, err := b.CreatePortGroup(b.ctx(), sdn.PortGroup{TenantID: b.tenant, Name: "group", Stateful: true})
	require.NoError(b.t, err)
	b.later(func(ctx context.Context) error { return b.DeletePortGroup(ctx, g.ID) })
	return g
}

func (b *bed) addrGroup() sdn.IPAddrGroup {
	b.t.Helper()
	g, err := b.CreateIPAddrGroup(b.ctx(), sdn.IPAddrGroup{Name: "addresses"})
	require.NoError(b.t, err)
	b.later(func(ctx context.Context) error { return b.DeleteIPAddrGroup(ctx, g.ID) })
	return g
}

func portGroupsPart(t *testing.T, b *bed) {
	br := b.bridge()
	p, q := b.bridgePort(br.ID), b.bridgePort(br.ID)
	g, empty := b.portGroup(), b.portGroup()
	_, err := b.CreatePortGroup(b.ctx(), sdn.PortGroup{ID: g.ID, TenantID: b.tenant, Name: "second"})
	require.ErrorIs(t, err, sdn.ErrExists)
	_, err = b.PortGroup(b.ctx(), sdn.NewID[sdn.PortGroupID]())
	require.ErrorIs(t, err, sdn.ErrNotFound)
	got, err := b.PortGroup(b.ctx(), g.ID)
	require.NoError(t, err)
	require.Equal(t, g, got)

	m := sdn.PortGroupPort{Group: g.ID, Port: p.ID}
	require.NoError(t, b.AddPortGroupPort(b.ctx(), m))
	require.ErrorIs(t, b.AddPortGroupPort(b.ctx(), m), sdn.ErrExists)
	require.ErrorIs(t, b.AddPortGroupPort(b.ctx(), sdn.PortGroupPort{Group: g.ID, Port: sdn.NewID[sdn.PortID]()}), sdn.ErrNotFound)
	require.ErrorIs(t, b.AddPortGroupPort(b.ctx(), sdn.PortGroupPort{Group: sdn.NewID[sdn.PortGroupID](), Port: p.ID}), sdn.ErrNotFound)
	members, err := b.PortGroupPorts(b.ctx(), g.ID)
	require.NoError(t, err)
	require.Equal(t, []sdn.PortGroupPort{m}, members)
	members, err = b.GroupsOfPort(b.ctx(), p.ID)
	require.NoError(t, err)
	require.Equal(t, []sdn.PortGroupPort{m}, members)

	g.Name, g.Stateful = "renamed", false
	require.NoError(t, b.UpdatePortGroup(b.ctx(), g))
	for _, c := range []struct {
		tenant sdn.TenantID
		member sdn.PortID
		want   []sdn.PortGroup
	}{
		{b.tenant, p.ID, []sdn.PortGroup{g}}, {"", p.ID, []sdn.PortGroup{g}}, {"other", p.ID, nil}, {b.tenant, q.ID, nil},
	} {
		list, err := b.PortGroups(b.ctx(), c.tenant, c.member)
		require.NoError(t, err)
		require.ElementsMatch(t, c.want, list)
	}
	list, err := b.PortGroups(b.ctx(), b.tenant, "")
	require.NoError(t, err)
	require.ElementsMatch(t, []sdn.PortGroup{g, empty}, list)

	require.NoError(t, b.RemovePortGroupPort(b.ctx(), m))
	require.ErrorIs(t, b.RemovePortGroupPort(b.ctx(), m), sdn.ErrNotFound)
	require.NoError(t, b.AddPortGroupPort(b.ctx(), m))
	require.NoError(t, b.DeletePort(b.ctx(), p.ID))
	members, err = b.PortGroupPorts(b.ctx(), g.ID)
	require.NoError(t, err)
	require.Empty(t, members, "a membership goes with its port")
	require.NoError(t, b.DeletePortGroup(b.ctx(), g.ID))
	idempotent(t, b.DeletePortGroup(b.ctx(), g.ID))
}

func addressGroups(t *testing.T, b *bed) {
	_, err := b.CreateIPAddrGroup(b.ctx(), sdn.IPAddrGroup{})
	require.ErrorIs(t, err, sdn.ErrInvalid, "no name")
	g := b.addrGroup()
	_, err = b.CreateIPAddrGroup(b.ctx(), sdn.IPAddrGroup{ID: g.ID, Name: "second"})
	require.ErrorIs(t, err, sdn.ErrExists)
	got, err := b.IPAddrGroup(b.ctx(), g.ID)
	require.NoError(t, err)
	require.Equal(t, g, got)
	all, err := b.IPAddrGroups(b.ctx())
	require.NoError(t, err)
	require.Contains(t, all, g)

	four := sdn.IPAddrGroupAddr{Group: g.ID, Addr: netip.MustParseAddr("192.0.2.7")}
	six := sdn.IPAddrGroupAddr{Group: g.ID, Addr: netip.MustParseAddr("2001:db8::7")}
	for _, a := range []sdn.IPAddrGroupAddr{four, six} {
		require.NoError(t, b.AddIPAddrGroupAddr(b.ctx(), a))
		require.ErrorIs(t, b.AddIPAddrGroupAddr(b.ctx(), a), sdn.ErrExists)
	}
	require.ErrorIs(t, b.AddIPAddrGroupAddr(b.ctx(), sdn.IPAddrGroupAddr{Group: g.ID}), sdn.ErrInvalid)
	require.ErrorIs(t, b.AddIPAddrGroupAddr(b.ctx(), sdn.IPAddrGroupAddr{Group: sdn.NewID[sdn.IPAddrGroupID](), Addr: four.Addr}), sdn.ErrNotFound)
	list, err := b.IPAddrGroupAddrs(b.ctx(), g.ID)
	require.NoError(t, err)
	require.ElementsMatch(t, []sdn.IPAddrGroupAddr{four, six}, list)
	require.NoError(t, b.RemoveIPAddrGroupAddr(b.ctx(), six))
	idempotent(t, b.RemoveIPAddrGroupAddr(b.ctx(), six))
	list, err = b.IPAddrGroupAddrs(b.ctx(), g.ID)
	require.NoError(t, err)
	require.Equal(t, []sdn.IPAddrGroupAddr{four}, list)
	require.NoError(t, b.DeleteIPAddrGroup(b.ctx(), g.ID))
	_, err = b.IPAddrGroup(b.ctx(), g.ID)
	require.ErrorIs(t, err, sdn.ErrNotFound)
}

// furtherConditions creates a rule for each condition beyond the headers of a
// packet. Nothing of them gets lost; 1.9 has only some, and says so.
func furtherConditions(t *testing.T, b *bed) {
	ports, addrs, c := b.portGroup(), b.addrGroup(), b.chain()
	vlan := 7
	inner := netip.MustParsePrefix("10.0.0.0/8")
	for name, k := range map[string]struct {
		cond  sdn.Condition
		since wire.Release
	}{
		"port group":     {sdn.Condition{PortGroup: ports.ID, InvPortGroup: true}, wire.V1},
		"source group":   {sdn.Condition{SrcGroup: addrs.ID, InvSrcGroup: true}, wire.V1},
		"target group":   {sdn.Condition{DstGroup: addrs.ID}, wire.V1},
		"in port group":  {sdn.Condition{InPortGroup: ports.ID, InvInPortGroup: true}, wire.V5},
		"out port group": {sdn.Condition{OutPortGroup: ports.ID}, wire.V5},
		"no VLAN":        {sdn.Condition{NoVLAN: true}, wire.V5},
		"VLAN":           {sdn.Condition{VLAN: &vlan}, wire.V5},
		"quoted source":  {sdn.Condition{ICMPDataSrc: inner, InvICMPDataSrc: true}, wire.V5},
		"quoted target":  {sdn.Condition{ICMPDataDst: inner}, wire.V5},
		"rewritten":      {sdn.Condition{DstRewritten: true}, wire.V5},
	} {
		k.cond.Fragment = sdn.FragmentAny
		want := sdn.Rule{ID: sdn.NewID[sdn.RuleID](), Chain: c.ID, Type: sdn.RuleDrop, Position: 1, Condition: k.cond}
		_, err := b.CreateRule(b.ctx(), want)
		if b.release == wire.V1 && k.since == wire.V5 {
			require.ErrorIs(t, err, sdn.ErrUnsupported, name)
			continue
		}
		require.NoError(t, err, name)
		got, err := b.Rule(b.ctx(), want.ID)
		require.NoError(t, err, name)
		require.Equal(t, tidy(want), tidy(got), name)
	}
}
