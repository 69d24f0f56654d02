package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

// representation is the JSON form of a noun.
type representation[N any] interface{ Noun() (N, error) }

// get reads one object.
func get[N any, D representation[N]](ctx context.Context, c *Client, path, media string) (N, error) {
	return ask[N, D](ctx, c, request{method: http.MethodGet, path: path, media: media})
}

func ask[N any, D representation[N]](ctx context.Context, c *Client, q request) (N, error) {
	var none N
	var d D
	q.read = func(body []byte) error { return json.Unmarshal(body, &d) }
	a, err := c.do(ctx, q)
	if err != nil {
		return none, err
	}
	if a.status != http.StatusOK {
		return none, q.refused(a)
	}
	n, err := d.Noun()
	if err != nil {
		return none, q.wrong(a, err)
	}
	return n, nil
}

// list reads a collection. An empty body, as some servers send, is an empty
// list.
func list[N any, D representation[N]](ctx context.Context, c *Client, path, media string) ([]N, error) {
	var ds []D
	q := request{method: http.MethodGet, path: path, media: wire.Collection(media)}
	q.read = func(body []byte) error { ds = nil; return json.Unmarshal(body, &ds) }
	a, err := c.do(ctx, q)
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, q.refused(a)
	}
	if len(ds) == 0 {
		return nil, nil
	}
	ns := make([]N, len(ds))
	for i, d := range ds {
		if ns[i], err = d.Noun(); err != nil {
			return nil, q.wrong(a, err)
		}
	}
	return ns, nil
}

// creation is a POST of an object that has an ID or another key.
type creation struct {
	path   string // of the collection
	at     string // of the object that it makes
	media  string
	body   any
	bodyIn func(wire.Release) any
	ours   bool // this client made up the ID, so nobody else can have used it
}

// create makes an object and returns it as stored: from the answer where the
// server puts it there, else by reading it.
func create[N any, D representation[N]](ctx context.Context, c *Client, k creation) (N, error) {
	var none N
	var d *D
	q := request{method: http.MethodPost, path: k.path, media: k.media, body: k.body, bodyIn: k.bodyIn}
	q.read = func(body []byte) error { d = nil; return json.Unmarshal(body, &d) }
	a, err := c.do(ctx, q)
	switch {
	case err != nil:
		return none, err
	case a.status == http.StatusConflict:
		return settle[N, D](ctx, c, k, a, q.refused(a))
	case a.status != http.StatusCreated && a.status != http.StatusOK:
		return none, q.refused(a)
	case d == nil:
		return get[N, D](ctx, c, k.at, k.media)
	}
	n, err := (*d).Noun()
	if err != nil {
		return none, q.wrong(a, err)
	}
	return n, nil
}

// settle finds out what a 409 to a create means: an ID in use is ErrExists,
// unless it is the trace of an attempt whose answer was lost; anything else
// stays a conflict.
func settle[N any, D representation[N]](ctx context.Context, c *Client, k creation, a reply, refused *Error) (N, error) {
	n, err := get[N, D](ctx, c, k.at, k.media)
	switch {
	case err == nil && k.ours && a.repeated:
		return n, nil
	case err == nil:
		refused.Err = sdn.ErrExists
	case !errors.Is(err, sdn.ErrNotFound):
		return n, err
	}
	var none N
	return none, refused
}

// add puts an entry with a key, and no ID, into a collection. A conflict with
// what an own attempt did, whose answer was lost, is a success; one with an
// entry that is there is ErrExists. held reads what is there under the key and
// reports whether it is the entry.
func (c *Client) add(ctx context.Context, q request, held func() (same bool, err error)) error {
	q.method = http.MethodPost
	a, err := c.do(ctx, q)
	switch {
	case err != nil:
		return err
	case a.ok():
		return nil
	case a.status != http.StatusConflict:
		return q.refused(a)
	}
	refused := q.refused(a)
	same, err := held()
	switch {
	case err != nil && !errors.Is(err, sdn.ErrNotFound):
		return err
	case err == nil && same && a.repeated:
		return nil
	case err == nil:
		refused.Err = sdn.ErrExists
	}
	return refused
}

// put replaces an object.
func put(ctx context.Context, c *Client, path, media string, body any) error {
	return c.expect(ctx, request{method: http.MethodPut, path: path, media: media, body: body})
}

// remove deletes an object. When an attempt whose answer was lost did it, the
// next one meets a 404: that is a success.
func remove(ctx context.Context, c *Client, path string) error {
	q := request{method: http.MethodDelete, path: path}
	a, err := c.do(ctx, q)
	switch {
	case err != nil:
		return err
	case a.status == http.StatusNotFound && a.repeated:
		return nil
	case !a.ok():
		return q.refused(a)
	}
	return nil
}

// expect performs a request whose answer's body does not matter.
func (c *Client) expect(ctx context.Context, q request) error {
	a, err := c.do(ctx, q)
	if err != nil {
		return err
	}
	if !a.ok() {
		return q.refused(a)
	}
	return nil
}

// own makes up the ID that an object came without, so that a POST can be
// repeated, and reports whether it did.
func own[T ~string](id *T) bool {
	if *id != "" {
		return false
	}
	*id = sdn.NewID[T]()
	return true
}
