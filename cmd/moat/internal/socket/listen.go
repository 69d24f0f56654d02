package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn/effect"
)

// ErrTaken says that a living process listens at the path.
var ErrTaken = errors.New("another daemon listens there")

// Listen takes a unix socket, over from a process that died if need be; a living
// one keeps it: ErrTaken. The socket's folder is made if it is not there. From
// then on callers wait until their connection is accepted.
func Listen(ctx context.Context, path string, mode os.FileMode) (*net.UnixListener, error) {
	l, err := listen(ctx, path, mode)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return l, nil
}

func listen(ctx context.Context, path string, mode os.FileMode) (*net.UnixListener, error) {
	err := effect.Do(effect.File, "create the folder of a socket", func() error { return os.MkdirAll(filepath.Dir(path), 0o755) })
	if err != nil {
		return nil, err
	}
	unlock, err := alone(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	var l *net.UnixListener
	err = effect.Do(effect.File, "create a socket", func() (err error) {
		l, err = net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := effect.Do(effect.File, "open a socket to its users", func() error { return os.Chmod(path, mode) }); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// alone keeps others of this function out of a folder: between two that find
// the same socket dead, one would remove the other's new one.
func alone(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { _ = f.Close() }, nil
}

// removeStale removes a socket that nobody listens at, and nothing else.
func removeStale(ctx context.Context, path string) error {
	if st, err := os.Lstat(path); err == nil && st.Mode().Type() != os.ModeSocket {
		return errors.New("what is there is no socket")
	}
	c, err := new(net.Dialer).DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		_ = c.Close()
		return ErrTaken
	case errors.Is(err, syscall.ECONNREFUSED):
		return effect.Do(effect.File, "remove a dead socket", func() error { return os.Remove(path) })
	case errors.Is(err, syscall.EAGAIN): // its queue of callers is full
		return ErrTaken
	}
	return nil // what else stands in the way is said by listening
}
