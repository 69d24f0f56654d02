package topology

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

func route(r sdn.RouterID, hop sdn.PortID) sdn.Route {
	return sdn.Route{Router: r, Type: sdn.RouteNormal, NextHopPort: hop,
		Src: netip.MustParsePrefix("0.0.0.0/0"), Dst: netip.MustParsePrefix("10.9.0.0/16"), Gateway: netip.MustParseAddr("10.1.0.2")}
}

func testRoutes(t *testing.T, open opener) {
	s := newSite(t, open)
	ctx := t.Context()
	r := s.router(t)
	p, foreign := s.port(t, routerPort(r)), s.port(t, routerPort(s.router(t)))
	hop := "This type of route requires a next hop port that is a port on the same router."
	refused := []struct {
		name   string
		change func(x *sdn.Route)
		kind   error
		text   string
	}{
		{"router missing", func(x *sdn.Route) { x.Router = sdn.NewID[sdn.RouterID]() }, sdn.ErrNotFound, "There is no Router"},
		{"bad type", func(x *sdn.Route) { x.Type = "Fip64" }, sdn.ErrInvalid, "This type of route is invalid."},
		{"no source", func(x *sdn.Route) { x.Src = netip.Prefix{} }, sdn.ErrInvalid, "srcNetworkAddr"},
		{"IPv6 destination", func(x *sdn.Route) { x.Dst = netip.MustParsePrefix("::/0") }, sdn.ErrInvalid, "dstNetworkAddr"},
		{"IPv6 gateway", func(x *sdn.Route) { x.Gateway = netip.MustParseAddr("::1") }, sdn.ErrInvalid, "nextHopGateway"},
		{"negative weight", func(x *sdn.Route) { x.Weight = -1 }, sdn.ErrInvalid, "weight"},
		{"no next hop", func(x *sdn.Route) { x.NextHopPort = "" }, sdn.ErrInvalid, hop},
		{"unknown next hop", func(x *sdn.Route) { x.NextHopPort = sdn.NewID[sdn.PortID]() }, sdn.ErrInvalid, hop},
		{"next hop of another router", func(x *sdn.Route) { x.NextHopPort = foreign.ID }, sdn.ErrInvalid, hop},
	}
	for _, c := range refused {
		t.Run(c.name, func(t *testing.T) {
			x := route(r, p.ID)
			c.change(&x)
			_, err := s.CreateRoute(t.Context(), x)
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, c.text)
		})
	}

	made, err := s.CreateRoute(ctx, route(r, p.ID))
	require.NoError(t, err)
	got, err := s.Route(ctx, made.ID)
	require.NoError(t, err)
	require.Equal(t, made, got)
	_, err = s.CreateRoute(ctx, route(r, p.ID))
	require.NoError(t, err, "the same route twice")
	hole := route(r, "")
	hole.Type = sdn.RouteBlackHole
	kept, err := s.CreateRoute(ctx, hole)
	require.NoError(t, err)

	require.NoError(t, s.DeleteRoute(ctx, made.ID))
	require.ErrorIs(t, s.DeleteRoute(ctx, made.ID), sdn.ErrNotFound)
	require.NoError(t, s.DeletePort(ctx, p.ID))
	left, err := s.Routes(ctx, r)
	require.NoError(t, err)
	require.Equal(t, []sdn.Route{kept}, left, "routes go with their next-hop port")
	requireSound(t, s.Topology)
}
