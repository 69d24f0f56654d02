package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// TestSeveralNetworksOfAPod: three networks of one pod, each by another plugin.
func TestSeveralNetworksOfAPod(t *testing.T) {
	s := newSeveral(t)
	plain, err := s.lab.NewPod("red", "plain")
	require.NoError(t, err)
	require.NoError(t, s.rt.Add(t.Context(), plain))
	require.Zero(t, s.questions(), "the source is asked for pods of blue alone")
	first := s.add("one", own(""))
	before := s.interfaces(s.host)

	address := first.Address.Next().Next().Next()
	p := s.add("three", own(address.String()), storage("10.77.0.33"), backup())
	require.Equal(t, address, p.Address, "the one that was asked for")
	require.Len(t, p.Result.IPs, 1)
	require.Equal(t, []string{"eth0", "lo", "net1", "net2"}, s.interfaces(p.Namespace))
	require.Len(t, p.Result.Interfaces, 5, "eth0, net1 and net2, and two ends on the host")
	other := s.add("other", own(""), storage("10.77.0.34"))

	s.reaches(p.Namespace, first.Address)
	s.reaches(p.Namespace, outsideAddr.Addr())
	s.reaches(p.Namespace, netip.MustParseAddr("10.77.0.34"))
	s.reaches(p.Namespace, netip.MustParseAddr("10.78.0.1"))
	s.reachesNot(plain.Namespace, p.Address)
	require.NoError(t, s.rt.Check(t.Context(), p))
	result := p.Result
	require.NoError(t, s.rt.Add(t.Context(), p))
	require.Equal(t, result, p.Result, "a repeated ADD answers the same")

	require.NoError(t, p.Do(func() error {
		link, err := netlink.LinkByName("net1")
		require.NoError(t, err)
		return netlink.LinkDel(link)
	}))
	require.ErrorContains(t, s.rt.Check(t.Context(), p), `network "storage", interface net1`)

	require.NoError(t, s.daemon.Kill())
	s.source.CloseClientConnections()
	require.NoError(t, s.daemon.Start(t.Context()))
	asked := s.questions()
	require.NoError(t, s.rt.Del(t.Context(), other))
	p.Args.NetNS = "" // as when the namespace is gone
	for range 2 {
		require.NoError(t, s.rt.Del(t.Context(), p))
	}
	require.Equal(t, asked, s.questions(), "DEL asks nobody")
	require.NoError(t, p.Namespace.Remove())
	require.Eventually(t, func() bool { return slices.Equal(before, s.interfaces(s.host)) }, time.Minute, 20*time.Millisecond)
	require.Empty(t, s.held())
	again := s.add("again", own(address.String()), storage("10.77.0.33"))
	require.NoError(t, s.rt.Check(t.Context(), again), "both addresses are free")
	for _, p := range []*lab.Pod{again, first, plain} {
		require.NoError(t, s.rt.Del(t.Context(), p))
	}
}

// TestAMasterOfAnotherPlugin: a pod without its tenant's network.
func TestAMasterOfAnotherPlugin(t *testing.T) {
	s := newSeveral(t)
	t.Cleanup(func() { require.NoError(t, s.host.CutLink("lan0")) })
	p := s.add("lan", network{"type": "lan", "master": true, "podIp": "10.79.0.5", "subnetMask": "255.255.255.0", "gateway": "10.79.0.1"}, backup())
	require.Equal(t, netip.MustParseAddr("10.79.0.5"), p.Address)
	require.Equal(t, netip.MustParseAddr("10.79.0.1"), p.Gateway)
	require.Len(t, p.Result.Routes, 1, "a default route")
	s.reaches(p.Namespace, netip.MustParseAddr("10.79.0.1"))
	s.reaches(p.Namespace, hostAddr.Addr())
	s.reaches(p.Namespace, netip.MustParseAddr("10.78.0.1"))
	require.NoError(t, s.rt.Check(t.Context(), p))

	keep := libcni.GCArgs{ValidAttachments: []types.GCAttachment{}}
	before := s.interfaces(s.host)
	require.NoError(t, s.host.Do(func() error { return s.rt.CNI.GCNetworkList(t.Context(), s.rt.List, &keep) }))
	require.Equal(t, []string{"lo"}, s.interfaces(p.Namespace))
	require.Len(t, s.interfaces(s.host), len(before)-2, "both pairs are gone")
	require.Empty(t, s.held())
}

// TestANetworkThatFailsLeavesNothing: each in its turn.
func TestANetworkThatFailsLeavesNothing(t *testing.T) {
	s := newSeveral(t)
	holder := s.add("holder", own(""), storage("10.77.0.33"))
	before := s.interfaces(s.host)
	i := 0
	for name, test := range map[string]struct {
		networks []network
		code     uint
		says     string
	}{
		"an address of another pod": {[]network{own(""), backup(), storage("10.77.0.33")}, 103, `network "storage", interface net1`},
		"the tenant's own, last":    {[]network{storage("10.77.0.40"), backup(), own(holder.Address.String())}, 103, "holder"},
		"a subnet that is not its":  {[]network{own(""), backup(), {"type": "storage", "ifName": "net1", "podIp": "10.77.0.40/16"}}, 7, "wants the address 10.77.0.40/16, the network gave 10.77.0.40/24"},
		"an address of no range":    {[]network{own(""), backup(), {"type": "storage", "ifName": "net1", "podIp": "10.99.0.1/24"}}, 7, `network "storage"`},
		"a network nobody has":      {[]network{own(""), {"type": "none", "ifName": "net1"}}, 7, `network "none" is not in networkSource.networksDir`},
	} {
		t.Run(name, func(t *testing.T) {
			i++
			pod := fmt.Sprintf("failing%d", i)
			p := s.gets(pod, test.networks...)
			var failure *types.Error
			require.ErrorAs(t, s.rt.Add(t.Context(), p), &failure)
			require.Equal(t, test.code, failure.Code, "%v", failure)
			require.Contains(t, failure.Error(), test.says)
			require.Contains(t, failure.Error(), "blue/"+pod)
			require.Equal(t, []string{"lo"}, s.interfaces(p.Namespace))
			require.Equal(t, before, s.interfaces(s.host))
			require.Empty(t, s.held())
			require.NoError(t, s.rt.Del(t.Context(), p), "as runtimes do after a failed ADD")
		})
	}
	unknown, err := s.lab.NewPod("blue", "unknown")
	require.NoError(t, err)
	require.ErrorContains(t, s.rt.Add(t.Context(), unknown), `code 404, message "no such pod"`)
	require.NoError(t, s.rt.Del(t.Context(), holder))
	s.source.Close()
	var passing *types.Error
	require.ErrorAs(t, s.rt.Add(t.Context(), unknown), &passing)
	require.EqualValues(t, 11, passing.Code)
	require.NotContains(t, passing.Error(), sourceToken)
	s.keepsSecret(sourceToken, s.lab.Dir+"/token")
}

// TestAKilledAddOfSeveralNetworksIsUndone: the daemon and the plugin die while the
// third network is made.
func TestAKilledAddOfSeveralNetworksIsUndone(t *testing.T) {
	s := newSeveral(t)
	first := s.add("one", own(""))
	before := s.interfaces(s.host)
	slow := network{"type": "slow", "ifName": "net3"}

	p := s.gets("daemon", own(""), backup(), slow)
	ended := make(chan error, 1)
	go func() { ended <- s.rt.Add(context.WithoutCancel(t.Context()), p) }()
	require.Eventually(t, func() bool { return len(s.held()) == 1 }, time.Minute, 10*time.Millisecond)
	require.NoError(t, s.daemon.Kill())
	require.Error(t, <-ended)
	require.NoError(t, s.daemon.Start(t.Context()))
	s.mu.Lock()
	s.data["daemon"] = []network{own(""), storage("10.77.0.50")}
	s.mu.Unlock()
	require.NoError(t, s.rt.Add(t.Context(), p), "the runtime tries again, and the source has another answer by then")
	require.Equal(t, []string{"eth0", "lo", "net1"}, s.interfaces(p.Namespace))
	require.Empty(t, s.held())
	require.NoError(t, s.rt.Del(t.Context(), p))

	p = s.gets("plugin", own(""), backup(), slow)
	call, give := context.WithCancel(t.Context())
	go func() { ended <- s.rt.Add(call, p) }()
	require.Eventually(t, func() bool { return len(s.held()) == 1 }, time.Minute, 10*time.Millisecond)
	give() // the runtime kills moat-cni
	require.Error(t, <-ended)
	require.Eventually(t, func() bool { return len(s.recorded()) == 1 }, time.Minute, 20*time.Millisecond,
		"nobody sends a DEL; what is recorded of the pod goes last, and that of the first one stays")
	require.Equal(t, before, s.interfaces(s.host))
	require.NoError(t, s.rt.Del(t.Context(), first))
	s.nothingOf(p, s.interfaces(s.host))
}
