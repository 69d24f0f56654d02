package crash

import (
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/cmd/internal/lab"
	"github.com/moatnet/moat/cmd/internal/world"
	"github.com/moatnet/moat/sdn/embedetcd"
)

const (
	installationPrefix = "/moat/"
	restoring          = installationPrefix + "restoring"
)

// restores is a host on which a backup is put back over an installation that has gone
// on since.
type restores struct {
	*host
	backup string
	etcd   []string                     // the arguments that say where it is
	store  func(func(*clientv3.Client)) // opens it while no daemon runs
	later  holds                        // before the restore
}

// holds is what a restore replaces: keys that live without a process, and files.
type holds struct{ keys, files map[string]string }

// Killed at each of its steps, a restore is repeated and ends as if it had not been
// killed. Before that all is as before the restore, or as after it, or a daemon refuses
// what is there and says what to do.
func TestKilledInRestoreThenRestore(t *testing.T) {
	h := emptyHost(t)
	endpoint := h.etcd()
	killedInRestore(t, 13, &restores{host: h, etcd: []string{"--etcd-endpoints", endpoint}, store: func(do func(*clientv3.Client)) { do(h.place.Etcd) }})
}

// The same over the etcd in the daemon, which is killed with the restore.
func TestKilledInRestoreWithItsEtcdThenRestore(t *testing.T) {
	h := emptyHost(t)
	killedInRestore(t, 23, &restores{host: h, store: func(do func(*clientv3.Client)) {
		server, err := embedetcd.Start(t.Context(), embedetcd.Config{Dir: filepath.Join(h.daemon.DataDir(), "etcd")})
		require.NoError(t, err)
		defer server.Close()
		do(server.Client())
	}})
}

func killedInRestore(t *testing.T, step int, r *restores) {
	h := r.host
	h.begin(r.etcd...)
	r.backup = filepath.Join(h.lab.Dir, "backup")
	known, later := h.pod("red", "known"), h.pod("red", "later")
	h.add(known)
	h.cli(append([]string{"backup", r.backup, "--data-dir", h.daemon.DataDir()}, r.etcd...)...)
	h.add(later)
	h.cli("tenant", "create", "blue")
	r.refusedBesideTheDaemon()
	require.NoError(t, h.daemon.Stop())
	require.NoError(t, os.WriteFile(filepath.Join(h.daemon.DataDir(), "admin.password"), []byte("of later\n"), 0o600))
	r.later = r.look()
	before := r.later.lines()
	require.Empty(t, r.killedAt(math.MaxInt))
	done := r.look().lines()
	require.NotEmpty(t, world.Differences(before, done))

	h.pointsOf("restore, then restore", step, func(n int) string {
		r.back()
		point := r.killedAt(n)
		now := r.look()
		_, half := now.keys[restoring]
		switch {
		case half:
			r.refused(now, point)
		case len(world.Differences(before, now.lines())) > 0:
			require.Empty(t, world.Differences(done, now.lines()), "neither undone nor done: %s", point)
		}
		if point != "" {
			require.NoError(t, r.again(half), "again after %s: %s", point, r.log(0))
		}
		require.Empty(t, world.Differences(done, r.look().lines()), "restored again after %s", point)
		return point
	})

	require.NoError(t, h.daemon.Start(t.Context()))
	require.NoError(t, h.runtime().Check(t.Context(), known))
	require.NoError(t, lab.Ping(known.Namespace, later.Address, answered))
	require.NoError(t, lab.Ping(later.Namespace, later.Gateway, answered))
}

// killedAt runs a restore until the n-th point of its steps, where it is killed, and
// returns the point, or "" when it ended before.
func (r *restores) killedAt(n int) string {
	r.t.Helper()
	p := r.process("--force")
	r.gate.arm(place{n: n}, killed)
	defer r.gate.disarm()
	require.NoError(r.t, p.Launch())
	pid, ended := p.Pid(), make(chan error, 1)
	go func() { ended <- p.Wait() }()
	select {
	case err := <-ended:
		require.NoError(r.t, err, "undisturbed, after %d points: %s", n-1, r.log(0))
		return ""
	case point := <-r.gate.fired:
		require.NoError(r.t, syscall.Kill(pid, syscall.SIGKILL))
		<-ended
		return point
	}
}

// process is a restore of the backup.
func (r *restores) process(args ...string) *lab.Daemon {
	return &lab.Daemon{Bin: bin, Dir: r.daemon.Dir, Host: r.ns, Command: "restore", Env: r.daemon.Env,
		Args: slices.Concat([]string{r.backup}, r.etcd, args)}
}

// refusedBesideTheDaemon says that no restore begins while the daemon runs: not with its
// data directory, and not with another, as on another machine, over its etcd.
func (r *restores) refusedBesideTheDaemon() {
	r.t.Helper()
	folder, says := r.daemon.DataDir(), "in use by another moat"
	if len(r.etcd) > 0 {
		folder, says = r.t.TempDir(), fmt.Sprintf("the daemon with process ID %d on machine ", r.daemon.Pid())
	}
	out, err := r.daemon.CLI(r.t.Context(), append([]string{"restore", r.backup, "--force", "--data-dir", folder}, r.etcd...)...)
	require.Error(r.t, err)
	require.Contains(r.t, out, says)
}

// again repeats the restore; one that was cut short needs nobody's force.
func (r *restores) again(half bool) error {
	p := r.process()
	if !half {
		p = r.process("--force")
	}
	if err := p.Launch(); err != nil {
		return err
	}
	return p.Wait()
}

// refused says that a daemon does not start on what there is, and changes nothing that
// counts.
func (r *restores) refused(now holds, point string) {
	r.t.Helper()
	logged := len(r.log(0))
	require.NoError(r.t, r.daemon.Launch())
	require.Error(r.t, r.daemon.Wait(), "a daemon over a restore that was killed %s", point)
	require.Contains(r.t, r.log(logged), "repeat `moat restore FILE`")
	require.Equal(r.t, now.finished(), r.look().finished())
}

// finished is without files that are half written: whoever writes them next removes
// those.
func (h holds) finished() holds {
	files := maps.Clone(h.files)
	maps.DeleteFunc(files, func(path, _ string) bool { return strings.HasSuffix(path, ".tmp") })
	return holds{h.keys, files}
}

// log is what was logged after the first bytes.
func (r *restores) log(after int) string {
	r.t.Helper()
	text, err := os.ReadFile(r.daemon.LogFile())
	require.NoError(r.t, err)
	return string(text[after:])
}

func (r *restores) look() holds {
	r.t.Helper()
	h := holds{map[string]string{}, map[string]string{}}
	r.store(func(c *clientv3.Client) {
		res, err := c.Get(r.t.Context(), installationPrefix, clientv3.WithPrefix())
		require.NoError(r.t, err)
		for _, kv := range res.Kvs {
			if kv.Lease == 0 {
				h.keys[string(kv.Key)] = string(kv.Value)
			}
		}
	})
	require.NoError(r.t, filepath.WalkDir(r.daemon.DataDir(), func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() && e.Name() == "etcd" {
			return fs.SkipDir
		}
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		h.files[path] = string(text)
		return err
	}))
	return h
}

// back makes all as it was before the restore.
func (r *restores) back() {
	r.t.Helper()
	for path := range r.look().files {
		require.NoError(r.t, os.Remove(path))
	}
	r.store(func(c *clientv3.Client) {
		_, err := c.Delete(r.t.Context(), installationPrefix, clientv3.WithPrefix())
		require.NoError(r.t, err)
		for key, value := range r.later.keys {
			_, err := c.Put(r.t.Context(), key, value)
			require.NoError(r.t, err)
		}
	})
	for path, text := range r.later.files {
		require.NoError(r.t, os.WriteFile(path, []byte(text), 0o600))
	}
}

// when is the time at which a record was made.
var when = regexp.MustCompile(`"at":"[^"]*",?`)

// lines are what lasts, in order.
func (h holds) lines() (all []string) {
	for key, value := range h.keys {
		if line := lasting("key " + key + " " + value); line != "" {
			all = append(all, when.ReplaceAllString(line, ""))
		}
	}
	for path, text := range h.files {
		all = append(all, "file "+path+" "+text)
	}
	slices.Sort(all)
	return all
}
