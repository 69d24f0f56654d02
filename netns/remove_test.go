package netns_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/containernetworking/plugins/pkg/testutils"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/moatnet/moat/netns"
)

func TestRemoveLeavesForeignInterfaces(t *testing.T) {
	host := newHost(t)
	host.foreign(t, "moat00000000001", "mine")
	err := netns.Remove(t.Context(), host.Path(), "moat00000000001", stamp)
	require.ErrorIs(t, err, netns.ErrForeign)
	require.Contains(t, host.links(t), "moat00000000001")
}

func TestRemoveOfWhatIsGone(t *testing.T) {
	host := newHost(t)
	require.NoError(t, netns.Remove(t.Context(), host.Path(), "moat00000000001", stamp))
	require.NoError(t, netns.Remove(t.Context(), "/run/netns/moat-gone", "moat00000000001", stamp))
	plain := filepath.Join(t.TempDir(), "plain") // what a pin leaves behind that was unmounted
	require.NoError(t, os.WriteFile(plain, nil, 0o600))
	require.NoError(t, netns.Remove(t.Context(), plain, "moat00000000001", stamp))
}

func TestRemoveWithEndedContext(t *testing.T) {
	host, pod := newHost(t), newSpace(t)
	v := wanted(host, pod)
	_, err := netns.Make(t.Context(), v)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, netns.Remove(ctx, v.HostNS, v.HostName, v.HostAlias), context.Canceled)
	require.Contains(t, host.links(t), v.HostName)
}

func TestRemove(t *testing.T) {
	host, pod := newHost(t), newSpace(t)
	v := wanted(host, pod)
	for range 5 {
		_, err := netns.Make(t.Context(), v)
		require.NoError(t, err)
		require.NoError(t, netns.Remove(t.Context(), v.HostNS, v.HostName, v.HostAlias))
		require.Equal(t, []string{bridgeName}, host.links(t))
		require.Empty(t, pod.links(t))
		require.NoError(t, netns.Remove(t.Context(), v.HostNS, v.HostName, v.HostAlias))
	}
}

func TestRemoveAfterThePodsNamespaceIsGone(t *testing.T) {
	host := newHost(t)
	pod, err := testutils.NewNS()
	require.NoError(t, err)
	v := wanted(host, &space{NetNS: pod, file: openFile(t, pod.Path())})
	_, err = netns.Make(t.Context(), v)
	require.NoError(t, err)
	require.NoError(t, v.PodNS.Close())
	require.NoError(t, pod.Close())
	unpin(t, pod.Path())
	require.NoError(t, netns.Remove(t.Context(), v.HostNS, v.HostName, v.HostAlias))
	require.Equal(t, []string{bridgeName}, host.links(t))
}

func TestCheckFindsWhatIsMissing(t *testing.T) {
	tests := map[string]func(host, pod *space) error{
		"pod interface down": func(_, pod *space) error { return netlink.LinkSetDown(pod.link(t, "eth0")) },
		"pod interface gone": func(_, pod *space) error { return netlink.LinkDel(pod.link(t, "eth0")) },
		"address gone": func(_, pod *space) error {
			return netlink.AddrDel(pod.link(t, "eth0"), mustAddr(t, "10.9.0.2/24"))
		},
		"default route gone": func(_, pod *space) error {
			return netlink.RouteDel(&netlink.Route{Gw: net.IPv4(10, 9, 0, 1)})
		},
		"MTU changed though it was given": func(_, pod *space) error { return netlink.LinkSetMTU(pod.link(t, "eth0"), 1300) },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			host, pod := newHost(t), newSpace(t)
			v := wanted(host, pod)
			_, err := netns.Make(t.Context(), v)
			require.NoError(t, err)
			pod.do(t, func() { require.NoError(t, spoil(host, pod)) })
			require.ErrorIs(t, netns.Check(t.Context(), v), netns.ErrMissing)
		})
	}
}

func TestCheckFindsTheHostEndChanged(t *testing.T) {
	tests := map[string]struct {
		spoil func(l netlink.Link) error
		want  error
	}{
		"off its bridge": {netlink.LinkSetNoMaster, netns.ErrMissing},
		"down":           {netlink.LinkSetDown, netns.ErrMissing},
		"alias changed":  {func(l netlink.Link) error { return netlink.LinkSetAlias(l, "other") }, netns.ErrForeign},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			host, pod := newHost(t), newSpace(t)
			v := wanted(host, pod)
			_, err := netns.Make(t.Context(), v)
			require.NoError(t, err)
			end := host.link(t, v.HostName)
			host.do(t, func() { require.NoError(t, test.spoil(end)) })
			require.ErrorIs(t, netns.Check(t.Context(), v), test.want)
		})
	}
}

func TestCheckToleratesChangesOfLaterPlugins(t *testing.T) {
	host, pod := newHost(t), newSpace(t)
	v := wanted(host, pod)
	_, err := netns.Make(t.Context(), v)
	require.NoError(t, err)
	end := pod.link(t, "eth0")
	pod.do(t, func() { require.NoError(t, netlink.LinkSetMTU(end, 1300)) })
	v.MTU = 0
	require.NoError(t, netns.Check(t.Context(), v))
}

// Where a plugin makes pairs in its own namespace, one that it could not stamp before
// it was killed is removed as one that is stamped; what others made is not.
func TestInTheCallersNamespaceAPairThatWasNeverStampedIsOurs(t *testing.T) {
	host, pod := newHost(t), newSpace(t)
	v := wanted(host, pod)
	v.HostNS = ""
	remove := func() (err error) {
		host.do(t, func() { err = netns.Remove(t.Context(), "", v.HostName, v.HostAlias) })
		return err
	}
	host.foreign(t, v.HostName, "")
	require.ErrorIs(t, remove(), netns.ErrForeign, "a bridge")
	host.do(t, func() {
		require.NoError(t, netlink.LinkDel(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: v.HostName}}))
	})
	host.do(t, func() {
		require.NoError(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: v.HostName}, PeerName: "other"}))
	})
	require.ErrorIs(t, remove(), netns.ErrForeign, "both ends are here")
	host.do(t, func() {
		require.NoError(t, netlink.LinkDel(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: v.HostName}}))
	})

	putHalf(t, host, pod, v.HostName, "")
	require.NoError(t, remove())
	require.Empty(t, pod.links(t))
	putHalf(t, host, pod, v.HostName, "")
	host.do(t, func() {
		_, err := netns.Make(t.Context(), v)
		require.NoError(t, err)
		require.NoError(t, netns.Check(t.Context(), v))
	})
}
