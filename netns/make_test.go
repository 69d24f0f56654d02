package netns_test

import (
	"context"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/netns"
)

func TestMakeRefuses(t *testing.T) {
	plain, err := os.CreateTemp(t.TempDir(), "plain")
	require.NoError(t, err)
	t.Cleanup(func() { plain.Close() })

	tests := map[string]struct {
		prepare func(t *testing.T, host, pod *space, v *netns.Veth)
		want    error
	}{
		"pod has a foreign interface of that name": {func(t *testing.T, _, pod *space, _ *netns.Veth) {
			pod.foreign(t, "eth0", "")
		}, netns.ErrInterfaceExists},
		"pod has another port's interface of that name": {func(t *testing.T, _, pod *space, _ *netns.Veth) {
			pod.foreign(t, "eth0", "moat:test:port:another")
		}, netns.ErrInterfaceExists},
		"host has a foreign interface of that name": {func(t *testing.T, host, _ *space, v *netns.Veth) {
			host.foreign(t, v.HostName, "mine")
		}, netns.ErrForeign},
		"host namespace is gone": {func(_ *testing.T, _, _ *space, v *netns.Veth) {
			v.HostNS = "/run/netns/moat-gone"
		}, netns.ErrNoNamespace},
		"host namespace is a plain file": {func(_ *testing.T, _, _ *space, v *netns.Veth) {
			v.HostNS = plain.Name()
		}, netns.ErrNoNamespace},
		"pod namespace is a plain file": {func(_ *testing.T, _, _ *space, v *netns.Veth) {
			v.PodNS = plain
		}, netns.ErrNoNamespace},
		"no pod namespace": {func(_ *testing.T, _, _ *space, v *netns.Veth) {
			v.PodNS = nil
		}, netns.ErrNoNamespace},
		"no such bridge": {func(_ *testing.T, _, _ *space, v *netns.Veth) {
			v.Master = "br9"
		}, unix.ENODEV},
		"same address twice": {func(_ *testing.T, _, _ *space, v *netns.Veth) {
			v.Addresses = append(v.Addresses, v.Addresses[0])
		}, unix.EEXIST},
		"pod has a default route": {func(t *testing.T, _, pod *space, _ *netns.Veth) {
			pod.do(t, func() {
				lo, err := netlink.LinkByName("lo")
				require.NoError(t, err)
				require.NoError(t, netlink.LinkSetUp(lo))
				require.NoError(t, netlink.RouteAdd(&netlink.Route{LinkIndex: lo.Attrs().Index, Dst: &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}, Scope: netlink.SCOPE_LINK}))
			})
		}, netns.ErrRouteExists},
		"gateway of another family than the route": {func(_ *testing.T, _, _ *space, v *netns.Veth) {
			v.Routes = []netip.Prefix{netip.MustParsePrefix("fd00::/8")}
		}, unix.ERANGE},
		"MTU out of range": {func(_ *testing.T, _, _ *space, v *netns.Veth) {
			v.MTU = 1 << 20
		}, unix.EINVAL},
		"multicast MAC": {func(_ *testing.T, _, _ *space, v *netns.Veth) {
			v.PodMAC = net.HardwareAddr{1, 0, 0, 0, 0, 1}
		}, unix.EADDRNOTAVAIL},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			host, pod := newHost(t), newSpace(t)
			v := wanted(host, pod)
			test.prepare(t, host, pod, &v)
			before := append(host.links(t), pod.links(t)...)
			_, err := netns.Make(t.Context(), v)
			require.ErrorIs(t, err, test.want)
			require.ElementsMatch(t, before, append(host.links(t), pod.links(t)...), "a failed Make leaves nothing behind")
		})
	}
}

func TestMakeWithEndedContext(t *testing.T) {
	host, pod := newHost(t), newSpace(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := netns.Make(ctx, wanted(host, pod))
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, []string{bridgeName}, host.links(t))
}

func TestMake(t *testing.T) {
	host, pod := newHost(t), newSpace(t)
	v := wanted(host, pod)
	made, err := netns.Make(t.Context(), v)
	require.NoError(t, err)

	end := host.link(t, v.HostName).Attrs()
	require.Equal(t, made.HostIndex, end.Index)
	require.Equal(t, made.HostMAC, end.HardwareAddr)
	require.Equal(t, stamp, end.Alias)
	require.Equal(t, 1400, end.MTU)
	require.Equal(t, host.link(t, bridgeName).Attrs().Index, end.MasterIndex)
	require.Equal(t, netlink.LinkOperState(netlink.OperUp), end.OperState)

	end = pod.link(t, "eth0").Attrs()
	require.Equal(t, made.PodIndex, end.Index)
	require.Equal(t, made.PodMAC, end.HardwareAddr)
	require.Equal(t, 1400, end.MTU)
	require.NotZero(t, pod.link(t, "lo").Attrs().Flags&net.FlagUp)
	require.Equal(t, map[string]string{"0.0.0.0/0": "10.9.0.1", "172.20.0.0/16": "10.9.0.1"}, pod.gateways(t))
	require.NoError(t, netns.Check(t.Context(), v))
}

func TestMakeKeepsGivenMACs(t *testing.T) {
	host, pod := newHost(t), newSpace(t)
	v := wanted(host, pod)
	v.HostMAC, v.PodMAC = net.HardwareAddr{2, 0, 0, 0, 1, 1}, net.HardwareAddr{2, 0, 0, 0, 1, 2}
	made, err := netns.Make(t.Context(), v)
	require.NoError(t, err)
	require.Equal(t, v.HostMAC, made.HostMAC)
	require.Equal(t, v.PodMAC, pod.link(t, "eth0").Attrs().HardwareAddr)
	require.NoError(t, netns.Check(t.Context(), v))
}

func TestMakeWithoutBridgeOrGateway(t *testing.T) {
	host, pod := newSpace(t), newSpace(t)
	v := wanted(host, pod)
	v.Master, v.Gateway, v.MTU = "", netip.Addr{}, 0
	_, err := netns.Make(t.Context(), v)
	require.NoError(t, err)
	require.Empty(t, pod.gateways(t))
	require.NoError(t, netns.Check(t.Context(), v))
}

func TestMakeInTheCallersNamespace(t *testing.T) {
	host, pod := newHost(t), newSpace(t)
	v := wanted(host, pod)
	v.HostNS = ""
	host.do(t, func() {
		_, err := netns.Make(t.Context(), v)
		require.NoError(t, err)
		require.NoError(t, netns.Check(t.Context(), v))
		require.NoError(t, netns.Remove(t.Context(), "", v.HostName, v.HostAlias))
	})
	require.Equal(t, []string{bridgeName}, host.links(t))
}

func TestMakeDualStackAndOnLinkGateway(t *testing.T) {
	host, pod := newHost(t), newSpace(t)
	v := wanted(host, pod)
	v.Addresses = []netip.Prefix{netip.MustParsePrefix("10.9.0.2/32"), netip.MustParsePrefix("fd00:9::2/64")}
	_, err := netns.Make(t.Context(), v)
	require.NoError(t, err)
	require.NoError(t, netns.Check(t.Context(), v))
	require.Less(t, reply(t, host, pod), time.Second)
}

func TestMakeReplacesOurLeftover(t *testing.T) {
	host, pod := newHost(t), newSpace(t)
	v := wanted(host, pod)
	first, err := netns.Make(t.Context(), v)
	require.NoError(t, err)
	second, err := netns.Make(t.Context(), v)
	require.NoError(t, err)
	require.NotEqual(t, first.HostMAC, second.HostMAC)
	require.NoError(t, netns.Check(t.Context(), v))
}

func TestMakeReplacesOurLeftoverOfAnotherHome(t *testing.T) {
	before, host, pod := newHost(t), newHost(t), newSpace(t)
	v := wanted(before, pod)
	_, err := netns.Make(t.Context(), v)
	require.NoError(t, err)
	v.HostNS = host.Path()
	_, err = netns.Make(t.Context(), v)
	require.NoError(t, err)
	require.NoError(t, netns.Check(t.Context(), v))
	require.Equal(t, []string{bridgeName}, before.links(t))
}

// putHalf makes a pair as it is when its maker dies before it stamps it.
func putHalf(t *testing.T, host, pod *space, hostName, master string) {
	host.do(t, func() {
		v := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: hostName}, PeerName: "eth0", PeerNamespace: netlink.NsFd(int(pod.file.Fd()))}
		if master != "" {
			bridge, err := netlink.LinkByName(master)
			require.NoError(t, err)
			v.MasterIndex = bridge.Attrs().Index
		}
		require.NoError(t, netlink.LinkAdd(v))
	})
}

// An ADD that is repeated may be for another bridge, and its pair have another name.
func TestMakeReplacesAPairOfAnotherNameThatWasNeverFinished(t *testing.T) {
	host, pod := newHost(t), newSpace(t)
	putHalf(t, host, pod, "moat00000000009", bridgeName)
	v := wanted(host, pod)
	_, err := netns.Make(t.Context(), v)
	require.NoError(t, err)
	require.NoError(t, netns.Check(t.Context(), v))
	require.ElementsMatch(t, []string{bridgeName, v.HostName}, host.links(t))
}

func TestMakeLeavesUnfinishedPairsOfOthers(t *testing.T) {
	for name, put := range map[string]func(host, other, pod *space){
		"elsewhere":               func(_, other, pod *space) { putHalf(t, other, pod, "moat00000000009", bridgeName) },
		"there, but on no bridge": func(host, _, pod *space) { putHalf(t, host, pod, "moat00000000009", "") },
	} {
		t.Run(name, func(t *testing.T) {
			host, other, pod := newHost(t), newHost(t), newSpace(t)
			put(host, other, pod)
			_, err := netns.Make(t.Context(), wanted(host, pod))
			require.ErrorIs(t, err, netns.ErrInterfaceExists)
			require.Equal(t, []string{"eth0"}, pod.links(t))
		})
	}
}

// The first packet after Make is answered: nothing waits for a second try,
// which the kernel's ARP makes after a second.
func TestFirstPacketPasses(t *testing.T) {
	late := 0 // a machine that is busy elsewhere stops us, now and then
	for range 20 {
		host, pod := newHost(t), newSpace(t)
		_, err := netns.Make(t.Context(), wanted(host, pod))
		require.NoError(t, err)
		if reply(t, host, pod) >= 500*time.Millisecond {
			late++
		}
	}
	require.LessOrEqual(t, late, 2)
}

// A pod that gets the address of an earlier one is reached at once by those who
// remember the other's MAC. It is another pod that remembers: the kernel makes
// the bridge's own neighbours forget when it says, late, that it had no carrier.
func TestNeighboursLearnTheNewMAC(t *testing.T) {
	host, pod, neighbour := newHost(t), newSpace(t), newSpace(t)
	other := wanted(host, neighbour)
	other.HostName, other.HostAlias = "moat00000000002", stamp+"2"
	other.Addresses = []netip.Prefix{netip.MustParsePrefix("10.9.0.3/24")}
	there, err := netns.Make(t.Context(), other)
	require.NoError(t, err)
	address := net.IPv4(10, 9, 0, 2)
	neighbour.do(t, func() {
		require.NoError(t, netlink.NeighAdd(&netlink.Neigh{LinkIndex: there.PodIndex, Family: netlink.FAMILY_V4,
			State: netlink.NUD_REACHABLE, IP: address, HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 9, 9}}))
	})
	made, err := netns.Make(t.Context(), wanted(host, pod))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		learned := false
		neighbour.do(t, func() {
			all, err := netlink.NeighList(there.PodIndex, netlink.FAMILY_V4)
			require.NoError(t, err)
			for _, n := range all {
				learned = learned || n.IP.Equal(address) && n.HardwareAddr.String() == made.PodMAC.String()
			}
		})
		return learned
	}, 10*time.Second, time.Millisecond)
}
