package topology

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

func (s *site) portGroup(t *testing.T, tenant sdn.TenantID) sdn.PortGroupID {
	t.Helper()
	g, err := s.CreatePortGroup(t.Context(), sdn.PortGroup{TenantID: tenant, Name: "g"})
	require.NoError(t, err)
	return g.ID
}

func (s *site) addrGroup(t *testing.T, addrs ...string) sdn.IPAddrGroupID {
	t.Helper()
	g, err := s.CreateIPAddrGroup(t.Context(), sdn.IPAddrGroup{Name: "g"})
	require.NoError(t, err)
	for _, a := range addrs {
		require.NoError(t, s.AddIPAddrGroupAddr(t.Context(), sdn.IPAddrGroupAddr{Group: g.ID, Addr: netip.MustParseAddr(a)}))
	}
	return g.ID
}

func testRefusedPortGroups(t *testing.T, open opener) {
	s := newSite(t, open)
	ctx := t.Context()
	nobody := sdn.NewID[sdn.PortGroupID]()
	_, err := s.PortGroup(ctx, nobody)
	require.ErrorIs(t, err, sdn.ErrNotFound)
	require.ErrorIs(t, s.UpdatePortGroup(ctx, sdn.PortGroup{ID: nobody}), sdn.ErrNotFound)
	require.ErrorIs(t, s.DeletePortGroup(ctx, nobody), sdn.ErrNotFound)
	_, err = s.PortGroupPorts(ctx, nobody)
	require.ErrorIs(t, err, sdn.ErrNotFound)
	_, err = s.GroupsOfPort(ctx, sdn.NewID[sdn.PortID]())
	require.ErrorIs(t, err, sdn.ErrNotFound)
	_, err = s.CreatePortGroup(ctx, sdn.PortGroup{Name: strings.Repeat("x", 256)})
	require.ErrorIs(t, err, sdn.ErrInvalid)
	p := s.port(t, bridgePort(s.bridge(t)))
	require.ErrorIs(t, s.AddPortGroupPort(ctx, sdn.PortGroupPort{Group: nobody, Port: p.ID}), sdn.ErrNotFound)
	require.ErrorIs(t, s.AddPortGroupPort(ctx, sdn.PortGroupPort{Group: s.portGroup(t, "a"), Port: sdn.NewID[sdn.PortID]()}), sdn.ErrNotFound)
	s.clear(t)
}

func testPortGroups(t *testing.T, open opener) {
	s := newSite(t, open)
	ctx := t.Context()
	m := follow(t, s.Topology)
	b := s.bridge(t)
	p, q := s.port(t, bridgePort(b)), s.port(t, bridgePort(b))
	one, two := s.portGroup(t, "a"), s.portGroup(t, "b")
	for _, member := range []sdn.PortGroupPort{{Group: one, Port: p.ID}, {Group: one, Port: q.ID}, {Group: two, Port: p.ID}} {
		require.NoError(t, s.AddPortGroupPort(ctx, member))
		require.ErrorIs(t, s.AddPortGroupPort(ctx, member), sdn.ErrExists)
	}
	_, err := s.CreatePortGroup(ctx, sdn.PortGroup{ID: one})
	require.ErrorIs(t, err, sdn.ErrExists)
	again, err := s.Port(ctx, p.ID)
	require.NoError(t, err)
	require.Equal(t, p, again, "a membership leaves the port as it is")

	groupsOf := func(tenant sdn.TenantID, port sdn.PortID) []sdn.PortGroupID {
		list, err := s.PortGroups(ctx, tenant, port)
		require.NoError(t, err)
		ids := []sdn.PortGroupID{}
		for _, g := range list {
			ids = append(ids, g.ID)
		}
		return ids
	}
	require.ElementsMatch(t, []sdn.PortGroupID{one, two}, groupsOf("", ""))
	require.Equal(t, []sdn.PortGroupID{two}, groupsOf("b", ""))
	require.Equal(t, []sdn.PortGroupID{one}, groupsOf("", q.ID))
	require.Equal(t, []sdn.PortGroupID{two}, groupsOf("b", p.ID))
	require.Empty(t, groupsOf("c", p.ID))
	require.Empty(t, groupsOf("", sdn.NewID[sdn.PortID]()))

	require.NoError(t, s.UpdatePortGroup(ctx, sdn.PortGroup{ID: one, TenantID: "b", Name: "n", Stateful: true}))
	got, err := s.PortGroup(ctx, one)
	require.NoError(t, err)
	require.Equal(t, sdn.PortGroup{ID: one, TenantID: "b", Name: "n", Stateful: true}, got)
	members, err := s.PortGroupPorts(ctx, one)
	require.NoError(t, err)
	require.ElementsMatch(t, []sdn.PortGroupPort{{Group: one, Port: p.ID}, {Group: one, Port: q.ID}}, members)

	require.NoError(t, s.RemovePortGroupPort(ctx, sdn.PortGroupPort{Group: one, Port: q.ID}))
	require.ErrorIs(t, s.RemovePortGroupPort(ctx, sdn.PortGroupPort{Group: one, Port: q.ID}), sdn.ErrNotFound)
	require.NoError(t, s.DeletePort(ctx, p.ID))
	members, err = s.PortGroupPorts(ctx, one)
	require.NoError(t, err)
	require.Empty(t, members)
	require.True(t, viewOf(s.Topology, func(v sdn.View) bool { return v.HasPortGroup(two) && len(v.PortsInGroup(two)) == 0 }))
	requireSound(t, s.Topology)
	require.NoError(t, s.AddPortGroupPort(ctx, sdn.PortGroupPort{Group: two, Port: q.ID}))
	require.NoError(t, s.DeletePortGroup(ctx, two))
	list, err := s.GroupsOfPort(ctx, q.ID)
	require.NoError(t, err)
	require.Empty(t, list)
	m.requireEqual(t, s.Topology)
	s.clear(t)
}

func testAddrGroups(t *testing.T, open opener) {
	s := newSite(t, open)
	ctx := t.Context()
	m := follow(t, s.Topology)
	nobody := sdn.NewID[sdn.IPAddrGroupID]()
	for _, name := range []string{"", strings.Repeat("ü", 256)} {
		_, err := s.CreateIPAddrGroup(ctx, sdn.IPAddrGroup{Name: name})
		require.ErrorIs(t, err, sdn.ErrInvalid)
	}
	_, err := s.IPAddrGroup(ctx, nobody)
	require.ErrorIs(t, err, sdn.ErrNotFound)
	_, err = s.IPAddrGroupAddrs(ctx, nobody)
	require.ErrorIs(t, err, sdn.ErrNotFound)
	require.ErrorIs(t, s.DeleteIPAddrGroup(ctx, nobody), sdn.ErrNotFound)
	a := netip.MustParseAddr("192.0.2.9")
	require.ErrorIs(t, s.AddIPAddrGroupAddr(ctx, sdn.IPAddrGroupAddr{Group: nobody, Addr: a}), sdn.ErrNotFound)

	g := s.addrGroup(t, "192.0.2.9", "192.0.2.10", "2001:db8::1")
	for _, bad := range []netip.Addr{{}, netip.MustParseAddr("fe80::1%eth0")} {
		require.ErrorIs(t, s.AddIPAddrGroupAddr(ctx, sdn.IPAddrGroupAddr{Group: g, Addr: bad}), sdn.ErrInvalid)
	}
	require.ErrorIs(t, s.AddIPAddrGroupAddr(ctx, sdn.IPAddrGroupAddr{Group: g, Addr: netip.MustParseAddr("2001:DB8:0::1")}), sdn.ErrExists)
	addrs, err := s.IPAddrGroupAddrs(ctx, g)
	require.NoError(t, err)
	require.Equal(t, []sdn.IPAddrGroupAddr{{Group: g, Addr: a}, {Group: g, Addr: netip.MustParseAddr("192.0.2.10")},
		{Group: g, Addr: netip.MustParseAddr("2001:db8::1")}}, addrs, "by number, IPv4 first")
	require.NoError(t, s.RemoveIPAddrGroupAddr(ctx, addrs[2]))
	require.ErrorIs(t, s.RemoveIPAddrGroupAddr(ctx, addrs[2]), sdn.ErrNotFound)
	list, err := s.IPAddrGroups(ctx)
	require.NoError(t, err)
	require.Equal(t, []sdn.IPAddrGroup{{ID: g, Name: "g"}}, list)
	m.requireEqual(t, s.Topology)
	requireSound(t, s.Topology)
	require.NoError(t, s.DeleteIPAddrGroup(ctx, g))
	require.False(t, viewOf(s.Topology, func(v sdn.View) bool { return v.HasIPAddrGroup(g) }))
	_, err = s.CreateIPAddrGroup(ctx, sdn.IPAddrGroup{ID: g, Name: "again"})
	require.NoError(t, err)
	require.Empty(t, viewOf(s.Topology, func(v sdn.View) []netip.Addr { return v.AddrsInGroup(g) }))
	m.requireEqual(t, s.Topology)
	s.clear(t)
}

// testLongTables deletes groups, a port and a bridge with more entries than one
// transaction of etcd holds.
func testLongTables(t *testing.T, open opener) {
	s := newSite(t, open)
	ctx := t.Context()
	b, g := s.bridge(t), s.addrGroup(t)
	p := s.port(t, bridgePort(b))
	require.NoError(t, s.CreateDHCPSubnet(ctx, subnet(b, "10.9.0.0/16")))
	groups := make([]sdn.PortGroupID, 140)
	for i := range groups {
		groups[i] = s.portGroup(t, "a")
		require.NoError(t, s.AddPortGroupPort(ctx, sdn.PortGroupPort{Group: groups[i], Port: p.ID}))
		mac := fmt.Sprintf("02:00:00:00:00:%02x", i)
		require.NoError(t, s.AddMACPort(ctx, sdn.MACPort{Bridge: b, MAC: mac, Port: p.ID}))
		addr := netip.AddrFrom4([4]byte{10, 9, 0, byte(i)})
		require.NoError(t, s.AddIP4MAC(ctx, sdn.IP4MAC{Bridge: b, Addr: addr, MAC: mac}))
		require.NoError(t, s.AddIPAddrGroupAddr(ctx, sdn.IPAddrGroupAddr{Group: g, Addr: addr}))
		require.NoError(t, s.CreateDHCPHost(ctx, sdn.DHCPHost{Bridge: b, Subnet: netip.MustParsePrefix("10.9.0.0/16"), MAC: mac, Addr: addr}))
		require.NoError(t, s.CreateDHCPSubnet(ctx, subnet(b, fmt.Sprintf("10.%d.0.0/24", i))))
	}
	moved := subnet(b, "172.16.0.0/16")
	require.NoError(t, s.UpdateDHCPSubnet(ctx, netip.MustParsePrefix("10.9.0.0/16"), moved), "140 hosts move along")
	hosts, err := s.DHCPHosts(ctx, b, moved.Prefix)
	require.NoError(t, err)
	require.Len(t, hosts, 140)
	requireSound(t, s.Topology)
	require.NoError(t, s.DeletePort(ctx, p.ID))
	macs, err := s.MACPorts(ctx, b, nil)
	require.NoError(t, err)
	require.Empty(t, macs)
	list, err := s.PortGroupPorts(ctx, groups[0])
	require.NoError(t, err)
	require.Empty(t, list)
	require.NoError(t, s.DeleteIPAddrGroup(ctx, g))
	require.NoError(t, s.DeleteBridge(ctx, b))
	requireSound(t, s.Topology)
	s.clear(t)
}
