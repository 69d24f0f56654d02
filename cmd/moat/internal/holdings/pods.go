package holdings

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Pods proves that pods of this node are gone.
type Pods struct {
	BootID string // of this boot (random(4))
}

// Gone says whether it is proven that the namespace with that inode, which was
// at path in the given boot, is there no more: it was of another boot, or its path
// is free or names another one. A folder that cannot be read proves nothing, nor
// does a path that was never visible here, whose inode is 0.
func (p Pods) Gone(path string, inode uint64, boot string) bool {
	if inode == 0 {
		return false
	}
	if boot != p.BootID {
		return boot != "" && p.BootID != ""
	}
	var st syscall.Stat_t
	err := syscall.Stat(path, &st)
	if err == nil {
		return st.Ino != inode
	}
	return errors.Is(err, fs.ErrNotExist) && readable(path)
}

// Living says whether that namespace is at its path.
func (p Pods) Living(path string, inode uint64, boot string) bool {
	var st syscall.Stat_t
	return inode != 0 && boot != "" && boot == p.BootID && syscall.Stat(path, &st) == nil && st.Ino == inode
}

// readable says whether the folder of namespaces, in which a path was, is there.
// The folder of a process goes with it: that of all processes counts instead.
func readable(path string) bool {
	dir := filepath.Dir(path)
	if strings.HasPrefix(path, "/proc/") {
		dir = "/proc"
	}
	_, err := os.ReadDir(dir)
	return err == nil
}
