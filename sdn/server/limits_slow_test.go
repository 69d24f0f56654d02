package server_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/sdntest"
	"github.com/moatnet/moat/sdn/server"
)

// A client that does not go on with what it began is not waited for, and leaves
// nothing behind.
func TestClientsThatSendTooSlowly(t *testing.T) {
	api := sdntest.NewMemory(t)
	s := httptest.NewUnstartedServer(nil)
	s.Config = server.NewHTTPServer(server.New(server.Options{API: api, Auth: open{}}), server.Limits{})
	require.Positive(t, s.Config.ReadHeaderTimeout)
	require.Positive(t, s.Config.ReadTimeout)
	require.Positive(t, s.Config.WriteTimeout)
	require.Positive(t, s.Config.IdleTimeout)
	s.Config.ReadHeaderTimeout, s.Config.ReadTimeout = 600*time.Millisecond, 900*time.Millisecond
	s.Start()
	t.Cleanup(s.Close)
	begin := func(text string) net.Conn {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.Listener.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
		_, err = io.WriteString(c, text)
		require.NoError(t, err)
		return c
	}
	for name, text := range map[string]string{"nothing": "", "half a header": "POST /midonet-api/routers HTTP/1.1\r\nHos"} {
		_, err := io.Copy(io.Discard, begin(text))
		require.NoError(t, err, "%s: the server closes", name)
	}
	c := begin("POST /midonet-api/routers HTTP/1.1\r\nHost: x\r\nX-Auth-Token: t\r\nContent-Length: 100\r\n" +
		"Content-Type: application/vnd.org.midonet.Router-v3+json\r\nAccept: */*\r\n\r\n{\"name\":")
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	_, err = r.ReadByte()
	require.ErrorIs(t, err, io.EOF, "and closes")
	routers, err := api.Routers(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, routers)
}
