package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// listenOn serves srv on a loopback port until the test ends.
func listenOn(t *testing.T, srv *http.Server) *net.TCPAddr {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	t.Cleanup(func() {
		require.NoError(t, srv.Close())
		require.ErrorIs(t, <-ended, http.ErrServerClosed)
	})
	address, _ := l.Addr().(*net.TCPAddr)
	return address
}

func (cs *conns) count() (open, idle int) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return len(cs.open), cs.idle.Len()
}

func opened(srv *http.Server) *conns {
	l, _ := srv.Handler.(*limited)
	return l.open
}

// rawConn is a socket without what Go keeps beside it.
func rawConn(t *testing.T, to *net.TCPAddr) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Close(fd)) })
	require.NoError(t, unix.Connect(fd, &unix.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())}))
	return fd
}

// held is the memory of this process: what Go's heap and stacks hold, and what
// the kernel counts, in bytes. The latter is no measure under the race detector.
func held(t *testing.T) (inGo, resident int) {
	t.Helper()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	text, err := os.ReadFile("/proc/self/statm")
	require.NoError(t, err)
	var size, pages int
	_, err = fmt.Sscan(string(text), &size, &pages)
	require.NoError(t, err)
	return int(m.HeapInuse + m.StackInuse), pages * os.Getpagesize()
}

func get(t *testing.T, to *net.TCPAddr) (int, error) {
	t.Helper()
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
	q, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+to.String()+"/", nil)
	require.NoError(t, err)
	resp, err := c.Do(q)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

func TestTenThousandIdleConnectionsAreBounded(t *testing.T) {
	const most, attackers = 256, 10_000
	srv := NewHTTPServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), Limits{Connections: most})
	to := listenOn(t, srv)
	inGo, resident := held(t)
	goroutines := runtime.NumGoroutine()
	for i := range attackers {
		fd := rawConn(t, to)
		switch i % 3 { // nothing at all, half a request, or a whole one
		case 1:
			_, err := unix.Write(fd, []byte("GET / HTTP/1.1\r\nHost: "))
			require.NoError(t, ignoreReset(err))
		case 2:
			_, err := unix.Write(fd, []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
			require.NoError(t, ignoreReset(err))
		}
	}
	status, err := get(t, to)
	require.NoError(t, err, "a client is served while they hold on")
	require.Equal(t, http.StatusOK, status)
	open, _ := opened(srv).count()
	require.LessOrEqual(t, open, most)
	require.Eventually(t, func() bool { return runtime.NumGoroutine() < goroutines+2*most }, 10*time.Second, 10*time.Millisecond)
	nowInGo, nowResident := held(t)
	t.Logf("%d connections: heap and stacks grown by %d KiB, resident memory by %d KiB to %d MiB",
		attackers, (nowInGo-inGo)>>10, (nowResident-resident)>>10, nowResident>>20)
	require.Less(t, nowInGo-inGo, 48<<20)
}

// ignoreReset takes what a closed connection answers for fine.
func ignoreReset(err error) error {
	if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
		return nil
	}
	return err
}

func TestConnectionsWithARequestInHandAreNotClosed(t *testing.T) {
	begun, finish := make(chan struct{}, 2), make(chan struct{})
	srv := NewHTTPServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { begun <- struct{}{}; <-finish }), Limits{Connections: 2})
	to := listenOn(t, srv)
	type result struct {
		status int
		err    error
	}
	results := make(chan result, 2)
	for range 2 {
		go func() {
			status, err := get(t, to)
			results <- result{status, err}
		}()
		<-begun
	}
	_, err := get(t, to)
	require.Error(t, err, "there is no room")
	close(finish)
	for range 2 {
		require.Equal(t, result{http.StatusOK, nil}, <-results)
	}
	require.Eventually(t, func() bool { open, _ := opened(srv).count(); return open == 0 }, 10*time.Second, time.Millisecond)
	status, err := get(t, to)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
}

func TestTheLongestQuietConnectionMakesRoom(t *testing.T) {
	cs := newConns(2)
	arrive := func() (server, client net.Conn) {
		server, client = net.Pipe()
		t.Cleanup(func() { require.NoError(t, errors.Join(server.Close(), client.Close())) })
		cs.state(server, http.StateNew)
		return server, client
	}
	closed := func(client net.Conn) bool {
		if err := client.SetReadDeadline(time.Now()); err != nil {
			return errors.Is(err, io.ErrClosedPipe)
		}
		_, err := client.Read(make([]byte, 1))
		return errors.Is(err, io.EOF)
	}
	a, clientA := arrive()
	b, clientB := arrive()
	cs.busy(a)
	cs.busy(b)
	cs.quiet(b)
	cs.quiet(a)
	c, clientC := arrive()
	require.Equal(t, []bool{false, true, false}, []bool{closed(clientA), closed(clientB), closed(clientC)})
	cs.state(c, http.StateActive)
	cs.state(a, http.StateIdle)
	d, clientD := arrive()
	require.Equal(t, []bool{false, true}, []bool{closed(clientA), closed(clientC)})
	cs.busy(a)
	cs.busy(a)
	cs.quiet(a)
	cs.busy(d)
	_, clientE := arrive()
	require.Equal(t, []bool{false, false, true}, []bool{closed(clientA), closed(clientD), closed(clientE)}, "the new one finds no room")
	cs.quiet(a)
	cs.quiet(d)
	for _, gone := range []net.Conn{a, b, c, d} {
		cs.state(gone, http.StateClosed)
	}
	open, idle := cs.count()
	require.Equal(t, [2]int{}, [2]int{open, idle}, "nothing is left")
}

func TestSlowReadersAreCutOff(t *testing.T) {
	ended := make(chan error, 1)
	srv := NewHTTPServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, err := w.Write(make([]byte, 32<<20))
		ended <- err
	}), Limits{})
	slow, _ := srv.Handler.(*limited)
	slow.slack, slow.rate = 200*time.Millisecond, 1<<30
	to := listenOn(t, srv)
	fd := rawConn(t, to)
	_, err := unix.Write(fd, []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
	require.NoError(t, err)
	require.ErrorIs(t, <-ended, os.ErrDeadlineExceeded, "nothing is read at the other end")

	slow.slack = time.Minute
	status, err := get(t, to)
	require.NoError(t, err, "a client that reads gets it all")
	require.Equal(t, http.StatusOK, status)
	require.NoError(t, <-ended)
}

func TestRequestsBeyondTheLimitWaitAndGet503(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	srv := NewHTTPServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/long" {
			begun <- struct{}{}
			<-finish
		}
	}), Limits{Requests: 1})
	to := listenOn(t, srv)
	call := func(path string) *http.Response {
		q, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+to.String()+path, nil)
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(q)
		require.NoError(t, err)
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	done := make(chan int, 1)
	go func() { done <- call("/long").StatusCode }()
	<-begun
	start := time.Now()
	refused := call("/short")
	require.Equal(t, http.StatusServiceUnavailable, refused.StatusCode)
	require.GreaterOrEqual(t, time.Since(start), queueFor)
	require.Equal(t, "3", refused.Header.Get("Retry-After"))
	body, err := io.ReadAll(refused.Body)
	require.NoError(t, err)
	require.JSONEq(t, `{"message":"Too many requests at once.","code":503}`, string(body))
	close(finish)
	require.Equal(t, http.StatusOK, <-done)
	require.Equal(t, http.StatusOK, call("/short").StatusCode)
}

func TestARequestHasADeadline(t *testing.T) {
	srv := NewHTTPServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		w.WriteHeader(http.StatusTeapot)
	}), Limits{RequestTimeout: 50 * time.Millisecond})
	status, err := get(t, listenOn(t, srv))
	require.NoError(t, err)
	require.Equal(t, http.StatusTeapot, status)
}

func TestWaitingForASlotEndsWithTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &limited{slots: make(chan struct{}, 1), bodies: newSenders()}
		require.True(t, l.enter(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), queueFor/2)
		defer cancel()
		start := time.Now()
		require.False(t, l.enter(ctx))
		require.Equal(t, queueFor/2, time.Since(start))
		var in atomic.Bool
		go func() { in.Store(l.enter(t.Context())) }()
		synctest.Wait()
		<-l.slots
		synctest.Wait()
		require.True(t, in.Load(), "whoever waits gets the slot that becomes free")
	})
}

// Over HTTP/2 a connection has many requests, and is quiet when the last is
// answered.
func TestLimitsHoldOverHTTP2(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	s := httptest.NewUnstartedServer(nil)
	s.Config = NewHTTPServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/long":
			begun <- struct{}{}
			<-finish
		case "/large":
			_, _ = w.Write(make([]byte, 1<<20))
		}
	}), Limits{Connections: 1})
	open := opened(s.Config)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	client := func() *http.Client {
		transport, _ := s.Client().Transport.(*http.Transport)
		own := transport.Clone()
		t.Cleanup(own.CloseIdleConnections)
		return &http.Client{Transport: own, Timeout: 10 * time.Second}
	}
	call := func(c *http.Client, path string) error {
		q, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), "GET", s.URL+path, nil)
		if err != nil {
			return err
		}
		resp, err := c.Do(q)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.ProtoMajor != 2 {
			return errors.New(resp.Proto)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	one, two := client(), client()
	results := make(chan error, 2)
	for range 2 {
		go func() { results <- call(one, "/long") }()
		<-begun
	}
	require.NoError(t, call(one, "/large"))
	n, idle := open.count()
	require.Equal(t, [2]int{1, 0}, [2]int{n, idle}, "one connection, with requests in hand")
	require.Error(t, call(two, "/"), "there is no room")
	close(finish)
	require.NoError(t, <-results)
	require.NoError(t, <-results)
	require.Eventually(t, func() bool { _, idle := open.count(); return idle == 1 }, 10*time.Second, time.Millisecond)
	require.NoError(t, call(two, "/"), "an idle connection makes room")
}
