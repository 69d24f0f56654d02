package node

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/cmd/moat/internal/backup"
	"github.com/moatnet/moat/cmd/moat/internal/config"
)

// What is refused changes nothing.
func TestRestoresThatAreRefused(t *testing.T) {
	_, path := furnished(t)
	rewritten := func(change func(*backup.Backup)) string {
		b, err := backup.Read(path)
		require.NoError(t, err)
		change(&b)
		text, err := b.Encode()
		require.NoError(t, err)
		other := filepath.Join(t.TempDir(), "other")
		require.NoError(t, os.WriteFile(other, text, 0o600))
		return other
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	short := filepath.Join(t.TempDir(), "short")
	require.NoError(t, os.WriteFile(short, text[:len(text)/2], 0o600))

	full, _ := furnished(t)
	empty := newMachine(t, nil)
	empty.store(func(*clientv3.Client) {})
	alive := newMachine(t, nil)
	for name, one := range map[string]struct {
		on    machine
		path  string
		force bool
		want  string
	}{
		"an installation is there":    {full, path, false, "--force"},
		"the file is cut short":       {full, short, true, backup.ErrDamaged.Error()},
		"a record is newer":           {full, rewritten(func(b *backup.Backup) { set(b, "ipam/v1/tenants/red", `{"schema":9}`) }), true, "tenants/red: its schema has version 9, this program knows 1"},
		"the topology is newer":       {full, rewritten(func(b *backup.Backup) { set(b, "sdn/meta/schema", `{"object":99}`) }), true, "version 99"},
		"a key is of no known kind":   {full, rewritten(func(b *backup.Backup) { b.Keys[0].Name = "vpn/v1/a" }), true, "vpn/v1/a"},
		"it holds no installation":    {full, rewritten(func(b *backup.Backup) { b.Keys = b.Keys[:0] }), true, "no installation"},
		"it is of another node":       {newMachine(t, func(r *config.Raw) { r.Node = "n2" }), path, true, "--node n1"},
		"the configured plan differs": {newMachine(t, func(r *config.Raw) { r.Supernet = "10.0.0.0/9" }), path, true, "supernet"},
		"it is only asked":            {empty, path, false, ""},
		"a process is alive":          {alive, path, true, "/moat/live/hosts/h"},
	} {
		t.Run(name, func(t *testing.T) {
			m := one.on
			if name == "a process is alive" {
				m.store(func(c *clientv3.Client) {
					lease, err := c.Grant(t.Context(), 600)
					require.NoError(t, err)
					_, err = c.Put(t.Context(), "/moat/live/hosts/h", "", clientv3.WithLease(lease.ID))
					require.NoError(t, err)
				})
			}
			before := m.holds()
			said, err := m.restore(one.path, RestoreOptions{Force: one.force, DryRun: one.want == ""})
			if one.want == "" {
				require.NoError(t, err)
				require.Contains(t, said, "backup of installation moat")
			} else {
				require.ErrorContains(t, err, one.want)
			}
			after := m.holds()
			delete(after, "file lock")
			delete(before, "file lock")
			require.Equal(t, before, after)
		})
	}
}

func set(b *backup.Backup, name, value string) {
	for i := range b.Keys {
		if b.Keys[i].Name == name {
			b.Keys[i].Value = []byte(value)
		}
	}
}

func TestForceReplacesKeysAndFilesOfTheBackupAlone(t *testing.T) {
	m, path := furnished(t)
	want := m.holds()
	m.store(func(c *clientv3.Client) {
		_, err := c.Put(t.Context(), "/moat/ipam/v1/tenants/later", `{"schema":1}`)
		require.NoError(t, err)
		_, err = c.Delete(t.Context(), "/moat/ipam/v1/tenants/red")
		require.NoError(t, err)
		_, err = c.Put(t.Context(), "/elsewhere/a", "of somebody else")
		require.NoError(t, err)
	})
	m.file("admin.password", "another")
	m.file("delegations/later.json", "{}")
	_, err := m.restore(path, RestoreOptions{Force: true})
	require.NoError(t, err)
	want["key /elsewhere/a"], want["file delegations/later.json"] = "of somebody else", "{}"
	require.Equal(t, want, m.holds())
}

// A backup that is made during a pod's ADD has a note that nobody has its result. The
// pod lives: the note of now must stay, or the daemon detaches it.
func TestNotesOfPodsAreNotMadeOlder(t *testing.T) {
	m, _ := furnished(t)
	notes := []string{"delegations/p.json", "networks/p/record.json"}
	for _, note := range notes {
		m.file(note, `{"added":false,"done":false}`)
	}
	path := filepath.Join(t.TempDir(), "backup")
	require.NoError(t, Backup(t.Context(), m.c, m.log, path, io.Discard))
	for _, note := range notes {
		m.file(note, `{"added":true,"done":true}`)
	}
	_, err := m.restore(path, RestoreOptions{Force: true})
	require.NoError(t, err)
	for _, note := range notes {
		require.Equal(t, `{"added":true,"done":true}`, m.holds()["file "+note], note)
	}
}

// Chains of ten thousand rules have a key of 400 KB each that says their order.
func TestLargeKeysAreRestored(t *testing.T) {
	_, path := furnished(t)
	b, err := backup.Read(path)
	require.NoError(t, err)
	rules := make([]string, 10_000)
	for i := range rules {
		rules[i] = uuid.NewString()
	}
	order, err := json.Marshal(map[string]any{"object": rules})
	require.NoError(t, err)
	for range 5 {
		b.Keys = append(b.Keys, backup.Key{Name: "sdn/order/" + uuid.NewString(), Value: order})
	}
	text, err := b.Encode()
	require.NoError(t, err)
	large := filepath.Join(t.TempDir(), "large")
	require.NoError(t, os.WriteFile(large, text, 0o600))
	m := newMachine(t, nil)
	_, err = m.restore(large, RestoreOptions{})
	require.NoError(t, err)
}

// A restore that ends half-way keeps daemons and backups from what is there; once
// it is repeated all is as in the backup.
func TestARestoreThatWasCutShortIsRepeated(t *testing.T) {
	old, path := furnished(t)
	m := newMachine(t, nil)
	require.NoError(t, os.MkdirAll(filepath.Join(m.c.DataDir, "users", "in-the-way"), 0o700))
	_, err := m.restore(path, RestoreOptions{Force: true})
	require.ErrorContains(t, err, "repeat the restore")
	_, err = openBase(t.Context(), m.c, m.log, assigner)
	require.ErrorIs(t, err, errHalfRestored)
	require.ErrorContains(t, err, "key /moat/restoring")
	require.ErrorIs(t, Backup(t.Context(), m.c, m.log, path+"2", io.Discard), errHalfRestored)

	require.NoError(t, os.RemoveAll(filepath.Join(m.c.DataDir, "users")))
	said, err := m.restore(path, RestoreOptions{})
	require.NoError(t, err, "without --force: it is its own")
	require.Contains(t, said, "cut short")
	want := old.holds()
	delete(want, "file tombstones/t.json")
	delete(want, "file delegations/new-123")
	require.Equal(t, want, m.holds())
}

// The same two commands over an etcd of somebody else's, to another prefix.
func TestABackupMovesToAnotherEtcd(t *testing.T) {
	old, path := furnished(t)
	host := newMachine(t, nil)
	s, err := openStore(t.Context(), host.c, host.log)
	require.NoError(t, err)
	defer s.close()
	m := newMachine(t, func(r *config.Raw) {
		r.Etcd.Endpoints = []string{"unix://" + filepath.Join(etcdDir(host.c), "etcd.sock")}
		r.Etcd.Prefix = "/of/n1/"
	})
	_, err = m.restore(path, RestoreOptions{})
	require.NoError(t, err)
	require.NoError(t, Backup(t.Context(), m.c, m.log, path+"2", io.Discard))
	first, err := backup.Read(path)
	require.NoError(t, err)
	second, err := backup.Read(path + "2")
	require.NoError(t, err)
	require.Equal(t, first.Keys, second.Keys)
	require.Equal(t, first.Files, second.Files)
	require.NotEmpty(t, old.holds())
}
