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

// renew returns a token other than the stale one. Concurrent callers share one
// login, which does not end with the caller that started it.
func (c *Client) renew(ctx context.Context, e *endpoint, stale *string) (*string, error) {
	done := c.logins.DoChan(e.base, func() (any, error) {
		if now := e.token.Load(); now != nil && now != stale {
			return now, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.timeout)
		defer cancel()
		token, err := c.logIn(ctx, e)
		if err != nil {
			return nil, err
		}
		e.token.Store(&token)
		return &token, nil
	})
	select {
	case r := <-done:
		token, _ := r.Val.(*string)
		return token, r.Err
	case <-ctx.Done():
		return nil, request{method: http.MethodPost, path: "/" + wire.Login}.failed(
			fmt.Errorf("%w: %w", sdn.ErrUnavailable, context.Cause(ctx)))
	}
}

// logIn performs one login. Every error is an *Error, without the password.
func (c *Client) logIn(ctx context.Context, e *endpoint) (string, error) {
	q := request{method: http.MethodPost, path: "/" + wire.Login}
	basic := base64.StdEncoding.EncodeToString([]byte(c.login.user + ":" + c.login.password))
	r := c.http.R().SetContext(ctx).SetHeader("Authorization", "Basic "+basic).SetBody([]byte("{}"))
	if c.login.project != "" {
		r.SetHeader("X-Auth-Project", c.login.project)
	}
	resp, err := r.Execute(q.method, e.base+q.path)
	if err != nil {
		return "", q.failed(fmt.Errorf("%w: %w", sdn.ErrUnavailable, err))
	}
	a := reply{status: resp.StatusCode(), body: resp.Body()}
	if a.status != http.StatusOK {
		return "", q.refused(a)
	}
	var token struct {
		Key string `json:"key"`
	}
	if err := json.Unmarshal(a.body, &token); err != nil || token.Key == "" {
		for _, cookie := range resp.Cookies() {
			if cookie.Name == "sessionId" && cookie.Value != "" {
				return cookie.Value, nil
			}
		}
		return "", &Error{Method: q.method, Path: q.path, Status: a.status, Message: "the answer holds no token"}
	}
	return token.Key, nil
}
