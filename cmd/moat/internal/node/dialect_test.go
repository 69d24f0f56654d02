package node

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/auth"
	"github.com/moatnet/moat/sdn/filter"
	"github.com/moatnet/moat/sdn/sdntest/conformance"
	"github.com/moatnet/moat/sdn/server"
	"github.com/moatnet/moat/sdn/topology"
)

// TestDialectBehindTheGuard holds what the daemon serves, with all that its
// engine refuses, to every line of the dialect: what is refused must be a 501
// that stores nothing. Hosts need no engine here, for the cases make their own.
func TestDialectBehindTheGuard(t *testing.T) {
	top := topology.NewMemory(topology.Options{Check: filter.Check, AllowDeadHosts: true})
	t.Cleanup(func() {
		require.NoError(t, top.Audit())
		require.NoError(t, top.Close())
	})
	const user, password = "admin", "a password"
	serve := func(t testing.TB, o server.Options) string {
		if o.API == nil {
			o.API = guarded{API: top}
		}
		if o.Auth == nil {
			o.Auth = auth.NewPasswordAuth(user, password, time.Hour)
		}
		s := httptest.NewUnstartedServer(nil)
		s.Config = server.NewHTTPServer(server.New(o), server.Limits{})
		s.Start()
		t.Cleanup(s.Close)
		return s.URL + server.DefaultBase
	}
	conformance.Run(t, conformance.Target{
		Name: "daemon", URL: serve(t, server.Options{}), User: user, Password: password,
		Own: &conformance.Own{Topology: top, Serve: serve},
	})
}
