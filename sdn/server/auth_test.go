package server_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/access"
	"github.com/moatnet/moat/sdn/sdntest"
	"github.com/moatnet/moat/sdn/server"
)

func TestLoginsThatAreRefused(t *testing.T) {
	r := newRaw(t)
	r.token = ""
	for name, c := range map[string][2]string{
		"no header":      {"", "Authorization header is not set."},
		"other scheme":   {"Bearer x", "Authorization header does not contain Basic."},
		"not base64":     {"Basic %%%", "Authorization header is not valid"},
		"no colon":       {"Basic YWRtaW4=", "Authorization header is not valid"},
		"wrong password": {"Basic YWRtaW46eA==", "Authentication error"},
		"wrong user":     {"Basic eDp4", "Authentication error"},
	} {
		var headers []string
		if c[0] != "" {
			headers = append(headers, "Authorization: "+c[0])
		}
		a := r.call("POST", "/login", "{}", headers...)
		require.Equal(t, c[1], r.errorBody(a, 401), name)
		require.Equal(t, `Basic  realm="BASIC_AUTH_REALM"`, a.header.Get("WWW-Authenticate"), name)
	}
}

func TestEverythingElseNeedsAToken(t *testing.T) {
	r := newRaw(t)
	for _, token := range []string{"", "00000000", r.token + "0", strings.ToUpper(r.token) + "x"} {
		r.token = token
		for _, path := range []string{"", "/routers", "/nothing", "/vips", "/login/"} {
			if path == "/login/" {
				continue
			}
			r.errorBody(r.call("GET", path, "{}", "Accept: */*"), 401)
		}
	}
	require.NotEqual(t, r.login(), r.login(), "tokens are not shared")
}

func TestLoginAnswer(t *testing.T) {
	r := newRaw(t)
	q, err := http.NewRequestWithContext(t.Context(), "GET", r.URL+"/login", nil)
	require.NoError(t, err)
	q.SetBasicAuth(sdntest.User, sdntest.Password)
	a := r.send(q)
	require.Equal(t, 200, a.status, "any method, and a password with a colon")
	require.Equal(t, vendor+"Token-v1+json; charset=UTF-8", a.header.Get("Content-Type"))
	body := r.object(a.body)
	require.Regexp(t, `^[0-9a-f]{32}$`, body["key"])
	require.Regexp(t, `^[A-Z][a-z]{2}, \d\d-\d\d-\d{4} \d\d:\d\d:\d\d UTC$`, body["expires"])
	require.Equal(t, "sessionId="+text(body["key"])+"; Expires="+text(body["expires"]), a.header.Get("Set-Cookie"))
}

func TestServerWithoutAuthenticatorRefuses(t *testing.T) {
	h := server.New(server.Options{API: sdntest.NewMemory(t)})
	for _, path := range []string{"/midonet-api/login", "/midonet-api/routers"} {
		q := httptest.NewRequest("GET", path, nil)
		q.SetBasicAuth("", "")
		q.Header.Set("X-Auth-Token", "x")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, q)
		require.Equal(t, 401, w.Code)
	}
}

// open lets everybody in.
type open struct{}

func (open) Login(context.Context, access.Credentials) (access.Token, error) {
	return access.Token{Key: "k"}, nil
}
func (open) Check(context.Context, string) (access.Identity, error) {
	return access.Identity{Role: access.Admin}, nil
}

// broken fails every list of routers.
type broken struct {
	sdn.API
	fail func() error
}

func (b broken) Routers(context.Context, sdn.TenantID) ([]sdn.Router, error) { return nil, b.fail() }

func TestErrorsOfTheTopology(t *testing.T) {
	for name, c := range map[string]struct {
		fail    func() error
		status  int
		message string
	}{
		"store away":   {func() error { return fmt.Errorf("etcd: %w", sdn.ErrUnavailable) }, 503, "etcd: unavailable"},
		"time is up":   {func() error { return context.DeadlineExceeded }, 503, "context deadline exceeded"},
		"no kind":      {func() error { return errors.New("secret detail") }, 500, "Internal server error."},
		"panic":        {func() error { panic("secret detail") }, 500, "Internal server error."},
		"forbidden":    {func() error { return sdn.ErrForbidden }, 403, "forbidden"},
		"unsupported":  {func() error { return sdn.ErrUnsupported }, 501, "not supported"},
		"conflict":     {func() error { return sdn.ErrConflict }, 409, "conflict"},
		"unauthorized": {func() error { return sdn.ErrUnauthorized }, 401, "unauthorized"},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			h := server.New(server.Options{API: broken{fail: c.fail}, Auth: open{}, Base: "api/",
				Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
			q := httptest.NewRequest("GET", "/api/routers", nil)
			q.Header.Set("X-Auth-Token", "t0ken")
			q.Header.Set("Accept", "application/json")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, q)
			require.Equal(t, c.status, w.Code)
			require.JSONEq(t, fmt.Sprintf(`{"message":%q,"code":%d}`, c.message, c.status), w.Body.String())
			require.Equal(t, map[bool]string{true: "3"}[c.status == 503], strings.Join(w.Header()["Retryafter"], ""))
			require.NotContains(t, log.String(), "t0ken")
			if c.status == 500 {
				require.Contains(t, log.String(), "secret detail")
			}
		})
	}
}
