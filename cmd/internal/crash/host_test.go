package crash

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/moatnet/moat/cmd/internal/lab"
	"github.com/moatnet/moat/cmd/internal/world"
	"github.com/moatnet/moat/sdn/effect"
	"github.com/moatnet/moat/sdn/embedetcd"
)

// bin is the folder of the programs, built to tell of their steps.
var bin string

func TestMain(m *testing.M) { os.Exit(withPrograms(m)) }

func withPrograms(m *testing.M) int {
	dir, err := lab.Build([]string{"-tags", "crashpoints"}, "moat", "moat-cni", "moat-ipam", "internal/systrace")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin = dir
	return m.Run()
}

// host is a machine with a daemon that a gate stands beside.
type host struct {
	t      testing.TB
	lab    *lab.Lab
	ns     *lab.Namespace
	daemon *lab.Daemon
	gate   *gate
	place  world.Place

	first     *lab.Pod                                   // of a scene
	allowed   func(promised time.Duration) time.Duration // what the world may take to come back; nil: what is promised
	abandoned bool
}

func newHost(t testing.TB, args ...string) *host {
	h := emptyHost(t)
	h.begin(append([]string{"--etcd-endpoints", h.etcd()}, args...)...)
	return h
}

// emptyHost is a host without a daemon.
func emptyHost(t testing.TB) *host {
	l, err := lab.New()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	h := &host{t: t, lab: l, gate: newGate(t, l.Dir)}
	h.ns, _, err = l.Uplinked()
	require.NoError(t, err)
	return h
}

// begin starts the daemon.
func (h *host) begin(args ...string) {
	h.daemon = &lab.Daemon{Bin: bin, Dir: h.lab.Dir, Host: h.ns, Args: args, Env: []string{effect.GateVar + "=" + h.gate.path}}
	h.place.Namespaces = map[string]string{"host": h.ns.Path}
	h.place.NetnsDir = h.daemon.NetnsDir()
	h.place.Folders = []string{h.daemon.DataDir(), h.daemon.ConfDir()}
	h.place.Prefixes = []string{"/moat/"}
	h.place.Lasting = lasting
	require.NoError(h.t, h.daemon.Start(h.t.Context()))
	h.t.Cleanup(h.end)
}

// etcd is a process's own: it stays when the daemon is killed.
func (h *host) etcd() string {
	dir, err := os.MkdirTemp("", "etcd")
	require.NoError(h.t, err)
	h.t.Cleanup(func() { require.NoError(h.t, os.RemoveAll(dir)) })
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Minute)
	defer cancel()
	server, err := embedetcd.Start(ctx, embedetcd.Config{Dir: dir})
	require.NoError(h.t, err)
	h.t.Cleanup(server.Close)
	h.place.Etcd, err = clientv3.New(clientv3.Config{Endpoints: []string{server.Endpoint()}, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	require.NoError(h.t, err)
	h.t.Cleanup(func() { require.NoError(h.t, h.place.Etcd.Close()) })
	return server.Endpoint()
}

var (
	// comesAndGoes are keys: since when an address or a slot is free, who is alive,
	// and the marks that order writes.
	comesAndGoes = regexp.MustCompile(`^key /moat/(ipam/v1/(pools/[^/]*/)?freed/|ipam/v1/slots/.*"freedAt"|live|sdn/(head|meta/))`)
	// changesHands is of the process that serves an attachment, and not of that.
	changesHands = regexp.MustCompile(`"(state|owner|deadline)":"[^"]*",?`)
)

func lasting(line string) string {
	if comesAndGoes.MatchString(line) {
		return ""
	}
	return changesHands.ReplaceAllString(line, "")
}

func (h *host) end() {
	if h.abandoned {
		return
	}
	if h.t.Failed() {
		if log, err := os.ReadFile(h.daemon.LogFile()); err == nil {
			h.t.Logf("the daemon's log:\n%s", log[max(0, len(log)-6000):])
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if !h.daemon.Running() {
		require.NoError(h.t, h.daemon.Start(ctx))
	}
	out, err := h.daemon.CLI(ctx, "down", "--yes", "--force")
	if err != nil {
		_ = h.daemon.Kill()
	}
	require.NoError(h.t, err, out)
	require.NoError(h.t, h.daemon.Wait())
}

// abandon leaves a host on which something was left behind: its lab takes away
// what is there.
func (h *host) abandon() {
	h.abandoned = true
	if h.daemon.Running() {
		require.NoError(h.t, h.daemon.Kill())
	}
}

func (h *host) look() []string {
	h.t.Helper()
	lines, err := h.place.Look(h.t.Context())
	require.NoError(h.t, err)
	return lines
}

// within is how long what is promised may take here.
func (h *host) within(promised time.Duration) time.Duration {
	if h.allowed == nil {
		return promised
	}
	return h.allowed(promised)
}

// lookEvery is how often is looked at first; later it is less often.
const lookEvery = 20 * time.Millisecond

// comesBackTo waits until the world is as it was.
func (h *host) comesBackTo(before []string, within time.Duration, after string) {
	h.t.Helper()
	var diff []string
	start := time.Now()
	for {
		now, err := h.place.Look(h.t.Context())
		if err != nil { // a namespace may be on its way in or out
			diff = []string{err.Error()}
		} else if diff = world.Differences(before, now); len(diff) == 0 {
			return
		}
		if time.Since(start) > h.within(within) {
			require.Empty(h.t, strings.Join(diff, "\n"), "left or lost after %s", after)
		}
		time.Sleep(min(lookEvery+time.Since(start)/20, time.Second))
	}
}

func (h *host) runtime() *lab.Runtime {
	h.t.Helper()
	rt, err := h.daemon.Runtime()
	require.NoError(h.t, err)
	return rt
}

func (h *host) pod(tenant, name string) *lab.Pod {
	h.t.Helper()
	p, err := h.lab.NewPod(tenant, name)
	require.NoError(h.t, err)
	return p
}

func (h *host) add(p *lab.Pod) {
	h.t.Helper()
	require.NoError(h.t, h.runtime().Add(h.t.Context(), p))
}

func (h *host) del(p *lab.Pod) {
	h.t.Helper()
	require.NoError(h.t, h.runtime().Del(h.t.Context(), p))
}

func (h *host) cli(args ...string) {
	h.t.Helper()
	out, err := h.daemon.CLI(h.t.Context(), args...)
	require.NoError(h.t, err, out)
}

// killedAt runs op until the n-th point of its steps, and of those that follow its
// answer, where the daemon is killed, and starts the daemon again. It returns "" when
// there are fewer.
func (h *host) killedAt(n int, op func() error) string {
	h.t.Helper()
	return h.killedIn(place{n: n}, op, still)
}

// killedIn is killedAt for a point of some kind, which is waited for so long after the
// answer.
func (h *host) killedIn(at place, op func() error, after time.Duration) string {
	h.t.Helper()
	h.gate.arm(at, killed)
	ended := make(chan error, 1)
	go func() { ended <- op() }()
	limit := time.After(2 * time.Minute)
	for answered := false; ; {
		select {
		case err := <-ended:
			require.NoError(h.t, err, "undisturbed, before %+v", at)
			answered, limit = true, time.After(after)
		case point := <-h.gate.fired:
			require.NoError(h.t, h.daemon.Kill())
			if !answered {
				<-ended // what it says does not matter: it may have been done or not
			}
			h.gate.disarm()
			require.NoError(h.t, h.daemon.Start(h.t.Context()), "start after %s", point)
			return point
		case <-limit:
			h.gate.disarm()
			require.True(h.t, answered, "neither done nor at the point %+v", at)
			return ""
		}
	}
}
