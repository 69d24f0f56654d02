package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

// rounds is how often all endpoints are tried.
const rounds = 5

// request is one call of the API. Every one can be repeated without harm: what
// a POST makes has an ID, so a second one meets a 409.
type request struct {
	method, path string
	media        string // of body and answer
	accept       string // when it differs from media
	body         any
}

// reply is what came back.
type reply struct {
	status int
	body   []byte
	// repeated is true when an earlier attempt may have taken effect.
	repeated bool
}

// do performs a request: at the endpoint that answered last, after a failure
// at the next one, and again after all were tried, with growing pauses. It
// stops at the caller's deadline. The error of a status is the caller's to
// make.
func (c *Client) do(ctx context.Context, q request) (reply, error) {
	if strings.HasSuffix(q.path, "/") || strings.Contains(q.path, "//") {
		return reply{}, q.failed(fmt.Errorf("an ID is empty: %w", sdn.ErrNotFound))
	}
	data, err := encode(q.body)
	if err != nil {
		return reply{}, q.failed(fmt.Errorf("encode the body: %w", err))
	}
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval, pause.Multiplier = 25*time.Millisecond, time.Second, 2
	repeated := false
	for attempt := 1; ; attempt++ {
		at := c.current.Load()
		a, err := c.once(ctx, c.endpoints[at], q, data)
		a.repeated = repeated
		unsure, again := verdict(a, err)
		if !again || ctx.Err() != nil || attempt == rounds*len(c.endpoints) {
			return a, q.unavailable(ctx, err)
		}
		repeated = repeated || unsure
		c.log.DebugContext(ctx, "SDN call is repeated", "method", q.method, "path", q.path,
			"endpoint", c.endpoints[at].base, "status", a.status, "err", err)
		c.current.CompareAndSwap(at, (at+1)%int32(len(c.endpoints)))
		if attempt%len(c.endpoints) == 0 && !sleep(ctx, pause.NextBackOff()) {
			return a, q.unavailable(ctx, err)
		}
	}
}

// verdict says whether an attempt is worth another one, and whether it may
// have taken effect all the same.
func verdict(a reply, err error) (unsure, again bool) {
	var login *Error
	var dial *net.OpError
	switch {
	case errors.As(err, &login): // refused, or no server that we know
		return false, errors.Is(err, sdn.ErrUnavailable)
	case errors.As(err, &dial) && dial.Op == "dial":
		return false, true
	case err != nil:
		return true, true
	}
	switch a.status {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return false, true
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return true, true
	}
	return false, false
}

// unavailable words an error of the transport; nil stays nil.
func (q request) unavailable(ctx context.Context, err error) error {
	var own *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return err
	case ctx.Err() != nil:
		return q.failed(fmt.Errorf("%w: %w (last: %v)", sdn.ErrUnavailable, context.Cause(ctx), err))
	}
	return q.failed(fmt.Errorf("%w: %w", sdn.ErrUnavailable, err))
}

// sleep waits and reports whether there is time left afterwards.
func sleep(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// once performs one request at one endpoint, with one more login when the
// token is no longer known there.
func (c *Client) once(ctx context.Context, e *endpoint, q request, data []byte) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if c.login.user == "" {
		return c.send(ctx, e, "", q, data)
	}
	token := e.token.Load()
	if token == nil {
		fresh, err := c.renew(ctx, e, nil)
		if err != nil {
			return reply{}, err
		}
		token = fresh
	}
	a, err := c.send(ctx, e, *token, q, data)
	if err != nil || a.status != http.StatusUnauthorized {
		return a, err
	}
	if token, err = c.renew(ctx, e, token); err != nil {
		return reply{}, err
	}
	return c.send(ctx, e, *token, q, data)
}

func (c *Client) send(ctx context.Context, e *endpoint, token string, q request, data []byte) (reply, error) {
	r := c.http.R().SetContext(ctx)
	if token != "" {
		r.Header.Set("X-Auth-Token", token)
	}
	if q.media != "" {
		r.Header.Set("Accept", q.media)
	}
	if q.accept != "" {
		r.Header.Set("Accept", q.accept)
	}
	if data != nil {
		r.Header.Set("Content-Type", q.media)
		r.SetBody(data)
	}
	if q.method == http.MethodPost {
		r.Header.Set("Prefer", "return=representation")
	}
	start := time.Now()
	resp, err := r.Execute(q.method, e.base+q.path)
	c.log.DebugContext(ctx, "SDN call", "method", q.method, "path", q.path, "endpoint", e.base,
		"status", resp.StatusCode(), "took", time.Since(start), "err", err)
	if err != nil {
		return reply{}, err
	}
	return reply{status: resp.StatusCode(), body: resp.Body()}, nil
}

func encode(body any) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	return json.Marshal(body)
}

// decode reads an answer's body.
func decode[D any](q request, a reply) (D, error) {
	var d D
	if err := json.Unmarshal(a.body, &d); err != nil {
		return d, &Error{Method: q.method, Path: q.path, Status: a.status,
			Err: fmt.Errorf("the answer is not the JSON that %s promises: %w", wire.JSON, err)}
	}
	return d, nil
}
