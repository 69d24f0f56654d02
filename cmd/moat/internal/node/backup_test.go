package node

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/cmd/moat/internal/backup"
	"github.com/moatnet/moat/cmd/moat/internal/config"
	"github.com/moatnet/moat/ipam"
)

// machine is a data directory with its embedded etcd.
type machine struct {
	t   *testing.T
	c   config.Config
	log *slog.Logger
}

func newMachine(t *testing.T, change func(*config.Raw)) machine {
	t.Helper()
	raw := config.Defaults()
	raw.DataDir, raw.Node, raw.MTU = filepath.Join(t.TempDir(), "data"), "n1", 1500
	if change != nil {
		change(&raw)
	}
	c, err := raw.Valid()
	require.NoError(t, err)
	return machine{t, c, slog.New(slog.DiscardHandler)}
}

// open starts etcd as the daemon does.
func (m machine) open() *base {
	m.t.Helper()
	b, err := openBase(m.t.Context(), m.c, m.log, assigner)
	require.NoError(m.t, err)
	return b
}

// store runs f with the machine's etcd.
func (m machine) store(f func(c *clientv3.Client)) {
	m.t.Helper()
	s, err := openStore(m.t.Context(), m.c, m.log)
	require.NoError(m.t, err)
	defer s.close()
	f(s.client)
}

// holds is all that the machine has: keys and files with their content.
func (m machine) holds() map[string]string {
	m.t.Helper()
	all := map[string]string{}
	m.store(func(c *clientv3.Client) {
		res, err := c.Get(m.t.Context(), "", clientv3.WithPrefix())
		require.NoError(m.t, err)
		for _, kv := range res.Kvs {
			all["key "+string(kv.Key)] = string(kv.Value)
		}
	})
	require.NoError(m.t, filepath.WalkDir(m.c.DataDir, func(path string, d os.DirEntry, err error) error {
		rel, _ := filepath.Rel(m.c.DataDir, path)
		if err != nil || d.IsDir() && rel == "etcd" {
			return filepath.SkipDir
		}
		if d.Type().IsRegular() {
			b, err := os.ReadFile(path)
			require.NoError(m.t, err)
			all["file "+rel] = string(b)
		}
		return nil
	}))
	return all
}

func (m machine) file(path, content string) {
	m.t.Helper()
	path = filepath.Join(m.c.DataDir, path)
	require.NoError(m.t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(m.t, os.WriteFile(path, []byte(content), 0o600))
}

// furnished is a machine with an installation, a tenant, credentials and notes.
func furnished(t *testing.T) (machine, string) {
	m := newMachine(t, nil)
	b := m.open()
	_, err := b.ledger.ClaimTenant(t.Context(), ipam.Claim{Tenant: "red", Generation: "g", Bridge: "b"})
	require.NoError(t, err)
	part, err := b.openSDN(t.Context())
	require.NoError(t, err)
	require.NoError(t, b.registerHost(t.Context(), part.topology))
	part.close()
	b.close()
	m.file("users", `{"name":"ann","hash":"$2a$04$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy","role":"admin"}`+"\n")
	m.file("delegations/a.json", "{}")
	m.file("delegations/new-123", "half")
	m.file("tombstones/t.json", "{}")
	m.file("tls/server.key", "key")
	path := filepath.Join(t.TempDir(), "backup")
	require.NoError(t, Backup(t.Context(), m.c, m.log, path, io.Discard))
	return m, path
}

func (m machine) restore(path string, o RestoreOptions) (string, error) {
	var out bytes.Buffer
	err := Restore(m.t.Context(), m.c, m.log, path, o, &out)
	return out.String(), err
}

func TestABackupIsRestoredOnAnEmptyMachine(t *testing.T) {
	old, path := furnished(t)
	st, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode().Perm())
	want := old.holds()
	delete(want, "file tombstones/t.json")
	delete(want, "file delegations/new-123")

	m := newMachine(t, nil)
	said, err := m.restore(path, RestoreOptions{})
	require.NoError(t, err)
	require.Contains(t, said, "node n1")
	require.Equal(t, want, m.holds())
	st, err = os.Stat(filepath.Join(m.c.DataDir, "admin.password"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode().Perm())
	require.NotContains(t, said, strings.TrimSpace(want["file admin.password"]))
	b := m.open()
	defer b.close()
	got, err := b.ledger.Tenant(t.Context(), "red")
	require.NoError(t, err)
	require.Equal(t, "g", got.Generation)
}

func TestABackupIsMadeWhileTheDaemonRuns(t *testing.T) {
	m, path := furnished(t)
	before, err := backup.Read(path)
	require.NoError(t, err)
	b := m.open()
	defer b.close()
	lease, err := b.store.client.Grant(t.Context(), 60)
	require.NoError(t, err)
	_, err = b.store.client.Put(t.Context(), m.c.Etcd.Prefix+"live/hosts/h", "", clientv3.WithLease(lease.ID))
	require.NoError(t, err)
	_, err = b.store.client.Put(t.Context(), "/elsewhere/a", "of somebody else")
	require.NoError(t, err)
	require.NoError(t, Backup(t.Context(), m.c, m.log, path, io.Discard))
	after, err := backup.Read(path)
	require.NoError(t, err)
	require.Equal(t, before.Keys, after.Keys, "neither what has a lease nor what is another's")
	_, err = m.restore(path, RestoreOptions{Force: true})
	require.ErrorIs(t, err, errLocked, "no restore beneath a daemon")
}

func TestBackupsThatAreNotMade(t *testing.T) {
	m := newMachine(t, nil)
	path := filepath.Join(t.TempDir(), "backup")
	require.ErrorContains(t, Backup(t.Context(), m.c, m.log, path, io.Discard), "dataDir "+m.c.DataDir+" holds no installation")
	require.NoDirExists(t, m.c.DataDir)
	m.store(func(*clientv3.Client) {})
	require.ErrorContains(t, Backup(t.Context(), m.c, m.log, path, io.Discard), "prefix /moat/: it holds no installation")
	require.NoFileExists(t, path)
	require.ErrorContains(t, Backup(t.Context(), m.c, m.log, t.TempDir(), io.Discard), "is no regular file")
	full, _ := furnished(t)
	require.Error(t, Backup(t.Context(), full.c, full.log, filepath.Join(path, "in", "no", "folder"), io.Discard))
	for _, below := range []string{"backup", "tls/backup"} {
		require.ErrorContains(t, Backup(t.Context(), full.c, full.log, filepath.Join(full.c.DataDir, below), io.Discard), "is below dataDir")
	}
}
