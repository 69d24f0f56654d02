package topology

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

func testHosts(t *testing.T, open opener) {
	s := newSite(t, open)
	ctx := t.Context()
	_, err := s.CreateHost(ctx, sdn.Host{Name: "no ID"})
	require.ErrorIs(t, err, sdn.ErrInvalid)
	_, err = s.CreateHost(ctx, sdn.Host{ID: s.host})
	require.ErrorIs(t, err, sdn.ErrExists)
	require.ErrorIs(t, s.UpdateHost(ctx, sdn.Host{ID: sdn.NewID[sdn.HostID]()}), sdn.ErrNotFound)
	require.ErrorIs(t, s.UpdateHost(ctx, sdn.Host{ID: s.host, ContainerLimit: -2}), sdn.ErrInvalid)
	require.ErrorIs(t, s.DeleteHost(ctx, sdn.NewID[sdn.HostID]()), sdn.ErrNotFound)

	addr := netip.MustParseAddr("192.0.2.9")
	s.SetInterfaces(s.host, []netip.Addr{addr}, []sdn.HostInterface{{Name: "eth0"}})
	require.NoError(t, s.UpdateHost(ctx, sdn.Host{ID: s.host, Name: "other", FloodingProxyWeight: 3, ContainerLimit: -1}))
	got, err := s.Host(ctx, s.host)
	require.NoError(t, err)
	require.Equal(t, sdn.Host{ID: s.host, Name: "h", Alive: true, FloodingProxyWeight: 3, ContainerLimit: -1,
		Addresses: []netip.Addr{addr}, Interfaces: []sdn.HostInterface{{Name: "eth0"}}}, got, "the name is not replaced")

	p := s.bound(t, s.bridge(t), "eth0")
	require.ErrorIs(t, s.DeleteHost(ctx, s.host), sdn.ErrForbidden, "alive")
	s.SetAlive(s.host, false)
	require.ErrorIs(t, s.DeleteHost(ctx, s.host), sdn.ErrForbidden, "has bindings")
	require.NoError(t, s.Unbind(ctx, p.ID))
	require.NoError(t, s.DeleteHost(ctx, s.host))
	members, err := s.TunnelZoneHosts(ctx, s.zone)
	require.NoError(t, err)
	require.Empty(t, members)
	_, err = s.CreateHost(ctx, sdn.Host{ID: s.host})
	require.NoError(t, err)
	got, err = s.Host(ctx, s.host)
	require.NoError(t, err)
	require.Empty(t, got.Interfaces, "the host before this one is forgotten")
	members, err = s.TunnelZoneHosts(ctx, s.zone)
	require.NoError(t, err)
	require.Empty(t, members, "its membership, too")
}

func testZones(t *testing.T, open opener) {
	s := newSite(t, open)
	ctx := t.Context()
	for _, z := range []sdn.TunnelZone{{Type: "gre"}, {Name: strings.Repeat("x", 256), Type: "gre"}, {Name: "x", Type: "ipip"}} {
		_, err := s.CreateTunnelZone(ctx, z)
		require.ErrorIs(t, err, sdn.ErrInvalid)
	}
	first, err := s.CreateTunnelZone(ctx, sdn.TunnelZone{Name: "one", Type: "gre"})
	require.NoError(t, err)
	_, err = s.CreateTunnelZone(ctx, sdn.TunnelZone{Name: "one", Type: "gre"})
	require.ErrorIs(t, err, sdn.ErrConflict)
	require.EqualError(t, err, "Tunnel zone name already exists.")
	second, err := s.CreateTunnelZone(ctx, sdn.TunnelZone{Name: "two", Type: "gre"})
	require.NoError(t, err)
	require.ErrorIs(t, s.UpdateTunnelZone(ctx, sdn.TunnelZone{ID: second.ID, Name: "one", Type: "gre"}), sdn.ErrConflict)
	require.NoError(t, s.UpdateTunnelZone(ctx, sdn.TunnelZone{ID: second.ID, Name: "two", Type: "vxlan"}), "its own name")
	require.NoError(t, s.UpdateTunnelZone(ctx, sdn.TunnelZone{ID: second.ID, Name: "three", Type: "gre"}))
	_, err = s.CreateTunnelZone(ctx, sdn.TunnelZone{Name: "two", Type: "gre"})
	require.NoError(t, err, "a name that was given up")

	m := sdn.TunnelZoneHost{Zone: first.ID, Host: s.host, Address: netip.MustParseAddr("192.0.2.1")}
	require.ErrorIs(t, s.AddTunnelZoneHost(ctx, sdn.TunnelZoneHost{Zone: first.ID, Host: s.host}), sdn.ErrInvalid)
	require.ErrorIs(t, s.AddTunnelZoneHost(ctx, sdn.TunnelZoneHost{Zone: sdn.NewID[sdn.TunnelZoneID](), Host: s.host, Address: m.Address}), sdn.ErrNotFound)
	require.ErrorIs(t, s.AddTunnelZoneHost(ctx, sdn.TunnelZoneHost{Zone: first.ID, Host: sdn.NewID[sdn.HostID](), Address: m.Address}), sdn.ErrNotFound)
	require.NoError(t, s.AddTunnelZoneHost(ctx, m))
	require.ErrorIs(t, s.AddTunnelZoneHost(ctx, m), sdn.ErrExists)
	got, err := s.TunnelZoneHost(ctx, first.ID, s.host)
	require.NoError(t, err)
	require.Equal(t, m, got)
	require.NoError(t, s.RemoveTunnelZoneHost(ctx, first.ID, s.host))
	require.ErrorIs(t, s.RemoveTunnelZoneHost(ctx, first.ID, s.host), sdn.ErrNotFound)
	_, err = s.TunnelZoneHost(ctx, first.ID, s.host)
	require.ErrorIs(t, err, sdn.ErrNotFound)

	require.NoError(t, s.AddTunnelZoneHost(ctx, m))
	require.NoError(t, s.DeleteTunnelZone(ctx, first.ID))
	require.ErrorIs(t, s.DeleteTunnelZone(ctx, first.ID), sdn.ErrNotFound)
	_, err = s.CreateTunnelZone(ctx, sdn.TunnelZone{ID: first.ID, Name: "one", Type: "gre"})
	require.NoError(t, err, "name and ID are free again")
	members, err := s.TunnelZoneHosts(ctx, first.ID)
	require.NoError(t, err)
	require.Empty(t, members)
	requireSound(t, s.Topology)
}
