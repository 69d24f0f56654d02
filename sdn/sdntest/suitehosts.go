package sdntest

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

func hosts(t *testing.T, b *bed) {
	h := b.host()
	_, err := b.CreateHost(b.ctx(), h)
	require.ErrorIs(t, err, sdn.ErrExists)
	_, err = b.CreateHost(b.ctx(), sdn.Host{Name: "no ID"})
	require.ErrorIs(t, err, sdn.ErrInvalid)

	change := h
	change.Name, change.FloodingProxyWeight, change.ContainerWeight = "renamed", 65535, 3
	change.ContainerLimit, change.EnforceContainerLimit = 7, true
	require.NoError(t, b.UpdateHost(b.ctx(), change))
	got, err := b.Host(b.ctx(), h.ID)
	require.NoError(t, err)
	change.Name = h.Name
	require.Equal(t, change.Name, got.Name, "an update changes weights and limits alone")
	require.Equal(t, 65535, got.FloodingProxyWeight)
	if b.release == wire.V5 {
		require.Equal(t, 3, got.ContainerWeight)
		require.Equal(t, 7, got.ContainerLimit)
		require.True(t, got.EnforceContainerLimit)
	}
	change.FloodingProxyWeight = 65536
	require.ErrorIs(t, b.UpdateHost(b.ctx(), change), sdn.ErrInvalid)
	list, err := b.Hosts(b.ctx())
	require.NoError(t, err)
	require.Contains(t, list, got)
}

func bindings(t *testing.T, b *bed) {
	h, homeless, br := b.bindable(), b.host(), b.bridge()
	p, q := b.bridgePort(br.ID), b.bridgePort(br.ID)
	bind := func(h sdn.HostID, p sdn.PortID, name string) error {
		return b.Bind(b.ctx(), sdn.Binding{Host: h, Port: p, Interface: name})
	}
	require.ErrorIs(t, bind(sdn.NewID[sdn.HostID](), p.ID, "eth0"), sdn.ErrNotFound)
	inNoZone := map[wire.Release]error{wire.V5: sdn.ErrConflict, wire.V1: sdn.ErrInvalid}[b.release]
	require.ErrorIs(t, bind(homeless.ID, p.ID, "eth0"), inNoZone)
	require.ErrorIs(t, bind(h.ID, sdn.NewID[sdn.PortID](), "eth0"), sdn.ErrNotFound)
	require.ErrorIs(t, bind(h.ID, p.ID, ""), sdn.ErrInvalid)
	require.ErrorIs(t, bind(h.ID, p.ID, "sixteen-bytes-no"), sdn.ErrInvalid)

	require.NoError(t, bind(h.ID, p.ID, "eth0"))
	require.ErrorIs(t, bind(h.ID, p.ID, "eth1"), sdn.ErrConflict, "the port is bound")
	require.ErrorIs(t, bind(h.ID, q.ID, "eth0"), sdn.ErrConflict, "the interface is taken")
	got, err := b.Port(b.ctx(), p.ID)
	require.NoError(t, err)
	require.Equal(t, h.ID, got.Host)
	require.Equal(t, "eth0", got.Interface)
	list, err := b.Bindings(b.ctx(), h.ID)
	require.NoError(t, err)
	require.Equal(t, []sdn.Binding{{Host: h.ID, Port: p.ID, Interface: "eth0"}}, list)

	require.NoError(t, b.Unbind(b.ctx(), p.ID))
	require.NoError(t, b.Unbind(b.ctx(), p.ID), "unbinding twice is no error")
	require.ErrorIs(t, b.Unbind(b.ctx(), sdn.NewID[sdn.PortID]()), sdn.ErrNotFound)
	require.NoError(t, bind(h.ID, q.ID, "eth0"))
}

func boundPorts(t *testing.T, b *bed) {
	h, br := b.bindable(), b.bridge()
	want := sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(br.ID), Host: h.ID, Interface: "veth1"}
	p := b.port(want)
	require.Equal(t, h.ID, p.Host)
	require.Equal(t, "veth1", p.Interface)
	list, err := b.Bindings(b.ctx(), h.ID)
	require.NoError(t, err)
	require.Equal(t, []sdn.Binding{{Host: h.ID, Port: p.ID, Interface: "veth1"}}, list)

	_, err = b.CreatePort(b.ctx(), want)
	require.ErrorIs(t, err, sdn.ErrConflict, "the interface is taken")
	ports, err := b.Ports(b.ctx(), sdn.DeviceID(br.ID))
	require.NoError(t, err)
	require.Len(t, ports, 1, "a refused port leaves no trace")
	require.NoError(t, b.DeletePort(b.ctx(), p.ID))
	list, err = b.Bindings(b.ctx(), h.ID)
	require.NoError(t, err)
	require.Empty(t, list)
	b.port(want)
}

func hostDeletion(t *testing.T, b *bed) {
	h, br := b.bindable(), b.bridge()
	p := b.port(sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(br.ID), Host: h.ID, Interface: "veth1"})
	require.ErrorIs(t, b.DeleteHost(b.ctx(), h.ID), sdn.ErrForbidden)
	require.NoError(t, b.Unbind(b.ctx(), p.ID))
	require.NoError(t, b.DeleteHost(b.ctx(), h.ID))
	require.ErrorIs(t, b.DeleteHost(b.ctx(), h.ID), sdn.ErrNotFound)
}

func tunnelZones(t *testing.T, b *bed) {
	z, other := b.zone(), b.zone()
	_, err := b.CreateTunnelZone(b.ctx(), sdn.TunnelZone{Name: z.Name, Type: "gre"})
	require.ErrorIs(t, err, sdn.ErrConflict, "the name is taken")
	_, err = b.CreateTunnelZone(b.ctx(), sdn.TunnelZone{ID: z.ID, Name: "zone-" + sdn.NewID[string](), Type: "gre"})
	require.ErrorIs(t, err, sdn.ErrExists)
	_, err = b.CreateTunnelZone(b.ctx(), sdn.TunnelZone{Type: "gre"})
	require.ErrorIs(t, err, sdn.ErrInvalid, "no name")
	_, err = b.CreateTunnelZone(b.ctx(), sdn.TunnelZone{Name: "zone-" + sdn.NewID[string](), Type: "ipip"})
	require.ErrorIs(t, err, sdn.ErrInvalid, "no such type")

	require.NoError(t, b.UpdateTunnelZone(b.ctx(), z), "with its own name")
	z.Type = "gre"
	require.NoError(t, b.UpdateTunnelZone(b.ctx(), z))
	got, err := b.TunnelZone(b.ctx(), z.ID)
	require.NoError(t, err)
	require.Equal(t, z, got)
	taken := other
	taken.Name = z.Name
	require.ErrorIs(t, b.UpdateTunnelZone(b.ctx(), taken), sdn.ErrConflict)
	list, err := b.TunnelZones(b.ctx())
	require.NoError(t, err)
	require.Contains(t, list, z)
	require.Contains(t, list, other)
	require.NoError(t, b.DeleteTunnelZone(b.ctx(), z.ID))
	_, err = b.TunnelZone(b.ctx(), z.ID)
	require.ErrorIs(t, err, sdn.ErrNotFound)
	idempotent(t, b.DeleteTunnelZone(b.ctx(), z.ID))
}

func tunnelZoneHosts(t *testing.T, b *bed) {
	z, h := b.zone(), b.host()
	m := sdn.TunnelZoneHost{Zone: z.ID, Host: h.ID, Address: netip.MustParseAddr("192.0.2.7")}
	require.NoError(t, b.AddTunnelZoneHost(b.ctx(), m))
	require.ErrorIs(t, b.AddTunnelZoneHost(b.ctx(), m), sdn.ErrExists)
	require.ErrorIs(t, b.AddTunnelZoneHost(b.ctx(), sdn.TunnelZoneHost{Zone: z.ID, Host: h.ID}), sdn.ErrInvalid)
	require.ErrorIs(t, b.AddTunnelZoneHost(b.ctx(), sdn.TunnelZoneHost{Zone: z.ID, Host: sdn.NewID[sdn.HostID](), Address: m.Address}), sdn.ErrNotFound)
	require.ErrorIs(t, b.AddTunnelZoneHost(b.ctx(), sdn.TunnelZoneHost{Zone: sdn.NewID[sdn.TunnelZoneID](), Host: h.ID, Address: m.Address}), sdn.ErrNotFound)
	got, err := b.TunnelZoneHost(b.ctx(), z.ID, h.ID)
	require.NoError(t, err)
	require.Equal(t, m, got)
	list, err := b.TunnelZoneHosts(b.ctx(), z.ID)
	require.NoError(t, err)
	require.Equal(t, []sdn.TunnelZoneHost{m}, list)
	require.NoError(t, b.RemoveTunnelZoneHost(b.ctx(), z.ID, h.ID))
	require.ErrorIs(t, b.RemoveTunnelZoneHost(b.ctx(), z.ID, h.ID), sdn.ErrNotFound)
	_, err = b.TunnelZoneHost(b.ctx(), z.ID, h.ID)
	require.ErrorIs(t, err, sdn.ErrNotFound)
}
