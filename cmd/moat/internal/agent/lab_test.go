package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/containernetworking/plugins/pkg/testutils"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/moat/internal/agent"
	"github.com/moatnet/moat/cmd/moat/internal/delegations"
	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/ledger"
	"github.com/moatnet/moat/tenant"
)

var pluginDir string // of the plugins that TestMain built

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "moat")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	pluginDir = dir
	build := exec.Command("go", "build", "-o", dir, "github.com/moatnet/moat/cmd/moat-cni", "github.com/moatnet/moat/cmd/moat-ipam")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// node is a running agent over a service, and a pod's namespace.
type node struct {
	service *service
	pools   ipam.PoolStore
	socket  string
	agent   *agent.Agent
	records *delegations.Store // of what was delegated
	pod     ns.NetNS
	stop    func() // ends the agent and waits for it
	options []func(*agent.Options)
}

func newNode(t testing.TB, options ...func(*agent.Options)) *node {
	t.Helper()
	dir, err := os.MkdirTemp("", "moat")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	n := &node{service: newService(), pools: ledger.NewPools(ledger.NewMemory(), ledger.PoolOptions{}), socket: filepath.Join(dir, "moat.sock"), pod: newPod(t), options: options}
	n.records, err = delegations.Open(filepath.Join(dir, "delegations"))
	require.NoError(t, err)
	n.start(t)
	return n
}

func (n *node) start(t testing.TB) {
	t.Helper()
	o := agent.Options{
		Service: n.service, Pools: n.pools, BootID: "boot", Node: "node-1", Delegations: n.records, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	for _, change := range n.options {
		change(&o)
	}
	var err error
	n.agent, err = agent.New(o)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	l, err := agent.Listen(ctx, n.socket)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- n.agent.Serve(ctx, l) }()
	stopped := false
	n.stop = func() {
		if !stopped {
			stopped = true
			cancel()
			require.NoError(t, <-done)
		}
	}
	t.Cleanup(n.stop)
}

func newPod(t testing.TB) ns.NetNS {
	t.Helper()
	pod, err := testutils.NewNS()
	require.NoError(t, err)
	t.Cleanup(func() {
		pod.Close()
		unpin(t, pod.Path())
	})
	return pod
}

// unpin takes a namespace's name away also while somebody has it open, as whoever
// has not yet read a descriptor from a socket has.
func unpin(t testing.TB, path string) {
	t.Helper()
	require.NoError(t, unix.Unmount(path, unix.MNT_DETACH))
	require.NoError(t, os.Remove(path))
}

// openNetns is the descriptor of a new namespace, for the callee to close.
func openNetns(t *testing.T) int {
	t.Helper()
	fd, err := unix.Open(newPod(t).Path(), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	return fd
}

// env are the variables of an ADD; with changes, "" takes one away.
func (n *node) env(changes map[string]string) map[string]string {
	env := map[string]string{
		"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "c1", "CNI_NETNS": n.pod.Path(), "CNI_IFNAME": "eth0", "CNI_PATH": pluginDir,
		"CNI_ARGS": "IgnoreUnknown=1;K8S_POD_INFRA_CONTAINER_ID=c1;K8S_POD_NAME=p1;K8S_POD_NAMESPACE=blue;K8S_POD_UID=u1",
	}
	maps.Copy(env, changes)
	return env
}

// conf is a network configuration; changes are added, nil takes a key away.
func (n *node) conf(changes map[string]any) []byte {
	conf := map[string]any{"cniVersion": "1.1.0", "name": "moat", "type": "moat-cni", "socket": n.socket}
	for k, v := range changes {
		if conf[k] = v; v == nil {
			delete(conf, k)
		}
	}
	b, err := json.Marshal(conf)
	if err != nil {
		panic(err)
	}
	return b
}

// answer is how a run of a plugin ended.
type answer struct {
	status         int
	stdout, stderr []byte
}

// plugin runs one of the built plugins, or any program by its absolute path,
// with nothing but the given variables.
func plugin(t testing.TB, name string, env map[string]string, stdin []byte) answer {
	t.Helper()
	var out, logs bytes.Buffer
	if !filepath.IsAbs(name) {
		name = filepath.Join(pluginDir, name)
	}
	c := exec.CommandContext(t.Context(), name)
	c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(stdin), &out, &logs
	c.Env = []string{"PATH=/nowhere"}
	for k, v := range env {
		if v != "" {
			c.Env = append(c.Env, k+"="+v)
		}
	}
	var ended *exec.ExitError
	if err := c.Run(); err != nil {
		require.ErrorAs(t, err, &ended)
	}
	return answer{c.ProcessState.ExitCode(), out.Bytes(), logs.Bytes()}
}

// failure is the error object on standard output, which must be all there is.
func (a answer) failure(t testing.TB) cniconf.Error {
	t.Helper()
	require.Equal(t, 1, a.status, "stdout: %s", a.stdout)
	require.NotContains(t, string(a.stdout)+string(a.stderr), "goroutine")
	var e cniconf.Error
	d := json.NewDecoder(bytes.NewReader(a.stdout))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&e), "stdout: %s", a.stdout)
	_, err := d.Token()
	require.ErrorIs(t, err, io.EOF, "one JSON document: %s", a.stdout)
	require.NotEmpty(t, e.CNIVersion)
	return e
}

var _ tenant.Service = (*service)(nil)
