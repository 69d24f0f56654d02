package client_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/sdntest"
	"github.com/moatnet/moat/sdn/wire"
)

func TestSendersOfPortsGoToTheServerAndBack(t *testing.T) {
	c := sdntest.Start(t).Client(t)
	b, err := c.CreateBridge(t.Context(), sdn.Bridge{})
	require.NoError(t, err)
	p, err := c.CreatePort(t.Context(), sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(b.ID),
		Senders: []sdn.Sender{{MAC: "0a:58:0a:80:00:02", Addrs: []netip.Addr{netip.MustParseAddr("10.128.0.2")}}}})
	require.NoError(t, err)
	require.Len(t, p.Senders, 1)
	got, err := c.Port(t.Context(), p.ID)
	require.NoError(t, err)
	require.Equal(t, p, got)
	p.Senders = nil
	require.NoError(t, c.UpdatePort(t.Context(), p))
	got, err = c.Port(t.Context(), p.ID)
	require.NoError(t, err)
	require.Empty(t, got.Senders, "an update replaces them")
}

// Pods are attached all the same where the server has no such list.
func TestSendersAreLeftOutWhereTheServerHasNoneSuch(t *testing.T) {
	c := sdntest.Start(t, sdntest.WithRelease(wire.V1)).Client(t)
	b, err := c.CreateBridge(t.Context(), sdn.Bridge{Name: "b", TenantID: "red"})
	require.NoError(t, err)
	p, err := c.CreatePort(t.Context(), sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(b.ID), Senders: []sdn.Sender{{MAC: "0a:58:0a:80:00:02"}}})
	require.NoError(t, err)
	require.Empty(t, p.Senders)
}
