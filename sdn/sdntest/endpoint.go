package sdntest

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/auth"
	"github.com/moatnet/moat/sdn/client"
	"github.com/moatnet/moat/sdn/server"
	"github.com/moatnet/moat/sdn/topology"
	"github.com/moatnet/moat/sdn/wire"
)

// The credentials of every endpoint.
const (
	User     = "admin"
	Password = "c0rrect:horse"
)

// Endpoint is a compatible endpoint on a loopback port.
type Endpoint struct {
	URL string // base URL, as a client takes it
	API sdn.API

	end    chan struct{} // closed when the test ends
	mu     sync.Mutex
	calls  []Call
	faults []*Fault
}

// Call is one request that arrived, logins included.
type Call struct {
	Method string
	Path   string // below the base
	Query  string
	Header http.Header
	Body   []byte // as far as it was read
	Status int    // 0: no answer was sent
}

// Option changes how an endpoint is made.
type Option func(*settings)

type settings struct {
	api     sdn.API
	ttl     time.Duration
	release wire.Release
	handler http.Handler
}

// WithAPI serves api instead of an empty topology in memory.
func WithAPI(api sdn.API) Option { return func(s *settings) { s.api = api } }

// WithTokenTTL lets tokens expire after ttl instead of an hour.
func WithTokenTTL(ttl time.Duration) Option { return func(s *settings) { s.ttl = ttl } }

// WithRelease serves the API of a release, instead of 5.x.
func WithRelease(r wire.Release) Option { return func(s *settings) { s.release = r } }

// WithHandler serves h, such as a reverse proxy of another server, instead of a
// server of its own: then API is not what is served, and logins are h's.
func WithHandler(h http.Handler) Option { return func(s *settings) { s.handler = h } }

// Start serves until the test ends. Hosts without an engine can be bound to.
func Start(t testing.TB, opts ...Option) *Endpoint {
	t.Helper()
	set := settings{ttl: time.Hour}
	for _, o := range opts {
		o(&set)
	}
	if set.api == nil {
		set.api = NewMemory(t)
	}
	e := &Endpoint{API: set.api, end: make(chan struct{})}
	if set.handler == nil {
		set.handler = server.New(server.Options{
			API: set.api, Release: set.release, Auth: auth.NewPasswordAuth(User, Password, set.ttl)})
	}
	s := httptest.NewServer(e.observe(set.handler))
	t.Cleanup(func() { close(e.end); s.Close() })
	e.URL = s.URL + server.DefaultBase
	return e
}

// NewMemory is an empty topology in memory that lets ports be bound to hosts
// without an engine.
func NewMemory(t testing.TB) *topology.Topology {
	t.Helper()
	m := topology.NewMemory(topology.Options{AllowDeadHosts: true})
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// Client is a client of this endpoint, and of the others if there are any, in
// that order.
func (e *Endpoint) Client(t testing.TB, others ...*Endpoint) *client.Client {
	t.Helper()
	urls := []string{e.URL}
	for _, o := range others {
		urls = append(urls, o.URL)
	}
	c, err := client.New(client.Options{Endpoints: urls, User: User, Password: Password})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// Calls lists what has arrived, in the order of the answers.
func (e *Endpoint) Calls() []Call {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.calls)
}

// Count is the number of calls of a method and path.
func (e *Endpoint) Count(method, path string) int {
	n := 0
	for _, c := range e.Calls() {
		if c.Method == method && c.Path == path {
			n++
		}
	}
	return n
}

func (e *Endpoint) record(c Call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls = append(e.calls, c)
}
