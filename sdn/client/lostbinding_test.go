package client_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/sdntest"
)

func TestLostAnswersOfBindingsAreSuccesses(t *testing.T) {
	e := sdntest.Start(t)
	c := e.Client(t)
	ctx := t.Context()
	h, err := c.CreateHost(ctx, sdn.Host{ID: sdn.NewID[sdn.HostID](), FloodingProxyWeight: 1, ContainerWeight: 1, ContainerLimit: -1})
	require.NoError(t, err)
	z, err := c.CreateTunnelZone(ctx, sdn.TunnelZone{Name: "z", Type: "gre"})
	require.NoError(t, err)
	br, err := c.CreateBridge(ctx, sdn.Bridge{})
	require.NoError(t, err)
	p, err := c.CreatePort(ctx, sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(br.ID)})
	require.NoError(t, err)

	m := sdn.TunnelZoneHost{Zone: z.ID, Host: h.ID, Address: netip.MustParseAddr("192.0.2.1")}
	e.Inject(sdntest.Fault{Method: "POST", Path: "/tunnel_zones/*/hosts", Times: 1, Effect: sdntest.ResetAfter})
	require.NoError(t, c.AddTunnelZoneHost(ctx, m))
	require.ErrorIs(t, c.AddTunnelZoneHost(ctx, m), sdn.ErrExists, "a second one by intent")

	b := sdn.Binding{Host: h.ID, Port: p.ID, Interface: "eth0"}
	e.Inject(sdntest.Fault{Method: "POST", Path: "/hosts/*/ports", Times: 1, Effect: sdntest.ResetAfter})
	require.NoError(t, c.Bind(ctx, b))
	require.ErrorIs(t, c.Bind(ctx, b), sdn.ErrConflict)
	e.Inject(sdntest.Fault{Method: "DELETE", Path: "/hosts/*/ports/*", Times: 1, Effect: sdntest.ResetAfter})
	require.NoError(t, c.Unbind(ctx, p.ID))
}
