package topology

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

func testDevices(t *testing.T, open opener) {
	s := newSite(t, open)
	ctx := t.Context()
	none := sdn.NewID[sdn.ChainID]()

	_, err := s.CreateRouter(ctx, sdn.Router{ID: "not a uuid"})
	require.ErrorIs(t, err, sdn.ErrInvalid)
	_, err = s.CreateRouter(ctx, sdn.Router{ID: "AAAAAAAA-0000-4000-8000-000000000000"})
	require.ErrorIs(t, err, sdn.ErrInvalid, "not canonical")
	_, err = s.CreateRouter(ctx, sdn.Router{Name: strings.Repeat("x", 256)})
	var invalid *sdn.ValidationError
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, "name", invalid.Violations[0].Property)
	_, err = s.CreateRouter(ctx, sdn.Router{InboundFilter: none})
	require.EqualError(t, err, "There is no Chain with ID "+string(none)+".")
	require.ErrorIs(t, err, sdn.ErrNotFound)
	_, err = s.CreateBridge(ctx, sdn.Bridge{OutboundFilter: none})
	require.ErrorIs(t, err, sdn.ErrNotFound)
	_, err = s.Router(ctx, sdn.NewID[sdn.RouterID]())
	require.ErrorIs(t, err, sdn.ErrNotFound)
	require.ErrorIs(t, s.UpdateRouter(ctx, sdn.Router{ID: sdn.NewID[sdn.RouterID]()}), sdn.ErrNotFound)
	require.ErrorIs(t, s.UpdateBridge(ctx, sdn.Bridge{ID: sdn.NewID[sdn.BridgeID]()}), sdn.ErrNotFound)
	require.ErrorIs(t, s.DeleteRouter(ctx, sdn.NewID[sdn.RouterID]()), sdn.ErrNotFound)
	require.ErrorIs(t, s.DeleteBridge(ctx, sdn.NewID[sdn.BridgeID]()), sdn.ErrNotFound)

	r, b := s.router(t), s.bridge(t)
	_, err = s.CreateRouter(ctx, sdn.Router{ID: r})
	require.ErrorIs(t, err, sdn.ErrExists)
	_, err = s.CreateRouter(ctx, sdn.Router{ID: sdn.RouterID(b)})
	require.ErrorIs(t, err, sdn.ErrExists, "a bridge's ID")
	_, err = s.CreateBridge(ctx, sdn.Bridge{ID: sdn.BridgeID(r)})
	require.ErrorIs(t, err, sdn.ErrExists, "a router's ID")

	c := s.chain(t)
	want := sdn.Router{ID: r, TenantID: "other", Name: "renamed", InboundFilter: c, ASNumber: 7}
	require.NoError(t, s.UpdateRouter(ctx, want))
	got, err := s.Router(ctx, r)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.ErrorIs(t, s.UpdateRouter(ctx, sdn.Router{ID: r, OutboundFilter: none}), sdn.ErrNotFound)
	got, err = s.Router(ctx, r)
	require.NoError(t, err)
	require.Equal(t, want, got, "a refused update changes nothing")
}

func testLists(t *testing.T, open opener) {
	s := newSite(t, open)
	ctx := t.Context()
	var want []sdn.RouterID
	for range 5 {
		want = append(want, s.router(t))
	}
	_, err := s.CreateRouter(ctx, sdn.Router{TenantID: "b"})
	require.NoError(t, err)
	_, err = s.CreateChain(ctx, sdn.Chain{TenantID: "c"})
	require.NoError(t, err)
	_, err = s.CreateBridge(ctx, sdn.Bridge{})
	require.NoError(t, err)

	mine, err := s.Routers(ctx, "a")
	require.NoError(t, err)
	require.Len(t, mine, len(want))
	for i := range mine[1:] {
		require.Less(t, mine[i].ID, mine[i+1].ID, "by ID")
	}
	everyone, err := s.Routers(ctx, "")
	require.NoError(t, err)
	require.Len(t, everyone, len(want)+1)
	nobody, err := s.Bridges(ctx, "a")
	require.NoError(t, err)
	require.Empty(t, nobody)
	tenants, err := s.Tenants(ctx)
	require.NoError(t, err)
	require.Equal(t, []sdn.TenantID{"a", "b", "c"}, tenants)
	for _, id := range want {
		require.NoError(t, s.DeleteRouter(ctx, id))
	}
	tenants, err = s.Tenants(ctx)
	require.NoError(t, err)
	require.Equal(t, []sdn.TenantID{"b", "c"}, tenants)
	g := s.portGroup(t, "e")
	require.NoError(t, s.UpdateRouter(ctx, sdn.Router{ID: everyone[slices.IndexFunc(everyone, func(r sdn.Router) bool { return r.TenantID == "b" })].ID, TenantID: "d"}))
	tenants, err = s.Tenants(ctx)
	require.NoError(t, err)
	require.Equal(t, []sdn.TenantID{"c", "d", "e"}, tenants, "who owns a group is one; who gave away all is none")
	require.NoError(t, s.UpdatePortGroup(ctx, sdn.PortGroup{ID: g}))
	tenants, err = s.Tenants(ctx)
	require.NoError(t, err)
	require.Equal(t, []sdn.TenantID{"c", "d"}, tenants)

	_, err = s.Ports(ctx, sdn.DeviceID(sdn.NewID[sdn.RouterID]()))
	require.ErrorIs(t, err, sdn.ErrNotFound)
	_, err = s.Routes(ctx, sdn.NewID[sdn.RouterID]())
	require.ErrorIs(t, err, sdn.ErrNotFound)
	_, err = s.Rules(ctx, sdn.NewID[sdn.ChainID]())
	require.ErrorIs(t, err, sdn.ErrNotFound)
	_, err = s.Bindings(ctx, sdn.NewID[sdn.HostID]())
	require.ErrorIs(t, err, sdn.ErrNotFound)
}
