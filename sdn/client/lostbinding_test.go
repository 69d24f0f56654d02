package client_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/sdntest"
)

func TestLostAnswersOfBindingsAreSuccesses(t *testing.T) {
	e := sdntest.Start(t)
	c := e.Client(t)
	ctx := t.Context()
	h, err := c.CreateHost(ctx, sdn.Host{ID: sdn.NewID[sdn.HostID](), FloodingProxyWeight: 1, ContainerWeight: 1, ContainerLimit: -1})
	require.NoError(t, err)
	z, err := c.CreateTunnelZone(ctx, sdn.TunnelZone{Name: "z", Type: "gre"})
	require.NoError(t, err)
	br, err := c.CreateBridge(ctx, sdn.Bridge{})
	require.NoError(t, err)
	p, err := c.CreatePort(ctx, sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(br.ID)})
	require.NoError(t, err)

	m := sdn.TunnelZoneHost{Zone: z.ID, Host: h.ID, Address: netip.MustParseAddr("192.0.2.1")}
	e.Inject(sdntest.Fault{Method: "POST", Path: "/tunnel_zones/*/hosts", Times: 1, Effect: sdntest.ResetAfter})
	require.NoError(t, c.AddTunnelZoneHost(ctx, m))
	require.ErrorIs(t, c.AddTunnelZoneHost(ctx, m), sdn.ErrExists, "a second one by intent")

	b := sdn.Binding{Host: h.ID, Port: p.ID, Interface: "eth0"}
	e.Inject(sdntest.Fault{Method: "POST", Path: "/hosts/*/ports", Times: 1, Effect: sdntest.ResetAfter})
	require.NoError(t, c.Bind(ctx, b))
	require.ErrorIs(t, c.Bind(ctx, b), sdn.ErrConflict)
	e.Inject(sdntest.Fault{Method: "DELETE", Path: "/hosts/*/ports/*", Times: 1, Effect: sdntest.ResetAfter})
	require.NoError(t, c.Unbind(ctx, p.ID))
}

// TestLostAnswersOfEntriesAreSuccesses loses the answer of each write of what
// has a key and no ID.
func TestLostAnswersOfEntriesAreSuccesses(t *testing.T) {
	e := sdntest.Start(t)
	c := e.Client(t)
	ctx := t.Context()
	br, err := c.CreateBridge(ctx, sdn.Bridge{})
	require.NoError(t, err)
	p, err := c.CreatePort(ctx, sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(br.ID)})
	require.NoError(t, err)
	pg, err := c.CreatePortGroup(ctx, sdn.PortGroup{Name: "g"})
	require.NoError(t, err)
	ag, err := c.CreateIPAddrGroup(ctx, sdn.IPAddrGroup{Name: "a"})
	require.NoError(t, err)
	address, one, two := netip.MustParseAddr("10.0.0.7"), "02:00:00:00:00:01", "02:00:00:00:00:02"
	subnet := sdn.DHCPSubnet{Bridge: br.ID, Prefix: netip.MustParsePrefix("10.0.0.0/24"), Enabled: true}
	moved := sdn.DHCPSubnet{Bridge: br.ID, Prefix: netip.MustParsePrefix("10.0.0.0/25"), MTU: 1400}
	station := sdn.DHCPHost{Bridge: br.ID, Subnet: subnet.Prefix, MAC: one, Addr: address}
	renamed := sdn.DHCPHost{Bridge: br.ID, Subnet: subnet.Prefix, MAC: two, Addr: address, Name: "n"}
	for _, w := range []struct {
		method, path string
		do           func() error
		again        error // of the same write by intent
	}{
		{"POST", "/port_groups/*/ports", func() error { return c.AddPortGroupPort(ctx, sdn.PortGroupPort{Group: pg.ID, Port: p.ID}) }, sdn.ErrExists},
		{"POST", "/ip_addr_groups/*/ip_addrs", func() error { return c.AddIPAddrGroupAddr(ctx, sdn.IPAddrGroupAddr{Group: ag.ID, Addr: address}) }, sdn.ErrExists},
		{"POST", "/bridges/*/mac_table", func() error { return c.AddMACPort(ctx, sdn.MACPort{Bridge: br.ID, MAC: one, Port: p.ID}) }, sdn.ErrExists},
		{"POST", "/bridges/*/arp_table", func() error { return c.AddIP4MAC(ctx, sdn.IP4MAC{Bridge: br.ID, Addr: address, MAC: one}) }, sdn.ErrExists},
		{"POST", "/bridges/*/dhcp", func() error { return c.CreateDHCPSubnet(ctx, subnet) }, sdn.ErrExists},
		{"POST", "/bridges/*/dhcp/*/hosts", func() error { return c.CreateDHCPHost(ctx, station) }, sdn.ErrExists},
		{"PUT", "/bridges/*/dhcp/*/hosts/*", func() error { return c.UpdateDHCPHost(ctx, one, renamed) }, sdn.ErrNotFound},
		{"PUT", "/bridges/*/dhcp/*", func() error { return c.UpdateDHCPSubnet(ctx, subnet.Prefix, moved) }, sdn.ErrNotFound},
		{"DELETE", "/bridges/*/dhcp/*", func() error { return c.DeleteDHCPSubnet(ctx, br.ID, moved.Prefix) }, sdn.ErrNotFound},
		{"DELETE", "/port_groups/*/ports/*", func() error { return c.RemovePortGroupPort(ctx, sdn.PortGroupPort{Group: pg.ID, Port: p.ID}) }, sdn.ErrNotFound},
	} {
		e.Inject(sdntest.Fault{Method: w.method, Path: w.path, Times: 1, Effect: sdntest.ResetAfter})
		require.NoError(t, w.do(), "%s %s", w.method, w.path)
		require.Equal(t, 1, e.Heal(), "%s %s was met", w.method, w.path)
		require.ErrorIs(t, w.do(), w.again, "%s %s", w.method, w.path)
	}
}
