package topology

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

// testRulesWithGroups has rules that name groups of both kinds, which stay
// named when the groups are gone.
func testRulesWithGroups(t *testing.T, open opener) {
	s := newSite(t, open)
	ctx := t.Context()
	c, ports, addrs := s.chain(t), s.portGroup(t, "a"), s.addrGroup(t, "192.0.2.1")
	nobody := "00000000-0000-4000-8000-000000000001"
	for name, n := range map[string]sdn.Condition{
		"in":   {InPortGroup: sdn.PortGroupID(nobody)},
		"out":  {OutPortGroup: sdn.PortGroupID(addrs), InvOutPortGroup: true},
		"from": {SrcGroup: sdn.IPAddrGroupID(nobody)},
		"to":   {DstGroup: sdn.IPAddrGroupID(ports), SrcGroup: addrs},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.CreateRule(ctx, sdn.Rule{Chain: c, Type: sdn.RuleDrop, Condition: n})
			require.ErrorIs(t, err, sdn.ErrNotFound)
		})
	}
	r := s.rule(t, sdn.Rule{Chain: c, Type: sdn.RuleDrop, Condition: sdn.Condition{InPortGroup: ports, InvInPortGroup: true, DstGroup: addrs}})
	naming := func(id string) []sdn.ChainID {
		return viewOf(s.Topology, func(v sdn.View) []sdn.ChainID { return v.ChainsNaming(id) })
	}
	require.Equal(t, []sdn.ChainID{c}, naming(string(ports)))
	require.Equal(t, []sdn.ChainID{c}, naming(string(addrs)))
	require.Empty(t, naming(nobody))
	requireSound(t, s.Topology)

	require.NoError(t, s.DeletePortGroup(ctx, ports))
	require.NoError(t, s.DeleteIPAddrGroup(ctx, addrs))
	got, err := s.Rule(ctx, r.ID)
	require.NoError(t, err)
	require.Equal(t, r, got, "the rule keeps what it names")
	require.Equal(t, []sdn.ChainID{c}, naming(string(ports)))
	requireSound(t, s.Topology)
	_, err = s.CreateRule(ctx, sdn.Rule{Chain: c, Type: sdn.RuleDrop, Condition: r.Condition})
	require.ErrorIs(t, err, sdn.ErrNotFound, "a new rule cannot")
	_, err = s.CreatePortGroup(ctx, sdn.PortGroup{ID: ports})
	require.NoError(t, err, "the ID is free, and the rule names the new group")
	require.NoError(t, s.DeleteRule(ctx, r.ID))
	require.Empty(t, naming(string(ports)))
	s.clear(t)
}

// testRedirectChains holds the router's two further chains to the rules of its
// filters.
func testRedirectChains(t *testing.T, open opener) {
	s := newSite(t, open)
	ctx := t.Context()
	nobody, local, forward := sdn.NewID[sdn.ChainID](), s.chain(t), s.chain(t)
	for _, r := range []sdn.Router{{LocalRedirect: nobody}, {Forward: nobody}} {
		_, err := s.CreateRouter(ctx, r)
		require.ErrorIs(t, err, sdn.ErrNotFound)
	}
	r, err := s.CreateRouter(ctx, sdn.Router{TenantID: "a", InboundFilter: local, LocalRedirect: local, Forward: forward})
	require.NoError(t, err)
	require.ErrorIs(t, s.UpdateRouter(ctx, sdn.Router{ID: r.ID, Forward: nobody}), sdn.ErrNotFound)
	users := func(c sdn.ChainID) []sdn.RouterID {
		return viewOf(s.Topology, func(v sdn.View) []sdn.RouterID { return v.UsersOf(c).Routers })
	}
	require.Equal(t, []sdn.RouterID{r.ID}, users(local))
	require.Equal(t, []sdn.RouterID{r.ID}, users(forward))
	require.NoError(t, s.DeleteChain(ctx, forward))
	got, err := s.Router(ctx, r.ID)
	require.NoError(t, err)
	require.Empty(t, got.Forward)
	require.Equal(t, local, got.LocalRedirect)
	got.InboundFilter = ""
	require.NoError(t, s.UpdateRouter(ctx, got))
	require.Equal(t, []sdn.RouterID{r.ID}, users(local), "still its redirect")
	requireSound(t, s.Topology)
	require.NoError(t, s.DeleteChain(ctx, local))
	got, err = s.Router(ctx, r.ID)
	require.NoError(t, err)
	require.Equal(t, sdn.Router{ID: r.ID, TenantID: "a"}, got)
	s.clear(t)
}

// testPartsOfNothing leaves out what an object is a part of.
func testPartsOfNothing(t *testing.T, open opener) {
	s := newSite(t, open)
	ctx := t.Context()
	p := s.port(t, bridgePort(s.bridge(t)))
	_, err := s.CreateRule(ctx, sdn.Rule{Type: sdn.RuleDrop})
	require.ErrorIs(t, err, sdn.ErrNotFound)
	_, err = s.CreateRoute(ctx, sdn.Route{Type: sdn.RouteReject, Src: route("", "").Src, Dst: route("", "").Dst})
	require.ErrorIs(t, err, sdn.ErrNotFound)
	require.ErrorIs(t, s.AddPortGroupPort(ctx, sdn.PortGroupPort{Port: p.ID}), sdn.ErrNotFound)
	require.ErrorIs(t, s.AddPortGroupPort(ctx, sdn.PortGroupPort{Group: s.portGroup(t, "")}), sdn.ErrNotFound)
	require.ErrorIs(t, s.AddIPAddrGroupAddr(ctx, sdn.IPAddrGroupAddr{Addr: p.Address.Addr()}), sdn.ErrInvalid)
	require.ErrorIs(t, s.AddMACPort(ctx, sdn.MACPort{MAC: "02:00:00:00:00:01", Port: p.ID}), sdn.ErrNotFound)
	require.ErrorIs(t, s.AddIP4MAC(ctx, sdn.IP4MAC{Addr: subnet("", "10.0.0.0/8").Gateway, MAC: "02:00:00:00:00:01"}), sdn.ErrNotFound)
	require.ErrorIs(t, s.CreateDHCPSubnet(ctx, subnet("", "10.0.0.0/8")), sdn.ErrNotFound)
	require.ErrorIs(t, s.AddTunnelZoneHost(ctx, sdn.TunnelZoneHost{Host: s.host, Address: subnet("", "10.0.0.0/8").Gateway}), sdn.ErrNotFound)
	for _, del := range []error{s.DeleteRouter(ctx, ""), s.DeleteBridge(ctx, ""), s.DeleteChain(ctx, ""), s.DeletePortGroup(ctx, ""),
		s.DeletePort(ctx, ""), s.DeleteIPAddrGroup(ctx, "")} {
		require.ErrorIs(t, del, sdn.ErrNotFound)
	}
	s.clear(t)
}
