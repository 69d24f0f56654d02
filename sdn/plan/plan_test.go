package plan_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/plan"
)

func TestUnknownDevicesHaveNoPlan(t *testing.T) {
	topo := handmade(t)
	topo.View(func(v sdn.View) {
		_, err := plan.Home(v, config(), "f0000000-0000-4000-8000-000000000000")
		require.ErrorIs(t, err, sdn.ErrNotFound)
		_, err = plan.Router(v, config(), "f0000000-0000-4000-8000-000000000000")
		require.ErrorIs(t, err, sdn.ErrNotFound)
		_, err = plan.Bridge(v, config(), "f0000000-0000-4000-8000-000000000000")
		require.ErrorIs(t, err, sdn.ErrNotFound)
	})
}

func TestWhatTheKernelCannotDoIsRefused(t *testing.T) {
	dst := prefix("192.0.2.0/24")
	require.NoError(t, plan.CheckRoute(sdn.Route{Src: prefix("0.0.0.0/0"), Dst: dst}))
	require.NoError(t, plan.CheckRoute(sdn.Route{Dst: dst}))
	require.NoError(t, plan.CheckRoute(sdn.Route{Src: prefix("10.0.0.0/8"), Dst: dst}))
	require.ErrorIs(t, plan.CheckRoute(sdn.Route{Src: prefix("2001:db8::/32"), Dst: dst}), sdn.ErrUnsupported)
	require.ErrorIs(t, plan.CheckRoute(sdn.Route{Type: sdn.RouteLocal, Src: prefix("10.0.0.0/8"), Dst: dst}), sdn.ErrUnsupported)
	require.ErrorIs(t, plan.CheckRoute(sdn.Route{Dst: prefix("2001:db8::/32")}), sdn.ErrUnsupported)
	require.NoError(t, plan.CheckPort(sdn.Port{}))
	require.ErrorIs(t, plan.CheckPort(sdn.Port{VLAN: 5}), sdn.ErrUnsupported)
	require.ErrorIs(t, plan.CheckPort(sdn.Port{Address: prefix("2001:db8::1/64")}), sdn.ErrUnsupported)
}

func TestUnrealisedObjectsAreNamedAndLeftOut(t *testing.T) {
	topo := handmade(t)
	_, err := topo.CreateRoute(t.Context(), sdn.Route{
		Router: router, Type: sdn.RouteLocal, Src: prefix("10.128.0.0/24"), Dst: prefix("192.0.2.0/24"), NextHopPort: gateway,
	})
	require.NoError(t, err)
	n := home(t, topo, sdn.DeviceID(router))
	require.Len(t, n.Unrealised, 1)
	require.Contains(t, n.Unrealised[0], "srcNetworkAddr 10.128.0.0/24")
	require.Contains(t, n.String(), "# not realised: route ")
	require.Empty(t, n.Rules)
	for _, r := range n.Routes {
		require.NotEqual(t, prefix("192.0.2.0/24"), r.Dst)
	}
}

func TestARefusalWinsOverARouteOfEqualWeight(t *testing.T) {
	topo := handmade(t)
	ctx := t.Context()
	dst := prefix("198.51.100.0/24")
	route(ctx, t, topo, sdn.Route{Router: router, Dst: dst, NextHopPort: transit, Weight: 5})
	require.Equal(t, plan.Unicast, routeTo(t, home(t, topo, sdn.DeviceID(router)), dst).Type)
	route(ctx, t, topo, sdn.Route{Router: router, Dst: dst, Type: sdn.RouteReject, Weight: 5})
	require.Equal(t, plan.Prohibit, routeTo(t, home(t, topo, sdn.DeviceID(router)), dst).Type)
	route(ctx, t, topo, sdn.Route{Router: router, Dst: dst, Type: sdn.RouteBlackHole, Weight: 5})
	got := routeTo(t, home(t, topo, sdn.DeviceID(router)), dst)
	require.Equal(t, plan.Blackhole, got.Type)
	require.Equal(t, 5, got.Metric)
	require.Empty(t, got.Hops)
}

func TestRoutesOfEqualWeightShareTheTraffic(t *testing.T) {
	topo := handmade(t)
	ctx := t.Context()
	dst := prefix("198.51.100.0/24")
	route(ctx, t, topo, sdn.Route{Router: router, Dst: dst, NextHopPort: transit, Gateway: netip.MustParseAddr("100.64.1.0")})
	route(ctx, t, topo, sdn.Route{Router: router, Dst: dst, NextHopPort: gateway, Gateway: netip.MustParseAddr("10.128.0.9")})
	route(ctx, t, topo, sdn.Route{Router: router, Dst: dst, NextHopPort: gateway, Gateway: netip.MustParseAddr("10.128.0.9")})
	require.Equal(t, "198.51.100.0/24 proto 77 metric 0"+
		" nexthop via 10.128.0.9 dev moatc0000000000 onlink nexthop via 100.64.1.0 dev moatd0000003000 onlink",
		routeTo(t, home(t, topo, sdn.DeviceID(router)), dst).String())
}

func TestRoutesOfAPortThatIsDownDoNotCount(t *testing.T) {
	topo := handmade(t)
	p, err := topo.Port(t.Context(), transit)
	require.NoError(t, err)
	p.AdminStateUp = false
	require.NoError(t, topo.UpdatePort(t.Context(), p))
	n := home(t, topo, sdn.DeviceID(router))
	l, ok := n.Link(sdn.InterfaceName(transit))
	require.True(t, ok)
	require.False(t, l.Up)
	for _, r := range n.Routes {
		require.NotEqual(t, prefix("0.0.0.0/0"), r.Dst)
	}
}

func TestNothingIsReachedAnotherWayThanItsBridgeThatIsDown(t *testing.T) {
	topo := handmade(t)
	b, err := topo.Bridge(t.Context(), bridge)
	require.NoError(t, err)
	b.AdminStateUp = false
	require.NoError(t, topo.UpdateBridge(t.Context(), b))
	n := home(t, topo, sdn.DeviceID(router))
	require.Equal(t, plan.Blackhole, routeTo(t, n, prefix("10.128.0.0/22")).Type)
}

func TestPortsOfOtherHostsAreNotPlanned(t *testing.T) {
	topo := handmade(t)
	c := config()
	c.Host = "e0000000-0000-4000-8000-000000000001"
	topo.View(func(v sdn.View) {
		n, err := plan.Home(v, c, sdn.DeviceID(router))
		require.NoError(t, err)
		_, ok := n.Link(sdn.InterfaceName(pod))
		require.False(t, ok)
		n, err = plan.Host(v, c)
		require.NoError(t, err)
		require.Empty(t, n.String())
	})
}

func TestSecondRouterOfABridgeGetsAPairIntoTheBridge(t *testing.T) {
	topo := handmade(t)
	ctx := t.Context()
	const near, far sdn.PortID = "d0000007-0000-4000-8000-000000000000", "d0000008-0000-4000-8000-000000000000"
	port(ctx, t, topo, sdn.Port{ID: near, Kind: sdn.RouterPort, Device: sdn.DeviceID(provider), Address: prefix("10.128.0.2/22")})
	port(ctx, t, topo, sdn.Port{ID: far, Kind: sdn.BridgePort, Device: sdn.DeviceID(bridge)})
	require.NoError(t, topo.Link(ctx, near, far))
	l, ok := home(t, topo, sdn.DeviceID(provider)).Link(sdn.InterfaceName(near))
	require.True(t, ok)
	require.Equal(t, sdn.NamespaceName(sdn.DeviceID(router)), l.PeerNamespace)
	require.Equal(t, sdn.InterfaceName(far), l.Peer)
	require.Empty(t, l.Master)
	l, ok = home(t, topo, sdn.DeviceID(router)).Link(sdn.InterfaceName(far))
	require.True(t, ok)
	require.Equal(t, sdn.InterfaceName(bridge), l.Master)
	require.Equal(t, sdn.InterfaceName(near), l.Peer)
}

func TestMACsAreFixedUnicastAndTheirOwn(t *testing.T) {
	require.Equal(t, plan.MACOf(bridge), plan.MACOf(bridge))
	require.NotEqual(t, plan.MACOf(bridge), plan.MACOf(router))
	for range 100 {
		mac := plan.MACOf(sdn.NewID[sdn.PortID]())
		require.Contains(t, "26ae", string(mac[1]), "%s is no locally administered unicast address", mac)
	}
}

func TestStampsTellInstallationsApart(t *testing.T) {
	c := plan.Config{Installation: "a"}
	require.True(t, c.Stamped(c.PortStamp("x")))
	require.False(t, c.Stamped(plan.Config{Installation: "ab"}.PortStamp("x")))
	require.False(t, c.Stamped(""))
}

func routeTo(t *testing.T, n plan.Namespace, dst netip.Prefix) plan.Route {
	t.Helper()
	for _, r := range n.Routes {
		if r.Dst == dst {
			return r
		}
	}
	require.Fail(t, "no route", "to %s in\n%s", dst, n)
	return plan.Route{}
}
