package server_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/auth"
	"github.com/moatnet/moat/sdn/sdntest"
	"github.com/moatnet/moat/sdn/sdntest/heard"
	"github.com/moatnet/moat/sdn/server"
)

// Who deleted a router is asked weeks later: every change is told with its user, once,
// and nothing else is.
func TestChangesAreToldWithWhoMadeThem(t *testing.T) {
	var log heard.Log
	r := newRawOf(t, server.Options{API: sdntest.NewMemory(t), Logger: log.Logger(),
		Auth: auth.NewPasswordAuth(sdntest.User, sdntest.Password, time.Hour)})
	r.token = r.login()
	body := func(name string) string { return `{"name":"` + name + `","tenantId":"red"}` }
	router := "application/vnd.org.midonet.Router-v3+json"

	made := r.call("POST", "/routers", body("edge"), "Content-Type: "+router)
	require.Equal(t, 201, made.status, made.body)
	at := made.header.Get("Location")
	require.Equal(t, 200, r.call("GET", at, "{}", "Accept: "+router).status)
	require.Equal(t, 400, r.call("POST", "/routers", "{", "Content-Type: "+router).status)
	require.Equal(t, 204, r.call("PUT", at, body("core"), "Content-Type: "+router).status)
	require.Equal(t, 204, r.call("DELETE", at, "{}").status)

	told := strings.Split(strings.TrimSpace(log.String()), "\n")
	require.Len(t, told, 3, log.String())
	for i, method := range []string{"POST", "PUT", "DELETE"} {
		require.Contains(t, told[i], "level=INFO")
		require.Contains(t, told[i], "user="+sdntest.User+" from=127.0.0.1:")
		require.Contains(t, told[i], "method="+method+" path=/midonet-api/routers")
	}
	require.Contains(t, told[0], "location="+at)
	require.NotContains(t, log.String(), r.token)
}
