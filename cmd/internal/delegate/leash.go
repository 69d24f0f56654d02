package delegate

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// leash has the kernel kill a plugin with its children when this process ends,
// however it ends. The plugin and its children hold the reading end of a pipe, whose
// other end closes with this process; that is told to their process group by SIGKILL
// (fcntl(2), F_SETOWN and F_SETSIG). A parent-death signal reaches the plugin alone.
type leash struct{ plugins, own *os.File }

func newLeash() (*leash, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, fmt.Errorf("pipe: %w", err)
	}
	return &leash{os.NewFile(uintptr(fds[0]), "leash"), os.NewFile(uintptr(fds[1]), "leash")}, nil
}

// fasten begins it for a process group, which may have ended.
func (l *leash) fasten(group int) error {
	fd := l.plugins.Fd()
	for _, set := range []struct{ command, value int }{
		{unix.F_SETSIG, int(unix.SIGKILL)}, {unix.F_SETOWN, -group}, {unix.F_SETFL, unix.O_ASYNC},
	} {
		if _, err := unix.FcntlInt(fd, set.command, set.value); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("fcntl %d: %w", set.command, err)
		}
	}
	return nil
}

// loosen ends it: what a plugin that came to its end has left running goes on.
func (l *leash) loosen() error {
	if _, err := unix.FcntlInt(l.plugins.Fd(), unix.F_SETFL, 0); err != nil {
		return fmt.Errorf("fcntl %d: %w", unix.F_SETFL, err)
	}
	return nil
}

// close kills the process group, unless the leash was loosened.
func (l *leash) close() {
	l.plugins.Close()
	l.own.Close()
}
