package plan_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

func TestDHCPIsPlannedForHostsOfEnabledSubnetsAlone(t *testing.T) {
	topo := handmade(t)
	ctx := t.Context()
	off := sdn.DHCPSubnet{Bridge: bridge, Prefix: prefix("192.0.2.0/24")}
	on := sdn.DHCPSubnet{Bridge: bridge, Prefix: prefix("10.128.0.0/22"), Enabled: true}
	for _, s := range []sdn.DHCPSubnet{off, on} {
		require.NoError(t, topo.CreateDHCPSubnet(ctx, s))
	}
	host := func(s sdn.DHCPSubnet, mac, addr string) {
		require.NoError(t, topo.CreateDHCPHost(ctx, sdn.DHCPHost{Bridge: bridge, Subnet: s.Prefix, MAC: mac, Addr: netip.MustParseAddr(addr)}))
	}
	host(off, "02:00:00:00:00:98", "192.0.2.8")
	n := home(t, topo, sdn.DeviceID(router))
	require.Empty(t, n.DHCP, "nobody is answered, so nobody is kept from others")
	require.NotContains(t, n.String(), "/dhcp-")

	host(on, "02:00:00:00:00:99", "10.128.0.9")
	n = home(t, topo, sdn.DeviceID(router))
	require.Len(t, n.DHCP, 1)
	require.Equal(t, []sdn.DHCPSubnet{on}, n.DHCP[0].Subnets)
	require.Len(t, n.DHCP[0].Hosts, 1)
	require.Equal(t, 1500, n.DHCP[0].MTU)
	require.Equal(t, "02:00:00:00:00:01", n.DHCP[0].MAC, "that of the router's port, which the bridge plays")
	text := n.String()
	require.Contains(t, text, "# DHCP on moatc0000000000: 02:00:00:00:00:99 of 10.128.0.0/22 is given 10.128.0.9\n")
	require.Contains(t, text, `table bridge moat/default/dhcp-c0000000-0000-4000-8000-000000000000 {
	set clients {
		type ether_addr
		elements = { 02:00:00:00:00:99 }
	}
	set ports {
		type ifname
		elements = { "moatd0000006000" }
	}
	chain forward {
		type filter hook forward priority -400; policy accept;
		ether daddr ff:ff:ff:ff:ff:ff ether type 0x0800 ip protocol udp th dport 67 iifname @ports ether saddr @clients drop comment "the bridge answers"
	}
}
`)
}
