package lab

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Namespace is a network namespace that the lab made and pinned.
type Namespace struct {
	Name string
	Path string
	file *os.File
}

// Lab holds what was made, to remove it last first. Its methods may be called at
// the same time, by tests whose pods start at once; Close comes after all of them.
type Lab struct {
	// Dir is an empty directory of the lab's own.
	Dir    string
	prefix string

	mu   sync.Mutex
	undo []func() error
}

// New makes an empty lab with a temporary directory.
func New() (*Lab, error) { return NewIn("") }

// NewIn makes an empty lab with a temporary directory below parent; "" is the
// system's folder for temporary files. What labs that were killed left behind is
// removed first.
func NewIn(parent string) (*Lab, error) {
	if err := sweep(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(parent, tempPrefix)
	if err != nil {
		return nil, fmt.Errorf("make lab: %w", err)
	}
	raw := make([]byte, 3)
	if _, err := rand.Read(raw); err != nil {
		return nil, fmt.Errorf("make lab: %w", err)
	}
	l := &Lab{Dir: dir, prefix: "lab" + hex.EncodeToString(raw) + "-"}
	if err := l.claim(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	l.Defer(func() error { return errors.Join(unmountBelow(dir), os.RemoveAll(dir)) })
	return l, nil
}

// unmountBelow detaches every mount at or below dir, the last one first.
func unmountBelow(dir string) error {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	var errs []error
	lines := strings.Split(string(table), "\n")
	for _, line := range slices.Backward(lines) {
		fields := strings.Fields(line)
		if len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			errs = append(errs, unix.Unmount(fields[4], unix.MNT_DETACH))
		}
	}
	return errors.Join(errs...)
}

// Defer registers f to run at Close, before everything registered earlier.
func (l *Lab) Defer(f func() error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.undo = append(l.undo, f)
}

// Close removes everything that the lab made.
func (l *Lab) Close() error {
	l.mu.Lock()
	undo := l.undo
	l.undo = nil
	l.mu.Unlock()
	var errs []error
	for _, f := range slices.Backward(undo) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

// netnsDir is where namespaces are pinned, as iproute2 does.
const netnsDir = "/run/netns"

// Namespace makes a network namespace with its loopback up.
func (l *Lab) Namespace(name string) (*Namespace, error) {
	if err := os.MkdirAll(netnsDir, 0o755); err != nil {
		return nil, fmt.Errorf("make namespace %s: %w", name, err)
	}
	n := &Namespace{Name: name, Path: filepath.Join(netnsDir, l.prefix+name)}
	f, err := os.OpenFile(n.Path, os.O_CREATE|os.O_EXCL|os.O_RDONLY, 0o444)
	if err != nil {
		return nil, fmt.Errorf("make namespace %s: %w", name, err)
	}
	_ = f.Close()
	made := make(chan error, 1)
	go func() { made <- pin(n.Path) }()
	if err := <-made; err != nil {
		_ = os.Remove(n.Path)
		return nil, fmt.Errorf("make namespace %s: %w", name, err)
	}
	if n.file, err = os.Open(n.Path); err != nil {
		return nil, fmt.Errorf("open namespace %s: %w", name, err)
	}
	l.Defer(n.remove)
	return n, n.Do(func() error { return Up("lo") })
}

// pin gives the calling goroutine's thread a new namespace and mounts it at
// path. The thread stays locked, so that it ends with the goroutine.
func pin(path string) error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if err := unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	return nil
}

func (n *Namespace) remove() error {
	_ = n.file.Close()
	return unpin(n.Path)
}

// unpin takes a namespace's name away; one that is gone already is no error.
func unpin(path string) error {
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("unmount %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Remove takes the namespace away before the lab is closed, as a runtime does
// with a pod's.
func (n *Namespace) Remove() error { return n.remove() }

// Do runs f on a thread inside the namespace and waits for it. Sockets, and
// processes, that f makes stay inside it. A nil Namespace is the caller's own.
func (n *Namespace) Do(f func() error) error {
	if n == nil {
		return f()
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter namespace %s: %w", n.Name, err)
			return
		}
		done <- f()
	}()
	return <-done
}

// Bring starts cmd inside the namespace, from a thread that lives as long as the
// process: the kernel ends a process with the thread that started it, so that none
// outlives a lab that was killed. The channel says how it ended.
func (n *Namespace) Bring(cmd *exec.Cmd) (chan error, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started, exit := make(chan error, 1), make(chan error, 1)
	go func() {
		err := n.Do(func() error {
			runtime.LockOSThread()
			if err := cmd.Start(); err != nil {
				return err
			}
			started <- nil
			exit <- cmd.Wait()
			return nil
		})
		if err != nil {
			started <- err
		}
	}()
	return exit, <-started
}

// In runs f on a thread inside the network namespace at path.
func In(path string, f func() error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return (&Namespace{Name: path, Path: path, file: file}).Do(f)
}
