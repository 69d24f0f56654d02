package e2e

import (
	"fmt"
	"testing"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// beside is a pod as another network's attachment, as Multus makes it.
func beside(p *lab.Pod, ifName string) *lab.Pod {
	more, args := *p, *p.Args
	args.IfName = ifName
	more.Args = &args
	return &more
}

// TestAttachmentsOfOnePod has a pod in its tenant's network and twice in another, as
// Multus does it: none of them disturbs the others.
func TestAttachmentsOfOnePod(t *testing.T) {
	buildReference(t, "main/macvlan")
	n, ctx := newNode(t), t.Context()
	storage := n.others("storage", mainPlugins["macvlan"], `[[{"subnet":"10.77.0.0/24"}]]`)
	p := n.pod("blue", "web")
	net1, net2 := beside(p, "net1"), beside(p, "net2")
	require.NoError(t, storage.Add(ctx, net1))
	require.NoError(t, storage.Add(ctx, net2))
	require.NotEqual(t, net1.Address, net2.Address)
	all := func() {
		for _, at := range []struct {
			rt *lab.Runtime
			p  *lab.Pod
		}{{n.rt, p}, {storage, net1}, {storage, net2}} {
			require.NoError(t, at.rt.Check(ctx, at.p), at.p.Args.IfName)
		}
		n.reaches(p.Namespace, outsideAddr.Addr())
	}
	all()

	require.NoError(t, storage.Del(ctx, net1))
	require.NoError(t, storage.Check(ctx, net2))
	require.NoError(t, n.rt.Check(ctx, p))
	require.Error(t, storage.Check(ctx, net1))
	require.NoError(t, storage.Add(ctx, net1))
	require.NotEqual(t, net2.Address, net1.Address)
	all()

	// GC of one network knows nothing of the other's attachments.
	keep := libcni.GCArgs{ValidAttachments: []types.GCAttachment{{ContainerID: p.ID, IfName: "net2"}}}
	require.NoError(t, n.host.Do(func() error { return storage.CNI.GCNetworkList(ctx, storage.List, &keep) }))
	require.NoError(t, storage.Check(ctx, net2))
	require.NoError(t, n.rt.Check(ctx, p))
	require.Error(t, storage.Check(ctx, net1))
	require.NoError(t, storage.Add(ctx, net1))
	require.NoError(t, n.host.Do(func() error {
		return n.rt.CNI.GCNetworkList(ctx, n.rt.List, &libcni.GCArgs{ValidAttachments: []types.GCAttachment{{ContainerID: p.ID, IfName: "eth0"}}})
	}))
	all()

	require.NoError(t, n.rt.Del(ctx, p))
	require.NoError(t, storage.Check(ctx, net1))
	require.NoError(t, storage.Check(ctx, net2))
	for _, at := range []*lab.Pod{net1, net2, net1} {
		require.NoError(t, storage.Del(ctx, at))
	}
	require.Contains(t, n.cli("ip", "list", "-o", "json"), "[]")
}

// TestMainPluginsInEachVersion has a main plugin of the reference lease by moat-ipam
// in each version of CNI, with what that version has of CHECK and STATUS.
func TestMainPluginsInEachVersion(t *testing.T) {
	buildReference(t, "main/bridge")
	n, ctx := newNode(t), t.Context()
	t.Cleanup(func() { require.NoError(t, n.host.CutLink("lab0")) })
	versions := []string{"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"}
	var last *lab.Runtime
	for i, version := range versions {
		name := fmt.Sprint("bridge", i)
		last = n.othersIn(version, name, mainPlugins["bridge"], `[[{"subnet":"10.77.0.0/24","rangeEnd":"10.77.0.2"}]]`)
		p := n.podOf(last, name)
		require.Equal(t, "10.77.0.2", p.Address.String(), version)
		require.NoError(t, lab.Ping(p.Namespace, p.Gateway, answered), version)
		if i >= 2 {
			require.NoError(t, last.Check(ctx, p), version)
		}
		require.NoError(t, last.Del(ctx, p), version)
		again := n.podOf(last, name+"-again")
		require.Equal(t, p.Address, again.Address, "%s: DEL gave back the only one", version)
		require.NoError(t, last.Del(ctx, again), version)
	}
	status := func() error {
		return n.host.Do(func() error { return last.CNI.GetStatusNetworkList(ctx, last.List) })
	}
	require.NoError(t, status())
	require.NoError(t, n.daemon.Kill())
	var down *types.Error
	require.ErrorAs(t, status(), &down, "the main plugin asks moat-ipam")
	require.EqualValues(t, 50, down.Code)
	require.Contains(t, down.Msg, "the daemon is not running")
	require.NoError(t, n.daemon.Start(ctx))
	require.NoError(t, status())
}

// TestAMainPluginThatFails: what moat-ipam leased for it, if anything, is given back.
func TestAMainPluginThatFails(t *testing.T) {
	buildReference(t, "main/ipvlan", "main/macvlan", "main/bridge")
	n := newNode(t)
	t.Cleanup(func() { require.NoError(t, n.host.CutLink("lab0")) })
	first := n.others("first", mainPlugins["bridge"], `[[{"subnet":"10.78.0.0/24"}]]`)
	p := n.podOf(first, "first")
	for name, test := range map[string]struct{ plugin, says string }{
		"ipvlan":  {`"type":"ipvlan","master":"eth0"`, "not supported"}, // by this kernel
		"macvlan": {`"type":"macvlan","master":"nosuch0"`, "not found"},
		"bridge":  {mainPlugins["bridge"], "already has an IP address different from 10.77.0.1/24"},
	} {
		rt := n.others(name, test.plugin, `[[{"subnet":"10.77.0.0/24"}]]`)
		p, err := n.lab.NewPod("blue", name)
		require.NoError(t, err)
		require.ErrorContains(t, rt.Add(t.Context(), p), test.says, name)
		held := n.cli("ip", "list", "-o", "json")
		require.NotContains(t, held, "10.77.", "%s: before DEL", name)
		require.NoError(t, rt.Del(t.Context(), p), name)
		require.NoError(t, rt.Del(t.Context(), p), name)
	}
	require.NoError(t, first.Check(t.Context(), p))
	require.NoError(t, first.Del(t.Context(), p))
	require.Contains(t, n.cli("ip", "list", "-o", "json"), "[]")
}
