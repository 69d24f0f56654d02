package tenant

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn/effect"
)

// tombstones are the attachments that are to be detached and could not be yet,
// a file each (mode 0600) so that they outlive the process.
type tombstones struct {
	dir string

	mu  sync.Mutex
	all map[ipam.Attachment]bool
}

// tombstoneSchema is the version of a tombstone's form. Those of before there were
// versions have none and are read as they are.
const tombstoneSchema = 1

// tombstone is what a file holds.
type tombstone struct {
	Schema int `json:"schema"`
	ipam.Attachment
}

const (
	tombstoneSuffix = ".json"
	unfinished      = "new-" // begins the name of a file that is being written
	unfinishedAge   = time.Hour
)

// openTombstones reads what a directory holds, which is made if it is not
// there; other processes may use it at the same time. With no directory they
// live in memory.
func openTombstones(dir string) (*tombstones, error) {
	t := &tombstones{dir: dir, all: map[ipam.Attachment]bool{}}
	if dir == "" {
		return t, nil
	}
	err := effect.Do(effect.File, "create the folder of tombstones", func() error { return os.MkdirAll(dir, 0o700) })
	if err != nil {
		return nil, fmt.Errorf("create directory of tombstones: %w", err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read tombstones: %w", err)
	}
	for _, f := range files {
		path := filepath.Join(dir, f.Name())
		switch {
		case strings.HasSuffix(f.Name(), tombstoneSuffix):
			err = t.read(path)
		case strings.HasPrefix(f.Name(), unfinished):
			err = removeOld(path)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) { // another process was faster
			return nil, fmt.Errorf("read tombstones: %w", err)
		}
	}
	return t, nil
}

func (t *tombstones) read(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	a, err := decodeTombstone(b)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	t.all[a] = true
	return nil
}

func decodeTombstone(text []byte) (ipam.Attachment, error) {
	var s tombstone
	if err := json.Unmarshal(text, &s); err != nil {
		return ipam.Attachment{}, err
	}
	if s.Schema > tombstoneSchema {
		return ipam.Attachment{}, fmt.Errorf("its form has version %d, this program knows %d: %w", s.Schema, tombstoneSchema, ipam.ErrNewer)
	}
	return s.Attachment, nil
}

// removeOld removes a file that nobody can be writing any more.
func removeOld(path string) error {
	st, err := os.Stat(path)
	if err != nil || time.Since(st.ModTime()) < unfinishedAge {
		return err
	}
	return effect.Do(effect.File, "remove an unfinished tombstone", func() error { return os.Remove(path) })
}

func (t *tombstones) file(a ipam.Attachment) string {
	sum := sha256.Sum256([]byte(a.Node + "/" + a.String()))
	return filepath.Join(t.dir, hex.EncodeToString(sum[:])+tombstoneSuffix)
}

// add notes an attachment. The file appears whole or not at all, and is synced:
// the caller is about to say that it was noted.
func (t *tombstones) add(a ipam.Attachment) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all[a] {
		return nil
	}
	if t.dir != "" {
		if err := t.write(a); err != nil {
			return fmt.Errorf("note tombstone of %s: %w", a, err)
		}
	}
	t.all[a] = true
	return nil
}

func (t *tombstones) write(a ipam.Attachment) error {
	b, err := json.Marshal(tombstone{tombstoneSchema, a})
	if err != nil {
		return err
	}
	var f *os.File
	err = effect.Do(effect.File, "create a tombstone under another name", func() (err error) {
		f, err = os.CreateTemp(t.dir, unfinished)
		return err
	})
	if err != nil {
		return err
	}
	err = effect.Do(effect.File, "write a tombstone", func() error {
		_, err := f.Write(b)
		return errors.Join(err, f.Sync())
	})
	if err = errors.Join(err, f.Close()); err == nil {
		err = effect.Do(effect.File, "place a tombstone", func() error { return os.Rename(f.Name(), t.file(a)) })
	}
	if err != nil {
		return errors.Join(err, effect.Do(effect.File, "remove an unfinished tombstone", func() error { return os.Remove(f.Name()) }))
	}
	dir, err := os.Open(t.dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

func (t *tombstones) remove(a ipam.Attachment) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.all[a] {
		return nil
	}
	if t.dir != "" {
		err := effect.Undo("remove a tombstone", func() error {
			return effect.Do(effect.File, "remove a tombstone", func() error { return os.Remove(t.file(a)) })
		})
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove tombstone of %s: %w", a, err)
		}
	}
	delete(t.all, a)
	return nil
}

func (t *tombstones) has(a ipam.Attachment) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all[a]
}

func (t *tombstones) list() (as []ipam.Attachment) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for a := range t.all {
		as = append(as, a)
	}
	return as
}
