package e2e

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// busy is where a busyAPI listens on the host.
var busy = netip.MustParseAddrPort("127.0.0.1:8191")

// busyAPI stands before a daemon's REST API and refuses one call in ten.
type busyAPI struct {
	to             http.Handler
	calls, refused atomic.Int64
}

func newBusyAPI(n *node) *busyAPI {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return lab.Dial(ctx, n.host, listen, 5*time.Second)
	}
	b := &busyAPI{to: &httputil.ReverseProxy{
		ErrorLog:  log.New(io.Discard, "", 0), // callers that went away
		Transport: &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 32},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: listen.String()})
			r.Out.Host = r.In.Host
		},
	}}
	var l net.Listener
	require.NoError(n.t, n.host.Do(func() (err error) {
		l, err = net.Listen("tcp4", busy.String())
		return err
	}))
	server := &http.Server{Handler: b, ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	n.t.Cleanup(func() {
		require.NoError(n.t, server.Close())
		require.ErrorIs(n.t, <-served, http.ErrServerClosed)
	})
	return b
}

func (b *busyAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if b.calls.Add(1)%10 == 0 {
		b.refused.Add(1)
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return
	}
	b.to.ServeHTTP(w, r)
}

// agentBehind starts `moat agent`, which reaches the API through b alone.
func (n *node) agentBehind(b *busyAPI, name, etcd string) *lab.Daemon {
	n.t.Helper()
	a := &lab.Daemon{Bin: bin, Dir: filepath.Join(n.lab.Dir, name), Host: n.host, Command: "agent", Args: []string{
		"--etcd-endpoints", etcd, "--endpoint", fmt.Sprintf("http://%s/midonet-api", busy),
		"--password-file", filepath.Join(n.daemon.DataDir(), "admin.password"), "--host-id", hostIDOf(n.t, n.daemon), "--node", name,
	}}
	require.NoError(n.t, os.Mkdir(a.Dir, 0o700))
	require.NoError(n.t, a.Start(n.t.Context()))
	n.t.Cleanup(func() {
		if log, err := os.ReadFile(a.LogFile()); err == nil && n.t.Failed() {
			n.t.Logf("the log of agent %s:\n%s", name, log[max(0, len(log)-3000):])
		}
		require.NoError(n.t, a.Stop())
	})
	return a
}
