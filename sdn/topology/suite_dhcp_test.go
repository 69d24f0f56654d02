package topology

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

func subnet(b sdn.BridgeID, prefix string) sdn.DHCPSubnet {
	p := netip.MustParsePrefix(prefix)
	return sdn.DHCPSubnet{Bridge: b, Prefix: p, Gateway: p.Addr().Next(), DNS: []netip.Addr{netip.MustParseAddr("192.0.2.53")}, MTU: 1400,
		Routes: []sdn.DHCPRoute{{Dst: netip.MustParsePrefix("198.51.100.0/24"), Gateway: p.Addr().Next()}}, Enabled: true}
}

func testDHCPSubnets(t *testing.T, open opener) {
	s := newSite(t, open)
	ctx := t.Context()
	m := follow(t, s.Topology)
	b, nobody := s.bridge(t), sdn.NewID[sdn.BridgeID]()
	a, c := subnet(b, "10.1.0.0/16"), subnet(b, "10.2.0.0/16")
	for name, spoil := range map[string]func(s *sdn.DHCPSubnet){
		"no prefix":      func(s *sdn.DHCPSubnet) { s.Prefix = netip.Prefix{} },
		"IPv6":           func(s *sdn.DHCPSubnet) { s.Prefix = netip.MustParsePrefix("2001:db8::/64") },
		"IPv6 gateway":   func(s *sdn.DHCPSubnet) { s.Gateway = netip.IPv6Unspecified() },
		"IPv6 server":    func(s *sdn.DHCPSubnet) { s.Server = netip.IPv6Unspecified() },
		"IPv6 resolver":  func(s *sdn.DHCPSubnet) { s.DNS = []netip.Addr{netip.IPv6Unspecified()} },
		"negative MTU":   func(s *sdn.DHCPSubnet) { s.MTU = -1 },
		"big MTU":        func(s *sdn.DHCPSubnet) { s.MTU = 65537 },
		"route to IPv6":  func(s *sdn.DHCPSubnet) { s.Routes[0].Dst = netip.MustParsePrefix("2001:db8::/64") },
		"route to where": func(s *sdn.DHCPSubnet) { s.Routes[0].Gateway = netip.Addr{} },
	} {
		t.Run(name, func(t *testing.T) {
			bad := subnet(b, "10.1.0.0/16")
			spoil(&bad)
			require.ErrorIs(t, s.CreateDHCPSubnet(ctx, bad), sdn.ErrInvalid)
			require.ErrorIs(t, s.UpdateDHCPSubnet(ctx, a.Prefix, bad), sdn.ErrInvalid)
		})
	}
	require.ErrorIs(t, s.CreateDHCPSubnet(ctx, subnet(nobody, "10.1.0.0/16")), sdn.ErrNotFound)
	require.ErrorIs(t, s.UpdateDHCPSubnet(ctx, a.Prefix, a), sdn.ErrNotFound)
	require.ErrorIs(t, s.DeleteDHCPSubnet(ctx, b, a.Prefix), sdn.ErrNotFound)
	_, err := s.DHCPSubnet(ctx, b, a.Prefix)
	require.ErrorIs(t, err, sdn.ErrNotFound)
	_, err = s.DHCPSubnets(ctx, nobody)
	require.ErrorIs(t, err, sdn.ErrNotFound)

	unmasked := a
	unmasked.Prefix = netip.MustParsePrefix("10.1.2.3/16")
	require.NoError(t, s.CreateDHCPSubnet(ctx, c))
	require.NoError(t, s.CreateDHCPSubnet(ctx, unmasked))
	require.ErrorIs(t, s.CreateDHCPSubnet(ctx, a), sdn.ErrExists)
	require.NoError(t, s.CreateDHCPSubnet(ctx, subnet(b, "10.1.0.0/24")), "another length is another subnet")
	require.NoError(t, s.CreateDHCPSubnet(ctx, subnet(s.bridge(t), "10.1.0.0/16")), "and so is another bridge's")
	list, err := s.DHCPSubnets(ctx, b)
	require.NoError(t, err)
	require.Equal(t, []sdn.DHCPSubnet{a, subnet(b, "10.1.0.0/24"), c}, list)
	list[0].DNS[0] = netip.IPv4Unspecified()
	got, err := s.DHCPSubnet(ctx, b, a.Prefix)
	require.NoError(t, err)
	require.Equal(t, a, got, "what a caller gets is theirs")

	bare := sdn.DHCPSubnet{Bridge: b, Prefix: a.Prefix, DNS: []netip.Addr{}, Routes: []sdn.DHCPRoute{}}
	require.NoError(t, s.UpdateDHCPSubnet(ctx, a.Prefix, bare))
	got, err = s.DHCPSubnet(ctx, b, a.Prefix)
	require.NoError(t, err)
	require.Equal(t, sdn.DHCPSubnet{Bridge: b, Prefix: a.Prefix}, got, "a list without entries is none")
	require.ErrorIs(t, s.UpdateDHCPSubnet(ctx, a.Prefix, c), sdn.ErrExists, "a prefix that is taken")
	m.requireEqual(t, s.Topology)
	require.NoError(t, s.DeleteDHCPSubnet(ctx, b, a.Prefix))
	require.NoError(t, s.UpdateDHCPSubnet(ctx, c.Prefix, a), "one that became free")
	m.requireEqual(t, s.Topology)
	requireSound(t, s.Topology)
	s.clear(t)
	m.requireEqual(t, s.Topology)
}

// client is a host of a subnet.
func client(s sdn.DHCPSubnet) sdn.DHCPHost {
	return sdn.DHCPHost{Bridge: s.Bridge, Subnet: s.Prefix, MAC: "02:00:00:00:00:0a", Addr: netip.MustParseAddr("10.1.0.9"), Name: "n",
		Options: []sdn.DHCPOption{{Name: "domain-name", Value: "x.test"}}}
}

func testRefusedDHCPHosts(t *testing.T, open opener) {
	s := newSite(t, open)
	ctx := t.Context()
	b := s.bridge(t)
	a := subnet(b, "10.1.0.0/16")
	host := client(a)
	require.ErrorIs(t, s.CreateDHCPHost(ctx, host), sdn.ErrNotFound)
	require.NoError(t, s.CreateDHCPSubnet(ctx, a))
	for name, spoil := range map[string]func(h *sdn.DHCPHost){
		"a wrong MAC": func(h *sdn.DHCPHost) { h.MAC = "x" },
		"no address":  func(h *sdn.DHCPHost) { h.Addr = netip.Addr{} },
		"IPv6":        func(h *sdn.DHCPHost) { h.Addr = netip.IPv6Unspecified() },
	} {
		t.Run(name, func(t *testing.T) {
			bad := host
			spoil(&bad)
			require.ErrorIs(t, s.CreateDHCPHost(ctx, bad), sdn.ErrInvalid)
			require.ErrorIs(t, s.UpdateDHCPHost(ctx, host.MAC, bad), sdn.ErrInvalid)
		})
	}
	require.ErrorIs(t, s.UpdateDHCPHost(ctx, host.MAC, host), sdn.ErrNotFound)
	require.ErrorIs(t, s.DeleteDHCPHost(ctx, b, a.Prefix, host.MAC), sdn.ErrNotFound)
	_, err := s.DHCPHost(ctx, b, a.Prefix, host.MAC)
	require.ErrorIs(t, err, sdn.ErrNotFound)
	s.clear(t)
}

func testDHCPHosts(t *testing.T, open opener) {
	s := newSite(t, open)
	ctx := t.Context()
	b := s.bridge(t)
	a, c := subnet(b, "10.1.0.0/16"), subnet(b, "10.2.0.0/16")
	host := client(a)
	require.NoError(t, s.CreateDHCPSubnet(ctx, a))
	require.NoError(t, s.CreateDHCPSubnet(ctx, c))
	require.NoError(t, s.CreateDHCPHost(ctx, host))
	require.ErrorIs(t, s.CreateDHCPHost(ctx, host), sdn.ErrExists)
	m := follow(t, s.Topology)

	moved := host
	moved.MAC, moved.Options = "02:00:00:00:00:0B", nil
	require.NoError(t, s.UpdateDHCPHost(ctx, "02:00:00:00:00:0A", moved))
	moved.MAC = "02:00:00:00:00:0b"
	got, err := s.DHCPHost(ctx, b, a.Prefix, "02:00:00:00:00:0B")
	require.NoError(t, err)
	require.Equal(t, moved, got)
	require.NoError(t, s.CreateDHCPHost(ctx, host))
	require.ErrorIs(t, s.UpdateDHCPHost(ctx, host.MAC, moved), sdn.ErrExists, "a MAC that is taken")
	list, err := s.DHCPHosts(ctx, b, a.Prefix)
	require.NoError(t, err)
	require.Equal(t, []sdn.DHCPHost{host, moved}, list)
	m.requireEqual(t, s.Topology)

	elsewhere := subnet(b, "10.3.0.0/16")
	require.NoError(t, s.UpdateDHCPSubnet(ctx, a.Prefix, elsewhere))
	_, err = s.DHCPHosts(ctx, b, a.Prefix)
	require.ErrorIs(t, err, sdn.ErrNotFound)
	host.Subnet, moved.Subnet = elsewhere.Prefix, elsewhere.Prefix
	other := sdn.DHCPHost{Bridge: b, Subnet: c.Prefix, MAC: host.MAC, Addr: netip.MustParseAddr("10.2.0.9")}
	require.NoError(t, s.CreateDHCPHost(ctx, other))
	require.Equal(t, []sdn.DHCPHost{other, host, moved}, viewOf(s.Topology, func(v sdn.View) []sdn.DHCPHost { return v.DHCPHostsOf(b) }))
	m.requireEqual(t, s.Topology)
	require.NoError(t, s.UpdateDHCPSubnet(ctx, c.Prefix, subnet(b, "10.1.0.0/16")), "the prefix is free")
	m.requireEqual(t, s.Topology)
	requireSound(t, s.Topology)

	require.NoError(t, s.DeleteDHCPHost(ctx, b, elsewhere.Prefix, host.MAC))
	require.NoError(t, s.DeleteDHCPSubnet(ctx, b, elsewhere.Prefix))
	require.NoError(t, s.CreateDHCPSubnet(ctx, elsewhere))
	list, err = s.DHCPHosts(ctx, b, elsewhere.Prefix)
	require.NoError(t, err)
	require.Empty(t, list, "hosts go with their subnet")
	require.NoError(t, s.DeleteBridge(ctx, b))
	m.requireEqual(t, s.Topology)
	requireSound(t, s.Topology)
	s.clear(t)
}
