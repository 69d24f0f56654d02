package dataplane

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn/dataplane/rtnl"
	"github.com/moatnet/moat/sdn/effect"
)

// currentNamespace opens the network namespace of the calling thread.
func currentNamespace() (*os.File, error) {
	return os.Open("/proc/thread-self/ns/net")
}

// inside runs f on a thread of its own in the namespace of ns. f must start no
// goroutines. The thread ends with f, so that it need not be turned back.
func inside(ns *os.File, f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread dies with the goroutine
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter namespace %s: %w", ns.Name(), err)
			return
		}
		done <- f()
	}()
	return <-done
}

// namespaces lists the pinned namespaces that may be Moat's by their names.
func namespaces(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list namespaces: %w", err)
	}
	var out []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "moat-") {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// createNamespace makes a namespace, stamps its loopback and pins it.
func createNamespace(dir, name, alias string) error {
	if err := prepareDir(dir); err != nil {
		return err
	}
	path := filepath.Join(dir, name)
	taken, err := pinFile(path)
	if err != nil {
		return fmt.Errorf("create namespace %s: %w", name, err)
	}
	if taken {
		return fmt.Errorf("create namespace %s: %w", name, fs.ErrExist)
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread dies with the goroutine
		done <- pinNew(path, alias)
	}()
	if err := <-done; err != nil {
		undone := effect.Undo("remove the file of a namespace that was not pinned", func() error { return removePin(path) })
		return fmt.Errorf("create namespace %s: %w", name, errors.Join(err, undone))
	}
	return nil
}

// pinFile makes the file over which a namespace is mounted, and says whether one
// is. A file without a namespace is what a process left that died just here.
func pinFile(path string) (taken bool, err error) {
	var f *os.File
	err = effect.Do(effect.Namespace, "create the file of a namespace", func() (err error) {
		f, err = os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o444)
		return err
	})
	if err != nil {
		return false, err
	}
	defer f.Close()
	return isNamespace(f), nil
}

// pinAgain pins an open namespace whose pin was taken away: as long as somebody
// has it open, all that is in it is there.
func pinAgain(dir, name string, fd int) (bool, error) {
	path := filepath.Join(dir, name)
	f, err := os.Open(path)
	if err == nil {
		taken := isNamespace(f)
		f.Close()
		if taken {
			return false, nil
		}
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = prepareDir(dir)
	}
	if err == nil {
		_, err = pinFile(path)
	}
	if err == nil {
		err = effect.Do(effect.Namespace, "pin a namespace again", func() error {
			return unix.Mount(fmt.Sprintf("/proc/self/fd/%d", fd), path, "", unix.MS_BIND, "")
		})
	}
	if err != nil {
		return false, fmt.Errorf("pin namespace %s again: %w", name, err)
	}
	return true, nil
}

func pinNew(path, alias string) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	ns, err := currentNamespace()
	if err != nil {
		return err
	}
	defer ns.Close()
	c, err := rtnl.Dial(int(ns.Fd()))
	if err != nil {
		return err
	}
	defer c.Close()
	const loopback = 1 // the kernel gives it the first index
	stamp, err := rtnl.SetLink(loopback, rtnl.LinkChange{Name: "lo", Alias: &alias})
	if err != nil {
		return err
	}
	if err := c.Apply([]rtnl.Request{stamp}); err != nil {
		return err
	}
	return effect.Do(effect.Namespace, "pin a namespace", func() error {
		return unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, "")
	})
}

// isNamespace says whether the open file is a namespace.
func isNamespace(f *os.File) bool {
	var st unix.Statfs_t
	return unix.Fstatfs(int(f.Fd()), &st) == nil && st.Type == unix.NSFS_MAGIC
}

// prepareDir makes the folder of pinned namespaces a shared mount, as
// ip-netns(8) does, so that other mount namespaces see what is pinned later.
func prepareDir(dir string) error {
	err := effect.Do(effect.Namespace, "create the folder of namespaces", func() error { return os.MkdirAll(dir, 0o755) })
	if err != nil {
		return fmt.Errorf("prepare %s: %w", dir, err)
	}
	if err = share(dir); err == nil {
		return nil
	}
	if !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("share mount %s: %w", dir, err)
	}
	err = effect.Do(effect.Namespace, "mount the folder of namespaces", func() error {
		return unix.Mount(dir, dir, "", unix.MS_BIND|unix.MS_REC, "")
	})
	if err != nil {
		return fmt.Errorf("bind mount %s: %w", dir, err)
	}
	if err := share(dir); err != nil {
		return fmt.Errorf("share mount %s: %w", dir, err)
	}
	return nil
}

func share(dir string) error {
	return effect.Do(effect.Namespace, "share the folder of namespaces", func() error {
		return unix.Mount("", dir, "", unix.MS_SHARED|unix.MS_REC, "")
	})
}

func removePin(path string) error {
	return effect.Do(effect.Namespace, "remove the file of a namespace", func() error { return os.Remove(path) })
}

func removeNamespace(dir, name string) error {
	path := filepath.Join(dir, name)
	err := effect.Do(effect.Namespace, "unpin a namespace", func() error { return unix.Unmount(path, unix.MNT_DETACH) })
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove namespace %s: %w", name, err)
	}
	err = effect.Undo("remove the file of a namespace that was unpinned", func() error { return removePin(path) })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove namespace %s: %w", name, err)
	}
	return nil
}

// removeFile removes what a process left that died between making the file of a
// namespace and pinning it, or between unpinning and removing: an empty file. Whose
// it is does not show, and another installation may be about to pin its own there;
// so it has to be of some age. One that is pinned after the look stays: EBUSY.
func removeFile(dir, name string, age time.Duration) (left time.Duration, err error) {
	path := filepath.Join(dir, name)
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil || !info.Mode().IsRegular() || info.Size() > 0 {
		return 0, err
	}
	if left := age - time.Since(info.ModTime()); left > 0 {
		return left, nil
	}
	if err := removePin(path); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.EBUSY) {
		return 0, fmt.Errorf("remove the empty file of a namespace: %w", err)
	}
	return 0, nil
}
