package server

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Clients that do not go on with their bodies keep nobody out, however many
// they are; while there is room they are left their time.
func TestSlowSendersMakeRoom(t *testing.T) {
	const requests, attackers = 4, 12
	srv := NewHTTPServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := readBody(w, r)
		if err != nil {
			(&server{}).fail(w, r, err)
			return
		}
		_, _ = w.Write(body)
	}), Limits{Requests: requests})
	to := listenOn(t, srv)
	begin := func() net.Conn {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", to.String())
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
		_, err = io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nsl")
		require.NoError(t, err)
		return c
	}
	answer := func(c net.Conn) (int, string, http.Header) {
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(body), resp.Header
	}
	busy := func() int {
		l, _ := srv.Handler.(*limited)
		l.bodies.mu.Lock()
		defer l.bodies.mu.Unlock()
		return len(l.bodies.waiting)
	}

	alone := begin()
	require.Eventually(t, func() bool { return busy() == 1 }, 10*time.Second, time.Millisecond)
	for range 2 * requests {
		status, err := get(t, to)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status)
	}
	_, err := io.WriteString(alone, "ow")
	require.NoError(t, err)
	status, body, _ := answer(alone)
	require.Equal(t, http.StatusOK, status, "there was room for all")
	require.Equal(t, "slow", body)

	first := begin()
	require.Eventually(t, func() bool { return busy() == 1 }, 10*time.Second, time.Millisecond)
	for range attackers - 1 {
		begin()
	}
	for range 2 * requests {
		status, err := get(t, to)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status, "others are served")
	}
	status, body, header := answer(first)
	require.Equal(t, http.StatusServiceUnavailable, status, "the slowest made room")
	require.JSONEq(t, `{"message":"Too many requests at once.","code":503}`, body)
	require.Equal(t, "3", header.Get("Retry-After"))
}
