package node

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/topology"
)

func TestWhatNoKernelCanDoIsNotStored(t *testing.T) {
	ctx := t.Context()
	topo := topology.NewMemory(topology.Options{})
	t.Cleanup(func() { require.NoError(t, topo.Close()) })
	api := guarded{API: topo}
	r, err := api.CreateRouter(ctx, sdn.Router{TenantID: "red"})
	require.NoError(t, err)
	b, err := api.CreateBridge(ctx, sdn.Bridge{TenantID: "red"})
	require.NoError(t, err)
	p, err := api.CreatePort(ctx, sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(b.ID)})
	require.NoError(t, err)
	_, err = api.CreatePort(ctx, sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(b.ID), VLAN: 5})
	require.ErrorIs(t, err, sdn.ErrUnsupported)

	any := netip.MustParsePrefix("0.0.0.0/0")
	for i := range 256 {
		src := netip.MustParsePrefix(fmt.Sprintf("10.1.%d.0/24", i))
		_, err = api.CreateRoute(ctx, sdn.Route{Router: r.ID, Type: sdn.RouteBlackHole, Src: src, Dst: any})
		require.NoError(t, err)
	}
	_, err = api.CreateRoute(ctx, sdn.Route{Router: r.ID, Type: sdn.RouteBlackHole, Src: netip.MustParsePrefix("10.2.0.0/24"), Dst: any})
	require.ErrorIs(t, err, sdn.ErrUnsupported)
	_, err = api.CreateRoute(ctx, sdn.Route{Router: r.ID, Type: sdn.RouteBlackHole, Src: any, Dst: any})
	require.NoError(t, err, "of any source there may be more")

	require.ErrorIs(t, api.AddMACPort(ctx, sdn.MACPort{Bridge: b.ID, MAC: "ff:ff:ff:ff:ff:ff", Port: p.ID}), sdn.ErrUnsupported)
	require.ErrorIs(t, api.AddIP4MAC(ctx, sdn.IP4MAC{Bridge: b.ID, Addr: netip.MustParseAddr("224.0.0.1"), MAC: "02:00:00:00:00:01"}), sdn.ErrUnsupported)
	subnet := sdn.DHCPSubnet{Bridge: b.ID, Prefix: netip.MustParsePrefix("10.0.0.0/24"), Enabled: true}
	require.NoError(t, api.CreateDHCPSubnet(ctx, subnet))
	client := sdn.DHCPHost{Bridge: b.ID, Subnet: subnet.Prefix, MAC: "02:00:00:00:00:05", Addr: netip.MustParseAddr("10.0.0.5")}
	strange := client
	strange.Options = []sdn.DHCPOption{{Name: "no-such-option", Value: "1"}}
	require.ErrorIs(t, api.CreateDHCPHost(ctx, strange), sdn.ErrUnsupported)
	require.NoError(t, api.CreateDHCPHost(ctx, client))
	require.ErrorIs(t, api.UpdateDHCPHost(ctx, client.MAC, strange), sdn.ErrUnsupported)
	rows, err := api.MACPorts(ctx, b.ID, nil)
	require.NoError(t, err)
	require.Empty(t, rows)
}
