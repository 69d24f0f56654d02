package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/cmd/moat/internal/backup"
	"github.com/moatnet/moat/cmd/moat/internal/config"
	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/ledger"
	"github.com/moatnet/moat/sdn/topology"
)

// errHalfRestored says that what is in etcd is a part of a backup.
var errHalfRestored = errors.New("a restore is under way here, or was cut short: unless one is running, repeat `moat restore FILE`")

// What one transaction writes at most: etcd takes 128 operations and 1.5 MiB. A key
// that is larger by itself is written alone, as it was.
const (
	restoreBatch = 100
	restoreBytes = 512 << 10
)

// RestoreOptions are what an operator says beside the file.
type RestoreOptions struct {
	Force  bool // replace what is there
	DryRun bool // look and say, and change nothing
}

// Restore puts what a backup holds into the installation's place in etcd and into
// the data directory, and says on out what it does. No daemon may run. Nothing is
// changed before all is checked; when it is cut short it can be repeated, and no
// daemon starts before that.
func Restore(ctx context.Context, c config.Config, log *slog.Logger, path string, o RestoreOptions, out io.Writer) error {
	b, err := backup.Read(path)
	if err != nil {
		return err
	}
	if err := fits(ctx, b, c); err != nil {
		return fmt.Errorf("restore %s: %w", path, err)
	}
	unlock, err := lockDataDir(c.DataDir)
	if err != nil {
		return fmt.Errorf("restore: stop the daemon first: %w", err)
	}
	defer unlock()
	s, err := openStore(ctx, c, log)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	defer s.close()
	r := restore{Backup: b, c: c, client: s.client, log: log, out: out}
	if err := r.look(ctx); err != nil {
		return fmt.Errorf("restore: look at etcd at %s: %w", s.where, err)
	}
	r.announce(path, s.where)
	if err := r.allowed(o.Force); err != nil || o.DryRun {
		return err
	}
	ctx, end, err := r.begin(ctx)
	if err != nil {
		return fmt.Errorf("restore %s: %w", path, err)
	}
	defer end()
	if err := r.do(ctx); err != nil {
		return fmt.Errorf("restore %s: %w; what is there now is a part of it: repeat the restore", path, errors.Join(err, lost(ctx)))
	}
	fmt.Fprintln(out, "restored; start the daemon")
	return nil
}

// fits refuses a backup that the program, or a daemon with this configuration,
// would not take.
func fits(ctx context.Context, b backup.Backup, c config.Config) error {
	node, err := nodeName(c)
	if err != nil {
		return err
	}
	if b.Node != node {
		return fmt.Errorf("it has the records and files of node %s, and this is node %s: if this machine takes its place, say --node %s, now and to the daemon", b.Node, node, b.Node)
	}
	for _, k := range b.Keys {
		if err := readable(k); err != nil {
			return err
		}
	}
	plan, err := installationOf(b.Keys)
	if err != nil {
		return err
	}
	held := ledger.NewMemory()
	for _, k := range b.Keys {
		if k.Name == installationKey {
			put := ledger.Op{Kind: ledger.OpPut, Key: "installation", Value: k.Value}
			if _, err := held.Commit(ctx, ledger.Txn{Then: []ledger.Op{put}}); err != nil {
				return err
			}
		}
	}
	if _, err := ledger.New(held, ledger.Options{}).EnsureInstallation(ctx, c.Installation()); err != nil {
		return fmt.Errorf("installation %s: %w", plan.Name, err)
	}
	return nil
}

func readable(k backup.Key) error {
	if name, ok := strings.CutPrefix(k.Name, "sdn/"); ok {
		return topology.Readable(name, k.Value)
	}
	if name, ok := strings.CutPrefix(k.Name, "ipam/v1/"); ok {
		return ledger.Readable(name, k.Value)
	}
	return fmt.Errorf("key %s: this program knows no such kind of key: %w", k.Name, ipam.ErrNewer)
}

// restore is one restore, with what it found.
type restore struct {
	backup.Backup
	c      config.Config
	client *clientv3.Client
	log    *slog.Logger
	out    io.Writer

	keys     map[string]bool // below the prefix now
	revision int64           // of etcd, as of which they are
	files    int             // of the data directory now
	living   []living        // what processes that may be alive keep
	half     bool            // a restore was cut short
	while    []clientv3.Cmp  // hold as long as this restore may write
}

// look finds out what is there. It reads values, too: etcd names no leases where
// keys alone are asked for.
func (r *restore) look(ctx context.Context) error {
	res, err := r.client.Get(ctx, r.c.Etcd.Prefix, clientv3.WithPrefix())
	if err != nil {
		return fmt.Errorf("read the keys below %s: %w", r.c.Etcd.Prefix, err)
	}
	r.keys, r.revision = map[string]bool{}, res.Header.Revision
	if r.living, err = whoLives(ctx, r.client, res.Kvs); err != nil {
		return err
	}
	for _, kv := range res.Kvs {
		switch name := strings.TrimPrefix(string(kv.Key), r.c.Etcd.Prefix); {
		case kv.Lease != 0:
		case name == restoringKey:
			r.half = true
		case name != machineKey:
			r.keys[name] = true
		}
	}
	entries, err := os.ReadDir(r.c.DataDir)
	for _, e := range entries {
		if e.Name() != lockFile && e.Name() != "etcd" {
			r.files++
		}
	}
	return err
}

// announce says what is restored and what is replaced.
func (r *restore) announce(path, where string) {
	fmt.Fprintf(r.out, "%s: backup of installation %s (%s), node %s, of %s: %d keys of etcd at revision %d, %d files\n",
		path, r.Name, r.Installation, r.Node, r.Created.Format("2006-01-02 15:04:05 MST"), len(r.Backup.Keys), r.Revision, len(r.Backup.Files))
	fmt.Fprintf(r.out, "into etcd at %s, below %s, where %d keys are, and into data directory %s, where %d files and folders are\n",
		where, r.c.Etcd.Prefix, len(r.keys), r.c.DataDir, r.files)
	if r.half {
		fmt.Fprintln(r.out, "an earlier restore was cut short there: what it left is replaced")
	}
}

func (r *restore) allowed(force bool) error {
	switch {
	case len(r.living) > 0:
		return fmt.Errorf("restore: %w", aliveError(r.living))
	case r.half || force || len(r.keys) == 0 && r.files == 0:
		return nil
	}
	return fmt.Errorf("restore: there is an installation already: %d keys below %s in etcd and %d files and folders in %s; "+
		"--force replaces the keys, and the files that the backup has", len(r.keys), r.c.Etcd.Prefix, r.files, r.c.DataDir)
}

// do changes what is there, etcd first. The key restoring, which begin made before
// the first change, goes with the last.
func (r *restore) do(ctx context.Context) error {
	if err := r.write(ctx); err != nil {
		return err
	}
	for _, f := range r.Backup.Files {
		if err := r.place(f); err != nil {
			return fmt.Errorf("file %s: %w", f.Path, err)
		}
	}
	if err := r.adopt(ctx); err != nil {
		return fmt.Errorf("look for pods that the backup does not know: %w", err)
	}
	if err := r.change(ctx, clientv3.OpDelete(r.c.Etcd.Prefix+restoringKey)); err != nil {
		return fmt.Errorf("note that the restore is done: %w", err)
	}
	return nil
}

// write makes the keys those of the backup.
func (r *restore) write(ctx context.Context) error {
	var ops []clientv3.Op
	for _, k := range r.Backup.Keys {
		ops = append(ops, clientv3.OpPut(r.c.Etcd.Prefix+k.Name, string(k.Value)))
		delete(r.keys, k.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(r.keys)) {
		ops = append(ops, clientv3.OpDelete(r.c.Etcd.Prefix+name))
	}
	for batch := range batches(ops) {
		if err := r.change(ctx, batch...); err != nil {
			return fmt.Errorf("write the keys below %s: %w", r.c.Etcd.Prefix, err)
		}
	}
	return nil
}

// batches are ops in their order, as many at once as one transaction takes.
func batches(ops []clientv3.Op) iter.Seq[[]clientv3.Op] {
	return func(yield func([]clientv3.Op) bool) {
		from, size := 0, 0
		for i, op := range ops {
			n := len(op.KeyBytes()) + len(op.ValueBytes())
			if i > from && (i-from == restoreBatch || size+n > restoreBytes) {
				if !yield(ops[from:i]) {
					return
				}
				from, size = i, 0
			}
			size += n
		}
		if from < len(ops) {
			yield(ops[from:])
		}
	}
}

// refuseHalfRestored keeps a process from a store that holds a part of a backup.
func refuseHalfRestored(ctx context.Context, c *clientv3.Client, prefix string) error {
	ctx, cancel := context.WithTimeout(ctx, etcdPatience)
	defer cancel()
	res, err := c.Get(ctx, prefix+restoringKey, clientv3.WithKeysOnly())
	if err != nil {
		return fmt.Errorf("look whether a restore was cut short: %w", err)
	}
	if len(res.Kvs) > 0 {
		return fmt.Errorf("key %s%s: %w", prefix, restoringKey, errHalfRestored)
	}
	return nil
}
