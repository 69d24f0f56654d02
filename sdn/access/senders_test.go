package access_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/access"
	"github.com/moatnet/moat/sdn/topology"
)

// A tenant must not take away what keeps its pods from forging, nor name who may.
func TestSendersAreForAdminsAlone(t *testing.T) {
	topo := topology.NewMemory(topology.Options{})
	t.Cleanup(func() { require.NoError(t, topo.Close()) })
	ctx := t.Context()
	owner := access.For(topo, access.Identity{User: "u", Tenant: "red", Role: access.TenantAdmin})
	b, err := owner.CreateBridge(ctx, sdn.Bridge{})
	require.NoError(t, err)
	pod := sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(b.ID), Senders: []sdn.Sender{{MAC: "02:00:00:00:00:01"}}}
	_, err = owner.CreatePort(ctx, pod)
	require.ErrorIs(t, err, sdn.ErrForbidden)
	require.ErrorContains(t, err, "senders of ports")

	pod, err = topo.CreatePort(ctx, pod)
	require.NoError(t, err)
	for _, other := range [][]sdn.Sender{nil, {{MAC: "02:00:00:00:00:02"}}, append(pod.Senders[:1:1], sdn.Sender{MAC: "02:00:00:00:00:02"})} {
		changed := pod
		changed.Senders = other
		require.ErrorIs(t, owner.UpdatePort(ctx, changed), sdn.ErrForbidden, "%v", other)
	}
	pod.AdminStateUp = true
	require.NoError(t, owner.UpdatePort(ctx, pod), "all else is the tenant's own affair")
	got, err := topo.Port(ctx, pod.ID)
	require.NoError(t, err)
	require.True(t, got.AdminStateUp)
	require.Len(t, got.Senders, 1)
}
