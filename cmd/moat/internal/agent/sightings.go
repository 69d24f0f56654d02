package agent

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/moatnet/moat/netns"
)

// sightings remembers the folders in which this process saw namespaces of pods. The
// zero value has seen none.
type sightings struct {
	mu      sync.Mutex
	folders map[string]bool
}

// inode is that of a pod's namespace, if it is at the path that the runtime names, or
// was, in a folder where others were seen: so that it can be told later when it is
// not there any more. Else, as when the runtime's folder is not visible here, it is 0.
func (s *sightings) inode(ns *os.File, path string) uint64 {
	if ns == nil {
		return 0
	}
	dev, inode, err := netns.Inode(ns)
	if err != nil {
		return 0
	}
	at, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s.ended(path, inode)
	}
	if err != nil {
		return 0
	}
	defer at.Close()
	d, i, err := netns.Inode(at)
	switch {
	case err != nil:
		return 0
	case d != dev || i != inode:
		return s.ended(path, inode)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.folders == nil {
		s.folders = map[string]bool{}
	}
	s.folders[filepath.Dir(path)] = true
	return inode
}

// ended is the inode of a namespace that is no more at its path, where others were
// seen: a pod may end while its ADD is under way.
func (s *sightings) ended(path string, inode uint64) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.folders[filepath.Dir(path)] {
		return inode
	}
	return 0
}
