package server

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// largeAnswer is more than the kernel's buffers of a connection hold.
const largeAnswer = 24 << 20

func answerLarge(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/large" {
		_, _ = w.Write(make([]byte, largeAnswer))
	}
}

func unread(srv *http.Server) int {
	l, _ := srv.Handler.(*limited)
	l.answers.mu.Lock()
	defer l.answers.mu.Unlock()
	return len(l.answers.waiting)
}

// Clients that do not read their answers keep nobody out, however many they
// are; while there is room they are left their time.
func TestSlowReadersMakeRoom(t *testing.T) {
	for name, second := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) { slowReadersMakeRoom(t, second) })
	}
}

func slowReadersMakeRoom(t *testing.T, second bool) {
	const requests, attackers = 4, 12
	s := httptest.NewUnstartedServer(nil)
	s.Config = NewHTTPServer(http.HandlerFunc(answerLarge), Limits{Requests: requests})
	s.EnableHTTP2 = second
	s.StartTLS()
	t.Cleanup(s.Close)
	call := func(path string) (*http.Response, error) {
		transport, _ := s.Client().Transport.(*http.Transport)
		own := transport.Clone()
		t.Cleanup(own.CloseIdleConnections)
		q, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+path, nil)
		require.NoError(t, err)
		resp, err := (&http.Client{Transport: own, Timeout: 30 * time.Second}).Do(q)
		if err == nil {
			t.Cleanup(func() { resp.Body.Close() })
		}
		return resp, err
	}
	others := func() {
		for range 2 * requests {
			resp, err := call("/")
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, resp.StatusCode, "others are served")
		}
	}
	inGo, _ := held(t)

	alone, err := call("/large")
	require.NoError(t, err)
	others()
	n, err := io.Copy(io.Discard, alone.Body)
	require.NoError(t, err, "there was room for all")
	require.EqualValues(t, largeAnswer, n)

	first, err := call("/large")
	require.NoError(t, err)
	for range attackers - 1 {
		resp, err := call("/large")
		require.NoError(t, err, "those before it make room")
		require.Equal(t, http.StatusOK, resp.StatusCode)
	}
	require.Eventually(t, func() bool { return unread(s.Config) == requests }, 10*time.Second, time.Millisecond)
	others()
	n, err = io.Copy(io.Discard, first.Body)
	require.Error(t, err, "the slowest made room")
	require.Less(t, n, int64(largeAnswer))
	now, _ := held(t)
	t.Logf("%d unread answers of %d MiB: heap and stacks grown by %d MiB", attackers, largeAnswer>>20, (now-inGo)>>20)
	require.Less(t, now-inGo, (requests+4)*largeAnswer, "what is cut off is not held")
}

// pipeWriter is a response that goes through a pipe without a buffer.
type pipeWriter struct {
	http.ResponseWriter
	net.Conn
}

func (w pipeWriter) Header() http.Header         { return http.Header{} }
func (w pipeWriter) Write(p []byte) (int, error) { return w.Conn.Write(p) }

// Who reads on is told from who does not, though it was first and is not done.
func TestWhoReadsOnIsNotCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all readers
		begin := func() (client net.Conn, ended chan error) {
			server, client := net.Pipe()
			t.Cleanup(func() { require.NoError(t, errors.Join(server.Close(), client.Close())) })
			ended = make(chan error, 1)
			go func() {
				_, err := (&reader{all: &all, conn: server}).write(pipeWriter{Conn: server}, make([]byte, 4*answerPiece))
				ended <- err
			}()
			return client, ended
		}
		reading, read := begin()
		time.Sleep(bodyPatience / 2)
		_, stuck := begin()
		synctest.Wait()
		time.Sleep(bodyPatience / 2)
		_, err := io.ReadFull(reading, make([]byte, answerPiece))
		require.NoError(t, err)
		synctest.Wait()
		all.cutSlowest(bodyPatience)
		synctest.Wait()
		require.Len(t, all.waiting, 2, "nobody has been waited for that long")
		time.Sleep(bodyPatience / 2)
		all.cutSlowest(bodyPatience)
		require.ErrorIs(t, <-stuck, io.ErrClosedPipe)
		_, err = io.ReadFull(reading, make([]byte, 3*answerPiece))
		require.NoError(t, err)
		require.NoError(t, <-read)
		require.Empty(t, all.waiting)
	})
}
