package netns

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// threadNamespace is the network namespace of the calling thread.
const threadNamespace = "/proc/thread-self/ns/net"

// Inode identifies the namespace behind an open namespace file: two files are
// the same namespace exactly when both numbers are equal (namespaces(7)).
func Inode(f *os.File) (dev, ino uint64, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return 0, 0, fmt.Errorf("inode of namespace %s: %w", f.Name(), err)
	}
	return uint64(st.Dev), st.Ino, nil
}

// openNamespace opens the namespace pinned at path; nil for "", the caller's.
func openNamespace(path string) (*os.File, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrNoNamespace, err)
	}
	return f, err
}

// socketIn makes a socket that lives in the namespace ns (nil: the caller's).
// A goroutine of its own enters the namespace; should the way back fail, its
// thread ends with it and is never used again.
func socketIn(ns *os.File, family, kind, protocol int) (int, error) {
	kind |= unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK
	if ns == nil {
		return unix.Socket(family, kind, protocol)
	}
	type made struct {
		fd  int
		err error
	}
	done := make(chan made, 1)
	go func() {
		runtime.LockOSThread()
		fd, restored, err := enterAndOpen(ns, family, kind, protocol)
		if restored {
			runtime.UnlockOSThread()
		}
		done <- made{fd, err}
	}()
	m := <-done
	return m.fd, m.err
}

// enterAndOpen runs on a locked thread. restored says whether the thread is in
// its own namespace again.
func enterAndOpen(ns *os.File, family, kind, protocol int) (fd int, restored bool, err error) {
	own, err := unix.Open(threadNamespace, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, true, fmt.Errorf("open %s: %w", threadNamespace, err)
	}
	defer unix.Close(own)
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		if errors.Is(err, unix.EINVAL) {
			err = fmt.Errorf("%w: %w", ErrNoNamespace, err)
		}
		return -1, true, fmt.Errorf("enter namespace %s: %w", ns.Name(), err)
	}
	fd, err = unix.Socket(family, kind, protocol)
	if back := unix.Setns(own, unix.CLONE_NEWNET); back != nil {
		if err == nil {
			unix.Close(fd)
		}
		return -1, false, fmt.Errorf("leave namespace %s: %w", ns.Name(), back)
	}
	if err != nil {
		return -1, true, fmt.Errorf("socket in namespace %s: %w", ns.Name(), err)
	}
	return fd, true, nil
}
