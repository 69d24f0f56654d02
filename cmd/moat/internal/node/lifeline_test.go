package node

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/topology"
)

func TestTheHostsOwnWayOutCannotBeBound(t *testing.T) {
	host := cabledHost(t)
	topo := topology.NewMemory(topology.Options{AllowDeadHosts: true})
	t.Cleanup(func() { require.NoError(t, topo.Close()) })
	own, other := sdn.NewID[sdn.HostID](), sdn.NewID[sdn.HostID]()
	zone, err := topo.CreateTunnelZone(t.Context(), sdn.TunnelZone{ID: sdn.NewID[sdn.TunnelZoneID](), Name: "z", Type: "gre"})
	require.NoError(t, err)
	for id, name := range map[sdn.HostID]string{own: "own", other: "other"} {
		_, err := topo.CreateHost(t.Context(), sdn.Host{ID: id, Name: name})
		require.NoError(t, err)
		address := netip.AddrFrom4([4]byte{192, 0, 2, byte(len(name))})
		require.NoError(t, topo.AddTunnelZoneHost(t.Context(), sdn.TunnelZoneHost{Zone: zone.ID, Host: id, Address: address}))
	}
	bridge, err := topo.CreateBridge(t.Context(), sdn.Bridge{ID: sdn.NewID[sdn.BridgeID](), TenantID: "blue", Name: "b", AdminStateUp: true})
	require.NoError(t, err)
	api := guarded{topo, lifeline{host: own}}
	bind := func(api sdn.API, to sdn.HostID, iface string) error {
		p := sdn.Port{ID: sdn.NewID[sdn.PortID](), Kind: sdn.BridgePort, Device: sdn.DeviceID(bridge.ID), AdminStateUp: true}
		if _, err := api.CreatePort(t.Context(), p); err != nil {
			return err
		}
		defer func() { require.NoError(t, api.DeletePort(t.Context(), p.ID)) }()
		return host.Do(func() error { return api.Bind(t.Context(), sdn.Binding{Host: to, Port: p.ID, Interface: iface}) })
	}
	require.NoError(t, bind(api, own, "eth0"), "an interface without the default route")
	require.NoError(t, host.Route(netip.MustParsePrefix("0.0.0.0/0"), netip.MustParseAddr("10.130.0.2")))

	err = bind(api, own, "eth0")
	require.ErrorIs(t, err, sdn.ErrConflict)
	require.ErrorContains(t, err, "eth0 has this host's default route")
	for name, try := range map[string]func(sdn.Port) error{
		"create a bound port": func(p sdn.Port) error { _, err := api.CreatePort(t.Context(), p); return err },
		"update":              func(p sdn.Port) error { return api.UpdatePort(t.Context(), p) },
	} {
		p := sdn.Port{ID: sdn.NewID[sdn.PortID](), Kind: sdn.BridgePort, Device: sdn.DeviceID(bridge.ID), Host: own, Interface: "eth0"}
		require.ErrorIs(t, host.Do(func() error { return try(p) }), sdn.ErrConflict, name)
	}

	require.NoError(t, bind(api, other, "eth0"), "another host's interface")
	require.NoError(t, bind(api, own, "eth7"), "an interface that is still to come")
	require.NoError(t, bind(guarded{topo, lifeline{host: own, uplink: "eth0"}}, own, "eth0"), "the operator wants it")
}
