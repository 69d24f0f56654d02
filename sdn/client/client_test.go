package client_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/client"
	"github.com/moatnet/moat/sdn/sdntest"
)

func TestEndpointsThatAreNone(t *testing.T) {
	for name, urls := range map[string][]string{
		"none": nil, "no scheme": {"127.0.0.1:8181"}, "ftp": {"ftp://h/x"}, "no host": {"http:///x"},
		"query": {"http://h/x?y=z"}, "garbage": {"http://h\x7f/"},
	} {
		_, err := client.New(client.Options{Endpoints: urls})
		require.ErrorIs(t, err, sdn.ErrInvalid, name)
	}
	_, err := client.New(client.Options{Endpoints: []string{"http://admin:hunter2@h/x"}})
	require.ErrorIs(t, err, sdn.ErrInvalid)
	require.NotContains(t, err.Error(), "hunter2")
}

func TestWrongPasswordIsUnauthorizedAndStaysSecret(t *testing.T) {
	e := sdntest.Start(t)
	var log syncBuffer
	c, err := client.New(client.Options{Endpoints: []string{e.URL}, User: "admin", Password: "wr0ng:secret",
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	_, err = c.Routers(t.Context(), "")
	require.ErrorIs(t, err, sdn.ErrUnauthorized)
	require.ErrorContains(t, err, "POST /login: status 401")
	require.NotContains(t, err.Error(), "wr0ng")
	require.NotContains(t, log.String(), "wr0ng")
	require.Equal(t, 1, e.Count("POST", "/login"), "a refused login is not repeated")
}

func TestConcurrentFirstCallsLogInOnce(t *testing.T) {
	e := sdntest.Start(t)
	e.Inject(sdntest.Fault{Path: "/login", Effect: sdntest.Delay, Latency: 50 * time.Millisecond})
	c := e.Client(t)
	g, ctx := errgroup.WithContext(t.Context())
	for range 20 {
		g.Go(func() error { _, err := c.Routers(ctx, ""); return err })
	}
	require.NoError(t, g.Wait())
	require.Equal(t, 1, e.Count("POST", "/login"))
	require.Equal(t, 1, e.Count("GET", ""), "the root is read once too")
}

func TestConcurrentCallsShareTheNextLogin(t *testing.T) {
	e := sdntest.Start(t, sdntest.WithTokenTTL(2*time.Second))
	c := e.Client(t)
	_, err := c.Routers(t.Context(), "")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		g, ctx := errgroup.WithContext(t.Context())
		for range 20 {
			g.Go(func() error { _, err := c.Routers(ctx, ""); return err })
		}
		require.NoError(t, g.Wait(), "an expired token is nobody's error")
		return e.Count("POST", "/login") > 1
	}, 20*time.Second, 50*time.Millisecond)
	require.LessOrEqual(t, e.Count("POST", "/login"), 4, "not one for each; on a busy machine a token may be over before all have used it")
}

func TestCancelledCallerDoesNotFailOthersLogin(t *testing.T) {
	e := sdntest.Start(t)
	e.Inject(sdntest.Fault{Path: "/login", Effect: sdntest.Delay, Latency: 100 * time.Millisecond})
	c := e.Client(t)
	hasty, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := c.Routers(hasty, "")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, err, sdn.ErrUnavailable)
	_, err = c.Routers(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, 1, e.Count("POST", "/login"))
}

func TestExpiredTokenIsRenewed(t *testing.T) {
	e := sdntest.Start(t)
	c := e.Client(t)
	_, err := c.Routers(t.Context(), "")
	require.NoError(t, err)
	e.Inject(sdntest.Fault{Method: "POST", Path: "/routers", Times: 1, Effect: sdntest.Answer, Status: http.StatusUnauthorized})
	_, err = c.CreateRouter(t.Context(), sdn.Router{})
	require.NoError(t, err)
	require.Equal(t, 2, e.Count("POST", "/login"))

	e.Inject(sdntest.Fault{Path: "/routers", Effect: sdntest.Answer, Status: http.StatusUnauthorized})
	_, err = c.Routers(t.Context(), "")
	require.ErrorIs(t, err, sdn.ErrUnauthorized, "one new login a call, no more")
	require.Equal(t, 3, e.Count("POST", "/login"))
}

func TestFailoverToAnEndpointThatListens(t *testing.T) {
	e := sdntest.Start(t)
	c, err := client.New(client.Options{Endpoints: []string{"http://127.0.0.1:1/midonet-api", e.URL}, User: sdntest.User, Password: sdntest.Password})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	r, err := c.CreateRouter(t.Context(), sdn.Router{Name: "r"})
	require.NoError(t, err)
	_, err = c.Router(t.Context(), r.ID)
	require.NoError(t, err)
}

func TestFailoverKeepsATokenForEachEndpoint(t *testing.T) {
	api := sdntest.NewMemory(t)
	a, b := sdntest.Start(t, sdntest.WithAPI(api)), sdntest.Start(t, sdntest.WithAPI(api))
	c := a.Client(t, b)
	_, err := c.CreateRouter(t.Context(), sdn.Router{})
	require.NoError(t, err)
	require.Empty(t, b.Calls(), "the first endpoint is used while it serves")
	a.Inject(sdntest.Fault{Effect: sdntest.ResetBefore})
	for range 3 {
		_, err = c.CreateRouter(t.Context(), sdn.Router{})
		require.NoError(t, err)
	}
	require.Equal(t, 1, b.Count("POST", "/login"))
	require.Equal(t, 3, b.Count("POST", "/routers"), "it stays with the one that answers")
	list, err := api.Routers(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, list, 4)
}

// lost are the ways in which an answer gets lost after the request took effect.
var lost = map[string]sdntest.Fault{
	"reset": {Effect: sdntest.ResetAfter, Times: 1}, "truncated": {Effect: sdntest.Truncate, Times: 1},
}

func TestLostAnswersOfWritesMakeNothingTwice(t *testing.T) {
	for name, fault := range lost {
		t.Run(name, func(t *testing.T) {
			e := sdntest.Start(t)
			c := e.Client(t)
			hit := func(method, path string) {
				f := fault
				f.Method, f.Path = method, path
				e.Inject(f)
			}
			hit("POST", "/routers")
			r, err := c.CreateRouter(t.Context(), sdn.Router{Name: "r", TenantID: "t", AdminStateUp: true})
			require.NoError(t, err)
			require.Equal(t, "r", r.Name)
			hit("POST", "/bridges")
			br, err := c.CreateBridge(t.Context(), sdn.Bridge{Name: "b"})
			require.NoError(t, err)
			hit("POST", "/bridges/*/ports")
			p, err := c.CreatePort(t.Context(), sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(br.ID)})
			require.NoError(t, err)
			q, err := c.CreatePort(t.Context(), sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(br.ID)})
			require.NoError(t, err)
			hit("POST", "/ports/*/link")
			require.NoError(t, c.Link(t.Context(), p.ID, q.ID))
			hit("PUT", "/routers/*")
			r.Name = "renamed"
			require.NoError(t, c.UpdateRouter(t.Context(), r))
			ch, err := c.CreateChain(t.Context(), sdn.Chain{})
			require.NoError(t, err)
			hit("POST", "/chains/*/rules")
			_, err = c.CreateRule(t.Context(), sdn.Rule{Chain: ch.ID, Type: sdn.RuleDrop})
			require.NoError(t, err)

			rules, err := e.API.Rules(t.Context(), ch.ID)
			require.NoError(t, err)
			require.Len(t, rules, 1)
			ports, err := e.API.Ports(t.Context(), "")
			require.NoError(t, err)
			require.Len(t, ports, 2)
			routers, err := e.API.Routers(t.Context(), "")
			require.NoError(t, err)
			require.Equal(t, []sdn.Router{r}, routers)
			require.Equal(t, 2, e.Count("POST", "/routers"), "the fault was met")
		})
	}
}

func TestLostAnswerOfADeleteIsASuccess(t *testing.T) {
	e := sdntest.Start(t)
	c := e.Client(t)
	br, err := c.CreateBridge(t.Context(), sdn.Bridge{})
	require.NoError(t, err)
	e.Inject(sdntest.Fault{Method: "DELETE", Times: 1, Effect: sdntest.ResetAfter})
	require.NoError(t, c.DeleteBridge(t.Context(), br.ID))
	require.Equal(t, 2, e.Count("DELETE", "/bridges/"+string(br.ID)))
	require.ErrorIs(t, c.DeleteBridge(t.Context(), br.ID), sdn.ErrNotFound)
}

func TestLostAnswerWithAnIDOfTheCallersIsExists(t *testing.T) {
	e := sdntest.Start(t)
	c := e.Client(t)
	e.Inject(sdntest.Fault{Method: "POST", Path: "/routers", Times: 1, Effect: sdntest.ResetAfter})
	r := sdn.Router{ID: sdn.NewID[sdn.RouterID]()}
	_, err := c.CreateRouter(t.Context(), r)
	require.ErrorIs(t, err, sdn.ErrExists, "it may have been another's: the caller reads and compares")
}

func TestOverloadedServerIsAskedAgain(t *testing.T) {
	e := sdntest.Start(t)
	c := e.Client(t)
	e.Inject(sdntest.Fault{Path: "/routers", Times: 2, Effect: sdntest.Answer, Status: http.StatusServiceUnavailable})
	_, err := c.CreateRouter(t.Context(), sdn.Router{})
	require.NoError(t, err)
	require.Equal(t, 3, e.Count("POST", "/routers"))
}

func TestStatusesThatAreFinalAreNotRepeated(t *testing.T) {
	for status, kind := range map[int]error{
		http.StatusBadRequest: sdn.ErrInvalid, http.StatusForbidden: sdn.ErrForbidden, http.StatusNotFound: sdn.ErrNotFound,
		http.StatusNotImplemented: sdn.ErrUnsupported, http.StatusInternalServerError: sdn.ErrUnavailable, http.StatusTeapot: nil, http.StatusFound: nil,
	} {
		e := sdntest.Start(t)
		c := e.Client(t)
		e.Inject(sdntest.Fault{Path: "/bridges", Effect: sdntest.Answer, Status: status})
		_, err := c.CreateBridge(t.Context(), sdn.Bridge{})
		var failed *client.Error
		require.ErrorAs(t, err, &failed)
		require.Equal(t, status, failed.Status)
		require.Equal(t, "injected", failed.Message)
		require.Contains(t, err.Error(), "POST /bridges")
		if kind != nil {
			require.ErrorIs(t, err, kind)
		}
		require.Equal(t, 1, e.Count("POST", "/bridges"), status)
	}
}

func TestServerThatStaysAwayIsUnavailable(t *testing.T) {
	e := sdntest.Start(t)
	c := e.Client(t)
	e.Inject(sdntest.Fault{Path: "/hosts", Effect: sdntest.ResetBefore})
	_, err := c.Hosts(t.Context())
	require.ErrorIs(t, err, sdn.ErrUnavailable)
	require.ErrorContains(t, err, "GET /hosts")
	require.Greater(t, e.Count("GET", "/hosts"), 1)
}

func TestDeadlineOfTheCallerHolds(t *testing.T) {
	e := sdntest.Start(t)
	c := e.Client(t)
	_, err := c.Hosts(t.Context())
	require.NoError(t, err)
	e.Inject(sdntest.Fault{Effect: sdntest.Delay, Latency: time.Minute})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err = c.Hosts(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, err, sdn.ErrUnavailable)
	require.Less(t, time.Since(start), 5*time.Second)
}

// slow is an API that is at a creation for a while, and calls begun when it begins.
type slow struct {
	sdn.API
	begun func()
}

func (s slow) CreateRouter(ctx context.Context, r sdn.Router) (sdn.Router, error) {
	s.begun()
	time.Sleep(100 * time.Millisecond)
	return s.API.CreateRouter(ctx, r)
}

func TestCancelledWriteIsWaitedFor(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	e := sdntest.Start(t, sdntest.WithAPI(slow{sdntest.NewMemory(t), cancel}))
	c := e.Client(t)
	made, err := c.CreateRouter(ctx, sdn.Router{Name: "r"})
	require.NoError(t, err, "it was done, and the caller knows")
	require.NoError(t, c.DeleteRouter(t.Context(), made.ID))
	list, err := e.API.Routers(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, list, "it does not come after the delete")
}

func TestTokensAndPasswordsAreNotLogged(t *testing.T) {
	e := sdntest.Start(t)
	var log syncBuffer
	c, err := client.New(client.Options{Endpoints: []string{e.URL}, User: sdntest.User, Password: sdntest.Password,
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	_, err = c.Tenants(t.Context())
	require.NoError(t, err)
	e.Inject(sdntest.Fault{Times: 1, Effect: sdntest.Answer, Status: http.StatusUnauthorized})
	_, err = c.Tenants(t.Context())
	require.NoError(t, err)
	e.Inject(sdntest.Fault{Effect: sdntest.ResetBefore})
	_, err = c.Tenants(t.Context())
	require.Error(t, err)
	said := log.String() + err.Error()
	require.Contains(t, said, "/tenants")
	require.NotContains(t, said, sdntest.Password)
	tokens := map[string]bool{}
	for _, call := range e.Calls() {
		for _, secret := range []string{call.Header.Get("X-Auth-Token"), strings.TrimPrefix(call.Header.Get("Authorization"), "Basic ")} {
			if secret != "" {
				tokens[secret] = true
				require.NotContains(t, said, secret)
			}
		}
	}
	require.Len(t, tokens, 3, "two tokens and the header of the logins")
}

func TestOneRequestForACreate(t *testing.T) {
	e := sdntest.Start(t)
	c := e.Client(t)
	_, err := c.CreateRouter(t.Context(), sdn.Router{})
	require.NoError(t, err)
	require.Len(t, e.Calls(), 3, "login, root and POST")
	_, err = c.CreateRouter(t.Context(), sdn.Router{})
	require.NoError(t, err)
	require.Len(t, e.Calls(), 4, "the login and the release last")
}

func TestStateOfAServingEndpoint(t *testing.T) {
	s, err := sdntest.Start(t).Client(t).State(t.Context())
	require.NoError(t, err)
	require.Equal(t, "ACTIVE", s.State)
}

// syncBuffer is a log's target that several goroutines write to.
type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
