package client_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/client"
	"github.com/moatnet/moat/sdn/sdntest"
)

func TestEndpointThatIsDownIsLeftAloneAndUsedAgain(t *testing.T) {
	api := sdntest.NewMemory(t)
	a, b := sdntest.Start(t, sdntest.WithAPI(api)), sdntest.Start(t, sdntest.WithAPI(api))
	c := a.Client(t, b)
	_, err := c.Routers(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, b.Calls())
	a.Inject(sdntest.Fault{Effect: sdntest.ResetBefore})
	before := len(a.Calls()) - a.Count("GET", "/system_state")
	for range 20 {
		_, err = c.Routers(t.Context(), "")
		require.NoError(t, err)
	}
	require.Equal(t, 20, b.Count("GET", "/routers"))
	tried := len(a.Calls()) - a.Count("GET", "/system_state")
	require.LessOrEqual(t, tried, before+2, "one call and a new attempt of the transport's; the rest is spared")
	a.Heal()
	require.Eventually(t, func() bool {
		n := a.Count("GET", "/routers")
		_, err := c.Routers(t.Context(), "")
		require.NoError(t, err)
		return a.Count("GET", "/routers") > n
	}, 10*time.Second, 20*time.Millisecond, "it is the first again")
	require.NotZero(t, a.Count("GET", "/system_state"), "no caller had to try it")
}

func TestAllEndpointsDownAreTriedAllTheSame(t *testing.T) {
	a, b := sdntest.Start(t), sdntest.Start(t)
	c := a.Client(t, b)
	for _, e := range []*sdntest.Endpoint{a, b} {
		e.Inject(sdntest.Fault{Effect: sdntest.Answer, Status: http.StatusBadGateway})
	}
	_, err := c.Routers(t.Context(), "")
	require.ErrorIs(t, err, sdn.ErrUnavailable)
	a.Heal()
	_, err = c.Routers(t.Context(), "")
	require.NoError(t, err, "a rest keeps nobody from asking when there is no other")
}

func TestServersPauseIsKept(t *testing.T) {
	e := sdntest.Start(t)
	c := e.Client(t)
	_, err := c.Routers(t.Context(), "")
	require.NoError(t, err)
	for _, name := range []string{"Retry-After", "RetryAfter"} {
		e.Inject(sdntest.Fault{Path: "/routers", Times: 1, Effect: sdntest.Answer, Status: http.StatusServiceUnavailable,
			Header: http.Header{name: {"1"}}})
		start := time.Now()
		_, err = c.Routers(t.Context(), "")
		require.NoError(t, err)
		require.GreaterOrEqual(t, time.Since(start), time.Second, name)
		e.Heal()
	}
}

func TestServersPauseIsCutByTheCallersDeadline(t *testing.T) {
	e := sdntest.Start(t)
	c := e.Client(t)
	_, err := c.Routers(t.Context(), "")
	require.NoError(t, err)
	e.Inject(sdntest.Fault{Path: "/routers", Times: 1, Effect: sdntest.Answer, Status: http.StatusServiceUnavailable,
		Header: http.Header{"Retry-After": {"3600"}}})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err = c.Routers(ctx, "")
	require.NoError(t, err, "one more try before the time is up")

	e.Inject(sdntest.Fault{Path: "/routers", Effect: sdntest.Answer, Status: http.StatusServiceUnavailable,
		Header: http.Header{"Retry-After": {"3600"}}})
	ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err = c.Routers(ctx, "")
	require.ErrorIs(t, err, sdn.ErrUnavailable)
	require.Less(t, time.Since(start), 5*time.Second)
}

func TestServersPauseSendsToTheNextEndpointAtOnce(t *testing.T) {
	api := sdntest.NewMemory(t)
	a, b := sdntest.Start(t, sdntest.WithAPI(api)), sdntest.Start(t, sdntest.WithAPI(api))
	c := a.Client(t, b)
	a.Inject(sdntest.Fault{Effect: sdntest.Answer, Status: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"20"}}})
	start := time.Now()
	_, err := c.Routers(t.Context(), "")
	require.NoError(t, err)
	require.Less(t, time.Since(start), 5*time.Second)
}

func TestHangingServerCostsOneTimeout(t *testing.T) {
	api := sdntest.NewMemory(t)
	a, b := sdntest.Start(t, sdntest.WithAPI(api)), sdntest.Start(t, sdntest.WithAPI(api))
	c, err := client.New(client.Options{Endpoints: []string{a.URL, b.URL}, User: sdntest.User, Password: sdntest.Password, Timeout: 200 * time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	_, err = c.Routers(t.Context(), "")
	require.NoError(t, err)
	a.Inject(sdntest.Fault{Effect: sdntest.Hang})
	before := a.Count("GET", "/routers")
	for range 10 {
		_, err = c.Routers(t.Context(), "")
		require.NoError(t, err)
	}
	require.LessOrEqual(t, a.Count("GET", "/routers"), before+1, "no second call has hung")
}

func TestAnswersOfAForeignTypeAreNoAnswers(t *testing.T) {
	e := sdntest.Start(t)
	c := e.Client(t)
	r, err := c.CreateRouter(t.Context(), sdn.Router{Name: "r"})
	require.NoError(t, err)
	e.Inject(sdntest.Fault{Method: "GET", Path: "/routers/*", Times: 1, Effect: sdntest.Retype, Body: "<html>log in to the hotel</html>"})
	got, err := c.Router(t.Context(), r.ID)
	require.NoError(t, err)
	require.Equal(t, r, got)
	e.Inject(sdntest.Fault{Method: "POST", Path: "/routers", Times: 1, Effect: sdntest.Retype})
	_, err = c.CreateRouter(t.Context(), sdn.Router{Name: "s"})
	require.NoError(t, err)
	list, err := e.API.Routers(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, list, 2)
	e.Inject(sdntest.Fault{Effect: sdntest.Retype, Body: "<html>"})
	_, err = c.Routers(t.Context(), "")
	require.ErrorIs(t, err, sdn.ErrUnavailable)
	e.Heal()
	e.Inject(sdntest.Fault{Path: "/routers", Effect: sdntest.Retype, Body: "<html>"})
	_, err = c.Routers(t.Context(), "")
	require.ErrorIs(t, err, sdn.ErrUnavailable)
	require.ErrorContains(t, err, "text/html")
	e.Heal()
	_, err = c.Routers(t.Context(), "")
	require.NoError(t, err)
}
