package auth

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/access"
)

const (
	// rememberFor is how long a token is believed without asking Keystone: a
	// token that is revoked goes on to work for that long.
	rememberFor   = time.Minute
	maxRemembered = 4096
	// askedAtOnce and askWaiting bound what waits for Keystone.
	askedAtOnce, askWaiting = 8, 64
	// renewBefore is how long before its end a service token is replaced.
	renewBefore = time.Minute
	// maxPages bounds a list of projects.
	maxPages = 64
	// maxToken bounds a token, in bytes.
	maxToken = 8 << 10
)

// KeystoneOptions say which Keystone is asked and what its words mean here.
type KeystoneOptions struct {
	URL string // such as "https://keystone:5000/v3"
	// Username, Password and Project are a user's that may validate tokens and
	// list projects.
	Username, Password, Project string
	DefaultProject              string // of logins that name none; "": the user's own
	// Domain is the ID of the domain of users and projects. AdminRole makes an
	// admin in projects of this domain alone, elsewhere a tenant's admin.
	Domain string
	// TenantByName takes a project's name for the tenant, of projects of Domain
	// alone, and not its ID.
	TenantByName                               bool
	AdminRole, TenantAdminRole, TenantUserRole string
	TLS                                        *tls.Config   // nil: the system's roots
	Timeout                                    time.Duration // of one answer; 0: 5 s
	Logger                                     *slog.Logger  // hears why Keystone is of no use, without secrets; nil: none
}

// Keystone knows users and projects of OpenStack's Identity API v3. The tokens
// that it gives are Keystone's own, and so are those that it takes.
type Keystone struct {
	o    KeystoneOptions
	http *http.Client
	log  *slog.Logger
	gate gate
	now  func() time.Time

	service struct {
		login   singleflight.Group
		token   string
		expires time.Time
	}

	mu         sync.Mutex // of the token of service, too
	remembered map[digest]remembered
}

type remembered struct {
	who   access.Identity
	until time.Time
}

var (
	_ access.Authenticator = (*Keystone)(nil)
	_ access.Directory     = (*Keystone)(nil)
)

// NewKeystone connects when it is asked something first.
func NewKeystone(o KeystoneOptions) *Keystone {
	o.URL = strings.TrimRight(o.URL, "/")
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Keystone{
		o: o, log: o.Logger, now: time.Now, gate: newGate(askedAtOnce, askWaiting), remembered: map[digest]remembered{},
		http: &http.Client{
			Timeout:   cmp.Or(o.Timeout, 5*time.Second),
			Transport: &http.Transport{TLSClientConfig: o.TLS, MaxConnsPerHost: askedAtOnce, IdleConnTimeout: time.Minute},
			// A redirect would take passwords elsewhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Login is for the project that c names, or the default one.
func (k *Keystone) Login(ctx context.Context, c access.Credentials) (t access.Token, err error) {
	if c.User == "" || c.Password == "" {
		return access.Token{}, errRefused
	}
	full := k.gate.pass(ctx, func() {
		var shown shownToken
		wish := newWish(c.User, c.Password, cmp.Or(c.Project, k.o.DefaultProject), k.o.Domain)
		if t.Key, shown, err = k.authenticate(ctx, wish); err == nil {
			t.Expires = shown.Expires
			k.remember(t.Key, shown)
		}
	})
	return t, cmp.Or(full, err)
}

// Check asks Keystone at most once a minute for a token.
func (k *Keystone) Check(ctx context.Context, key string) (who access.Identity, err error) {
	if !plausible(key) {
		return access.Identity{}, errRefused
	}
	k.mu.Lock()
	known, is := k.remembered[sha256.Sum256([]byte(key))]
	k.mu.Unlock()
	if is && k.now().Before(known.until) {
		return known.who, nil
	}
	full := k.gate.pass(ctx, func() { who, err = k.validate(ctx, key) })
	return who, cmp.Or(full, err)
}

func (k *Keystone) validate(ctx context.Context, key string) (access.Identity, error) {
	r, err := k.asService(ctx, k.o.URL+"/auth/tokens?nocatalog", map[string]string{"X-Subject-Token": key})
	if err != nil {
		return access.Identity{}, err
	}
	switch r.status {
	case http.StatusOK:
	case http.StatusNotFound:
		return access.Identity{}, errRefused
	default:
		return access.Identity{}, k.away("a validation is answered by an unexpected status", "status", r.status)
	}
	shown, ok := readToken(r.body)
	if !ok {
		return access.Identity{}, k.away("the answer to a validation cannot be read")
	}
	if !k.now().Before(shown.Expires) {
		return access.Identity{}, errRefused
	}
	return k.remember(key, shown), nil
}

// remember keeps who a token stands for.
func (k *Keystone) remember(key string, shown shownToken) access.Identity {
	who := k.identity(shown)
	now := k.now()
	until := now.Add(rememberFor)
	if shown.Expires.Before(until) {
		until = shown.Expires
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.remembered) >= maxRemembered {
		k.forgetSome(now)
	}
	k.remembered[sha256.Sum256([]byte(key))] = remembered{who, until}
	return who
}

// forgetSome drops what is over, and whatever else until there is room.
func (k *Keystone) forgetSome(now time.Time) {
	for hash, r := range k.remembered {
		if !now.Before(r.until) {
			delete(k.remembered, hash)
		}
	}
	for hash := range k.remembered {
		if len(k.remembered) < maxRemembered {
			return
		}
		delete(k.remembered, hash)
	}
}

// identity maps roles and project. A user without a role of ours has none, and
// may do nothing.
func (k *Keystone) identity(t shownToken) access.Identity {
	who := access.Identity{User: t.User.Name}
	home := t.Project.Domain != nil && t.Project.Domain.ID == k.o.Domain
	if t.Project.ID == "" || k.o.TenantByName && !home {
		return who
	}
	who.Tenant = k.o.tenant(t.Project.ID, t.Project.Name)
	rank := map[access.Role]int{access.TenantUser: 1, access.TenantAdmin: 2, access.Admin: 3}
	for _, r := range t.Roles {
		var role access.Role
		switch r.Name {
		case k.o.AdminRole:
			role = access.TenantAdmin
			if home {
				role = access.Admin
			}
		case k.o.TenantAdminRole:
			role = access.TenantAdmin
		case k.o.TenantUserRole:
			role = access.TenantUser
		}
		if rank[role] > rank[who.Role] {
			who.Role = role
		}
	}
	return who
}

// Tenants lists the projects of the domain.
func (k *Keystone) Tenants(ctx context.Context) (list []access.Tenant, err error) {
	full := k.gate.pass(ctx, func() { list, err = k.projects(ctx) })
	return list, cmp.Or(full, err)
}

func (k *Keystone) projects(ctx context.Context) ([]access.Tenant, error) {
	var list []access.Tenant
	next := k.o.URL + "/projects?domain_id=" + url.QueryEscape(k.o.Domain)
	for range maxPages {
		r, err := k.asService(ctx, next, nil)
		if err != nil {
			return nil, err
		}
		var page projectPage
		if r.status != http.StatusOK || json.Unmarshal(r.body, &page) != nil {
			return nil, k.away("the list of projects cannot be read", "status", r.status)
		}
		for _, p := range page.Projects {
			if p.ID != "" && !p.IsDomain {
				list = append(list, access.Tenant{ID: k.o.tenant(p.ID, p.Name), Name: p.Name, Description: p.Description, Enabled: p.Enabled})
			}
		}
		if page.Links.Next == "" {
			return list, nil
		}
		// Whatever address Keystone gives itself, it is asked where it was.
		more, err := url.Parse(page.Links.Next)
		if err != nil || more.RawQuery == "" {
			return nil, k.away("the link to more projects cannot be read")
		}
		next = k.o.URL + "/projects?" + more.RawQuery
	}
	return nil, fmt.Errorf("list projects: more than %d pages: %w", maxPages, sdn.ErrUnavailable)
}

// plausible reports whether a token can stand in a header.
func plausible(key string) bool {
	return key != "" && len(key) <= maxToken && !strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' })
}
