package node

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/cmd/moat/internal/config"
	"github.com/moatnet/moat/sdn/embedetcd"
	"github.com/moatnet/moat/sdn/storedtest"
)

// patience bounds what takes a moment on a machine that does nothing else.
const patience = time.Minute

// cluster is an etcd that several machines share.
type cluster struct {
	*testing.T
	server *embedetcd.Server
	prefix string
}

func newCluster(t *testing.T) *cluster {
	dir, err := os.MkdirTemp("", "c")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	server, err := embedetcd.Start(t.Context(), embedetcd.Config{Dir: dir})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	return &cluster{t, server, "/of/all/"}
}

// machine is one that shares the etcd, with a data directory of its own.
func (c *cluster) machine() machine {
	return newMachine(c.T, func(r *config.Raw) {
		r.Etcd.Endpoints, r.Etcd.Prefix = []string{c.server.Endpoint()}, c.prefix
	})
}

// lives has a process say that it is alive, and be silent from then on.
func (c *cluster) lives(p process) {
	c.Helper()
	lease, err := c.server.Client().Grant(c.Context(), 600)
	require.NoError(c, err)
	text, err := json.Marshal(p)
	require.NoError(c, err)
	_, err = c.server.Client().Put(c.Context(), c.prefix+processFolder+uuid.NewString(), string(text), clientv3.WithLease(lease.ID))
	require.NoError(c, err)
}

// keys are how many keys there are without a lease.
func (c *cluster) keys() (n int) {
	c.Helper()
	res, err := c.server.Client().Get(c.Context(), c.prefix, clientv3.WithPrefix())
	require.NoError(c, err)
	for _, kv := range res.Kvs {
		if kv.Lease == 0 {
			n++
		}
	}
	return n
}

// A daemon with a data directory of its own: no lock tells of it.
func TestNoRestoreBesideADaemonElsewhere(t *testing.T) {
	_, path := furnished(t)
	c := newCluster(t)
	other := c.machine().open()
	before := c.keys()
	m := c.machine()
	for _, o := range []RestoreOptions{{}, {Force: true}, {DryRun: true}} {
		_, err := m.restore(path, o)
		require.ErrorContains(t, err, fmt.Sprintf("the daemon with process ID %d on machine ", os.Getpid()))
		require.ErrorContains(t, err, "(node n1) was alive ")
		require.ErrorContains(t, err, "stop it, or, if it died, wait ")
		require.Equal(t, before, c.keys())
	}
	require.NoError(t, (&daemon{base: other}).removeRecords(t.Context()))
	require.Zero(t, c.keys())
	_, err := m.restore(path, RestoreOptions{})
	require.ErrorContains(t, err, "the daemon with process ID", "it is alive, with records or without")
	other.close()
	_, err = m.restore(path, RestoreOptions{})
	require.NoError(t, err)
	c.machine().open().close()
}

// A call without a daemon ends by itself, and writes nothing to say that it lives.
func TestACallIsNoPresence(t *testing.T) {
	c := newCluster(t)
	m := c.machine()
	m.open().close()
	before, err := c.server.Client().Get(t.Context(), c.prefix)
	require.NoError(t, err)
	b, err := openShared(t.Context(), m.c, m.log, helper)
	require.NoError(t, err)
	defer b.close()
	after, err := c.server.Client().Get(t.Context(), c.prefix)
	require.NoError(t, err)
	require.Equal(t, before.Header.Revision, after.Header.Revision)
	leases, err := c.server.Client().Leases(t.Context())
	require.NoError(t, err)
	require.Empty(t, leases.Leases)
}

// A daemon that was killed has said that it is alive, and nothing takes that back.
func TestWhatADeadDaemonSaidLast(t *testing.T) {
	_, path := furnished(t)
	boot, err := bootID()
	require.NoError(t, err)
	here, err := newInstances(boot)
	require.NoError(t, err)
	dead := exec.Command("true")
	require.NoError(t, dead.Run())
	instance := func(boot string) string {
		return strings.Join([]string{boot, here.pids, fmt.Sprint(dead.Process.Pid), "1", uuid.NewString()}, "/")
	}
	for name, one := range map[string]struct {
		process
		want string
	}{
		"on this machine":       {process{1, workDaemon, "here", "n1", dead.Process.Pid, instance(boot)}, ""},
		"on another machine":    {process{1, workDaemon, "w2", "n2", 812, instance(uuid.NewString())}, "process ID 812 on machine w2 \\(node n2\\) was alive [01] s ago: stop it, or, if it died, wait (599|600) s"},
		"a restore elsewhere":   {process{1, workRestore, "w2", "n2", 812, instance(uuid.NewString())}, "the restore with process ID 812 on machine w2 \\(node n2\\) was alive [01] s ago: let it end"},
		"of a newer program":    {process{2, "watch", "w2", "n2", 812, instance(boot)}, "a moat process that keeps the key /of/all/live/processes/"},
		"of a strange instance": {process{1, workDaemon, "w2", "n2", 812, boot + "/?"}, "process ID 812"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			c.lives(one.process)
			_, err := c.machine().restore(path, RestoreOptions{Force: true})
			if one.want == "" {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			require.Regexp(t, one.want, err.Error())
			require.Zero(t, c.keys())
		})
	}
}

// atOnce lets all of several restores go on when each has looked and begins.
type atOnce struct {
	looked *sync.WaitGroup
	once   sync.Once
}

func (a *atOnce) Write(text []byte) (int, error) {
	if strings.HasPrefix(string(text), "into etcd") {
		a.once.Do(func() { a.looked.Done(); a.looked.Wait() })
	}
	return len(text), nil
}

// Of restores that begin at once one alone does anything, and the others say so.
func TestOneOfSeveralRestores(t *testing.T) {
	_, path := furnished(t)
	c := newCluster(t)
	const several = 3
	var looked, done sync.WaitGroup
	looked.Add(several)
	errs := make([]error, several)
	for i := range several {
		m := c.machine()
		done.Go(func() {
			out := &atOnce{looked: &looked}
			errs[i] = Restore(t.Context(), m.c, m.log, path, RestoreOptions{}, out)
			out.once.Do(looked.Done) // it did not get as far
		})
	}
	done.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		alive := fmt.Sprintf("the restore with process ID %d", os.Getpid())
		require.True(t, strings.Contains(err.Error(), alive) || strings.Contains(err.Error(), "nothing was changed"), err)
	}
	require.Equal(t, 1, won, errs)
	c.machine().open().close()
}

// While a restore is under way no daemon starts, and what others take for dead writes
// nothing more.
func TestARestoreIsTakenForDead(t *testing.T) {
	_, path := furnished(t)
	c := newCluster(t)
	m := c.machine()
	s, err := openStore(t.Context(), m.c, m.log)
	require.NoError(t, err)
	defer s.close()
	require.NoError(t, makeDataDir(m.c.DataDir))
	r := restore{c: m.c, client: s.client, log: m.log, out: io.Discard}
	r.Node = "n1"
	require.NoError(t, r.look(t.Context()))
	ctx, end, err := r.begin(t.Context())
	require.NoError(t, err)
	defer end()
	require.NoError(t, lost(ctx))
	_, err = openBase(t.Context(), c.machine().c, m.log, assigner)
	require.ErrorIs(t, err, errHalfRestored)
	_, err = c.machine().restore(path, RestoreOptions{Force: true})
	require.ErrorContains(t, err, "the restore with process ID")
	require.NoError(t, r.change(ctx, clientv3.OpPut(c.prefix+"a", "")))

	leases, err := c.server.Client().Leases(ctx)
	require.NoError(t, err)
	require.Len(t, leases.Leases, 1)
	_, err = c.server.Client().Revoke(ctx, leases.Leases[0].ID)
	require.NoError(t, err)
	require.ErrorIs(t, r.change(ctx, clientv3.OpPut(c.prefix+"b", "")), errPresenceLost)
	_, err = c.machine().restore(path, RestoreOptions{})
	require.NoError(t, err, "it is its own")
}

// What a restore does ends when others take it for dead.
func TestARestoreEndsWithItsPresence(t *testing.T) {
	c := newCluster(t)
	boot, err := bootID()
	require.NoError(t, err)
	p, err := newPresence(c.server.Client(), c.prefix, boot, "n1", workRestore, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	p.seconds = 2 // so that it soon notices
	_, err = p.enter(t.Context(), nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancelCause(t.Context())
	p.keep(ctx, func(context.Context) error { return errPresenceLost }, cancel)
	defer p.leave()
	_, err = c.server.Client().Revoke(ctx, p.lease)
	require.NoError(t, err)
	<-ctx.Done()
	require.ErrorIs(t, lost(ctx), errPresenceLost)
}

// A daemon that could not reach etcd for a while goes on if nobody restored anything.
func TestDaemonsThatWereCutOff(t *testing.T) {
	for name, one := range map[string]struct {
		meanwhile string // a key that is written
		want      error
	}{
		"a restore is under way":   {restoringKey, errHalfRestored},
		"a backup was put back":    {installationKey, errRecordsReplaced},
		"something else was there": {"ipam/v1/tenants/red", nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			m := c.machine()
			m.open().close()
			s, err := openStore(t.Context(), m.c, m.log)
			require.NoError(t, err)
			defer s.close()
			boot, err := bootID()
			require.NoError(t, err)
			p, err := newPresence(s.client, c.prefix, boot, "n1", workDaemon, m.log)
			require.NoError(t, err)
			p.seconds = 2 // so that it soon notices
			a := &attendance{presence: p}
			require.NoError(t, a.begin(t.Context()))
			first := p.lease
			_, err = c.server.Client().Put(t.Context(), c.prefix+one.meanwhile, "{}")
			require.NoError(t, err)
			if one.meanwhile != installationKey { // else it is as if it had read it before
				require.NoError(t, a.stay(t.Context()))
			} else {
				a.records = 1
				a.keep(t.Context(), a.again, func(err error) { a.failed <- err })
			}
			defer a.leave()
			_, err = c.server.Client().Revoke(t.Context(), first)
			require.NoError(t, err)
			if one.want != nil {
				require.ErrorIs(t, a.watch(t.Context()), one.want)
				return
			}
			require.Eventually(t, func() bool {
				res, err := c.server.Client().Get(t.Context(), p.key)
				return err == nil && len(res.Kvs) == 1 && res.Kvs[0].Lease != int64(first)
			}, patience, 20*time.Millisecond)
		})
	}
}

// An etcd that is full takes no new key, a restore's neither.
func TestADaemonStartsOverAFullEtcd(t *testing.T) {
	_, path := furnished(t)
	r := newRoomy(t)
	m := newMachine(t, func(raw *config.Raw) {
		raw.Etcd.Endpoints, raw.Name = []string{r.server.Endpoint()}, "test"
	})
	m.open().close()
	r.fill()
	b := m.open()
	defer b.close()
	m = newMachine(t, func(raw *config.Raw) { raw.Etcd.Endpoints = []string{r.server.Endpoint()} })
	_, err := m.restore(path, RestoreOptions{Force: true})
	require.ErrorContains(t, err, "space exceeded")
	_, err = r.server.Client().Delete(t.Context(), "foreign/", clientv3.WithPrefix())
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err = m.restore(path, RestoreOptions{Force: true, DryRun: true})
		return err != nil && strings.Contains(err.Error(), "the daemon with process ID")
	}, patience, 100*time.Millisecond, "it says that it is alive as soon as it can")
}

func TestFormOfPresence(t *testing.T) {
	one := storedtest.Filled[process]()
	one.Schema = processSchema
	storedtest.Hold(t, "presence", 1, processSchema, storedtest.Forms{processFolder: one}, func(_ int, _ string, text []byte) error {
		require.Equal(t, one, readProcess(text))
		return nil
	})
	require.Equal(t, process{}, readProcess([]byte("no JSON")))
}
