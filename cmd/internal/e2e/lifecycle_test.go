package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/cmd/internal/lab"
	"github.com/moatnet/moat/sdn/embedetcd"
)

// stopsWithin is the time that a daemon gives itself to end, 11 s, and time for a
// slow machine to do what comes before and after.
const stopsWithin = 20 * time.Second

// The socket's folder is made, as on a machine that never ran Moat.
func TestSocketFolderIsMade(t *testing.T) {
	n := newHost(t)
	at := filepath.Join(n.lab.Dir, "run", "moat", "moat.sock")
	d := &lab.Daemon{Bin: bin, Dir: n.lab.Dir, Host: n.host, Args: []string{"--socket", at}}
	require.NoError(t, d.Launch())
	t.Cleanup(func() { require.NoError(t, d.Kill()) })
	out, err := n.moat("status", "--wait", "--timeout", "30s", "--socket", at)
	require.NoError(t, err, out)
	out, err = n.moat("down", "--yes", "--socket", at)
	require.NoError(t, err, out)
	require.NoError(t, d.Wait())
}

// A daemon whose place is taken makes nothing and harms nobody.
func TestSecondDaemonOnTheSameSocketIsRefused(t *testing.T) {
	n := newNode(t)
	p := n.pod("red", "one")
	before, err := n.daemon.Inventory()
	require.NoError(t, err)

	for name, args := range map[string][]string{
		"socket":   {"--socket", n.daemon.Socket(), "--listen", "127.0.0.1:8282"},
		"REST API": {"--socket", filepath.Join(n.lab.Dir, "other.sock")},
	} {
		second := &lab.Daemon{Bin: bin, Dir: filepath.Join(n.lab.Dir, "second-"+name), Host: n.host, Args: append(args,
			"--name", "second", "--supernet", "10.0.0.0/10", "--transit-pool", "100.80.0.0/16")}
		require.NoError(t, os.Mkdir(second.Dir, 0o700))
		require.NoError(t, second.Launch())
		require.Error(t, second.Wait(), name)
		require.NoDirExists(t, second.NetnsDir(), name)
		require.NoDirExists(t, second.ConfDir(), name)
	}
	now, err := n.daemon.Inventory()
	require.NoError(t, err)
	require.Equal(t, before, now, "nothing was built")
	n.cli("status")
	require.NoError(t, n.rt.Check(t.Context(), p))
	n.pod("red", "two")
}

// SIGTERM while many ADDs are under way: each is answered, and what failed left
// nothing.
func TestStopWhileManyPodsAreAdded(t *testing.T) {
	n := newNode(t)
	pods := n.addMany(30, func() {
		start := time.Now()
		require.NoError(t, n.daemon.Stop())
		require.Less(t, time.Since(start), stopsWithin)
	})
	require.FileExists(t, filepath.Join(n.daemon.ConfDir(), "10-moat.conflist"), "runtimes keep their network")

	require.NoError(t, n.daemon.Start(t.Context()))
	for p, err := range pods {
		if err == nil {
			require.NoError(t, n.rt.Check(t.Context(), p), p.ID)
		} else {
			var cniErr *types.Error
			require.ErrorAs(t, err, &cniErr)
			require.EqualValues(t, types.ErrTryAgainLater, cniErr.Code, cniErr.Error())
		}
		require.NoError(t, n.rt.Del(t.Context(), p), p.ID)
	}
	for i := range 3 {
		require.Contains(t, n.cli("tenant", "show", fmt.Sprintf("team%d", i), "-o", "json"), `"pods": 0`)
	}
}

// One deadline holds for the whole end, also when etcd is gone and nothing can
// be undone. The next daemon finishes what was left.
func TestStopWithoutEtcd(t *testing.T) {
	dir, err := os.MkdirTemp("", "etcd")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	etcd, err := embedetcd.Start(t.Context(), embedetcd.Config{Dir: dir})
	require.NoError(t, err)
	t.Cleanup(func() { etcd.Close() })
	n := newHost(t)
	n.start("--etcd-endpoints", etcd.Endpoint())
	n.pod("team0", "before")

	pods := n.addMany(10, func() {
		etcd.Close()
		start := time.Now()
		stopped := n.daemon.Stop()
		took := time.Since(start)
		etcd, err = embedetcd.Start(t.Context(), embedetcd.Config{Dir: dir})
		require.NoError(t, err)
		require.NoError(t, stopped)
		require.Less(t, took, stopsWithin)
	})
	require.NoError(t, n.daemon.Start(t.Context()))
	for p := range pods {
		require.NoError(t, n.rt.Del(t.Context(), p))
	}
	require.Contains(t, n.cli("tenant", "show", "team0", "-o", "json"), `"pods": 1`)
}

// Taking down while ADDs are under way leaves nothing, neither in etcd nor in
// the kernel, and the daemon ends well.
func TestDownWhileManyPodsAreAdded(t *testing.T) {
	n, etcd := newHostWithEtcd(t)
	before, err := (&lab.Daemon{Dir: n.lab.Dir, Host: n.host}).Inventory()
	require.NoError(t, err)
	n.start("--etcd-endpoints", etcd)
	n.addMany(20, func() {
		n.cli("down", "--yes")
		require.NoError(t, n.daemon.Wait())
	})
	now, err := n.daemon.Inventory()
	require.NoError(t, err)
	require.Empty(t, lab.Beyond(before, now))
	require.Empty(t, keys(t, etcd))
	for _, gone := range []string{n.daemon.Socket(), n.daemon.Socket() + ".control", filepath.Join(n.daemon.ConfDir(), "10-moat.conflist"), filepath.Join(n.daemon.DataDir(), "tombstones")} {
		_, err := os.Stat(gone)
		require.ErrorIs(t, err, fs.ErrNotExist, gone)
	}
}

// An operator who gives up does not leave a daemon without its engine.
func TestDownGoesOnWhenTheOperatorGivesUp(t *testing.T) {
	n := newNode(t)
	n.pod("red", "one")
	conn, err := net.Dial("unix", n.daemon.Socket()+".control")
	require.NoError(t, err)
	_, err = fmt.Fprint(conn, "DELETE / HTTP/1.1\r\nHost: moat\r\n\r\n")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(n.daemon.ConfDir(), "10-moat.conflist"))
		return errors.Is(err, fs.ErrNotExist)
	}, 10*time.Second, time.Millisecond)
	require.NoError(t, conn.Close())
	require.NoError(t, n.daemon.Wait())
}

// Pods of another node are not cut off by the way.
func TestDownIsRefusedWhileOtherNodesHavePods(t *testing.T) {
	n, etcd := newHostWithEtcd(t)
	n.start("--etcd-endpoints", etcd, "--node", "first")
	p := n.pod("red", "one")
	require.NoError(t, n.daemon.Stop())
	n.daemon.Args = []string{"--etcd-endpoints", etcd, "--node", "second"}
	require.NoError(t, n.daemon.Start(t.Context()))
	out, err := n.daemon.CLI(t.Context(), "down", "--yes")
	require.Error(t, err)
	require.Contains(t, out, "1 pods of other nodes (first)")
	require.Contains(t, out, "--force")
	n.cli("status")
	n.reaches(p.Namespace, p.Gateway)
	n.cli("down", "--yes", "--force")
	require.NoError(t, n.daemon.Wait())
	require.Empty(t, keys(t, etcd))
}

// The MTU is a real uplink's own, also at the second start, which finds it in
// the provider router's namespace.
func TestMTUOfARealUplinkStays(t *testing.T) {
	n := newHost(t)
	far, err := n.lab.Namespace("far")
	require.NoError(t, err)
	require.NoError(t, n.lab.Cable(lab.End{In: n.host, Interface: "eth1"}, lab.End{In: far, Interface: "eth0", Address: netip.MustParsePrefix("203.0.113.1/24")}))
	require.NoError(t, n.host.Do(func() error {
		link, err := netlink.LinkByName("eth1")
		if err != nil {
			return err
		}
		return netlink.LinkSetMTU(link, 1400)
	}))
	n.start("--uplink", "eth1", "--uplink-address", "203.0.113.2/24", "--uplink-gateway", "203.0.113.1")
	mtuOf := func(p *lab.Pod) (mtu int) {
		require.NoError(t, p.Do(func() error {
			link, err := netlink.LinkByName("eth0")
			if err == nil {
				mtu = link.Attrs().MTU
			}
			return err
		}))
		return mtu
	}
	require.Equal(t, 1400, mtuOf(n.pod("red", "one")))
	conf, err := os.ReadFile(filepath.Join(n.daemon.ConfDir(), "10-moat.conflist"))
	require.NoError(t, err)
	require.NoError(t, n.daemon.Stop())
	require.NoError(t, n.daemon.Start(t.Context()))
	again, err := os.ReadFile(filepath.Join(n.daemon.ConfDir(), "10-moat.conflist"))
	require.NoError(t, err)
	require.Equal(t, string(conf), string(again))
	require.Equal(t, 1400, mtuOf(n.pod("red", "two")))
}

// addMany begins so many ADDs, runs f when the first has been answered, and
// returns how each ended.
func (n *node) addMany(count int, f func()) map[*lab.Pod]error {
	n.t.Helper()
	ended := make(map[*lab.Pod]error, count)
	pods := make([]*lab.Pod, count)
	for i := range pods {
		var err error
		pods[i], err = n.lab.NewPod(fmt.Sprintf("team%d", i%3), fmt.Sprintf("p%d", i))
		require.NoError(n.t, err)
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	var once sync.Once
	first := make(chan struct{})
	for _, p := range pods {
		all.Go(func() {
			err := n.rt.Add(n.t.Context(), p)
			once.Do(func() { close(first) })
			mu.Lock()
			defer mu.Unlock()
			ended[p] = err
		})
	}
	<-first
	f()
	all.Wait()
	return ended
}

// moat runs a command on the host.
func (n *node) moat(args ...string) (string, error) {
	cmd := exec.CommandContext(n.t.Context(), filepath.Join(bin, "moat"), args...)
	var out []byte
	err := n.host.Do(func() (err error) {
		out, err = cmd.CombinedOutput()
		return err
	})
	return string(out), err
}

// keys lists what an installation has in etcd.
func keys(t *testing.T, endpoint string) (found []string) {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, DialTimeout: 5 * time.Second})
	require.NoError(t, err)
	defer c.Close()
	res, err := c.Get(t.Context(), "/moat/", clientv3.WithPrefix(), clientv3.WithKeysOnly())
	require.NoError(t, err)
	for _, kv := range res.Kvs {
		found = append(found, string(kv.Key))
	}
	return found
}
