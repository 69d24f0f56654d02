package sdntest

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

const (
	oneMAC = "02:00:00:00:00:01"
	twoMAC = "02:00:00:00:00:02"
)

func macTables(t *testing.T, b *bed) {
	br, other := b.bridge(), b.bridge()
	plain, tagged := b.bridgePort(br.ID), b.port(sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(br.ID), VLAN: 7})
	foreign := b.bridgePort(other.ID)
	one := sdn.MACPort{Bridge: br.ID, MAC: oneMAC, Port: plain.ID}
	two := sdn.MACPort{Bridge: br.ID, VLAN: 7, MAC: twoMAC, Port: tagged.ID}
	for _, m := range []sdn.MACPort{one, two} {
		require.NoError(t, b.AddMACPort(b.ctx(), m))
		require.ErrorIs(t, b.AddMACPort(b.ctx(), m), sdn.ErrExists)
	}
	for name, c := range map[string]struct {
		entry sdn.MACPort
		want  error
	}{
		"port of another bridge": {sdn.MACPort{Bridge: br.ID, MAC: oneMAC, Port: foreign.ID}, sdn.ErrInvalid},
		"another VLAN":           {sdn.MACPort{Bridge: br.ID, VLAN: 7, MAC: oneMAC, Port: plain.ID}, sdn.ErrInvalid},
		"bad MAC":                {sdn.MACPort{Bridge: br.ID, MAC: "02:00", Port: plain.ID}, sdn.ErrInvalid},
		"no port":                {sdn.MACPort{Bridge: br.ID, MAC: oneMAC, Port: sdn.NewID[sdn.PortID]()}, sdn.ErrNotFound},
		"no bridge":              {sdn.MACPort{Bridge: sdn.NewID[sdn.BridgeID](), MAC: oneMAC, Port: plain.ID}, sdn.ErrNotFound},
	} {
		require.ErrorIs(t, b.AddMACPort(b.ctx(), c.entry), c.want, name)
	}
	vlan := func(n uint16) *uint16 { return &n }
	for _, c := range []struct {
		vlan *uint16
		want []sdn.MACPort
	}{{nil, []sdn.MACPort{one, two}}, {vlan(0), []sdn.MACPort{one}}, {vlan(7), []sdn.MACPort{two}}} {
		list, err := b.MACPorts(b.ctx(), br.ID, c.vlan)
		require.NoError(t, err)
		require.ElementsMatch(t, c.want, list)
	}
	_, err := b.MACPorts(b.ctx(), br.ID, vlan(8))
	require.ErrorIs(t, err, sdn.ErrNotFound)
	require.NoError(t, b.RemoveMACPort(b.ctx(), two))
	require.ErrorIs(t, b.RemoveMACPort(b.ctx(), two), sdn.ErrNotFound)
	require.NoError(t, b.DeletePort(b.ctx(), plain.ID))
	list, err := b.MACPorts(b.ctx(), br.ID, nil)
	require.NoError(t, err)
	require.Empty(t, list, "an entry goes with its port")
}

func arpTables(t *testing.T, b *bed) {
	br := b.bridge()
	m := sdn.IP4MAC{Bridge: br.ID, Addr: netip.MustParseAddr("10.0.0.7"), MAC: oneMAC}
	require.NoError(t, b.AddIP4MAC(b.ctx(), m))
	require.ErrorIs(t, b.AddIP4MAC(b.ctx(), m), sdn.ErrExists)
	require.ErrorIs(t, b.AddIP4MAC(b.ctx(), sdn.IP4MAC{Bridge: br.ID, Addr: netip.MustParseAddr("2001:db8::1"), MAC: oneMAC}), sdn.ErrInvalid)
	require.ErrorIs(t, b.AddIP4MAC(b.ctx(), sdn.IP4MAC{Bridge: br.ID, MAC: oneMAC}), sdn.ErrInvalid)
	require.ErrorIs(t, b.AddIP4MAC(b.ctx(), sdn.IP4MAC{Bridge: br.ID, Addr: m.Addr}), sdn.ErrInvalid)
	require.ErrorIs(t, b.AddIP4MAC(b.ctx(), sdn.IP4MAC{Bridge: sdn.NewID[sdn.BridgeID](), Addr: m.Addr, MAC: oneMAC}), sdn.ErrNotFound)
	list, err := b.IP4MACs(b.ctx(), br.ID)
	require.NoError(t, err)
	require.Equal(t, []sdn.IP4MAC{m}, list)
	require.NoError(t, b.RemoveIP4MAC(b.ctx(), m))
	require.ErrorIs(t, b.RemoveIP4MAC(b.ctx(), m), sdn.ErrNotFound)
	require.Error(t, b.RemoveIP4MAC(b.ctx(), sdn.IP4MAC{Bridge: br.ID, MAC: oneMAC}))
}

func (b *bed) subnet(br sdn.BridgeID) sdn.DHCPSubnet {
	b.t.Helper()
	s := sdn.DHCPSubnet{
		Bridge: br, Prefix: netip.MustParsePrefix("10.1.0.0/24"), Gateway: netip.MustParseAddr("10.1.0.1"),
		Server: netip.MustParseAddr("10.1.0.2"), DNS: []netip.Addr{netip.MustParseAddr("192.0.2.53")}, MTU: 1400, Enabled: true,
		Routes: []sdn.DHCPRoute{{Dst: netip.MustParsePrefix("10.9.0.0/16"), Gateway: netip.MustParseAddr("10.1.0.9")}},
	}
	require.NoError(b.t, b.CreateDHCPSubnet(b.ctx(), s))
	return s
}

func dhcpSubnets(t *testing.T, b *bed) {
	br := b.bridge()
	s := b.subnet(br.ID)
	require.ErrorIs(t, b.CreateDHCPSubnet(b.ctx(), s), sdn.ErrExists)
	require.ErrorIs(t, b.CreateDHCPSubnet(b.ctx(), sdn.DHCPSubnet{Bridge: br.ID}), sdn.ErrInvalid)
	require.ErrorIs(t, b.CreateDHCPSubnet(b.ctx(), sdn.DHCPSubnet{Bridge: sdn.NewID[sdn.BridgeID](), Prefix: s.Prefix}), sdn.ErrNotFound)
	got, err := b.DHCPSubnet(b.ctx(), br.ID, s.Prefix)
	require.NoError(t, err)
	require.Equal(t, s, got)

	moved := sdn.DHCPSubnet{Bridge: br.ID, Prefix: netip.MustParsePrefix("10.2.0.0/25")}
	require.NoError(t, b.UpdateDHCPSubnet(b.ctx(), s.Prefix, moved))
	_, err = b.DHCPSubnet(b.ctx(), br.ID, s.Prefix)
	require.ErrorIs(t, err, sdn.ErrNotFound)
	list, err := b.DHCPSubnets(b.ctx(), br.ID)
	require.NoError(t, err)
	require.Equal(t, []sdn.DHCPSubnet{moved}, list, "a replace leaves nothing of the old one")
	require.ErrorIs(t, b.UpdateDHCPSubnet(b.ctx(), s.Prefix, s), sdn.ErrNotFound)
	require.NoError(t, b.DeleteDHCPSubnet(b.ctx(), br.ID, moved.Prefix))
	require.ErrorIs(t, b.DeleteDHCPSubnet(b.ctx(), br.ID, moved.Prefix), sdn.ErrNotFound)
	_, err = b.DHCPSubnet(b.ctx(), br.ID, netip.Prefix{})
	require.ErrorIs(t, err, sdn.ErrNotFound)
}

func dhcpHosts(t *testing.T, b *bed) {
	br := b.bridge()
	s := b.subnet(br.ID)
	h := sdn.DHCPHost{Bridge: br.ID, Subnet: s.Prefix, MAC: oneMAC, Addr: netip.MustParseAddr("10.1.0.7"), Name: "one",
		Options: []sdn.DHCPOption{{Name: "domain-name", Value: "example.org"}}}
	require.NoError(t, b.CreateDHCPHost(b.ctx(), h))
	require.ErrorIs(t, b.CreateDHCPHost(b.ctx(), h), sdn.ErrExists)
	require.ErrorIs(t, b.CreateDHCPHost(b.ctx(), sdn.DHCPHost{Bridge: br.ID, Subnet: s.Prefix, MAC: "x"}), sdn.ErrInvalid)
	absent := sdn.DHCPHost{Bridge: br.ID, Subnet: netip.MustParsePrefix("10.3.0.0/24"), MAC: oneMAC, Addr: h.Addr}
	require.ErrorIs(t, b.CreateDHCPHost(b.ctx(), absent), sdn.ErrNotFound)
	got, err := b.DHCPHost(b.ctx(), br.ID, s.Prefix, h.MAC)
	require.NoError(t, err)
	require.Equal(t, h, got)

	h.MAC, h.Name, h.Options = twoMAC, "two", nil
	require.NoError(t, b.UpdateDHCPHost(b.ctx(), oneMAC, h))
	require.ErrorIs(t, b.UpdateDHCPHost(b.ctx(), oneMAC, h), sdn.ErrNotFound)
	moved := s
	moved.Prefix = netip.MustParsePrefix("10.1.0.0/23")
	require.NoError(t, b.UpdateDHCPSubnet(b.ctx(), s.Prefix, moved))
	h.Subnet = moved.Prefix
	list, err := b.DHCPHosts(b.ctx(), br.ID, moved.Prefix)
	require.NoError(t, err)
	require.Equal(t, []sdn.DHCPHost{h}, list, "hosts stay with their subnet")
	require.NoError(t, b.DeleteDHCPHost(b.ctx(), br.ID, moved.Prefix, h.MAC))
	require.ErrorIs(t, b.DeleteDHCPHost(b.ctx(), br.ID, moved.Prefix, h.MAC), sdn.ErrNotFound)
	_, err = b.DHCPHosts(b.ctx(), br.ID, netip.MustParsePrefix("10.3.0.0/24"))
	require.ErrorIs(t, err, sdn.ErrNotFound)
}
