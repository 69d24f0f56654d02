package sdntest

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

// misplaced is the outcome of making a port on a device of the other kind,
// which the dialect looks for among those of the port's kind.
func misplaced(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, sdn.ErrNotFound) {
		require.ErrorIs(t, err, sdn.ErrInvalid)
	}
}

func routerPorts(t *testing.T, b *bed) {
	r, in := b.router(), b.chain()
	want := sdn.Port{
		ID: sdn.NewID[sdn.PortID](), Kind: sdn.RouterPort, Device: sdn.DeviceID(r.ID), AdminStateUp: true, InboundFilter: in.ID,
		VIF: sdn.NewID[string](), Address: netip.MustParsePrefix("10.1.2.3/24"), MAC: "ac:ca:ba:00:00:01",
	}
	made := b.port(want)
	want.TunnelKey = made.TunnelKey
	require.Equal(t, want, made)
	got, err := b.Port(b.ctx(), want.ID)
	require.NoError(t, err)
	require.Equal(t, made, got)

	routes, err := b.Routes(b.ctx(), r.ID)
	require.NoError(t, err)
	require.Len(t, routes, 1)
	require.Equal(t, sdn.Route{
		ID: routes[0].ID, Router: r.ID, Type: sdn.RouteLocal, NextHopPort: want.ID,
		Src: netip.MustParsePrefix("0.0.0.0/0"), Dst: netip.MustParsePrefix("10.1.2.3/32"),
	}, routes[0])

	second := b.routerPort(r.ID, "10.9.0.1/30")
	require.NotEqual(t, made.TunnelKey, second.TunnelKey)
	require.Regexp(t, `^ac:ca:ba(:[0-9a-f]{2}){3}$`, second.MAC)

	_, err = b.CreatePort(b.ctx(), want)
	require.ErrorIs(t, err, sdn.ErrExists)
	_, err = b.CreatePort(b.ctx(), sdn.Port{Kind: sdn.RouterPort, Device: sdn.DeviceID(r.ID)})
	require.ErrorIs(t, err, sdn.ErrInvalid, "no address")
	_, err = b.CreatePort(b.ctx(), sdn.Port{Device: sdn.DeviceID(r.ID)})
	require.ErrorIs(t, err, sdn.ErrInvalid, "no kind")
	_, err = b.CreatePort(b.ctx(), sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(r.ID)})
	misplaced(t, err)
	_, err = b.CreatePort(b.ctx(), sdn.Port{Kind: sdn.RouterPort, Device: sdn.NewID[sdn.DeviceID](), Address: want.Address})
	require.ErrorIs(t, err, sdn.ErrNotFound, "no such router")

	require.NoError(t, b.DeletePort(b.ctx(), want.ID))
	b.gone(b.DeletePort(b.ctx(), want.ID))
	_, err = b.Route(b.ctx(), routes[0].ID)
	require.ErrorIs(t, err, sdn.ErrNotFound, "a route goes with its port")
}

func bridgePorts(t *testing.T, b *bed) {
	br, other := b.bridge(), b.bridge()
	p := b.port(sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(br.ID), VLAN: 7})
	require.Equal(t, uint16(7), p.VLAN)
	q := b.bridgePort(other.ID)
	ps, err := b.Ports(b.ctx(), sdn.DeviceID(br.ID))
	require.NoError(t, err)
	require.Equal(t, []sdn.Port{p}, ps)
	all, err := b.Ports(b.ctx(), "")
	require.NoError(t, err)
	require.Contains(t, all, p)
	require.Contains(t, all, q)

	_, err = b.CreatePort(b.ctx(), sdn.Port{Kind: sdn.RouterPort, Device: sdn.DeviceID(br.ID), Address: netip.MustParsePrefix("10.0.0.1/24")})
	misplaced(t, err)
	require.NoError(t, b.DeleteBridge(b.ctx(), br.ID))
	_, err = b.Port(b.ctx(), p.ID)
	require.ErrorIs(t, err, sdn.ErrNotFound, "a port goes with its bridge")
}

func portUpdates(t *testing.T, b *bed) {
	h, r, br := b.bindable(), b.router(), b.bridge()
	p, peer := b.routerPort(r.ID, "10.0.0.1/24"), b.bridgePort(br.ID)
	require.NoError(t, b.Link(b.ctx(), p.ID, peer.ID))
	require.NoError(t, b.Bind(b.ctx(), sdn.Binding{Host: h.ID, Port: p.ID, Interface: "eth7"}))

	require.NoError(t, b.UpdatePort(b.ctx(), sdn.Port{
		ID: p.ID, Kind: sdn.RouterPort, Device: sdn.DeviceID(r.ID), Address: netip.MustParsePrefix("10.0.0.2/25"), MAC: "ac:ca:ba:00:00:02",
	}))
	got, err := b.Port(b.ctx(), p.ID)
	require.NoError(t, err)
	require.Equal(t, sdn.Port{
		ID: p.ID, Kind: sdn.RouterPort, Device: sdn.DeviceID(r.ID), TunnelKey: p.TunnelKey,
		Address: netip.MustParsePrefix("10.0.0.2/25"), MAC: "ac:ca:ba:00:00:02",
		Host: h.ID, Interface: "eth7", Peer: peer.ID,
	}, got, "binding and link are kept")
	require.ErrorIs(t, b.UpdatePort(b.ctx(), sdn.Port{ID: sdn.NewID[sdn.PortID](), Kind: sdn.BridgePort, Device: sdn.DeviceID(br.ID)}), sdn.ErrNotFound)
}

func links(t *testing.T, b *bed) {
	r, br := b.router(), b.bridge()
	rp, bp, free := b.routerPort(r.ID, "10.0.0.1/24"), b.bridgePort(br.ID), b.bridgePort(br.ID)
	require.NoError(t, b.Link(b.ctx(), rp.ID, bp.ID))
	for a, z := range map[sdn.PortID]sdn.PortID{rp.ID: bp.ID, bp.ID: rp.ID} {
		p, err := b.Port(b.ctx(), a)
		require.NoError(t, err)
		require.Equal(t, z, p.Peer)
	}
	peers, err := b.PeerPorts(b.ctx(), sdn.DeviceID(r.ID))
	require.NoError(t, err)
	require.Len(t, peers, 1)
	require.Equal(t, bp.ID, peers[0].ID)

	require.ErrorIs(t, b.Link(b.ctx(), rp.ID, free.ID), sdn.ErrConflict)
	require.ErrorIs(t, b.Link(b.ctx(), free.ID, rp.ID), sdn.ErrConflict)
	require.ErrorIs(t, b.Link(b.ctx(), rp.ID, bp.ID), sdn.ErrConflict)
	require.ErrorIs(t, b.Link(b.ctx(), free.ID, sdn.NewID[sdn.PortID]()), sdn.ErrNotFound)
	require.ErrorIs(t, b.Link(b.ctx(), sdn.NewID[sdn.PortID](), free.ID), sdn.ErrNotFound)

	require.NoError(t, b.Unlink(b.ctx(), bp.ID))
	require.NoError(t, b.Unlink(b.ctx(), bp.ID))
	require.ErrorIs(t, b.Unlink(b.ctx(), sdn.NewID[sdn.PortID]()), sdn.ErrNotFound)
	p, err := b.Port(b.ctx(), rp.ID)
	require.NoError(t, err)
	require.Empty(t, p.Peer)
	require.NoError(t, b.Link(b.ctx(), free.ID, rp.ID))
}

func linkCascades(t *testing.T, b *bed) {
	provider, tenant := b.router(), b.router()
	up, down := b.routerPort(provider.ID, "10.0.0.1/30"), b.routerPort(tenant.ID, "10.0.0.2/30")
	require.NoError(t, b.Link(b.ctx(), up.ID, down.ID))
	require.NoError(t, b.DeleteRouter(b.ctx(), tenant.ID))
	p, err := b.Port(b.ctx(), up.ID)
	require.NoError(t, err, "the far end stays")
	require.Empty(t, p.Peer)
	_, err = b.Port(b.ctx(), down.ID)
	require.ErrorIs(t, err, sdn.ErrNotFound)
}

func routes(t *testing.T, b *bed) {
	r := b.router()
	p := b.routerPort(r.ID, "10.0.0.1/30")
	want := sdn.Route{
		ID: sdn.NewID[sdn.RouteID](), Router: r.ID, Type: sdn.RouteNormal, NextHopPort: p.ID,
		Src: netip.MustParsePrefix("0.0.0.0/0"), Dst: netip.MustParsePrefix("192.168.0.0/16"),
		Gateway: netip.MustParseAddr("10.0.0.2"), Weight: 100, Attributes: "a",
	}
	made, err := b.CreateRoute(b.ctx(), want)
	require.NoError(t, err)
	require.Equal(t, want, made)
	_, err = b.CreateRoute(b.ctx(), want)
	require.ErrorIs(t, err, sdn.ErrExists)
	hole, err := b.CreateRoute(b.ctx(), sdn.Route{Router: r.ID, Type: sdn.RouteBlackHole, Src: want.Src, Dst: want.Dst})
	require.NoError(t, err)
	list, err := b.Routes(b.ctx(), r.ID)
	require.NoError(t, err)
	require.Len(t, list, 3, "two and the port's Local route")
	require.Contains(t, list, want)
	require.Contains(t, list, hole)
	require.NoError(t, b.DeleteRoute(b.ctx(), want.ID))
	_, err = b.Route(b.ctx(), want.ID)
	require.ErrorIs(t, err, sdn.ErrNotFound)
	idempotent(t, b.DeleteRoute(b.ctx(), want.ID))
}

func badRoutes(t *testing.T, b *bed) {
	r, other := b.router(), b.router()
	foreign := b.routerPort(other.ID, "10.0.0.1/30")
	any4 := netip.MustParsePrefix("0.0.0.0/0")
	for name, bad := range map[string]sdn.Route{
		"no port":        {Router: r.ID, Type: sdn.RouteNormal, Src: any4, Dst: any4},
		"unknown port":   {Router: r.ID, Type: sdn.RouteNormal, Src: any4, Dst: any4, NextHopPort: sdn.NewID[sdn.PortID]()},
		"foreign port":   {Router: r.ID, Type: sdn.RouteNormal, Src: any4, Dst: any4, NextHopPort: foreign.ID},
		"no type":        {Router: r.ID, Src: any4, Dst: any4},
		"unknown type":   {Router: r.ID, Type: "Tunnel", Src: any4, Dst: any4},
		"no destination": {Router: r.ID, Type: sdn.RouteReject, Src: any4},
		"no source":      {Router: r.ID, Type: sdn.RouteReject, Dst: any4},
		"weight":         {Router: r.ID, Type: sdn.RouteReject, Src: any4, Dst: any4, Weight: -1},
	} {
		_, err := b.CreateRoute(b.ctx(), bad)
		require.ErrorIs(t, err, sdn.ErrInvalid, name)
	}
	_, err := b.CreateRoute(b.ctx(), sdn.Route{Router: sdn.NewID[sdn.RouterID](), Type: sdn.RouteReject, Src: any4, Dst: any4})
	require.ErrorIs(t, err, sdn.ErrNotFound)
}
