package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// bin is the folder of the programs under test, built once, with the race
// detector: what it reports fails the test that ends the daemon.
var bin string

func TestMain(m *testing.M) { os.Exit(withPrograms(m)) }

func withPrograms(m *testing.M) int {
	dir, err := lab.Build([]string{"-race"}, "moat", "moat-cni", "moat-ipam", "moat-demo")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin = dir
	// Reports go to the log as they are found; waiting a second for more at the
	// end of each plugin would be the greater part of the tests' time.
	if err := os.Setenv("GORACE", "halt_on_error=0 atexit_sleep_ms=0"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

var (
	hostAddr    = lab.HostAddr
	outsideAddr = lab.OutsideAddr
	everywhere  = netip.MustParsePrefix("0.0.0.0/0")
	listen      = netip.MustParseAddrPort("127.0.0.1:8181")
)

const (
	tcpPort = 8080
	udpPort = 8081
	// answered is how long a probe that must pass may take, unanswered how long
	// one that must not pass is waited for.
	answered   = 10 * time.Second
	unanswered = 300 * time.Millisecond
)

// node is a host like those of Kubernetes, with an outside behind its uplink,
// and a daemon on it.
type node struct {
	t             *testing.T
	lab           *lab.Lab
	host, outside *lab.Namespace
	daemon        *lab.Daemon
	rt            *lab.Runtime
}

// newNode makes the host and starts `moat up` on it.
func newNode(t *testing.T, args ...string) *node {
	n := newHost(t)
	n.start(args...)
	return n
}

func newHost(t *testing.T) *node {
	l, err := lab.New()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	n := &node{t: t, lab: l}
	n.host, n.outside, err = l.Uplinked()
	require.NoError(t, err)
	require.NoError(t, n.outside.Route(everywhere, hostAddr.Addr()))
	require.NoError(t, n.host.Sysctl("net/bridge/bridge-nf-call-iptables", "1"))
	require.NoError(t, n.host.ForwardDrop())
	require.NoError(t, l.Serve(n.outside, tcpPort))
	require.NoError(t, l.EchoUDP(n.outside, udpPort))
	return n
}

// start starts the daemon. At the test's end everything that it made is taken
// down, and nothing may be left.
func (n *node) start(args ...string) { n.startFrom(bin, args...) }

// startFrom starts it from another folder of programs.
func (n *node) startFrom(programs string, args ...string) {
	n.daemon = &lab.Daemon{Bin: programs, Dir: n.lab.Dir, Host: n.host, Args: args}
	before, err := n.daemon.Inventory()
	require.NoError(n.t, err)
	n.t.Cleanup(func() { n.takeDown(before) })
	require.NoError(n.t, n.daemon.Start(n.t.Context()))
	n.rt, err = n.daemon.Runtime()
	require.NoError(n.t, err)
}

func (n *node) takeDown(before []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if n.t.Failed() {
		if log, err := os.ReadFile(n.daemon.LogFile()); err == nil {
			n.t.Logf("the daemon's log:\n%s", log[max(0, len(log)-6000):])
		}
	}
	if !n.daemon.Running() {
		require.NoError(n.t, n.daemon.Start(ctx))
	}
	out, err := n.daemon.CLI(ctx, "down", "--yes")
	if err != nil {
		_ = n.daemon.Kill()
	}
	require.NoError(n.t, err, out)
	require.NoError(n.t, n.daemon.Wait())
	now, err := n.daemon.Inventory()
	require.NoError(n.t, err)
	require.Empty(n.t, lab.Beyond(before, now), "left behind by moat down")
}

// pod makes and attaches a pod that serves TCP and UDP.
func (n *node) pod(tenant, name string) *lab.Pod {
	n.t.Helper()
	p, err := n.lab.NewPod(tenant, name)
	require.NoError(n.t, err)
	require.NoError(n.t, n.rt.Add(n.t.Context(), p))
	require.NoError(n.t, n.lab.Serve(p.Namespace, tcpPort))
	require.NoError(n.t, n.lab.EchoUDP(p.Namespace, udpPort))
	return p
}

func (n *node) reaches(from *lab.Namespace, to netip.Addr) {
	n.t.Helper()
	require.NoError(n.t, lab.Ping(from, to, answered))
}

func (n *node) reachesNot(from *lab.Namespace, to netip.Addr) {
	n.t.Helper()
	require.ErrorIs(n.t, lab.Ping(from, to, unanswered), lab.ErrNoAnswer)
}

// cli runs a command that must succeed.
func (n *node) cli(args ...string) string {
	n.t.Helper()
	out, err := n.daemon.CLI(n.t.Context(), args...)
	require.NoError(n.t, err, out)
	return out
}

// plugin runs moat-cni by hand, as a runtime that is not libcni would.
func (n *node) plugin(conf string, env map[string]string) (stdout string, err error) {
	cmd := exec.CommandContext(n.t.Context(), filepath.Join(bin, "moat-cni"))
	cmd.Stdin = strings.NewReader(conf)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "CNI_PATH=" + bin, "GORACE=" + os.Getenv("GORACE")}
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	var out []byte
	err = n.host.Do(func() (err error) {
		out, err = cmd.Output()
		return err
	})
	return string(out), err
}
