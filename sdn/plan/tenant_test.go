package plan_test

import (
	"context"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/plan"
	"github.com/moatnet/moat/sdn/topology"
)

// The tenant of the plan tests, with IDs that say what they are of.
const (
	provider sdn.RouterID = "a0000000-0000-4000-8000-000000000000"
	router   sdn.RouterID = "b0000000-0000-4000-8000-000000000000"
	bridge   sdn.BridgeID = "c0000000-0000-4000-8000-000000000000"
	uplink   sdn.PortID   = "d0000001-0000-4000-8000-000000000000"
	downlink sdn.PortID   = "d0000002-0000-4000-8000-000000000000"
	transit  sdn.PortID   = "d0000003-0000-4000-8000-000000000000"
	gateway  sdn.PortID   = "d0000004-0000-4000-8000-000000000000"
	inner    sdn.PortID   = "d0000005-0000-4000-8000-000000000000"
	pod      sdn.PortID   = "d0000006-0000-4000-8000-000000000000"
	host     sdn.HostID   = "e0000000-0000-4000-8000-000000000000"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func config() plan.Config {
	return plan.Config{Installation: "default", Host: host, MTU: 1500, Uplink: plan.Uplink{
		Port: uplink, HostAddress: prefix("100.64.0.2/30"),
		HostRoutes: []netip.Prefix{prefix("10.128.0.0/9"), prefix("100.64.0.0/16")},
		Masquerade: []netip.Prefix{prefix("100.64.0.0/16")},
	}}
}

// handmade is a topology of a provider router with an uplink, and a tenant's
// router and bridge with one pod.
func handmade(t *testing.T) *topology.Topology {
	t.Helper()
	ctx := t.Context()
	topo := topology.NewMemory(topology.Options{AllowDeadHosts: true})
	t.Cleanup(func() { require.NoError(t, topo.Close()) })
	_, err := topo.CreateHost(ctx, sdn.Host{ID: host, Name: "node"})
	require.NoError(t, err)
	zone, err := topo.CreateTunnelZone(ctx, sdn.TunnelZone{Name: "zone", Type: "vxlan"})
	require.NoError(t, err)
	require.NoError(t, topo.AddTunnelZoneHost(ctx, sdn.TunnelZoneHost{Zone: zone.ID, Host: host, Address: netip.MustParseAddr("192.0.2.1")}))
	for _, id := range []sdn.RouterID{provider, router} {
		_, err := topo.CreateRouter(ctx, sdn.Router{ID: id, TenantID: "red", AdminStateUp: true})
		require.NoError(t, err)
	}
	_, err = topo.CreateBridge(ctx, sdn.Bridge{ID: bridge, TenantID: "red", AdminStateUp: true})
	require.NoError(t, err)
	for _, p := range []sdn.Port{
		{ID: uplink, Device: sdn.DeviceID(provider), Address: prefix("100.64.0.1/30"), Host: host, Interface: sdn.InterfaceName(uplink), MAC: "02:00:00:00:00:11"},
		{ID: downlink, Device: sdn.DeviceID(provider), Address: prefix("100.64.1.0/31"), MAC: "02:00:00:00:00:12"},
		{ID: transit, Device: sdn.DeviceID(router), Address: prefix("100.64.1.1/31"), MAC: "02:00:00:00:00:13"},
		{ID: gateway, Device: sdn.DeviceID(router), Address: prefix("10.128.0.1/22"), MAC: "02:00:00:00:00:01"},
	} {
		p.Kind = sdn.RouterPort
		port(ctx, t, topo, p)
	}
	port(ctx, t, topo, sdn.Port{ID: inner, Kind: sdn.BridgePort, Device: sdn.DeviceID(bridge)})
	require.NoError(t, topo.Link(ctx, downlink, transit))
	require.NoError(t, topo.Link(ctx, gateway, inner))
	port(ctx, t, topo, sdn.Port{ID: pod, Kind: sdn.BridgePort, Device: sdn.DeviceID(bridge), Host: host, Interface: sdn.InterfaceName(pod)})
	route(ctx, t, topo, sdn.Route{Router: provider, Dst: prefix("0.0.0.0/0"), NextHopPort: uplink, Gateway: netip.MustParseAddr("100.64.0.2")})
	route(ctx, t, topo, sdn.Route{Router: provider, Dst: prefix("10.128.0.0/22"), NextHopPort: downlink, Gateway: netip.MustParseAddr("100.64.1.1")})
	route(ctx, t, topo, sdn.Route{Router: router, Dst: prefix("0.0.0.0/0"), NextHopPort: transit, Gateway: netip.MustParseAddr("100.64.1.0")})
	route(ctx, t, topo, sdn.Route{Router: router, Dst: prefix("10.128.0.0/22"), NextHopPort: gateway})
	return topo
}

func port(ctx context.Context, t *testing.T, topo *topology.Topology, p sdn.Port) {
	t.Helper()
	p.AdminStateUp = true
	_, err := topo.CreatePort(ctx, p)
	require.NoError(t, err)
}

func route(ctx context.Context, t *testing.T, topo *topology.Topology, r sdn.Route) {
	t.Helper()
	r.Src = prefix("0.0.0.0/0")
	if r.Type == "" {
		r.Type = sdn.RouteNormal
	}
	_, err := topo.CreateRoute(ctx, r)
	require.NoError(t, err)
}

func home(t *testing.T, topo *topology.Topology, d sdn.DeviceID) (n plan.Namespace) {
	t.Helper()
	topo.View(func(v sdn.View) {
		var err error
		n, err = plan.Home(v, config(), d)
		require.NoError(t, err)
	})
	return n
}
