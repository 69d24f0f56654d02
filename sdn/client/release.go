package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

// rootTypes is what the root is asked for as: servers of every release have
// one of these.
const rootTypes = wire.ApplicationV5 + ", " + wire.ApplicationV4 + ", " + wire.JSON

// releaseOf is the release of an endpoint, which its root names. Concurrent
// callers share one reading; fresh is true when it was not known before.
func (c *Client) releaseOf(ctx context.Context, e *endpoint) (r wire.Release, fresh bool, err error) {
	if known := e.release.Load(); known != nil {
		return *known, false, nil
	}
	r, err = together(ctx, c, "root "+e.base, request{method: http.MethodGet, path: "/"}, func(ctx context.Context) (wire.Release, error) {
		if known := e.release.Load(); known != nil {
			return *known, nil
		}
		read, err := c.readRoot(ctx, e)
		if err == nil {
			e.release.Store(&read)
		}
		return read, err
	})
	return r, true, err
}

// readRoot reads the application root. A redirect within the server, as servlet
// containers send for the base without a slash, is followed once.
func (c *Client) readRoot(ctx context.Context, e *endpoint) (wire.Release, error) {
	q := request{method: http.MethodGet, path: "/"}
	at := e.base
	ask := func(token string) (reply, error) {
		return c.exchange(ctx, e, q, at, http.Header{"Accept": {rootTypes}}, token, nil)
	}
	a, err := c.authorised(ctx, e, ask)
	if err == nil && a.status >= http.StatusMultipleChoices && a.status < http.StatusBadRequest {
		next, here := within(e.base, a.header.Get("Location"))
		if !here {
			return 0, q.refused(a)
		}
		at = next
		a, err = c.authorised(ctx, e, ask)
	}
	var own *Error
	switch {
	case errors.As(err, &own):
		return 0, err
	case err != nil:
		return 0, q.failed(fmt.Errorf("%w: %w", sdn.ErrUnavailable, err))
	case a.status != http.StatusOK:
		return 0, q.refused(a)
	}
	var root struct {
		Version string `json:"version"`
	}
	if err := json.Unmarshal(a.body, &root); err != nil {
		return 0, q.failed(fmt.Errorf("%w: the application root is no JSON: %w", sdn.ErrUnavailable, err))
	}
	r, err := wire.ReleaseOf(root.Version)
	if err != nil {
		return 0, q.failed(err)
	}
	return r, nil
}

// within resolves a redirect and reports whether it stays on the server.
func within(base, location string) (string, bool) {
	from, err := url.Parse(base)
	if err != nil || location == "" {
		return "", false
	}
	to, err := from.Parse(location)
	if err != nil || to.Scheme != from.Scheme || to.Host != from.Host || to.User != nil {
		return "", false
	}
	return to.String(), true
}
