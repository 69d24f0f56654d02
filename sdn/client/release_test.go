package client_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/auth"
	"github.com/moatnet/moat/sdn/client"
	"github.com/moatnet/moat/sdn/sdntest"
	"github.com/moatnet/moat/sdn/server"
	"github.com/moatnet/moat/sdn/wire"
)

// vendor is the part of media types before the name.
const vendor = "application/vnd.org.midonet."

func TestMediaTypesFollowTheRoot(t *testing.T) {
	for release, want := range map[wire.Release]string{wire.V5: vendor + "Router-v3+json", wire.V1: vendor + "Router-v2+json"} {
		e := sdntest.Start(t, sdntest.WithRelease(release))
		c := e.Client(t)
		r, err := c.CreateRouter(t.Context(), sdn.Router{Name: "r", TenantID: "t"})
		require.NoError(t, err)
		require.NoError(t, c.UpdateRouter(t.Context(), r))
		for _, call := range e.Calls() {
			if call.Method == "POST" && call.Path == "/routers" || call.Method == "PUT" {
				require.Equal(t, want, call.Header.Get("Content-Type"))
			}
		}
		require.Equal(t, 1, e.Count("GET", ""), "the root is read once")
	}
}

func TestEndpointsOfTwoReleases(t *testing.T) {
	api := sdntest.NewMemory(t)
	old, young := sdntest.Start(t, sdntest.WithAPI(api), sdntest.WithRelease(wire.V1)), sdntest.Start(t, sdntest.WithAPI(api))
	c := old.Client(t, young)
	r, err := c.CreateRouter(t.Context(), sdn.Router{Name: "r", TenantID: "t"})
	require.NoError(t, err)
	old.Inject(sdntest.Fault{Effect: sdntest.ResetBefore})
	got, err := c.Router(t.Context(), r.ID)
	require.NoError(t, err)
	require.Equal(t, r, got)
	require.Equal(t, 1, young.Count("GET", "/routers/"+string(r.ID)))
}

// turncoat is a server whose release can be changed while it runs.
func turncoat(t *testing.T) (url string, become func(wire.Release)) {
	api := sdntest.NewMemory(t)
	serve := func(r wire.Release) *http.Handler {
		h := server.New(server.Options{API: api, Release: r, Auth: auth.NewPasswordAuth(sdntest.User, sdntest.Password, time.Hour)})
		return &h
	}
	var now atomic.Pointer[http.Handler]
	now.Store(serve(wire.V5))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*now.Load()).ServeHTTP(w, r) }))
	t.Cleanup(s.Close)
	return s.URL + server.DefaultBase, func(r wire.Release) { now.Store(serve(r)) }
}

func dial(t *testing.T, urls ...string) *client.Client {
	c, err := client.New(client.Options{Endpoints: urls, User: sdntest.User, Password: sdntest.Password})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func TestServerThatBecomesAnotherReleaseIsUnderstood(t *testing.T) {
	url, become := turncoat(t)
	c := dial(t, url)
	r, err := c.CreateRouter(t.Context(), sdn.Router{Name: "r", TenantID: "t"})
	require.NoError(t, err)
	become(wire.V1)
	got, err := c.Router(t.Context(), r.ID)
	require.NoError(t, err)
	require.Equal(t, r, got)
	_, err = c.CreateBridge(t.Context(), sdn.Bridge{Name: "b", TenantID: "t"})
	require.NoError(t, err)
}

func TestRootsOfNoUse(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		want   error
	}{
		"unknown version": {200, `{"version":"v3.1"}`, sdn.ErrUnsupported},
		"no version":      {200, `{}`, sdn.ErrUnsupported},
		"not there":       {404, `{"message":"nothing here"}`, sdn.ErrNotFound},
		"forbidden":       {403, `{}`, sdn.ErrForbidden},
		"no JSON":         {200, `<html>`, sdn.ErrUnavailable},
	} {
		e := sdntest.Start(t)
		cl := e.Client(t)
		e.Inject(sdntest.Fault{Method: "GET", Path: "", Effect: sdntest.Answer, Status: c.status, Body: c.body})
		_, err := cl.Routers(t.Context(), "")
		require.ErrorIs(t, err, c.want, name)
		require.ErrorContains(t, err, "GET /", name)
		require.Zero(t, e.Count("GET", "/routers"), name)
	}
}

func TestRedirectOfTheRootIsFollowedOnceAndOnTheServerAlone(t *testing.T) {
	foreign := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a token left the server") }))
	t.Cleanup(foreign.Close)
	handler := server.New(server.Options{API: sdntest.NewMemory(t), Auth: auth.NewPasswordAuth(sdntest.User, sdntest.Password, time.Hour)})
	var to atomic.Value
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == server.DefaultBase || r.URL.Path == "/loop" {
			w.Header().Set("Location", to.Load().(string))
			w.WriteHeader(http.StatusFound)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	for _, good := range []string{server.DefaultBase + "/", s.URL + server.DefaultBase + "/"} {
		to.Store(good)
		_, err := dial(t, s.URL+server.DefaultBase).Routers(t.Context(), "")
		require.NoError(t, err)
	}
	for _, bad := range []string{foreign.URL + "/", "/loop", ""} {
		to.Store(bad)
		_, err := dial(t, s.URL+server.DefaultBase).Routers(t.Context(), "")
		var failed *client.Error
		require.ErrorAs(t, err, &failed, bad)
		require.Equal(t, http.StatusFound, failed.Status)
	}
}

// bindable makes a host in a tunnel zone, and a bridge.
func bindable(t *testing.T, api sdn.API) (sdn.HostID, sdn.BridgeID) {
	ctx := t.Context()
	h, err := api.CreateHost(ctx, sdn.Host{ID: sdn.NewID[sdn.HostID](), FloodingProxyWeight: 1, ContainerWeight: 1, ContainerLimit: -1})
	require.NoError(t, err)
	z, err := api.CreateTunnelZone(ctx, sdn.TunnelZone{Name: "z", Type: "gre"})
	require.NoError(t, err)
	require.NoError(t, api.AddTunnelZoneHost(ctx, sdn.TunnelZoneHost{Zone: z.ID, Host: h.ID, Address: netip.MustParseAddr("192.0.2.1")}))
	br, err := api.CreateBridge(ctx, sdn.Bridge{})
	require.NoError(t, err)
	return h.ID, br.ID
}

func TestPortsAreBoundAfterTheyAreMadeInOnePointNine(t *testing.T) {
	e := sdntest.Start(t, sdntest.WithRelease(wire.V1))
	c := e.Client(t)
	host, br := bindable(t, e.API)
	want := sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(br), AdminStateUp: true, Host: host, Interface: "eth7"}
	made, err := c.CreatePort(t.Context(), want)
	require.NoError(t, err)
	require.Equal(t, 1, e.Count("POST", "/hosts/"+string(host)+"/ports"))
	stored, err := e.API.Port(t.Context(), made.ID)
	require.NoError(t, err)
	require.Equal(t, stored, made)
	require.Equal(t, host, stored.Host)

	_, err = c.CreatePort(t.Context(), want)
	require.ErrorIs(t, err, sdn.ErrConflict, "the interface is taken")
	e.Inject(sdntest.Fault{Method: "POST", Path: "/hosts/*/ports", Effect: sdntest.Answer, Status: http.StatusInternalServerError})
	want.Interface = "eth8"
	_, err = c.CreatePort(t.Context(), want)
	require.ErrorContains(t, err, "status 500")
	ps, err := e.API.Ports(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, ps, 1, "what could not be bound is gone again")
}

// Taking back what could not be bound does not keep a caller whose time is up.
func TestPortThatIsNotBoundInTimeKeepsNobody(t *testing.T) {
	e := sdntest.Start(t, sdntest.WithRelease(wire.V1))
	c := e.Client(t)
	host, br := bindable(t, e.API)
	e.Inject(sdntest.Fault{Method: "POST", Path: "/hosts/*/ports", Effect: sdntest.Hang})
	e.Inject(sdntest.Fault{Method: "DELETE", Effect: sdntest.Hang})
	_, err := c.Bridge(t.Context(), br) // logs in
	require.NoError(t, err)
	const limit = 2 * time.Second
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	begin := time.Now()
	_, err = c.CreatePort(ctx, sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(br), AdminStateUp: true, Host: host, Interface: "eth7"})
	require.ErrorIs(t, err, sdn.ErrUnavailable)
	require.Less(t, time.Since(begin), limit+4*time.Second, "the client's own timeout is 10 s")
	require.NotZero(t, e.Heal())
}

func TestOnePointNineHasNoSuchField(t *testing.T) {
	e := sdntest.Start(t, sdntest.WithRelease(wire.V1))
	c := e.Client(t)
	_, err := c.CreateRouter(t.Context(), sdn.Router{Name: "r", TenantID: "t", ASNumber: 1})
	require.ErrorIs(t, err, sdn.ErrUnsupported)
	require.ErrorContains(t, err, "asNumber")
	require.Zero(t, e.Count("POST", "/routers"))
}

func TestPortsOfADeviceTakeOneRequest(t *testing.T) {
	e := sdntest.Start(t)
	c := e.Client(t)
	r, err := c.CreateRouter(t.Context(), sdn.Router{})
	require.NoError(t, err)
	br, err := e.API.CreateRouter(t.Context(), sdn.Router{})
	require.NoError(t, err)
	for _, id := range []sdn.RouterID{r.ID, br.ID} {
		before := len(e.Calls())
		for range 3 {
			_, err = c.Ports(t.Context(), sdn.DeviceID(id))
			require.NoError(t, err)
		}
		require.LessOrEqual(t, len(e.Calls())-before, 4, "one look in the wrong place at most")
		require.Equal(t, 3, e.Count("GET", "/routers/"+string(id)+"/ports"))
	}
	require.Zero(t, e.Count("GET", "/bridges/"+string(r.ID)+"/ports"))
	require.NoError(t, c.DeleteRouter(t.Context(), r.ID))
	_, err = c.Ports(t.Context(), sdn.DeviceID(r.ID))
	require.ErrorIs(t, err, sdn.ErrNotFound)
}
