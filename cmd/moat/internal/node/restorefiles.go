package node

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/moatnet/moat/cmd/moat/internal/backup"
	"github.com/moatnet/moat/sdn/effect"
)

// place puts a file of the backup where it belongs, unless what is there stays.
func (r *restore) place(f backup.File) error {
	if kept, err := r.keeps(f); kept || err != nil {
		return err
	}
	path := filepath.Join(r.c.DataDir, f.Path)
	if f.Path == backup.UsersFile {
		path = r.c.Users.File
	}
	folder := filepath.Dir(path)
	err := effect.Do(effect.File, "create the folder of a restored file", func() error { return os.MkdirAll(folder, 0o700) })
	if err != nil {
		return err
	}
	if err := clearUnfinished(folder, unfinishedNames); err != nil {
		return err
	}
	return writeAtomically(path, f.Content, 0o600)
}

// keeps says whether a file that is there stays: what this node noted of a pod is
// newer than the backup. In one that was made during the pod's ADD the note says that
// nobody has its result, and the daemon would undo what a living pod has.
func (r *restore) keeps(f backup.File) (bool, error) {
	if folder, _, _ := strings.Cut(f.Path, "/"); !notesOfPods[folder] {
		return false, nil
	}
	_, err := os.Lstat(filepath.Join(r.c.DataDir, f.Path))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return true, err
}

// notesOfPods are the folders of the data directory with notes of single pods.
var notesOfPods = map[string]bool{networksFolder: true, delegationsFolder: true}
