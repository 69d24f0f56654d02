package faults

import (
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/lab"
	"github.com/moatnet/moat/sdn/embedetcd"
	"github.com/moatnet/moat/sdn/embedetcd/etcdproxy"
	"github.com/moatnet/moat/sdn/sdntest"
)

var (
	// realAPI is where `moat up` serves its REST API, brokenAPI where the agent finds
	// it: on the host.
	realAPI   = netip.MustParseAddrPort("127.0.0.1:8181")
	brokenAPI = netip.MustParseAddrPort("127.0.0.1:8190")
)

// What the REST API of the SDN can do to the operations of an agent that drives it.
func TestRESTGoesWrong(t *testing.T) {
	s, e, p := newRESTSite(t, func(h http.Handler) http.Handler { return h })
	s.matrix(restFaults(e, p), 6)
}

// newRESTSite is a host with `moat up` and an agent of its own, and between them an
// endpoint of faults and a proxy; before makes a handler that sees requests first.
func newRESTSite(t *testing.T, before func(http.Handler) http.Handler) (*site, *sdntest.Endpoint, *etcdproxy.Proxy) {
	etcd := newEtcd(t, embedetcd.Config{})
	s := newSite(t, etcd.Endpoint())
	up := s.up(etcd.Endpoint())
	e := sdntest.Start(t, sdntest.WithHandler(before(s.passOn())))
	p, err := etcdproxy.Between(func() (l net.Listener, err error) {
		err = s.ns.Do(func() error {
			l, err = net.Listen("tcp", brokenAPI.String())
			return err
		})
		return l, err
	}, func(ctx context.Context) (net.Conn, error) {
		u, err := url.Parse(e.URL)
		if err != nil {
			return nil, err
		}
		return new(net.Dialer).DialContext(ctx, "tcp", u.Host)
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	s.agent(up, etcd.Endpoint())
	return s, e, p
}

// passOn hands requests to the API on the host, which is told the name that the
// client knows.
func (s *site) passOn() http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: realAPI.String()})
			r.Out.Host = r.In.Host
		},
		Transport: &http.Transport{DisableCompression: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return lab.Dial(ctx, s.ns, realAPI, 5*time.Second)
		}},
	}
}

// agent starts `moat agent` over the API that goes wrong; calls are made to it from
// then on.
func (s *site) agent(up *lab.Daemon, etcd string) {
	s.t.Helper()
	host, err := os.ReadFile(filepath.Join(up.DataDir(), "host_id"))
	require.NoError(s.t, err)
	d := &lab.Daemon{Bin: bin, Dir: filepath.Join(s.lab.Dir, "agent"), Host: s.ns, Command: "agent", Args: []string{
		"--etcd-endpoints", etcd, "--endpoint", "http://" + brokenAPI.String() + "/midonet-api", "--node", "agent",
		"--password-file", filepath.Join(up.DataDir(), "admin.password"), "--host-id", strings.TrimSpace(string(host)),
	}}
	require.NoError(s.t, os.Mkdir(d.Dir, 0o700))
	s.place.Folders = append(s.place.Folders, d.DataDir(), d.ConfDir())
	s.t.Cleanup(func() {
		if s.t.Failed() {
			s.t.Logf("the log of moat agent:\n%s", tail(d))
		}
		require.NoError(s.t, d.Stop())
	})
	require.NoError(s.t, d.Start(s.t.Context()))
	s.daemon = d
}

func restFaults(e *sdntest.Endpoint, p *etcdproxy.Proxy) []fault {
	refusedLogin := []cniconf.Code{100}
	injected := func(faults ...sdntest.Fault) func(*site, operation, subject) func() bool {
		return func(*site, operation, subject) func() bool {
			for _, f := range faults {
				e.Inject(f)
			}
			return func() bool { return e.Heal() > 0 }
		}
	}
	status := func(code int, header http.Header) func(*site, operation, subject) func() bool {
		return injected(sdntest.Fault{Effect: sdntest.Answer, Status: code, Header: header})
	}
	changes := func(f sdntest.Fault) func(*site, operation, subject) func() bool {
		var all []sdntest.Fault
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
			f.Method = method
			all = append(all, f)
		}
		return injected(all...)
	}
	return []fault{
		{"REST refused", short, lasts(p.Refuse, func(s *site) { require.NoError(s.t, p.Admit()) }), again, true},
		{"REST frozen", short, lasts(p.Freeze, func(*site) { p.Thaw() }), again, true},
		{"REST hanging", short, injected(sdntest.Fault{Effect: sdntest.Hang}), again, true},
		{"REST reset before the effect", short, injected(sdntest.Fault{Effect: sdntest.ResetBefore}), again, true},
		{"REST reset after the effect", short, injected(sdntest.Fault{Effect: sdntest.ResetAfter}), again, true},
		{"REST reset once after each change's effect", passing, changes(sdntest.Fault{Effect: sdntest.ResetAfter, Times: 1}), again, false},
		{"REST 401", short, status(http.StatusUnauthorized, nil), refusedLogin, true},
		{"REST 409", short, changes(sdntest.Fault{Effect: sdntest.Answer, Status: http.StatusConflict}), again, false},
		{"REST 500", short, status(http.StatusInternalServerError, nil), again, true},
		{"REST 503", short, status(http.StatusServiceUnavailable, nil), again, true},
		{"REST 503 with Retry-After", short, status(http.StatusServiceUnavailable, http.Header{"Retry-After": {"1"}}), again, true},
		{"REST half an answer", short, injected(sdntest.Fault{Effect: sdntest.Truncate}), again, true},
		{"REST answers that are no JSON", short, injected(sdntest.Fault{Effect: sdntest.Retype, Body: "<html>sorry</html>"}), again, true},
	}
}
