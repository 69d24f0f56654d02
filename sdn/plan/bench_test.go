package plan_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/plan"
	"github.com/moatnet/moat/sdn/topology"
)

// crowded is a tenant of 1,000 ports with a rule that names 1,000 addresses.
func crowded(b *testing.B) *topology.Topology {
	b.Helper()
	ctx := b.Context()
	topo := topology.NewMemory(topology.Options{AllowDeadHosts: true})
	b.Cleanup(func() { require.NoError(b, topo.Close()) })
	_, err := topo.CreateHost(ctx, sdn.Host{ID: host})
	require.NoError(b, err)
	zone, err := topo.CreateTunnelZone(ctx, sdn.TunnelZone{Name: "zone", Type: "vxlan"})
	require.NoError(b, err)
	require.NoError(b, topo.AddTunnelZoneHost(ctx, sdn.TunnelZoneHost{Zone: zone.ID, Host: host, Address: netip.MustParseAddr("192.0.2.1")}))
	g, err := topo.CreateIPAddrGroup(ctx, sdn.IPAddrGroup{Name: "group"})
	require.NoError(b, err)
	chain, err := topo.CreateChain(ctx, sdn.Chain{TenantID: "red"})
	require.NoError(b, err)
	_, err = topo.CreateRule(ctx, sdn.Rule{Chain: chain.ID, Type: sdn.RuleDrop, Condition: sdn.Condition{SrcGroup: g.ID}})
	require.NoError(b, err)
	_, err = topo.CreateRouter(ctx, sdn.Router{ID: router, TenantID: "red", AdminStateUp: true, InboundFilter: chain.ID})
	require.NoError(b, err)
	_, err = topo.CreateBridge(ctx, sdn.Bridge{ID: bridge, TenantID: "red", AdminStateUp: true})
	require.NoError(b, err)
	_, err = topo.CreatePort(ctx, sdn.Port{ID: gateway, Kind: sdn.RouterPort, Device: sdn.DeviceID(router), Address: prefix("10.128.0.1/22")})
	require.NoError(b, err)
	_, err = topo.CreatePort(ctx, sdn.Port{ID: inner, Kind: sdn.BridgePort, Device: sdn.DeviceID(bridge)})
	require.NoError(b, err)
	require.NoError(b, topo.Link(ctx, gateway, inner))
	addr := netip.MustParseAddr("10.0.0.1")
	for range 1000 {
		id := sdn.NewID[sdn.PortID]()
		_, err := topo.CreatePort(ctx, sdn.Port{ID: id, Kind: sdn.BridgePort, Device: sdn.DeviceID(bridge), Host: host, Interface: sdn.InterfaceName(id)})
		require.NoError(b, err)
		require.NoError(b, topo.AddIPAddrGroupAddr(ctx, sdn.IPAddrGroupAddr{Group: g.ID, Addr: addr}))
		addr = addr.Next()
	}
	return topo
}

func BenchmarkHomeOf1000Ports(b *testing.B) {
	topo := crowded(b)
	for b.Loop() {
		topo.View(func(v sdn.View) {
			_, err := plan.Home(v, config(), sdn.DeviceID(router))
			require.NoError(b, err)
		})
	}
}
