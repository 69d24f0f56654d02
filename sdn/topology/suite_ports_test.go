package topology

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

func testPorts(t *testing.T, open opener) {
	s := newSite(t, open)
	ctx := t.Context()
	r, b := s.router(t), s.bridge(t)

	refused := []struct {
		name     string
		change   func(p *sdn.Port)
		kind     error
		property string // of the violation, or part of the text
	}{
		{"no kind", func(p *sdn.Port) { p.Kind = "Vxlan" }, sdn.ErrInvalid, "type"},
		{"no device", func(p *sdn.Port) { p.Device = "" }, sdn.ErrInvalid, "deviceId"},
		{"device missing", func(p *sdn.Port) { p.Device = sdn.DeviceID(sdn.NewID[sdn.RouterID]()) }, sdn.ErrNotFound, "There is no Router"},
		{"router port on a bridge", func(p *sdn.Port) { p.Device = sdn.DeviceID(b) }, sdn.ErrInvalid, "Not a bridge port."},
		{"bridge port on a router", func(p *sdn.Port) { p.Kind = sdn.BridgePort }, sdn.ErrInvalid, "Not a router port."},
		{"no address", func(p *sdn.Port) { p.Address = netip.Prefix{} }, sdn.ErrInvalid, "portAddress"},
		{"IPv6 address", func(p *sdn.Port) { p.Address = netip.MustParsePrefix("2001:db8::1/64") }, sdn.ErrInvalid, "portAddress"},
		{"bad MAC", func(p *sdn.Port) { p.MAC = "aa:bb" }, sdn.ErrInvalid, "portMac"},
		{"bad VIF", func(p *sdn.Port) { p.VIF = "x" }, sdn.ErrInvalid, "vifId"},
		{"filter missing", func(p *sdn.Port) { p.InboundFilter = sdn.NewID[sdn.ChainID]() }, sdn.ErrNotFound, "There is no Chain"},
		{"interface without host", func(p *sdn.Port) { p.Interface = "x" }, sdn.ErrInvalid, "hostId"},
		{"host without interface", func(p *sdn.Port) { p.Host = s.host }, sdn.ErrInvalid, "interfaceName"},
		{"peer missing", func(p *sdn.Port) { p.Peer = sdn.NewID[sdn.PortID]() }, sdn.ErrNotFound, "There is no Port"},
	}
	for _, c := range refused {
		t.Run(c.name, func(t *testing.T) {
			p := routerPort(r)
			c.change(&p)
			_, err := s.CreatePort(t.Context(), p)
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, c.property)
		})
	}
	all, err := s.Ports(ctx, "")
	require.NoError(t, err)
	require.Empty(t, all, "nothing refused leaves a port")

	p := s.port(t, routerPort(r))
	require.Regexp(t, `^ac:ca:ba(:[0-9a-f]{2}){3}$`, p.MAC)
	got, err := s.Port(ctx, p.ID)
	require.NoError(t, err)
	require.Equal(t, p, got, "what CreatePort returns is what is stored")
	q := s.port(t, bridgePort(b))
	require.Greater(t, q.TunnelKey, p.TunnelKey)
	_, err = s.CreatePort(ctx, sdn.Port{ID: p.ID, Kind: sdn.BridgePort, Device: sdn.DeviceID(b)})
	require.ErrorIs(t, err, sdn.ErrExists, "on another device, too")

	routes, err := s.Routes(ctx, r)
	require.NoError(t, err)
	require.Equal(t, []sdn.Route{{ID: routes[0].ID, Router: r, Type: sdn.RouteLocal, NextHopPort: p.ID,
		Src: netip.MustParsePrefix("0.0.0.0/0"), Dst: netip.MustParsePrefix("10.1.0.1/32")}}, routes)
}

func testUpdatePort(t *testing.T, open opener) {
	s := newSite(t, open)
	ctx := t.Context()
	r, b, c := s.router(t), s.bridge(t), s.chain(t)
	p, q := s.port(t, routerPort(r)), s.bound(t, b, "eth0")
	require.NoError(t, s.Link(ctx, p.ID, q.ID))

	require.ErrorIs(t, s.UpdatePort(ctx, sdn.Port{ID: sdn.NewID[sdn.PortID]()}), sdn.ErrNotFound)
	require.ErrorIs(t, s.UpdatePort(ctx, sdn.Port{ID: p.ID}), sdn.ErrInvalid, "a router port without an address")
	require.ErrorIs(t, s.UpdatePort(ctx, sdn.Port{ID: q.ID, OutboundFilter: sdn.NewID[sdn.ChainID]()}), sdn.ErrNotFound)

	require.NoError(t, s.UpdatePort(ctx, sdn.Port{ID: q.ID, Kind: sdn.RouterPort, Device: sdn.DeviceID(r), TunnelKey: 1, InboundFilter: c, VLAN: 5}))
	got, err := s.Port(ctx, q.ID)
	require.NoError(t, err)
	require.Equal(t, sdn.Port{ID: q.ID, Kind: sdn.BridgePort, Device: sdn.DeviceID(b), TunnelKey: q.TunnelKey,
		InboundFilter: c, VLAN: 5, Host: s.host, Interface: "eth0", Peer: p.ID}, got)

	before, err := s.Routes(ctx, r)
	require.NoError(t, err)
	require.NoError(t, s.UpdatePort(ctx, sdn.Port{ID: p.ID, Address: netip.MustParsePrefix("10.2.0.1/24")}))
	got, err = s.Port(ctx, p.ID)
	require.NoError(t, err)
	require.Empty(t, got.MAC, "a MAC that PUT does not name is cleared")
	after, err := s.Routes(ctx, r)
	require.NoError(t, err)
	require.Equal(t, before, after, "PUT of an address does not touch routes")

	free, other := s.port(t, bridgePort(b)), s.port(t, bridgePort(b))
	require.NoError(t, s.UpdatePort(ctx, sdn.Port{ID: free.ID, Host: s.host, Interface: "eth1", Peer: other.ID}))
	got, err = s.Port(ctx, other.ID)
	require.NoError(t, err)
	require.Equal(t, free.ID, got.Peer)
	require.ErrorIs(t, s.Bind(ctx, sdn.Binding{Host: s.host, Port: other.ID, Interface: "eth1"}), sdn.ErrConflict)
	requireSound(t, s.Topology)
}

func testLinks(t *testing.T, open opener) {
	s := newSite(t, open)
	ctx := t.Context()
	r := s.router(t)
	a, b, c := s.port(t, routerPort(r)), s.port(t, routerPort(r)), s.port(t, routerPort(r))
	missing := sdn.NewID[sdn.PortID]()

	require.ErrorIs(t, s.Link(ctx, a.ID, missing), sdn.ErrNotFound)
	require.ErrorIs(t, s.Link(ctx, missing, a.ID), sdn.ErrNotFound)
	require.ErrorIs(t, s.Link(ctx, a.ID, a.ID), sdn.ErrConflict, "to itself")
	require.ErrorIs(t, s.Unlink(ctx, missing), sdn.ErrNotFound)
	require.NoError(t, s.Unlink(ctx, a.ID), "not linked")

	require.NoError(t, s.Link(ctx, a.ID, b.ID), "of one device")
	for _, pair := range [][2]sdn.PortID{{a.ID, c.ID}, {c.ID, a.ID}, {b.ID, c.ID}, {a.ID, b.ID}} {
		err := s.Link(ctx, pair[0], pair[1])
		require.ErrorIs(t, err, sdn.ErrConflict)
		require.EqualError(t, err, "Ports are not linkable.")
	}
	peers, err := s.PeerPorts(ctx, sdn.DeviceID(r))
	require.NoError(t, err)
	require.Len(t, peers, 2)
	require.NoError(t, s.Unlink(ctx, b.ID), "from the other end")
	got, err := s.Port(ctx, a.ID)
	require.NoError(t, err)
	require.Empty(t, got.Peer)
	require.NoError(t, s.Link(ctx, a.ID, c.ID))
	requireSound(t, s.Topology)
}
