package plan_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/plan"
)

func TestNeighboursThatNoKernelTakesAreRefused(t *testing.T) {
	const mac = "02:00:00:00:00:99"
	addr := netip.MustParseAddr("10.128.0.9")
	require.NoError(t, plan.CheckMACPort(sdn.MACPort{MAC: mac}))
	require.ErrorIs(t, plan.CheckMACPort(sdn.MACPort{MAC: mac, VLAN: 5}), sdn.ErrUnsupported)
	require.ErrorIs(t, plan.CheckMACPort(sdn.MACPort{MAC: "01:00:5e:00:00:01"}), sdn.ErrUnsupported)
	require.ErrorIs(t, plan.CheckMACPort(sdn.MACPort{MAC: "00:00:00:00:00:00"}), sdn.ErrUnsupported)
	require.ErrorIs(t, plan.CheckMACPort(sdn.MACPort{MAC: "x"}), sdn.ErrInvalid)
	require.NoError(t, plan.CheckIP4MAC(sdn.IP4MAC{Addr: addr, MAC: mac}))
	require.ErrorIs(t, plan.CheckIP4MAC(sdn.IP4MAC{Addr: addr, MAC: "ff:ff:ff:ff:ff:ff"}), sdn.ErrUnsupported)
	for _, a := range []string{"0.0.0.0", "127.0.0.1", "224.0.0.1", "2001:db8::1"} {
		require.ErrorIs(t, plan.CheckIP4MAC(sdn.IP4MAC{Addr: netip.MustParseAddr(a), MAC: mac}), sdn.ErrUnsupported, a)
	}
}

func TestNeighboursPrintAsCommands(t *testing.T) {
	topo := handmade(t)
	ctx := t.Context()
	require.NoError(t, topo.AddMACPort(ctx, sdn.MACPort{Bridge: bridge, MAC: "02:00:00:00:00:99", Port: pod}))
	require.NoError(t, topo.AddMACPort(ctx, sdn.MACPort{Bridge: bridge, MAC: "02:00:00:00:00:98", Port: inner}))
	n := home(t, topo, sdn.DeviceID(router))
	require.NotContains(t, n.String(), "proxy_arp_wifi")
	require.NoError(t, topo.AddIP4MAC(ctx, sdn.IP4MAC{Bridge: bridge, Addr: netip.MustParseAddr("10.128.0.9"), MAC: "02:00:00:00:00:99"}))
	text := home(t, topo, sdn.DeviceID(router)).String()
	for _, line := range []string{
		"ip -n moat-b0000000000 link set moatd0000006000 type bridge_slave proxy_arp_wifi on\n",
		"ip -n moat-b0000000000 neighbour add 10.128.0.9 lladdr 02:00:00:00:00:99 dev moatc0000000000 nud permanent protocol 77\n",
		"bridge -n moat-b0000000000 fdb add 02:00:00:00:00:98 dev moatc0000000000 self permanent\n",
		"bridge -n moat-b0000000000 fdb add 02:00:00:00:00:99 dev moatd0000006000 master static sticky\n",
	} {
		require.Contains(t, text, line)
	}
	require.NotContains(t, text, "moatc0000000000 type bridge_slave")
}

func TestFirstOfSeveralNeighboursCounts(t *testing.T) {
	topo := handmade(t)
	ctx := t.Context()
	const second sdn.PortID = "d0000007-0000-4000-8000-000000000000"
	port(ctx, t, topo, sdn.Port{ID: second, Kind: sdn.BridgePort, Device: sdn.DeviceID(bridge), Host: host, Interface: sdn.InterfaceName(second)})
	for _, p := range []sdn.PortID{second, pod} {
		require.NoError(t, topo.AddMACPort(ctx, sdn.MACPort{Bridge: bridge, MAC: "02:00:00:00:00:99", Port: p}))
	}
	for _, mac := range []string{"02:00:00:00:00:99", "02:00:00:00:00:98"} {
		require.NoError(t, topo.AddIP4MAC(ctx, sdn.IP4MAC{Bridge: bridge, Addr: netip.MustParseAddr("10.128.0.9"), MAC: mac}))
	}
	n := home(t, topo, sdn.DeviceID(router))
	require.Equal(t, []plan.Station{{Dev: sdn.InterfaceName(pod), MAC: "02:00:00:00:00:99"}}, n.Stations)
	require.Equal(t, []plan.Neighbour{{Dev: sdn.InterfaceName(bridge), Addr: netip.MustParseAddr("10.128.0.9"), MAC: "02:00:00:00:00:98"}}, n.Neighbours)
	require.Len(t, n.Unrealised, 2)
}
