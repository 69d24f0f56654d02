package conformance

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/auth"
	"github.com/moatnet/moat/sdn/server"
)

// keystone stands in for OpenStack's Identity API v3, as far as its documents
// say how tokens and projects look on the wire.
type keystone struct {
	mu     sync.Mutex
	tokens map[string]dto
	// roles of a user in a project, by "user@project".
	roles map[string][]string
}

// passwords of the stand-in's users follow their names.
const keystonePassword = "s3cret of "

func newKeystone() *keystone {
	return &keystone{tokens: map[string]dto{}, roles: map[string][]string{
		"moat@service": {"service"}, "root@cloud": {"boss", "member"}, "root@red": {"member"},
		"ann@red": {"owner"}, "bob@red": {"reader"}, "eve@red": {"nothing of ours"},
	}}
}

func (k *keystone) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case r.URL.Path == "/v3/auth/tokens" && r.Method == http.MethodPost:
		k.issue(w, r)
	case k.tokens[r.Header.Get("X-Auth-Token")] == nil:
		reply(w, http.StatusUnauthorized, dto{"error": dto{"code": 401, "title": "Unauthorized"}})
	case r.URL.Path == "/v3/auth/tokens" && r.Method == http.MethodGet:
		shown := k.tokens[r.Header.Get("X-Subject-Token")]
		if shown == nil {
			reply(w, http.StatusNotFound, dto{"error": dto{"code": 404, "title": "Not Found"}})
			return
		}
		reply(w, http.StatusOK, dto{"token": shown})
	case r.URL.Path == "/v3/projects" && r.Method == http.MethodGet:
		projects := []dto{}
		for _, name := range []string{"service", "cloud", "red"} {
			projects = append(projects, dto{"id": "id-" + name, "name": name, "enabled": name != "service", "domain_id": "default", "description": "of " + name})
		}
		reply(w, http.StatusOK, dto{"projects": projects, "links": dto{"next": nil}})
	default:
		reply(w, http.StatusNotFound, dto{"error": dto{"code": 404}})
	}
}

// issue gives a token for a password and a project.
func (k *keystone) issue(w http.ResponseWriter, r *http.Request) {
	var wish struct {
		Auth struct {
			Identity struct {
				Password struct {
					User struct{ Name, Password string }
				}
			}
			Scope struct{ Project struct{ Name string } }
		}
	}
	if json.NewDecoder(r.Body).Decode(&wish) != nil {
		reply(w, http.StatusBadRequest, dto{"error": dto{"code": 400}})
		return
	}
	user, project := wish.Auth.Identity.Password.User, wish.Auth.Scope.Project.Name
	roles, member := k.roles[user.Name+"@"+project]
	if !member || user.Password != keystonePassword+user.Name {
		reply(w, http.StatusUnauthorized, dto{"error": dto{"code": 401, "title": "Unauthorized"}})
		return
	}
	named := make([]dto, len(roles))
	for i, role := range roles {
		named[i] = dto{"id": "id-" + role, "name": role}
	}
	key, now := uuid.NewString(), time.Now().UTC()
	domain := dto{"id": "default", "name": "Default"}
	k.tokens[key] = dto{
		"methods": []string{"password"}, "issued_at": now.Format(time.RFC3339Nano), "expires_at": now.Add(time.Hour).Format("2006-01-02T15:04:05.000000Z"),
		"user":    dto{"id": "id-" + user.Name, "name": user.Name, "domain": domain},
		"project": dto{"id": "id-" + project, "name": project, "domain": domain}, "roles": named,
	}
	w.Header().Set("X-Subject-Token", key)
	reply(w, http.StatusCreated, dto{"token": k.tokens[key]})
}

func reply(w http.ResponseWriter, status int, body dto) {
	w.Header().Set("Content-Type", plainJSON)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// withKeystone serves the target's topology to the users of a stand-in, and
// returns what takes the stand-in away.
func (w *Wire) withKeystone() (away func()) {
	w.t.Helper()
	stand := httptest.NewServer(newKeystone())
	w.t.Cleanup(stand.Close)
	w.URL = w.Own.Serve(w.t, server.Options{API: w.Own.Topology, Auth: auth.NewKeystone(auth.KeystoneOptions{
		URL: stand.URL + "/v3", Username: "moat", Password: keystonePassword + "moat", Project: "service", DefaultProject: "red", Domain: "default",
		AdminRole: "boss", TenantAdminRole: "owner", TenantUserRole: "reader", Timeout: 2 * time.Second,
	})})
	return stand.Close
}

// enter logs in as a user of a project.
func (w *Wire) enter(user, project string) answer {
	w.t.Helper()
	headers := []string{w.basic(user, keystonePassword+user)}
	if project != "" {
		headers = append(headers, "X-Auth-Project: "+project)
	}
	a := w.loginWith("POST", headers...)
	if a.status == 200 {
		w.token = w.object(a.body).text("key")
	}
	return a
}

func keystoneCases() []Case {
	return []Case{
		proves("2.provider.keystone", func(w *Wire) {
			w.withKeystone()
			a := w.enter("root", "cloud")
			require.Equal(w.t, 200, a.status, a.body)
			require.Contains(w.t, a.header.Get("Set-Cookie"), "sessionId="+w.token+"; Expires=")
			require.Equal(w.t, 200, w.call("GET", "/routers", "", "Accept: */*").status)
			all := ids(w.list("/tenants", "Tenant-v2"))
			require.ElementsMatch(w.t, []string{"id-service", "id-cloud", "id-red"}, all)
			w.token = "nobody's"
			w.errorBody(401, w.call("GET", "/routers", "", "Accept: */*"))
			w.errorBody(401, w.loginWith("POST", w.basic("root", "wrong"), "X-Auth-Project: cloud"))
			w.errorBody(401, w.loginWith("POST", w.basic("nobody", keystonePassword+"nobody")))
		}).beside(),
		proves("2.provider.keystoneProject", func(w *Wire) {
			w.withKeystone()
			require.Equal(w.t, 200, w.enter("ann", "").status, "the configured project")
			require.Equal(w.t, 200, w.enter("ann", "red").status)
			w.errorBody(401, w.enter("ann", "cloud"))
		}).beside(),
		proves("2.provider.keystoneRoles", func(w *Wire) {
			w.withKeystone()
			mine := "/routers?tenant_id=id-red"
			w.enter("root", "cloud")
			w.list("/hosts", "Host-v3")
			root := *w
			require.Equal(w.t, 200, w.enter("ann", "red").status)
			w.errorBody(403, w.call("GET", "/hosts", "", "Accept: */*"))
			body := dto{"name": "r", "tenantId": "id-red"}
			router := w.create("/routers", "Router-v3", body)
			require.Equal(w.t, 200, w.enter("bob", "red").status)
			require.Contains(w.t, ids(w.list(mine, "Router-v3")), router.text("id"))
			w.errorBody(403, w.typed("POST", "/routers", "Router-v3", w.json(body)))
			if w.enter("eve", "red").status == 200 {
				w.errorBody(403, w.call("GET", router.text("uri"), "", "Accept: */*"))
			}
			require.Contains(w.t, ids(root.list(mine, "Router-v3")), router.text("id"))
		}).beside(),
		proves("2.provider.keystoneDown", func(w *Wire) {
			away := w.withKeystone()
			require.Equal(w.t, 200, w.enter("root", "cloud").status)
			away()
			a := w.call("GET", "/tenants", "", "Accept: */*")
			w.errorBody(503, a)
			require.NotEmpty(w.t, a.header.Get("RetryAfter"))
			w.errorBody(503, w.enter("ann", "red"))
		}).beside(),
	}
}
