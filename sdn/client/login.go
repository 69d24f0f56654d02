package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

// authorised performs an exchange with the endpoint's token, and once more with
// a new one when the server knows it no longer.
func (c *Client) authorised(ctx context.Context, e *endpoint, do func(token string) (reply, error)) (reply, error) {
	if c.login.user == "" {
		return do("")
	}
	token := e.token.Load()
	if token == nil {
		fresh, err := c.renew(ctx, e, nil)
		if err != nil {
			return reply{}, err
		}
		token = fresh
	}
	a, err := do(*token)
	if err != nil || a.status != http.StatusUnauthorized {
		return a, err
	}
	if token, err = c.renew(ctx, e, token); err != nil {
		return reply{}, err
	}
	return do(*token)
}

// renew returns a token other than the stale one. Concurrent callers share one
// login.
func (c *Client) renew(ctx context.Context, e *endpoint, stale *string) (*string, error) {
	q := request{method: http.MethodPost, path: "/" + wire.Login}
	return together(ctx, c, "login "+e.base, q, func(ctx context.Context) (*string, error) {
		if now := e.token.Load(); now != nil && now != stale {
			return now, nil
		}
		token, err := c.logIn(ctx, e, q)
		if err != nil {
			return nil, err
		}
		e.token.Store(&token)
		return &token, nil
	})
}

// together does what callers of the same key share. It does not end with the
// caller that started it. q names it in errors.
func together[T any](ctx context.Context, c *Client, key string, q request, do func(context.Context) (T, error)) (T, error) {
	done := c.shared.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout)
		defer cancel()
		return do(ctx)
	})
	select {
	case r := <-done:
		v, _ := r.Val.(T)
		return v, r.Err
	case <-ctx.Done():
		var none T
		return none, q.failed(fmt.Errorf("%w: %w", sdn.ErrUnavailable, context.Cause(ctx)))
	}
}

// logIn performs one login. Every error is an *Error, without the password.
func (c *Client) logIn(ctx context.Context, e *endpoint, q request) (string, error) {
	basic := base64.StdEncoding.EncodeToString([]byte(c.login.user + ":" + c.login.password))
	header := http.Header{"Authorization": {"Basic " + basic}}
	if c.login.project != "" {
		header.Set("X-Auth-Project", c.login.project)
	}
	a, err := c.exchange(ctx, e, q, e.base+q.path, header, "", []byte("{}"))
	if err != nil {
		return "", q.failed(fmt.Errorf("%w: %w", sdn.ErrUnavailable, err))
	}
	if a.status != http.StatusOK {
		return "", q.refused(a)
	}
	var token struct {
		Key string `json:"key"`
	}
	if err := json.Unmarshal(a.body, &token); err == nil && token.Key != "" {
		return token.Key, nil
	}
	for _, cookie := range (&http.Response{Header: a.header}).Cookies() {
		if cookie.Name == "sessionId" && cookie.Value != "" {
			return cookie.Value, nil
		}
	}
	return "", q.failed(fmt.Errorf("%w: the answer to the login holds no token", sdn.ErrUnavailable))
}
