package client

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moatnet/moat/sdn/wire"
)

// How long an endpoint that failed is left alone while others answer: doubled
// with each failure, and not more than maxRest whatever it asks for.
const (
	firstRest = time.Second
	maxRest   = 30 * time.Second
)

// endpoint is one server with what it told about itself.
type endpoint struct {
	base    string
	token   atomic.Pointer[string]
	release atomic.Pointer[wire.Release]

	mu       sync.Mutex
	failures int
	until    time.Time // of its rest, when failures > 0
	probing  bool
}

// up notes that the endpoint answers.
func (e *endpoint) up() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failures = 0
}

// down leaves the endpoint alone for a while, for at least after. When it gave
// no answer, what answers there afterwards may be of another release.
func (e *endpoint) down(after time.Duration, answered bool) {
	if !answered {
		e.release.Store(nil)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	rest := min(maxRest, firstRest<<min(e.failures, 10))
	e.failures++
	e.until = time.Now().Add(min(maxRest, max(rest, after)))
}

// rest is when the endpoint's rest ends; zero when it answers.
func (e *endpoint) rest() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failures == 0 {
		return time.Time{}
	}
	return e.until
}

// order lists the endpoints in which a call tries them: those that answer as
// they were given, then the others, the most rested first. While one answers,
// the rested ones are looked after without making a caller wait.
func (c *Client) order() []*endpoint {
	if len(c.endpoints) == 1 {
		return c.endpoints
	}
	var well, ill []*endpoint
	rests := make(map[*endpoint]time.Time, len(c.endpoints))
	for _, e := range c.endpoints {
		if rests[e] = e.rest(); rests[e].IsZero() {
			well = append(well, e)
		} else {
			ill = append(ill, e)
		}
	}
	slices.SortStableFunc(ill, func(a, b *endpoint) int { return cmp.Compare(rests[a].UnixNano(), rests[b].UnixNano()) })
	if len(well) > 0 {
		for _, e := range ill {
			if time.Now().After(rests[e]) {
				c.probe(e)
			}
		}
	}
	return append(well, ill...)
}

// probe asks an endpoint for its state, once at a time.
func (c *Client) probe(e *endpoint) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.probing || c.live.Err() != nil {
		return
	}
	e.probing = true
	c.probes.Go(func() {
		ctx, cancel := context.WithTimeout(c.live, c.timeout)
		defer cancel()
		a, err := c.once(ctx, e, request{method: http.MethodGet, path: c.paths.At(wire.SystemState), media: wire.SystemStateV2})
		if _, again := verdict(a, err); again {
			e.down(a.after, err == nil)
		} else {
			e.up()
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.probing = false
		c.log.DebugContext(ctx, "SDN endpoint looked after", "endpoint", e.base, "answers", e.failures == 0)
	})
}
