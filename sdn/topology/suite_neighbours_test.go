package topology

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

func testMACTable(t *testing.T, open opener) {
	s := newSite(t, open)
	ctx := t.Context()
	m := follow(t, s.Topology)
	b, other, nobody := s.bridge(t), s.bridge(t), sdn.NewID[sdn.BridgeID]()
	tagged := bridgePort(b)
	tagged.VLAN = 10
	p, v, far := s.port(t, bridgePort(b)), s.port(t, tagged), s.port(t, bridgePort(other))
	entry := sdn.MACPort{Bridge: b, MAC: "02:00:00:00:00:0a", Port: p.ID}
	for name, bad := range map[string]struct {
		entry sdn.MACPort
		kind  error
	}{
		"no MAC":               {sdn.MACPort{Bridge: b, Port: p.ID}, sdn.ErrInvalid},
		"a wrong MAC":          {sdn.MACPort{Bridge: b, MAC: "02:00", Port: p.ID}, sdn.ErrInvalid},
		"a long MAC":           {sdn.MACPort{Bridge: b, MAC: "02:00:00:00:00:00:00:01", Port: p.ID}, sdn.ErrInvalid},
		"no port":              {sdn.MACPort{Bridge: b, MAC: entry.MAC}, sdn.ErrInvalid},
		"no such bridge":       {sdn.MACPort{Bridge: nobody, MAC: entry.MAC, Port: p.ID}, sdn.ErrNotFound},
		"no such port":         {sdn.MACPort{Bridge: b, MAC: entry.MAC, Port: sdn.NewID[sdn.PortID]()}, sdn.ErrNotFound},
		"another bridge's":     {sdn.MACPort{Bridge: b, MAC: entry.MAC, Port: far.ID}, sdn.ErrInvalid},
		"no such VLAN":         {sdn.MACPort{Bridge: b, VLAN: 11, MAC: entry.MAC, Port: v.ID}, sdn.ErrNotFound},
		"another port's VLAN":  {sdn.MACPort{Bridge: b, VLAN: 10, MAC: entry.MAC, Port: p.ID}, sdn.ErrInvalid},
		"untagged at a tagged": {sdn.MACPort{Bridge: b, MAC: entry.MAC, Port: v.ID}, sdn.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) { require.ErrorIs(t, s.AddMACPort(ctx, bad.entry), bad.kind) })
	}
	upper := entry
	upper.MAC = "02-00-00-00-00-0A"
	require.NoError(t, s.AddMACPort(ctx, upper))
	require.ErrorIs(t, s.AddMACPort(ctx, entry), sdn.ErrExists)
	onVLAN := sdn.MACPort{Bridge: b, VLAN: 10, MAC: entry.MAC, Port: v.ID}
	require.NoError(t, s.AddMACPort(ctx, onVLAN))

	list, err := s.MACPorts(ctx, b, nil)
	require.NoError(t, err)
	require.Equal(t, []sdn.MACPort{entry, onVLAN}, list)
	for vlan, want := range map[uint16][]sdn.MACPort{0: {entry}, 10: {onVLAN}} {
		list, err = s.MACPorts(ctx, b, &vlan)
		require.NoError(t, err)
		require.Equal(t, want, list)
	}
	unknown := uint16(11)
	_, err = s.MACPorts(ctx, b, &unknown)
	require.ErrorIs(t, err, sdn.ErrNotFound)
	_, err = s.MACPorts(ctx, nobody, nil)
	require.ErrorIs(t, err, sdn.ErrNotFound)

	require.ErrorIs(t, s.RemoveMACPort(ctx, sdn.MACPort{Bridge: b, MAC: entry.MAC, Port: v.ID}), sdn.ErrNotFound)
	require.ErrorIs(t, s.RemoveMACPort(ctx, sdn.MACPort{Bridge: nobody, MAC: entry.MAC, Port: p.ID}), sdn.ErrNotFound)
	require.NoError(t, s.RemoveMACPort(ctx, onVLAN))
	require.ErrorIs(t, s.RemoveMACPort(ctx, onVLAN), sdn.ErrNotFound)
	m.requireEqual(t, s.Topology)
	require.NoError(t, s.DeletePort(ctx, p.ID))
	require.Empty(t, viewOf(s.Topology, func(v sdn.View) []sdn.MACPort { return v.MACPortsOf(b) }))
	require.NoError(t, s.AddMACPort(ctx, onVLAN))
	require.NoError(t, s.DeleteBridge(ctx, b))
	m.requireEqual(t, s.Topology)
	requireSound(t, s.Topology)
	s.clear(t)
}

func testARPTable(t *testing.T, open opener) {
	s := newSite(t, open)
	ctx := t.Context()
	m := follow(t, s.Topology)
	b, nobody := s.bridge(t), sdn.NewID[sdn.BridgeID]()
	entry := sdn.IP4MAC{Bridge: b, Addr: netip.MustParseAddr("192.0.2.10"), MAC: "02:00:00:00:00:0a"}
	for name, bad := range map[string]struct {
		entry sdn.IP4MAC
		kind  error
	}{
		"no address":     {sdn.IP4MAC{Bridge: b, MAC: entry.MAC}, sdn.ErrInvalid},
		"IPv6":           {sdn.IP4MAC{Bridge: b, Addr: netip.MustParseAddr("2001:db8::1"), MAC: entry.MAC}, sdn.ErrInvalid},
		"a wrong MAC":    {sdn.IP4MAC{Bridge: b, Addr: entry.Addr, MAC: "x"}, sdn.ErrInvalid},
		"no such bridge": {sdn.IP4MAC{Bridge: nobody, Addr: entry.Addr, MAC: entry.MAC}, sdn.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) { require.ErrorIs(t, s.AddIP4MAC(ctx, bad.entry), bad.kind) })
	}
	require.NoError(t, s.AddIP4MAC(ctx, entry))
	require.ErrorIs(t, s.AddIP4MAC(ctx, entry), sdn.ErrExists)
	second := entry
	second.MAC = "02:00:00:00:00:0b"
	require.NoError(t, s.AddIP4MAC(ctx, second), "another MAC for the same address")
	first := sdn.IP4MAC{Bridge: b, Addr: netip.MustParseAddr("192.0.2.9"), MAC: entry.MAC}
	require.NoError(t, s.AddIP4MAC(ctx, first))
	list, err := s.IP4MACs(ctx, b)
	require.NoError(t, err)
	require.Equal(t, []sdn.IP4MAC{first, entry, second}, list)
	_, err = s.IP4MACs(ctx, nobody)
	require.ErrorIs(t, err, sdn.ErrNotFound)
	require.NoError(t, s.RemoveIP4MAC(ctx, second))
	require.ErrorIs(t, s.RemoveIP4MAC(ctx, second), sdn.ErrNotFound)
	m.requireEqual(t, s.Topology)
	require.NoError(t, s.DeleteBridge(ctx, b))
	m.requireEqual(t, s.Topology)
	s.clear(t)
}
