package socket_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/moatnet/moat/cmd/moat/internal/socket"
)

func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "moat")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

func TestSecondListenerIsRefusedAndTheFirstUnharmed(t *testing.T) {
	path := filepath.Join(shortDir(t), "deep", "down", "s")
	first, err := socket.Listen(t.Context(), path, 0o600)
	require.NoError(t, err, "the folder is made")
	defer first.Close()
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	_, err = socket.Listen(t.Context(), path, 0o600)
	require.ErrorIs(t, err, socket.ErrTaken)
	require.ErrorContains(t, err, path)
	c, err := net.Dial("unix", path)
	require.NoError(t, err)
	require.NoError(t, c.Close())
}

func TestWhatIsNoSocketIsLeftAlone(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	require.NoError(t, os.WriteFile(path, []byte("mine"), 0o600))
	_, err := socket.Listen(t.Context(), path, 0o600)
	require.Error(t, err)
	require.FileExists(t, path)
}

func TestOfManyOneTakesADeadSocketOver(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	require.NoError(t, err)
	dead.SetUnlinkOnClose(false)
	require.NoError(t, dead.Close())

	var mu sync.Mutex
	var got []*net.UnixListener
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			l, err := socket.Listen(t.Context(), path, 0o600)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				got = append(got, l)
			} else if !errors.Is(err, socket.ErrTaken) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Len(t, got, 1)
	require.NoError(t, got[0].Close())
}

func TestARequestUnderWayIsAnsweredAtTheEnd(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	path := filepath.Join(shortDir(t), "s")
	l, err := socket.Listen(t.Context(), path, 0o600)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		cancel()
		_, _ = io.WriteString(w, "served")
	})}
	done := make(chan error, 1)
	go func() { done <- socket.ServeHTTP(ctx, l, srv, 5*time.Second) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	res, err := client.Get("http://x/")
	require.NoError(t, err)
	b, err := io.ReadAll(res.Body)
	require.NoError(t, errors.Join(err, res.Body.Close()))
	require.Equal(t, "served", string(b))
	require.NoError(t, <-done)
}

func TestAServerThatFailsLeavesNothingBehind(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	l, err := socket.Listen(t.Context(), filepath.Join(shortDir(t), "s"), 0o600)
	require.NoError(t, err)
	require.NoError(t, l.Close())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	require.ErrorIs(t, socket.ServeHTTP(ctx, l, &http.Server{}, time.Second), net.ErrClosed)
}
