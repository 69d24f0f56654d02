package auth_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// standIn answers as OpenStack's Identity API v3 is documented, for users and
// projects of the domain "default", and "other".
type standIn struct {
	*httptest.Server
	t *testing.T

	mu     sync.Mutex
	calls  map[string]int    // by method and path
	tokens map[string]string // its JSON, by token
	bodies []string          // of logins
	// broken answers instead, where it is set.
	broken http.HandlerFunc
	life   time.Duration
}

// account is a user with their roles by project.
type account struct {
	password string
	fallback string // the default project
	roles    map[string][]string
}

var accounts = map[string]account{
	"moat": {password: "service's", roles: map[string][]string{"service": {"admin", "service"}}},
	"root": {password: "r", fallback: "red", roles: map[string][]string{"red": {"admin"}, "far": {"admin"}}},
	"ann":  {password: "a:b", fallback: "red", roles: map[string][]string{"red": {"member", "tenant_admin", "tenant_user"}, "blue": {"tenant_user"}}},
	"eve":  {password: "e", roles: map[string][]string{"red": {"member", "reader"}}},
}

// projects by name: ID and domain.
var projects = map[string][2]string{
	"service": {"p-service", "default"}, "red": {"p-red", "default"}, "blue": {"p-blue", "default"}, "far": {"p-far", "other"},
}

func newStandIn(t *testing.T) *standIn {
	s := &standIn{t: t, calls: map[string]int{}, tokens: map[string]string{}, life: time.Hour}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.calls[r.Method+" "+r.URL.Path]++
	broken := s.broken
	s.mu.Unlock()
	switch {
	case broken != nil:
		broken(w, r)
	case r.Method == "POST" && r.URL.Path == "/v3/auth/tokens":
		s.login(w, r)
	case r.Method == "GET" && r.URL.Path == "/v3/auth/tokens":
		s.validate(w, r)
	case r.Method == "GET" && r.URL.Path == "/v3/projects":
		s.list(w, r)
	default:
		failWith(w, http.StatusNotFound, "Could not find: "+r.URL.Path)
	}
}

func failWith(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":{"code":%d,"message":%q,"title":%q}}`, status, message, http.StatusText(status))
}

func (s *standIn) login(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil || r.Header.Get("Content-Type") != "application/json" {
		failWith(w, http.StatusBadRequest, "Expecting to find application/json in Content-Type header")
		return
	}
	type domain struct{ ID string }
	var body struct {
		Auth struct {
			Identity struct {
				Methods  []string
				Password struct {
					User struct {
						Name, Password string
						Domain         domain
					}
				}
			}
			Scope *struct {
				Project struct {
					Name   string
					Domain domain
				}
			}
		}
	}
	if json.Unmarshal(text, &body) != nil || len(body.Auth.Identity.Methods) != 1 || body.Auth.Identity.Methods[0] != "password" {
		failWith(w, http.StatusBadRequest, "Expecting to find identity in auth.")
		return
	}
	u := body.Auth.Identity.Password.User
	a, known := accounts[u.Name]
	project := a.fallback
	if body.Auth.Scope != nil {
		project = body.Auth.Scope.Project.Name
	}
	if !known || u.Domain.ID != "default" || u.Password != a.password || project != "" && a.roles[project] == nil {
		failWith(w, http.StatusUnauthorized, "The request you have made requires authentication.")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bodies = append(s.bodies, string(text))
	token := fmt.Sprintf("gAAAAA-%s_%d", u.Name, len(s.bodies))
	s.tokens[token] = s.shown(u.Name, project, a.roles[project])
	s.answer(w, token, http.StatusCreated)
}

// shown is a token's JSON.
func (s *standIn) shown(user, project string, roles []string) string {
	token := map[string]any{
		"methods": []string{"password"}, "audit_ids": []string{"3T2dc1CGQxyJsHdDu1xkcw"}, "is_domain": false,
		"issued_at":  time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"),
		"expires_at": time.Now().Add(s.life).UTC().Format("2006-01-02T15:04:05.000000Z"),
		"user": map[string]any{"id": "u-" + user, "name": user, "password_expires_at": nil,
			"domain": map[string]string{"id": "default", "name": "Default"}},
	}
	if p, scoped := projects[project]; scoped {
		token["project"] = map[string]any{"id": p[0], "name": project, "domain": map[string]string{"id": p[1], "name": p[1]}}
		list := []map[string]string{}
		for _, r := range roles {
			list = append(list, map[string]string{"id": "r-" + r, "name": r})
		}
		token["roles"], token["catalog"] = list, []any{}
	}
	text, err := json.Marshal(map[string]any{"token": token})
	if err != nil {
		s.t.Error(err)
	}
	return string(text)
}

func (s *standIn) answer(w http.ResponseWriter, token string, status int) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Vary", "X-Auth-Token")
	w.Header().Set("X-Subject-Token", token)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, s.tokens[token])
}

func (s *standIn) validate(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokens[r.Header.Get("X-Auth-Token")] == "" {
		failWith(w, http.StatusUnauthorized, "The request you have made requires authentication.")
		return
	}
	subject := r.Header.Get("X-Subject-Token")
	if s.tokens[subject] == "" {
		failWith(w, http.StatusNotFound, "Could not find token, "+subject+".")
		return
	}
	s.answer(w, subject, http.StatusOK)
}

// list gives one project a page.
func (s *standIn) list(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokens[r.Header.Get("X-Auth-Token")] == "" {
		failWith(w, http.StatusUnauthorized, "The request you have made requires authentication.")
		return
	}
	pages := []string{"red", "blue"}
	i := 0
	next := "null"
	if r.URL.Query().Get("marker") == "p-red" {
		i = 1
	} else {
		next = `"http://keystone.example:5000/v3/projects?domain_id=default&marker=p-red"`
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"projects":[{"id":%q,"name":%q,"description":"of %s","enabled":true,"is_domain":false,"domain_id":"default",
		"parent_id":"default","tags":[],"options":{},"links":{"self":"x"}}],"links":{"next":%s,"self":"x","previous":null}}`,
		projects[pages[i]][0], pages[i], pages[i], next)
}

func (s *standIn) count(call string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[call]
}

// revoke ends all tokens.
func (s *standIn) revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

func (s *standIn) breakBy(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = h
}

func (s *standIn) lastLogin() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	require.NotEmpty(s.t, s.bodies)
	return s.bodies[len(s.bodies)-1]
}
