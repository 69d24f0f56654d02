package conformance

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/client"
	"github.com/moatnet/moat/sdn/server"
	"github.com/moatnet/moat/sdn/wire"
)

// clientsOfReleases let Moat's own client meet roots of several versions.
func clientsOfReleases() []Case {
	var all []Case
	for version, media := range map[string]string{"v1.7": "Router-v2", "v1.10": "Router-v2", "v5.0": "Router-v3"} {
		c := proves("1.release."+version, func(w *Wire) {
			require.Equal(w.t, vendor+media+"+json", routerTypeOf(w, version))
		}).beside().in(wire.V1)
		if version == "v5.0" {
			c = c.in(wire.V5)
		}
		all = append(all, c)
	}
	return all
}

// routerTypeOf lets the client make a router on a server that calls itself
// version, and returns the media type that it sent.
func routerTypeOf(w *Wire, version string) string {
	var sent atomic.Value
	s := httptest.NewServer(calling(w, version, func(r *http.Request) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/routers") {
			sent.Store(r.Header.Get("Content-Type"))
		}
	}))
	w.t.Cleanup(s.Close)
	c, err := client.New(client.Options{Endpoints: []string{s.URL + server.DefaultBase}, User: w.User, Password: w.Password})
	require.NoError(w.t, err)
	w.t.Cleanup(c.Close)
	made, err := c.CreateRouter(w.t.Context(), sdn.Router{ID: sdn.RouterID(uuid.NewString()), TenantID: sdn.TenantID(w.tenant), Name: "r", AdminStateUp: true})
	require.NoError(w.t, err)
	w.removeLater("/routers/" + string(made.ID))
	return text(sent.Load())
}

// calling is a proxy to the target that gives the root another version.
func calling(w *Wire, version string, see func(*http.Request)) http.Handler {
	to, err := url.Parse(strings.TrimSuffix(w.URL, server.DefaultBase))
	require.NoError(w.t, err)
	proxy := httputil.NewSingleHostReverseProxy(to)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		see(r)
		if strings.TrimRight(r.URL.Path, "/") != server.DefaultBase {
			proxy.ServeHTTP(rw, r)
			return
		}
		answer := httptest.NewRecorder()
		r.Header.Set("Accept-Encoding", "identity")
		proxy.ServeHTTP(answer, r)
		rw.Header().Set("Content-Type", answer.Header().Get("Content-Type"))
		rw.WriteHeader(answer.Code)
		_, _ = io.WriteString(rw, strings.NewReplacer(`"v1.9"`, `"`+version+`"`, `"v5.0"`, `"`+version+`"`).Replace(answer.Body.String()))
	})
}
