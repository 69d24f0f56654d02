package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/go-resty/resty/v2"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/effect"
	"github.com/moatnet/moat/sdn/wire"
)

// rounds is how often all endpoints are tried.
const rounds = 5

// request is one call of the API. Every one can be repeated without harm: what
// a POST makes has an ID or a key, so a second one meets a 409.
type request struct {
	method, path string
	media        string // of body and answer, in 5.x
	accept       string // when it differs from media
	body         any    // in the form of 5.x
	// bodyIn is the body where it differs between releases for more reasons
	// than its media type.
	bodyIn func(wire.Release) any
	// read takes the body of a success in. What it cannot read counts as an
	// answer that was lost.
	read func([]byte) error
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	body   []byte
	after  time.Duration // how long the server asks to be left alone
	// repeated is true when an earlier attempt may have taken effect.
	repeated bool
}

func (a reply) ok() bool { return a.status >= http.StatusOK && a.status < http.StatusMultipleChoices }

// errAnswer is an answer of no use: cut, of a foreign type, or no JSON.
var errAnswer = errors.New("the answer cannot be read")

// do performs a request: at the first endpoint that answers, after a failure at
// the next one, and again after all were tried, with growing pauses or those
// that servers ask for. It stops at the caller's deadline. The error of a
// status is the caller's to make.
func (c *Client) do(ctx context.Context, q request) (reply, error) {
	if path, _, _ := strings.Cut(q.path, "?"); strings.HasSuffix(path, "/") || strings.Contains(path, "//") {
		return reply{}, q.failed(fmt.Errorf("an ID is empty: %w", sdn.ErrNotFound))
	}
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval, pause.Multiplier = 25*time.Millisecond, time.Second, 2
	repeated := false
	for round := 1; ; round++ {
		var wait time.Duration
		order := c.order()
		for i, e := range order {
			a, err := c.once(ctx, e, q)
			a.repeated = repeated
			unsure, again := verdict(a, err)
			if !again {
				e.up()
				return a, q.unavailable(ctx, err)
			}
			if ctx.Err() != nil {
				return a, q.unavailable(ctx, err)
			}
			e.down(a.after, err == nil)
			c.log.DebugContext(ctx, "SDN call failed", "method", q.method, "path", q.path,
				"endpoint", e.base, "status", a.status, "round", round, "err", err)
			if i == 0 || a.after < wait {
				wait = a.after
			}
			repeated = repeated || unsure
			last := round == rounds && i == len(order)-1
			if last || i == len(order)-1 && !sleep(ctx, capped(ctx, max(wait, pause.NextBackOff()))) {
				return a, q.unavailable(ctx, err)
			}
		}
	}
}

// verdict says whether an attempt is worth another one, and whether it may
// have taken effect all the same.
func verdict(a reply, err error) (unsure, again bool) {
	var own *Error
	var dial *net.OpError
	switch {
	case errors.As(err, &own): // refused, or no server that we know
		return false, errors.Is(err, sdn.ErrUnavailable)
	case errors.As(err, &dial) && dial.Op == "dial":
		return false, true
	case errors.Is(err, resty.ErrResponseBodyTooLarge):
		return false, false
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
	case errors.Is(err, resty.ErrResponseBodyTooLarge):
		return q.failed(fmt.Errorf("the answer is larger than %d bytes: %w", maxAnswer, err))
	}
	return q.failed(fmt.Errorf("%w: %w", sdn.ErrUnavailable, err))
}

// once performs one request at one endpoint, in the words of its release. The
// release is read again when the server does not take them.
func (c *Client) once(ctx context.Context, e *endpoint, q request) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	r, fresh, err := c.releaseOf(ctx, e)
	if err != nil {
		return reply{}, err
	}
	a, err := c.send(ctx, e, r, q)
	if err != nil || fresh || a.status != http.StatusNotAcceptable && a.status != http.StatusUnsupportedMediaType {
		return a, err
	}
	e.release.Store(nil)
	now, _, err := c.releaseOf(ctx, e)
	if err != nil || now == r {
		return a, err
	}
	return c.send(ctx, e, now, q)
}

// send says a request in the words of a release and understands the answer.
func (c *Client) send(ctx context.Context, e *endpoint, r wire.Release, q request) (reply, error) {
	media, accept := r.In(q.media), r.In(q.accept)
	if q.media == "" {
		media = ""
	}
	if q.accept == "" {
		accept = media
	}
	if q.media != "" && media == "" {
		return reply{}, q.failed(fmt.Errorf("a server of version %s has no such resource: %w", r.Version(), sdn.ErrUnsupported))
	}
	data, err := q.data(r, media)
	if err != nil {
		return reply{}, q.failed(err)
	}
	header := make(http.Header, 4)
	if accept != "" {
		header.Set("Accept", accept)
	}
	if data != nil {
		header.Set("Content-Type", media)
	}
	if q.method == http.MethodPost {
		header.Set("Prefer", "return=representation")
	}
	a, err := c.authorised(ctx, e, func(token string) (reply, error) {
		return c.exchange(ctx, e, q, e.base+q.path, header, token, data)
	})
	if err != nil || !a.ok() || len(a.body) == 0 || q.read == nil {
		return a, err
	}
	if t := a.header.Get("Content-Type"); !fits(t, accept) {
		return a, fmt.Errorf("%w: it is of type %q, not %s", errAnswer, t, accept)
	}
	if a.body, err = wire.Upgrade(accept, r, a.body); err == nil {
		err = q.read(a.body)
	}
	if err != nil {
		return a, fmt.Errorf("%w: %w", errAnswer, err)
	}
	return a, nil
}

// fits reports whether an answer's type is what was asked for. No type at all
// is.
func fits(contentType, accept string) bool {
	if contentType == "" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (strings.EqualFold(media, accept) || media == wire.JSON)
}

// data is the body in the words of a release. What these cannot say is an error
// that wraps sdn.ErrUnsupported.
func (q request) data(r wire.Release, media string) ([]byte, error) {
	body := q.body
	if q.bodyIn != nil {
		body = q.bodyIn(r)
	}
	if body == nil {
		return nil, nil
	}
	if err := wire.Lost(media, r, body); err != nil {
		return nil, err
	}
	shown, err := wire.Downgrade(media, r, body)
	if err != nil {
		return nil, err
	}
	return json.Marshal(shown)
}

// exchange performs one HTTP request. Its error is the transport's, or that of
// an answer that is cut or too large.
func (c *Client) exchange(ctx context.Context, e *endpoint, q request, url string, header http.Header, token string, data []byte) (reply, error) {
	if q.method != http.MethodGet {
		if err := ctx.Err(); err != nil {
			return reply{}, err
		}
		var cancel context.CancelFunc
		ctx, cancel = lingering(ctx)
		defer cancel()
	}
	r := c.http.R().SetContext(ctx)
	r.Header = header.Clone()
	if token != "" {
		r.Header.Set("X-Auth-Token", token)
	}
	if data != nil {
		r.SetBody(data)
	}
	start := time.Now()
	resp := &resty.Response{}
	send := func() (err error) {
		resp, err = r.Execute(q.method, url)
		return err
	}
	var err error
	if q.method == http.MethodGet {
		err = send()
	} else {
		err = effect.Do(effect.REST, "call a REST API", send)
	}
	c.log.DebugContext(ctx, "SDN call", "method", q.method, "path", q.path, "endpoint", e.base,
		"status", resp.StatusCode(), "took", time.Since(start), "err", err)
	if err != nil {
		return reply{}, err
	}
	return reply{
		status: resp.StatusCode(), header: resp.Header(), body: resp.Body(),
		after: asked(resp.Header(), time.Now()),
	}, nil
}
