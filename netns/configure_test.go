package netns_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/moatnet/moat/netns"
)

func TestConfigureRefuses(t *testing.T) {
	host, pod := newHost(t), newSpace(t)
	v := wanted(host, pod)
	require.ErrorIs(t, netns.Configure(t.Context(), v), netns.ErrMissing)
	without := v
	without.PodNS = nil
	require.ErrorIs(t, netns.Configure(t.Context(), without), netns.ErrNoNamespace)
	pod.foreign(t, "eth0", "another's")
	require.ErrorIs(t, netns.Configure(t.Context(), v), netns.ErrForeign)
}

// A pair is made up and without addresses, and gets them later.
func TestConfigureAfterMake(t *testing.T) {
	host, pod := newHost(t), newSpace(t)
	full := wanted(host, pod)
	bare := full
	bare.Addresses, bare.Gateway, bare.Routes = nil, netip.Addr{}, nil
	_, err := netns.Make(t.Context(), bare)
	require.NoError(t, err)
	require.Equal(t, netlink.LinkOperState(netlink.OperUp), pod.link(t, "eth0").Attrs().OperState)
	require.ErrorIs(t, netns.Check(t.Context(), full), netns.ErrMissing)
	require.Empty(t, pod.gateways(t))

	require.NoError(t, netns.Configure(t.Context(), full))
	require.NoError(t, netns.Check(t.Context(), full))
	require.Less(t, reply(t, host, pod), time.Second)
	require.Error(t, netns.Configure(t.Context(), full), "it has them")
}
