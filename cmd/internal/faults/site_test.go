package faults

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/moatnet/moat/cmd/internal/etcdcluster"
	"github.com/moatnet/moat/cmd/internal/lab"
	"github.com/moatnet/moat/cmd/internal/world"
	"github.com/moatnet/moat/sdn/embedetcd"
	"github.com/moatnet/moat/sdn/embedetcd/etcdproxy"
)

// bin is the folder of the programs.
var bin string

func TestMain(m *testing.M) { os.Exit(withPrograms(m)) }

func withPrograms(m *testing.M) int {
	dir, err := lab.Build(nil, "moat", "moat-cni", etcdcluster.Program)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin = dir
	return m.Run()
}

// sweep is the promise for what nobody asks for again.
const sweep = 30 * time.Second

// site is a host with a daemon that calls are made to.
type site struct {
	t      *testing.T
	lab    *lab.Lab
	ns     *lab.Namespace
	daemon *lab.Daemon
	place  world.Place
	keep   *lab.Pod // of tenant red, there all the time
	pods   int
	args   []string // of `moat up`
	says   []string // what the refusal of a call must say
	// announce tells others of a new pod; nil: nobody is to know.
	announce func(p *lab.Pod)
}

// newSite is a host without a daemon, whose etcd the place looks into.
func newSite(t *testing.T, endpoints ...string) *site {
	s := newHost(t)
	s.looksInto(endpoints...)
	return s
}

// newHost is a host without a daemon.
func newHost(t *testing.T) *site {
	l, err := lab.New()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	s := &site{t: t, lab: l}
	s.ns, _, err = l.Uplinked()
	require.NoError(t, err)
	s.place.Namespaces = map[string]string{"host": s.ns.Path}
	s.place.Prefixes = []string{"/moat/"}
	s.place.Lasting = lasting
	return s
}

func (s *site) looksInto(endpoints ...string) {
	s.t.Helper()
	var err error
	s.place.Etcd, err = clientv3.New(clientv3.Config{Endpoints: endpoints, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	require.NoError(s.t, err)
	s.t.Cleanup(func() { require.NoError(s.t, s.place.Etcd.Close()) })
}

// newEtcd is an etcd of the test's own process.
func newEtcd(t *testing.T, c embedetcd.Config) *embedetcd.Server {
	dir, err := os.MkdirTemp("", "etcd")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c.Dir = dir
	server, err := embedetcd.Start(ctx, c)
	require.NoError(t, err)
	t.Cleanup(server.Close)
	return server
}

// newProxy stands before an etcd, on a socket for all namespaces.
func newProxy(t *testing.T, endpoint string) *etcdproxy.Proxy {
	dir, err := os.MkdirTemp("", "proxy")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	p, err := etcdproxy.StartUnix(filepath.Join(dir, "s"), endpoint)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// up starts `moat up` on the host, and takes it down at the end.
func (s *site) up(etcd ...string) *lab.Daemon {
	s.t.Helper()
	d := &lab.Daemon{Bin: bin, Dir: s.lab.Dir, Host: s.ns, Args: slices.Clone(s.args)}
	if len(etcd) > 0 {
		d.Args = append(d.Args, "--etcd-endpoints", strings.Join(etcd, ","))
	}
	s.place.NetnsDir = d.NetnsDir()
	s.place.Folders = append(s.place.Folders, d.DataDir(), d.ConfDir())
	s.daemon = d
	s.t.Cleanup(func() { s.takeDown(d) })
	require.NoError(s.t, d.Start(s.t.Context()))
	return d
}

func (s *site) takeDown(d *lab.Daemon) {
	if s.t.Failed() {
		s.t.Logf("the log of moat %s:\n%s", d.Command, tail(d))
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if !d.Running() {
		require.NoError(s.t, d.Start(ctx))
	}
	out, err := d.CLI(ctx, "down", "--yes", "--force")
	if err != nil {
		_ = d.Kill()
	}
	require.NoError(s.t, err, out)
	require.NoError(s.t, d.Wait())
}

func tail(d *lab.Daemon) string {
	log, err := os.ReadFile(d.LogFile())
	if err != nil {
		return err.Error()
	}
	return string(log[max(0, len(log)-8000):])
}

var (
	// comesAndGoes are keys: since when an address or a slot is free, who is alive,
	// and the marks that order writes.
	comesAndGoes = regexp.MustCompile(`^key /moat/(ipam/v1/freed/|ipam/v1/ranges |ipam/v1/slots/.*"freedAt"|live|sdn/(head|meta/))`)
	// changesHands is of the process that serves an attachment, and not of that.
	changesHands = regexp.MustCompile(`"(state|owner|deadline)":"[^"]*",?`)
)

func lasting(line string) string {
	if comesAndGoes.MatchString(line) {
		return ""
	}
	return changesHands.ReplaceAllString(line, "")
}

func (s *site) look() []string {
	s.t.Helper()
	var lines []string
	require.Eventually(s.t, func() bool {
		var err error
		lines, err = s.place.Look(s.t.Context())
		return err == nil
	}, sweep, 100*time.Millisecond)
	return lines
}

// steady looks until nothing has changed for a while: an engine works behind the
// answers, too.
func (s *site) steady() []string {
	s.t.Helper()
	now := s.look()
	since, end := time.Now(), time.Now().Add(2*sweep)
	for time.Since(since) < 2*time.Second {
		require.True(s.t, time.Now().Before(end), "it goes on changing")
		time.Sleep(100 * time.Millisecond)
		if next := s.look(); len(world.Differences(now, next)) > 0 {
			now, since = next, time.Now()
		}
	}
	return now
}

// comesBackTo waits until the world is as it was.
func (s *site) comesBackTo(before []string, within time.Duration, after string) {
	s.t.Helper()
	var diff []string
	for deadline := time.Now().Add(within); ; {
		now, err := s.place.Look(s.t.Context())
		if err != nil { // a namespace may be on its way in or out
			diff = []string{err.Error()}
		} else if diff = world.Differences(before, now); len(diff) == 0 {
			return
		}
		if time.Now().After(deadline) {
			require.Empty(s.t, strings.Join(diff, "\n"), "left or lost after %s", after)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// pod makes a pod's namespace, with another name and container each time.
func (s *site) pod(tenant string) *lab.Pod {
	s.t.Helper()
	s.pods++
	p, err := s.lab.NewPod(tenant, fmt.Sprintf("p%d", s.pods))
	require.NoError(s.t, err)
	if s.announce != nil {
		s.announce(p)
	}
	return p
}

// sandbox makes a new sandbox of a pod, as a runtime does that tries again: another
// container and namespace, the same name and UID.
func (s *site) sandbox(old *lab.Pod) *lab.Pod {
	s.t.Helper()
	p := s.pod(old.Tenant)
	for _, kv := range old.Args.Args {
		if kv[0] == "K8S_POD_INFRA_CONTAINER_ID" {
			continue
		}
		for i := range p.Args.Args {
			if p.Args.Args[i][0] == kv[0] {
				p.Args.Args[i][1] = kv[1]
			}
		}
	}
	return p
}

func (s *site) cli(args ...string) {
	s.t.Helper()
	out, err := s.daemon.CLI(s.t.Context(), args...)
	require.NoError(s.t, err, out)
}
