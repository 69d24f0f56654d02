package dataplane_test

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// What the kernel tells nobody of is found by the next full pass.
func TestWhatNobodyHearsOfIsRestoredByTheNextPass(t *testing.T) {
	l := newLab(t)
	l.config.Interval = 50 * time.Millisecond
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	p := l.pod(e, red, "10.1.0.2/24")
	path := filepath.Join(netnsDir, l.home(red))

	t.Run("a namespace that is unpinned", func(t *testing.T) {
		inode := func() uint64 {
			var st syscall.Stat_t
			require.NoError(t, syscall.Stat(path, &st))
			return st.Ino
		}
		for name, unpin := range map[string]func() error{
			"and its file removed": func() error {
				if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
					return err
				}
				return os.Remove(path)
			},
			"and its file left": func() error { return unix.Unmount(path, unix.MNT_DETACH) },
		} {
			before, links := inode(), l.indexes(red)
			require.NoError(t, unpin(), name)
			require.Eventually(t, func() bool {
				var st syscall.Stat_t
				return syscall.Stat(path, &st) == nil && st.Ino == before
			}, 30*time.Second, 5*time.Millisecond, "the same namespace is pinned again, %s", name)
			require.Equal(t, links, l.indexes(red))
			reaches(t, p.ns, red.gateway.Addr())
		}
	})
	t.Run("a sysctl", func(t *testing.T) {
		const forward = "/proc/sys/net/ipv4/ip_forward"
		l.within(red, func() error { return os.WriteFile(forward, []byte("0"), 0) })
		require.Eventually(t, func() bool {
			var value []byte
			l.within(red, func() (err error) { value, err = os.ReadFile(forward); return err })
			return bytes.Equal(bytes.TrimSpace(value), []byte("1"))
		}, 30*time.Second, 5*time.Millisecond)
	})
}
