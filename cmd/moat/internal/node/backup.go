package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/cmd/moat/internal/backup"
	"github.com/moatnet/moat/cmd/moat/internal/config"
	"github.com/moatnet/moat/ipam"
)

const (
	// machineKey is the machine of an embedded etcd. It is in no backup: what is
	// restored elsewhere is the new machine's.
	machineKey = "machine"
	// restoringKey is there while a restore is under way, or was cut short.
	restoringKey = "restoring"

	installationKey = "ipam/v1/installation"
	backupPage      = 1000 // keys read at once
	backupTries     = 5
)

// Backup writes the installation's keys in etcd, as they are at one revision, and
// the files of this node's data directory to a file, and says so on out. The daemon
// may run.
func Backup(ctx context.Context, c config.Config, log *slog.Logger, path string, out io.Writer) error {
	if err := errors.Join(regular(path), outside(path, c.DataDir)); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	s, done, err := storeBeside(ctx, c, log)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer done()
	b, err := collect(ctx, s.client, c)
	if err != nil {
		return fmt.Errorf("backup of etcd at %s: %w", s.where, err)
	}
	text, err := b.Encode()
	if err != nil {
		return err
	}
	if err := writeAtomically(path, text, 0o600); err != nil {
		return fmt.Errorf("write backup: %w", err)
	}
	fmt.Fprintf(out, "backup of installation %s (%s), node %s, written to %s: %d keys of etcd at revision %d, %d files\n",
		b.Name, b.Installation, b.Node, path, len(b.Keys), b.Revision, len(b.Files))
	return nil
}

// regular refuses a path at which something else than a file is.
func regular(path string) error {
	st, err := os.Lstat(path)
	if err == nil && !st.Mode().IsRegular() {
		return fmt.Errorf("FILE %s is there and is no regular file", path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// outside refuses a path below the data directory: each backup would hold the ones
// before it.
func outside(path, dir string) error {
	folder, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	for _, p := range []*string{&folder, &dir} {
		if real, err := filepath.EvalSymlinks(*p); err == nil {
			*p = real
		}
	}
	if rel, err := filepath.Rel(dir, folder); err == nil && filepath.IsLocal(rel) {
		return fmt.Errorf("FILE %s is below dataDir %s, where the next backup would hold it as well: choose another folder", path, dir)
	}
	return nil
}

// storeBeside opens the store for a command, whether the daemon runs or not.
func storeBeside(ctx context.Context, c config.Config, log *slog.Logger) (s *store, done func(), err error) {
	if len(c.Etcd.Endpoints) > 0 {
		if s, err = dialStore(ctx, c.Etcd); err != nil {
			return nil, nil, err
		}
		return s, s.close, nil
	}
	if _, err := os.Stat(etcdDir(c)); err != nil {
		return nil, nil, fmt.Errorf("dataDir %s holds no installation: %w", c.DataDir, err)
	}
	unlock, err := lockDataDir(c.DataDir)
	if errors.Is(err, errLocked) { // the daemon's own etcd answers
		c.Etcd.Endpoints = []string{"unix://" + filepath.Join(etcdDir(c), "etcd.sock")}
		if s, err = dialStore(ctx, c.Etcd); err != nil {
			return nil, nil, err
		}
		return s, s.close, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if s, err = openStore(ctx, c, log); err != nil {
		unlock()
		return nil, nil, err
	}
	return s, func() { s.close(); unlock() }, nil
}

// collect reads keys and files.
func collect(ctx context.Context, client *clientv3.Client, c config.Config) (b backup.Backup, err error) {
	for try := 0; ; try++ {
		b.Keys, b.Revision, err = readKeys(ctx, client, c.Etcd.Prefix)
		if !errors.Is(err, rpctypes.ErrCompacted) || try == backupTries {
			break
		}
	}
	if err != nil {
		return b, err
	}
	plan, err := installationOf(b.Keys)
	if err != nil {
		return b, fmt.Errorf("prefix %s: %w", c.Etcd.Prefix, err)
	}
	b.Program, b.Created, b.Installation, b.Name = Version, time.Now().UTC().Truncate(time.Second), plan.ID, plan.Name
	if b.Node, err = nodeName(c); err != nil {
		return b, err
	}
	b.Files, err = readFiles(c)
	return b, err
}

// readKeys reads all keys that are to be kept, as they are at one revision. What
// lives with a lease is not: who put it puts it again.
func readKeys(ctx context.Context, client *clientv3.Client, prefix string) (keys []backup.Key, revision int64, err error) {
	from := prefix
	for {
		res, err := client.Get(ctx, from, clientv3.WithRange(clientv3.GetPrefixRangeEnd(prefix)), clientv3.WithLimit(backupPage), clientv3.WithRev(revision))
		if err != nil {
			return nil, 0, fmt.Errorf("read the keys below %s: %w", prefix, err)
		}
		if revision == 0 {
			revision = res.Header.Revision
		}
		for _, kv := range res.Kvs {
			name := strings.TrimPrefix(string(kv.Key), prefix)
			if name == restoringKey {
				return nil, 0, errHalfRestored
			}
			if kv.Lease == 0 && name != machineKey {
				keys = append(keys, backup.Key{Name: name, Value: kv.Value})
			}
		}
		if !res.More {
			return keys, revision, nil
		}
		from = string(res.Kvs[len(res.Kvs)-1].Key) + "\x00"
	}
}

// installationOf is the plan among the keys.
func installationOf(keys []backup.Key) (plan ipam.Installation, err error) {
	for _, k := range keys {
		if k.Name == installationKey {
			err := json.Unmarshal(k.Value, &plan)
			return plan, err
		}
	}
	return plan, errors.New("it holds no installation")
}

// readFiles reads the users of the REST API and what is in the data directory but
// etcd's own files, tombstones and what is being written. A tombstone names what is
// to be detached as soon as can be: restored later it could be about another pod,
// and what it named is found to be gone all the same.
func readFiles(c config.Config) (files []backup.File, err error) {
	users, err := os.ReadFile(c.Users.File)
	if err == nil {
		files = append(files, backup.File{Path: backup.UsersFile, Content: users})
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("users.file: %w", err)
	}
	err = filepath.WalkDir(c.DataDir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // removed meanwhile, or no data directory at all
			return nil
		}
		rel, relErr := filepath.Rel(c.DataDir, path)
		if err = errors.Join(err, relErr); err != nil {
			return err
		}
		switch {
		case d.IsDir() && ownFolders[rel]:
			return fs.SkipDir
		case !d.Type().IsRegular(), rel == lockFile, path == c.Users.File, rel == backup.UsersFile, unfinishedFile(d.Name()):
			return nil
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		files = append(files, backup.File{Path: rel, Content: content})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("dataDir: %w", err)
	}
	return files, nil
}

// ownFolders of the data directory are in no backup.
var ownFolders = map[string]bool{"etcd": true, tombstonesFolder: true}

// unfinishedFile says whether a name is that of a file before it gets its own.
func unfinishedFile(name string) bool {
	return strings.HasSuffix(name, ".tmp") || strings.HasSuffix(name, ".new") || strings.HasPrefix(name, "new-")
}
