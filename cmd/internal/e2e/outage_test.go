package e2e

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/lab"
	"github.com/moatnet/moat/sdn/embedetcd"
	"github.com/moatnet/moat/sdn/embedetcd/etcdproxy"
)

// A packet each 10 ms and a TCP connection, both through source NAT, while etcd is
// silent, while it is not there at all, and when it is back; and to another pod of
// the tenant.
func TestTrafficSurvivesEtcdsOutage(t *testing.T) {
	n := newHost(t)
	dir, err := os.MkdirTemp("", "etcd")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	etcd, err := embedetcd.Start(t.Context(), embedetcd.Config{Dir: dir})
	require.NoError(t, err)
	t.Cleanup(func() { etcd.Close() })
	var between *etcdproxy.Proxy
	require.NoError(t, n.host.Do(func() (err error) {
		between, err = etcdproxy.Start(etcd.Endpoint())
		return err
	}))
	t.Cleanup(func() { require.NoError(t, between.Close()) })
	n.start("--etcd-endpoints", between.Endpoint())
	p, second := n.pod("red", "one"), n.pod("red", "two")
	before := n.kernelState()
	end := n.traffic(p, second)

	between.Freeze()
	n.refusedFor("red", "green")
	between.Thaw()
	n.takesPods("red")

	etcd.Close()
	n.refusedFor("red", "green")
	require.NoError(t, n.daemon.Kill())
	require.NoError(t, n.daemon.Launch(), "it waits for etcd")
	etcd, err = embedetcd.Start(t.Context(), embedetcd.Config{Dir: dir})
	require.NoError(t, err)
	n.takesPods("red")

	require.Equal(t, before, n.kernelState(), "namespaces and interface indexes are the same")
	end()
}

// An upgrade as a package manager makes it: other programs take the place of those
// that run, then the daemon is stopped and started.
func TestTrafficSurvivesUpgrade(t *testing.T) {
	n := newHost(t)
	place := filepath.Join(n.lab.Dir, "bin")
	require.NoError(t, os.CopyFS(place, os.DirFS(bin)))
	n.startFrom(place)
	p, second := n.pod("red", "one"), n.pod("red", "two")
	before := n.kernelState()
	old := runs(t, n.daemon)
	end := n.traffic(p, second)

	other := filepath.Join(n.lab.Dir, "other")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", other+"/",
		"github.com/moatnet/moat/cmd/moat", "github.com/moatnet/moat/cmd/moat-cni")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	for _, program := range []string{"moat", "moat-cni"} {
		require.NoError(t, os.Rename(filepath.Join(other, program), filepath.Join(place, program)))
		require.NoError(t, n.rt.Check(t.Context(), p), "the running daemon and the new %s", program)
	}
	require.NoError(t, n.daemon.Stop())
	require.NoError(t, n.daemon.Start(t.Context()))

	require.False(t, os.SameFile(old, runs(t, n.daemon)), "another program runs")
	require.Equal(t, before, n.kernelState(), "namespaces and interface indexes are the same")
	end()
	require.NoError(t, n.rt.Check(t.Context(), p))
	n.takesPods("red")
}

// runs is the program of the daemon's process.
func runs(t *testing.T, d *lab.Daemon) os.FileInfo {
	t.Helper()
	exe, err := os.Stat(filepath.Join("/proc", strconv.Itoa(d.Pid()), "exe"))
	require.NoError(t, err)
	return exe
}

// traffic sends from one pod to the outside, by UDP and TCP, and to another pod of
// its tenant, until end is called, which asks for every answer.
func (n *node) traffic(p, second *lab.Pod) (end func()) {
	t := n.t
	t.Helper()
	beat, err := lab.Beat(t.Context(), p.Namespace, netip.AddrPortFrom(outsideAddr.Addr(), udpPort))
	require.NoError(t, err)
	within, err := lab.Beat(t.Context(), p.Namespace, netip.AddrPortFrom(second.Address, udpPort))
	require.NoError(t, err)
	stream, err := lab.Stream(t.Context(), p.Namespace, netip.AddrPortFrom(outsideAddr.Addr(), tcpPort))
	require.NoError(t, err)
	return func() {
		t.Helper()
		for what, stop := range map[string]func() (lab.Traffic, error){"datagrams to the outside": beat, "datagrams within the tenant": within, "lines": stream} {
			seen, err := stop()
			require.NoError(t, err, what)
			require.Greater(t, seen.Sent, 50, what)
			require.Equal(t, seen.Sent, seen.Answered, "lost "+what)
		}
	}
}

// refusedFor asks for pods that cannot come now.
func (n *node) refusedFor(tenants ...string) {
	n.t.Helper()
	for _, tenant := range tenants {
		p, err := n.lab.NewPod(tenant, "late")
		require.NoError(n.t, err)
		require.Equal(n.t, 11, n.refused(n.entry("1.1.0", nil), callEnv("ADD", p)).Code)
		require.NoError(n.t, p.Remove())
	}
}

// takesPods waits until a pod comes, and lets it go.
func (n *node) takesPods(tenant string) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), time.Minute)
	defer cancel()
	for {
		p, err := n.lab.NewPod(tenant, "again")
		require.NoError(n.t, err)
		err = n.rt.Add(ctx, p)
		if err == nil {
			n.reaches(p.Namespace, p.Gateway)
			err = n.rt.Del(ctx, p)
			require.NoError(n.t, err)
		}
		require.NoError(n.t, p.Remove())
		if err == nil {
			return
		}
		require.NoError(n.t, ctx.Err(), "%v", err)
	}
}
