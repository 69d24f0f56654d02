package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/moatnet/moat/cmd/internal/lab"
	"github.com/moatnet/moat/sdn/embedetcd"
)

// entry is the configuration that the daemon wrote, as a runtime passes it.
func (n *node) entry(cniVersion string, extra map[string]any) string {
	conf := map[string]any{"cniVersion": cniVersion, "name": "moat", "type": "moat-cni", "socket": n.daemon.Socket()}
	for k, v := range extra {
		conf[k] = v
	}
	raw, err := json.Marshal(conf)
	require.NoError(n.t, err)
	return string(raw)
}

func callEnv(command string, p *lab.Pod) map[string]string {
	return map[string]string{
		"CNI_COMMAND": command, "CNI_CONTAINERID": p.ID, "CNI_NETNS": p.Path, "CNI_IFNAME": "eth0",
		"CNI_ARGS": "K8S_POD_NAME=" + p.Name + ";K8S_POD_NAMESPACE=" + p.Tenant + ";IgnoreUnknown=1",
	}
}

func TestRepeatedAddAnswersTheSame(t *testing.T) {
	n := newNode(t)
	p := n.pod("red", "one")
	first, address := p.Result, p.Address
	require.NoError(t, n.rt.Add(t.Context(), p))
	require.Equal(t, first, p.Result)
	require.Equal(t, address, p.Address)
	n.reaches(p.Namespace, p.Gateway)
}

func TestAddNamesBothEnds(t *testing.T) {
	n := newNode(t)
	p := n.pod("red", "one")
	require.Len(t, p.Result.Interfaces, 2)
	host, pod := p.Result.Interfaces[0], p.Result.Interfaces[1]
	require.FileExists(t, host.Sandbox, "the host end is in the tenant's namespace")
	require.Equal(t, p.Path, pod.Sandbox)
	require.Equal(t, "eth0", pod.Name)
	require.Equal(t, 1, *p.Result.IPs[0].Interface)
	require.NoError(t, p.Do(func() error {
		link, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		require.Equal(t, pod.Mac, link.Attrs().HardwareAddr.String())
		return nil
	}))
}

func TestDelInEveryForm(t *testing.T) {
	n := newNode(t)
	p := n.pod("red", "one")
	address := p.Address
	require.NoError(t, n.rt.Del(t.Context(), p))
	require.Error(t, p.Do(func() error { _, err := net1(p); return err }), "the pod's interface is gone")

	t.Run("again", func(t *testing.T) { require.NoError(t, n.rt.Del(t.Context(), p)) })
	t.Run("with an empty CNI_NETNS and no prevResult", func(t *testing.T) {
		env := callEnv("DEL", p)
		env["CNI_NETNS"] = ""
		out, err := n.plugin(n.entry("1.1.0", nil), env)
		require.NoError(t, err, out)
		require.Empty(t, out)
	})
	t.Run("of a pod that never was", func(t *testing.T) {
		env := callEnv("DEL", p)
		env["CNI_CONTAINERID"], env["CNI_NETNS"] = "nosuch", "/run/netns/nosuch"
		out, err := n.plugin(n.entry("1.0.0", nil), env)
		require.NoError(t, err, out)
	})
	t.Run("alone, while the namespace is gone and nothing is remembered", func(t *testing.T) {
		gone := n.pod("red", "gone")
		require.NotEqual(t, address, gone.Address, "an address rests before it is used again")
		require.NoError(t, gone.Remove())
		env := callEnv("DEL", gone)
		env["CNI_NETNS"] = ""
		out, err := n.plugin(n.entry("1.1.0", nil), env)
		require.NoError(t, err, out)
		require.Contains(t, n.cli("tenant", "show", "red", "-o", "json"), `"pods": 0`)
	})
}

// A late DEL of an old sandbox must not touch the new one of the same pod.
func TestLateDelOfAnOldSandboxLeavesTheNewOneAlone(t *testing.T) {
	n := newNode(t)
	old := n.pod("red", "web")
	require.NoError(t, n.rt.Del(t.Context(), old))
	fresh, err := n.lab.NewPod("red", "web-again")
	require.NoError(t, err)
	fresh.Args.Args = old.Args.Args
	require.NoError(t, n.rt.Add(t.Context(), fresh))

	env := callEnv("DEL", old)
	env["CNI_NETNS"] = ""
	out, err := n.plugin(n.entry("1.1.0", nil), env)
	require.NoError(t, err, out)
	n.reaches(fresh.Namespace, fresh.Gateway)
	require.NoError(t, n.rt.Check(t.Context(), fresh))
}

func TestCheckSeesADeletedAddress(t *testing.T) {
	n := newNode(t)
	p := n.pod("red", "one")
	require.NoError(t, n.rt.Check(t.Context(), p))
	require.NoError(t, p.Do(func() error {
		link, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		addrs, err := netlink.AddrList(link, netlink.FAMILY_V4)
		if err != nil {
			return err
		}
		return netlink.AddrDel(link, &addrs[0])
	}))
	err := n.rt.Check(t.Context(), p)
	require.ErrorContains(t, err, p.Address.String())
}

func TestGCRemovesWhatIsNotListed(t *testing.T) {
	n := newNode(t)
	keep, drop := n.pod("red", "keep"), n.pod("red", "drop")
	require.NoError(t, n.host.Do(func() error {
		return n.rt.CNI.GCNetworkList(t.Context(), n.rt.List, &libcni.GCArgs{
			ValidAttachments: []types.GCAttachment{{ContainerID: keep.ID, IfName: "eth0"}},
		})
	}))
	n.reaches(keep.Namespace, keep.Gateway)
	require.Error(t, n.rt.Check(t.Context(), drop))
	require.Contains(t, n.cli("tenant", "show", "red", "-o", "json"), `"pods": 1`)

	out, err := n.plugin(n.entry("1.1.0", nil), map[string]string{"CNI_COMMAND": "GC"})
	require.NoError(t, err, out)
	n.reaches(keep.Namespace, keep.Gateway)
}

func TestStatusFollowsEtcd(t *testing.T) {
	dir, err := os.MkdirTemp("", "etcd")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	etcd, err := embedetcd.Start(t.Context(), embedetcd.Config{Dir: dir})
	require.NoError(t, err)
	closed := false
	t.Cleanup(func() {
		if !closed {
			etcd.Close()
		}
	})
	n := newHost(t)
	n.start("--etcd-endpoints", etcd.Endpoint())
	status := func() error {
		return n.host.Do(func() error { return n.rt.CNI.GetStatusNetworkList(t.Context(), n.rt.List) })
	}
	require.NoError(t, status())
	p := n.pod("red", "one")

	etcd.Close()
	closed = true
	require.Eventually(t, func() bool {
		var cniErr *types.Error
		err := status()
		return asCNI(err, &cniErr) && cniErr.Code == 50
	}, 20*time.Second, 100*time.Millisecond)
	n.reaches(p.Namespace, outsideAddr.Addr())
	start := time.Now()
	err = n.rt.Del(t.Context(), p)
	var cniErr *types.Error
	require.True(t, asCNI(err, &cniErr), "DEL without etcd: %v", err)
	require.Equal(t, uint(11), cniErr.Code, cniErr.Error())
	require.Less(t, time.Since(start), 30*time.Second)

	etcd, err = embedetcd.Start(t.Context(), embedetcd.Config{Dir: dir})
	require.NoError(t, err)
	closed = false
	require.Eventually(t, func() bool { return status() == nil }, 20*time.Second, 100*time.Millisecond)
	require.Eventually(t, func() bool { return n.rt.Del(t.Context(), p) == nil }, 20*time.Second, 100*time.Millisecond)
}

func TestVersionNeedsNoDaemon(t *testing.T) {
	n := newHost(t)
	n.daemon = &lab.Daemon{Dir: filepath.Join(n.lab.Dir, "none")}
	out, err := n.plugin(`{"cniVersion":"0.4.0"}`, map[string]string{"CNI_COMMAND": "VERSION"})
	require.NoError(t, err, out)
	var v struct{ SupportedVersions []string }
	require.NoError(t, json.Unmarshal([]byte(out), &v))
	require.Subset(t, v.SupportedVersions, []string{"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"})
}

func net1(p *lab.Pod) (netlink.Link, error) { return netlink.LinkByName(p.Args.IfName) }

func asCNI(err error, to **types.Error) bool { return errors.As(err, to) }
