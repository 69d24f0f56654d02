package access_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/access"
	"github.com/moatnet/moat/sdn/topology"
)

// network is one of everything that a tenant can own.
type network struct {
	router sdn.Router
	bridge sdn.Bridge
	up     sdn.Port // of the router
	down   sdn.Port // of the bridge
	chain  sdn.Chain
	rule   sdn.Rule
	route  sdn.Route
	group  sdn.PortGroup
}

// build makes it as the API allows.
func build(t *testing.T, api sdn.API) (n network) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) { t.Helper(); require.NoError(t, err) }
	var err error
	n.chain, err = api.CreateChain(ctx, sdn.Chain{Name: "c"})
	must(err)
	n.router, err = api.CreateRouter(ctx, sdn.Router{Name: "r", InboundFilter: n.chain.ID, AdminStateUp: true})
	must(err)
	n.bridge, err = api.CreateBridge(ctx, sdn.Bridge{Name: "b", OutboundFilter: n.chain.ID, AdminStateUp: true})
	must(err)
	n.up, err = api.CreatePort(ctx, sdn.Port{Kind: sdn.RouterPort, Device: sdn.DeviceID(n.router.ID), Address: netip.MustParsePrefix("10.0.0.1/24")})
	must(err)
	n.down, err = api.CreatePort(ctx, sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(n.bridge.ID)})
	must(err)
	must(api.Link(ctx, n.up.ID, n.down.ID))
	n.route, err = api.CreateRoute(ctx, sdn.Route{Router: n.router.ID, Type: sdn.RouteNormal, NextHopPort: n.up.ID,
		Src: netip.MustParsePrefix("0.0.0.0/0"), Dst: netip.MustParsePrefix("10.0.0.0/24")})
	must(err)
	n.group, err = api.CreatePortGroup(ctx, sdn.PortGroup{Name: "g"})
	must(err)
	must(api.AddPortGroupPort(ctx, sdn.PortGroupPort{Group: n.group.ID, Port: n.up.ID}))
	n.rule, err = api.CreateRule(ctx, sdn.Rule{Chain: n.chain.ID, Type: sdn.RuleDrop, Condition: sdn.Condition{InPortGroup: n.group.ID, InPorts: []sdn.PortID{n.up.ID}}})
	must(err)
	must(api.AddMACPort(ctx, sdn.MACPort{Bridge: n.bridge.ID, MAC: "02:00:00:00:00:01", Port: n.down.ID}))
	must(api.AddIP4MAC(ctx, sdn.IP4MAC{Bridge: n.bridge.ID, Addr: netip.MustParseAddr("10.0.0.9"), MAC: "02:00:00:00:00:01"}))
	must(api.CreateDHCPSubnet(ctx, sdn.DHCPSubnet{Bridge: n.bridge.ID, Prefix: netip.MustParsePrefix("10.0.0.0/24"), Enabled: true}))
	return n
}

// seen counts what the lists of a tenant hold.
func seen(t *testing.T, api sdn.API) map[string]int {
	t.Helper()
	count := map[string]int{}
	routers, err := api.Routers(t.Context(), "")
	require.NoError(t, err)
	bridges, err := api.Bridges(t.Context(), "")
	require.NoError(t, err)
	chains, err := api.Chains(t.Context(), "")
	require.NoError(t, err)
	groups, err := api.PortGroups(t.Context(), "", "")
	require.NoError(t, err)
	ports, err := api.Ports(t.Context(), "")
	require.NoError(t, err)
	count["routers"], count["bridges"], count["chains"], count["groups"], count["ports"] = len(routers), len(bridges), len(chains), len(groups), len(ports)
	return count
}

func TestTwoTenantsOnOneTopology(t *testing.T) {
	all := topology.NewMemory(topology.Options{})
	t.Cleanup(func() { require.NoError(t, all.Close()) })
	mine := func(tenant sdn.TenantID, role access.Role) sdn.API {
		return access.For(all, access.Identity{User: "u", Tenant: tenant, Role: role})
	}
	one := build(t, mine(red, access.TenantAdmin))
	two := build(t, mine(blue, access.TenantAdmin))
	require.Equal(t, red, one.router.TenantID)
	require.Equal(t, map[string]int{"routers": 1, "bridges": 1, "chains": 1, "groups": 1, "ports": 2}, seen(t, mine(red, access.TenantUser)))

	api, ctx := mine(red, access.TenantAdmin), t.Context()
	third, err := api.CreatePort(ctx, sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(one.bridge.ID)})
	require.NoError(t, err)
	for name, err := range map[string]error{
		"link":   api.Link(ctx, third.ID, two.down.ID),
		"unlink": api.Unlink(ctx, two.up.ID),
		"filter": api.UpdateBridge(ctx, sdn.Bridge{ID: one.bridge.ID, InboundFilter: two.chain.ID}),
		"delete": api.DeleteRouter(ctx, two.router.ID),
		"rule":   api.DeleteRule(ctx, two.rule.ID),
		"route":  api.DeleteRoute(ctx, two.route.ID),
		"member": api.AddPortGroupPort(ctx, sdn.PortGroupPort{Group: one.group.ID, Port: two.up.ID}),
		"mac":    api.AddMACPort(ctx, sdn.MACPort{Bridge: one.bridge.ID, MAC: "02:00:00:00:00:02", Port: two.down.ID}),
	} {
		require.ErrorIs(t, err, sdn.ErrForbidden, name)
	}
	require.NoError(t, api.UpdateBridge(ctx, sdn.Bridge{ID: one.bridge.ID, Name: "renamed", OutboundFilter: one.chain.ID}))
	require.NoError(t, api.DeleteRouter(ctx, one.router.ID))
	require.NoError(t, api.DeleteChain(ctx, one.chain.ID))
	left, err := all.Router(ctx, two.router.ID)
	require.NoError(t, err)
	require.Equal(t, two.router, left, "the other tenant's is as it was")
}
