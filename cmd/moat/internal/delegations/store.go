package delegations

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn/effect"
)

// schema is the version of a note's form. Notes of before there were versions have
// none and are read as they are.
const schema = 1

// ErrNewer: a newer program wrote a note; it is left as it is.
var ErrNewer = errors.New("a newer program wrote it")

const (
	suffix        = ".json"
	unfinished    = "new-" // begins the name of a file that is being written
	unfinishedAge = time.Hour
)

// Record is what an attachment had other plugins do.
type Record struct {
	Attachment ipam.Attachment `json:"attachment"`
	Env        cniconf.Env     `json:"env"` // of the ADD
	// Added: the ADD succeeded. Without it nobody has its result, and all of it is
	// to be undone.
	Added bool   `json:"added"`
	Steps []Step `json:"steps"` // in the order of the ADD
}

// stored is a record with the version of its form.
type stored struct {
	Schema int `json:"schema"`
	Record
}

// Step is one plugin that is run for an attachment.
type Step struct {
	Plugin string `json:"plugin"` // its "type"
	IfName string `json:"ifName"`
	Config []byte `json:"config"` // all that it read on standard input
	// Result is what its ADD printed; nil: it may have run or not.
	Result []byte `json:"result,omitempty"`
}

// Store is a folder of records.
type Store struct{ dir string }

// Open makes the folder if it is not there, and clears away what a process left
// half written.
func Open(dir string) (*Store, error) {
	err := effect.Do(effect.File, "create the folder of delegations", func() error { return os.MkdirAll(dir, 0o700) })
	if err != nil {
		return nil, fmt.Errorf("create folder of delegations: %w", err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read delegations: %w", err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || !strings.HasPrefix(f.Name(), unfinished) || time.Since(info.ModTime()) < unfinishedAge {
			continue
		}
		err = effect.Do(effect.File, "remove an unfinished note of delegations", func() error { return os.Remove(filepath.Join(dir, f.Name())) })
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("clear folder of delegations: %w", err)
		}
	}
	return &Store{dir}, nil
}

// Put writes the record of an attachment, whole or not at all; it is on disk when
// Put returns.
func (s *Store) Put(r Record) error {
	if err := s.put(r); err != nil {
		return fmt.Errorf("note what is delegated for %s: %w", r.Attachment, err)
	}
	return nil
}

func (s *Store) put(r Record) error {
	if _, err := read(s.file(r.Attachment)); errors.Is(err, ErrNewer) {
		return err
	}
	b, err := json.Marshal(stored{schema, r})
	if err != nil {
		return err
	}
	var f *os.File
	err = effect.Do(effect.File, "create a note of delegations under another name", func() (err error) {
		f, err = os.CreateTemp(s.dir, unfinished) // mode 0600
		return err
	})
	if err != nil {
		return err
	}
	err = effect.Do(effect.File, "write a note of delegations", func() error {
		_, err := f.Write(b)
		return errors.Join(err, f.Sync())
	})
	if err = errors.Join(err, f.Close()); err == nil {
		err = effect.Do(effect.File, "place a note of delegations", func() error { return os.Rename(f.Name(), s.file(r.Attachment)) })
	}
	if err != nil {
		return errors.Join(err, effect.Do(effect.File, "remove an unfinished note of delegations", func() error { return os.Remove(f.Name()) }))
	}
	return s.sync()
}

// Get returns the record of an attachment; false: there is none.
func (s *Store) Get(a ipam.Attachment) (Record, bool, error) {
	r, err := read(s.file(a))
	if errors.Is(err, fs.ErrNotExist) {
		return Record{}, false, nil
	}
	return r, err == nil, err
}

// All returns every record that can be read; what cannot is in the error.
func (s *Store) All() ([]Record, error) {
	files, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("read delegations: %w", err)
	}
	var all []Record
	var errs []error
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), suffix) {
			continue
		}
		switch r, err := read(filepath.Join(s.dir, f.Name())); {
		case err == nil:
			all = append(all, r)
		case !errors.Is(err, fs.ErrNotExist): // removed meanwhile
			errs = append(errs, err)
		}
	}
	return all, errors.Join(errs...)
}

// Remove removes the record of an attachment, if there is one.
func (s *Store) Remove(a ipam.Attachment) error {
	err := effect.Do(effect.File, "remove a note of delegations", func() error { return os.Remove(s.file(a)) })
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil:
		err = s.sync()
	}
	if err != nil {
		return fmt.Errorf("forget what is delegated for %s: %w", a, err)
	}
	return nil
}

func (s *Store) file(a ipam.Attachment) string {
	sum := sha256.Sum256([]byte(a.Node + "/" + a.String()))
	return filepath.Join(s.dir, hex.EncodeToString(sum[:])+suffix)
}

func (s *Store) sync() error {
	dir, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func read(path string) (Record, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Record{}, fmt.Errorf("read delegations: %w", err)
	}
	r, err := decode(b)
	if err != nil {
		return Record{}, fmt.Errorf("read delegations: %s: %w", path, err)
	}
	return r, nil
}

func decode(text []byte) (Record, error) {
	var s stored
	if err := json.Unmarshal(text, &s); err != nil {
		return Record{}, err
	}
	if s.Schema > schema {
		return Record{}, fmt.Errorf("its form has version %d, this program knows %d: %w", s.Schema, schema, ErrNewer)
	}
	return s.Record, nil
}
