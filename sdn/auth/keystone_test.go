package auth_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/access"
	"github.com/moatnet/moat/sdn/auth"
	"github.com/moatnet/moat/sdn/sdntest/heard"
)

func keystoneOf(s *standIn, log *heard.Log, change ...func(*auth.KeystoneOptions)) *auth.Keystone {
	o := auth.KeystoneOptions{
		URL: s.URL + "/v3/", Username: "moat", Password: "service's", Project: "service", Domain: "default",
		AdminRole: "admin", TenantAdminRole: "tenant_admin", TenantUserRole: "tenant_user",
		Timeout: 2 * time.Second, Logger: log.Logger(),
	}
	for _, f := range change {
		f(&o)
	}
	return auth.NewKeystone(o)
}

func TestKeystoneLogins(t *testing.T) {
	s, log := newStandIn(t), &heard.Log{}
	k := keystoneOf(s, log)
	for _, c := range []access.Credentials{
		{}, {User: "ann"}, {User: "ann", Password: "x"}, {User: "nobody", Password: "a:b"},
		{User: "ann", Password: "a:b", Project: "service"}, {User: "ann", Password: "a:b", Project: "nowhere"},
	} {
		_, err := k.Login(t.Context(), c)
		require.ErrorIs(t, err, sdn.ErrUnauthorized)
		require.EqualError(t, err, "Authentication error")
	}
	for _, c := range []struct {
		login access.Credentials
		want  access.Identity
	}{
		{access.Credentials{User: "ann", Password: "a:b"}, access.Identity{User: "ann", Tenant: "p-red", Role: access.TenantAdmin}},
		{access.Credentials{User: "ann", Password: "a:b", Project: "blue"}, access.Identity{User: "ann", Tenant: "p-blue", Role: access.TenantUser}},
		{access.Credentials{User: "root", Password: "r"}, access.Identity{User: "root", Tenant: "p-red", Role: access.Admin}},
		{access.Credentials{User: "root", Password: "r", Project: "far"}, access.Identity{User: "root", Tenant: "p-far", Role: access.TenantAdmin}},
		{access.Credentials{User: "eve", Password: "e", Project: "red"}, access.Identity{User: "eve", Tenant: "p-red"}},
		{access.Credentials{User: "eve", Password: "e"}, access.Identity{User: "eve"}},
	} {
		token, err := k.Login(t.Context(), c.login)
		require.NoError(t, err)
		require.WithinDuration(t, time.Now().Add(time.Hour), token.Expires, time.Minute)
		for _, by := range []*auth.Keystone{k, keystoneOf(s, log)} { // remembered, and asked for
			who, err := by.Check(t.Context(), token.Key)
			require.NoError(t, err)
			require.Equal(t, c.want, who)
		}
	}
	require.NotContains(t, log.String(), "gAAAAA", "no token is logged")
	require.NotContains(t, log.String(), "a:b")
}

func TestKeystoneIsAskedAsItsDocumentationSays(t *testing.T) {
	s := newStandIn(t)
	_, err := keystoneOf(s, &heard.Log{}).Login(t.Context(), access.Credentials{User: "ann", Password: "a:b", Project: "blue"})
	require.NoError(t, err)
	require.JSONEq(t, `{"auth": {"identity": {"methods": ["password"], "password": {"user": {
		"name": "ann", "domain": {"id": "default"}, "password": "a:b"}}},
		"scope": {"project": {"name": "blue", "domain": {"id": "default"}}}}}`, s.lastLogin())
	_, err = keystoneOf(s, &heard.Log{}, func(o *auth.KeystoneOptions) { o.DefaultProject = "blue" }).Login(t.Context(), access.Credentials{User: "ann", Password: "a:b"})
	require.NoError(t, err)
	require.Contains(t, s.lastLogin(), `"scope":{"project":{"name":"blue"`)
}

func TestKeystoneProjectsByName(t *testing.T) {
	s := newStandIn(t)
	k := keystoneOf(s, &heard.Log{}, func(o *auth.KeystoneOptions) { o.TenantByName = true })
	who, err := k.Check(t.Context(), login(t, k, "ann", "a:b"))
	require.NoError(t, err)
	require.Equal(t, sdn.TenantID("red"), who.Tenant)
	token, err := k.Login(t.Context(), access.Credentials{User: "root", Password: "r", Project: "far"})
	require.NoError(t, err)
	who, err = k.Check(t.Context(), token.Key)
	require.NoError(t, err)
	require.Equal(t, access.Identity{User: "root"}, who, "a name of another domain is nobody's tenant")
	tenants, err := k.Tenants(t.Context())
	require.NoError(t, err)
	require.Equal(t, []access.Tenant{
		{ID: "red", Name: "red", Description: "of red", Enabled: true}, {ID: "blue", Name: "blue", Description: "of blue", Enabled: true},
	}, tenants)
}

func TestKeystoneTokens(t *testing.T) {
	s := newStandIn(t)
	k := keystoneOf(s, &heard.Log{})
	token := login(t, k, "ann", "a:b")
	other := keystoneOf(s, &heard.Log{})
	for range 5 {
		_, err := other.Check(t.Context(), token)
		require.NoError(t, err)
	}
	require.Equal(t, 1, s.count("GET /v3/auth/tokens"), "remembered")
	for _, bad := range []string{"", "x", "a b", "a\nX-Auth-Token: b", strings.Repeat("x", 9000), "ö"} {
		_, err := k.Check(t.Context(), bad)
		require.ErrorIs(t, err, sdn.ErrUnauthorized, bad)
	}
	require.Equal(t, 2, s.count("GET /v3/auth/tokens"), "what can be no token is not asked for")

	s.revoke()
	fresh := login(t, k, "ann", "a:b")
	_, err := other.Check(t.Context(), fresh)
	require.NoError(t, err, "the service user logs in again")
	_, err = keystoneOf(s, &heard.Log{}).Check(t.Context(), token)
	require.ErrorIs(t, err, sdn.ErrUnauthorized, "revoked")
	s.mu.Lock()
	s.life = -time.Second
	s.mu.Unlock()
	token = login(t, k, "ann", "a:b")
	_, err = k.Check(t.Context(), token)
	require.ErrorIs(t, err, sdn.ErrUnauthorized, "expired, whatever Keystone says")
}

func TestKeystoneThatIsOfNoUse(t *testing.T) {
	status := func(n int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Subject-Token", "t")
			w.WriteHeader(n)
			_, _ = w.Write([]byte(body))
		}
	}
	for name, h := range map[string]http.HandlerFunc{
		"cut off": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"500":     status(500, "{}"),
		"404":     status(404, "{}"),
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		},
		"no JSON":   status(201, "<html>"),
		"no token":  status(201, `{"token":{}}`),
		"bad time":  status(201, `{"token":{"expires_at":"soon","user":{"id":"u"}}}`),
		"not UTF-8": status(201, "\xff\xfe"),
		"too long":  status(201, strings.Repeat(" ", 5<<20)),
		"300":       status(300, `{"versions":{}}`),
		"slow":      nil,
	} {
		t.Run(name, func(t *testing.T) {
			s, log := newStandIn(t), &heard.Log{}
			if h == nil {
				release := make(chan struct{})
				t.Cleanup(func() { close(release) })
				h = func(http.ResponseWriter, *http.Request) { <-release }
			}
			s.breakBy(h)
			k := keystoneOf(s, log, func(o *auth.KeystoneOptions) { o.Timeout = 300 * time.Millisecond })
			_, err := k.Login(t.Context(), access.Credentials{User: "ann", Password: "a:b"})
			require.ErrorIs(t, err, sdn.ErrUnavailable)
			require.NotContains(t, err.Error(), s.URL, "where Keystone is, is not told")
			_, err = k.Check(t.Context(), "secret-token")
			require.ErrorIs(t, err, sdn.ErrUnavailable)
			_, err = k.Tenants(t.Context())
			require.ErrorIs(t, err, sdn.ErrUnavailable)
			require.NotEmpty(t, log.String())
			require.NotContains(t, log.String(), "secret-token")
		})
	}
	t.Run("service user refused", func(t *testing.T) {
		s, log := newStandIn(t), &heard.Log{}
		k := keystoneOf(s, log, func(o *auth.KeystoneOptions) { o.Password = "wrong" })
		_, err := k.Check(t.Context(), "x")
		require.ErrorIs(t, err, sdn.ErrUnavailable, "which is not the client's fault")
		require.Contains(t, log.String(), "service user")
	})
	t.Run("nobody there", func(t *testing.T) {
		s := newStandIn(t)
		s.Close()
		_, err := keystoneOf(s, &heard.Log{}).Login(t.Context(), access.Credentials{User: "ann", Password: "a:b"})
		require.ErrorIs(t, err, sdn.ErrUnavailable)
	})
	t.Run("client gone", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := keystoneOf(newStandIn(t), &heard.Log{}).Check(ctx, "x")
		require.ErrorIs(t, err, context.Canceled)
	})
}

// Those who wait for the service user's login share its outcome: a Keystone that is
// silent keeps none of them longer than the first.
func TestKeystoneThatIsSilentKeepsNobodyForTheOthersTime(t *testing.T) {
	const limit, callers = 2 * time.Second, 6
	s := newStandIn(t)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	s.breakBy(func(http.ResponseWriter, *http.Request) { <-release })
	k := keystoneOf(s, &heard.Log{}, func(o *auth.KeystoneOptions) { o.Timeout = limit })
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			_, err := k.Check(t.Context(), fmt.Sprint("token-", i))
			assert.ErrorIs(t, err, sdn.ErrUnavailable)
		})
	}
	all.Wait()
	require.LessOrEqual(t, s.count("POST /v3/auth/tokens"), callers/2, "one login, or another for who came late")
}

func TestUsersBesideKeystone(t *testing.T) {
	s := newStandIn(t)
	path := filepath.Join(t.TempDir(), "users")
	require.NoError(t, auth.AddUser(path, auth.User{Name: "ann", Hash: bcryptOf(t, "local"), Tenant: "green", Role: access.TenantUser}, false))
	users, err := auth.OpenUsers(path, auth.Options{Admin: auth.NewPasswordAuth("admin", "a", time.Hour)})
	require.NoError(t, err)
	both := auth.NewBeside(users, keystoneOf(s, &heard.Log{}))
	_, err = both.Login(t.Context(), access.Credentials{User: "ann", Password: "a:b"})
	require.ErrorIs(t, err, sdn.ErrUnauthorized, "a name of the file is the file's")
	require.Zero(t, s.count("POST /v3/auth/tokens"), "Keystone does not see its password")

	root := login(t, both, "root", "r")
	admin, ann := login(t, both, "admin", "a"), login(t, both, "ann", "local")
	for token, want := range map[string]access.Identity{
		admin: {User: "admin", Role: access.Admin},
		ann:   {User: "ann", Tenant: "green", Role: access.TenantUser},
		root:  {User: "root", Tenant: "p-red", Role: access.Admin},
	} {
		who, err := both.Check(t.Context(), token)
		require.NoError(t, err)
		require.Equal(t, want, who)
	}
	_, err = both.Check(t.Context(), "00000000")
	require.ErrorIs(t, err, sdn.ErrUnauthorized)
	s.breakBy(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	_, err = both.Check(t.Context(), admin)
	require.NoError(t, err, "the admin needs no Keystone")
	_, err = both.Tenants(t.Context())
	require.ErrorIs(t, err, sdn.ErrUnavailable)
}
