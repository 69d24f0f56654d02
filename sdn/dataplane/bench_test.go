package dataplane_test

import (
	"context"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/plan"
	"github.com/moatnet/moat/sdn/topology"
)

// BenchmarkPlanOfAThousandPorts plans a tenant whose bridge is full.
func BenchmarkPlanOfAThousandPorts(b *testing.B) {
	topo := topology.NewMemory(topology.Options{AllowDeadHosts: true})
	defer topo.Close()
	ctx := context.Background()
	host, router, bridge := sdn.NewID[sdn.HostID](), sdn.NewID[sdn.RouterID](), sdn.NewID[sdn.BridgeID]()
	_, err := topo.CreateHost(ctx, sdn.Host{ID: host, Name: "h"})
	require.NoError(b, err)
	zone, err := topo.CreateTunnelZone(ctx, sdn.TunnelZone{Name: "z", Type: "vxlan"})
	require.NoError(b, err)
	require.NoError(b, topo.AddTunnelZoneHost(ctx, sdn.TunnelZoneHost{Zone: zone.ID, Host: host, Address: netip.MustParseAddr("192.0.2.1")}))
	_, err = topo.CreateRouter(ctx, sdn.Router{ID: router, AdminStateUp: true, TenantID: "t"})
	require.NoError(b, err)
	_, err = topo.CreateBridge(ctx, sdn.Bridge{ID: bridge, AdminStateUp: true, TenantID: "t"})
	require.NoError(b, err)
	rp, err := topo.CreatePort(ctx, sdn.Port{Kind: sdn.RouterPort, Device: sdn.DeviceID(router), AdminStateUp: true, Address: netip.MustParsePrefix("10.0.0.1/22")})
	require.NoError(b, err)
	bp, err := topo.CreatePort(ctx, sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(bridge), AdminStateUp: true})
	require.NoError(b, err)
	require.NoError(b, topo.Link(ctx, rp.ID, bp.ID))
	for range 1000 {
		id := sdn.NewID[sdn.PortID]()
		_, err := topo.CreatePort(ctx, sdn.Port{
			ID: id, Kind: sdn.BridgePort, Device: sdn.DeviceID(bridge), AdminStateUp: true, Host: host, Interface: sdn.InterfaceName(id),
		})
		require.NoError(b, err)
	}
	c := plan.Config{Installation: "bench", Host: host, MTU: 1500}
	for b.Loop() {
		topo.View(func(v sdn.View) {
			_, err := plan.Home(v, c, sdn.DeviceID(router))
			require.NoError(b, err)
		})
	}
}
