package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"syscall"
)

// Client asks a daemon at its control socket.
type Client struct {
	socket string
	http   *http.Client
}

var _ Operations = (*Client)(nil)

// NewClient makes a client; nothing is dialled before the first call.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	return &Client{socket: socket, http: &http.Client{Transport: &http.Transport{DialContext: dial}}}
}

// SocketFor is the control socket that belongs to an agent's socket.
func SocketFor(agent string) string { return agent + ".control" }

func call[T any](ctx context.Context, c *Client, method, path string) (T, error) {
	var answer T
	req, err := http.NewRequestWithContext(ctx, method, "http://moat"+path, nil)
	if err != nil {
		return answer, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
			return answer, fmt.Errorf("%w: nothing answers at %s; start it with: moat up", ErrNotRunning, c.socket)
		}
		return answer, fmt.Errorf("ask the daemon: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusOK {
		if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
			return answer, fmt.Errorf("read the daemon's answer: %w", err)
		}
		return answer, nil
	}
	var f failure
	if err := json.NewDecoder(res.Body).Decode(&f); err != nil || f.Error == "" {
		f.Error = res.Status
	}
	return answer, &answerError{text: f.Error, kind: kindOf(res.StatusCode)}
}

// answerError carries the daemon's words and the kind of its error.
type answerError struct {
	text string
	kind error
}

func (e *answerError) Error() string { return e.text }
func (e *answerError) Unwrap() error { return e.kind }

func kindOf(status int) error {
	switch status {
	case http.StatusNotFound:
		return ErrNotFound
	case http.StatusConflict:
		return ErrInUse
	}
	return nil
}

// Status implements Operations.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return call[Status](ctx, c, http.MethodGet, "/status")
}

// Tenants implements Operations.
func (c *Client) Tenants(ctx context.Context) ([]Tenant, error) {
	return call[[]Tenant](ctx, c, http.MethodGet, "/tenants")
}

// Tenant implements Operations.
func (c *Client) Tenant(ctx context.Context, name string) (Tenant, error) {
	return call[Tenant](ctx, c, http.MethodGet, "/tenants/"+url.PathEscape(name))
}

// CreateTenant implements Operations.
func (c *Client) CreateTenant(ctx context.Context, name string) (Tenant, error) {
	return call[Tenant](ctx, c, http.MethodPut, "/tenants/"+url.PathEscape(name))
}

// DeleteTenant implements Operations.
func (c *Client) DeleteTenant(ctx context.Context, name string, force bool) error {
	_, err := call[any](ctx, c, http.MethodDelete, "/tenants/"+url.PathEscape(name)+"?force="+strconv.FormatBool(force))
	return err
}

// Provider implements Operations.
func (c *Client) Provider(ctx context.Context) (Provider, error) {
	return call[Provider](ctx, c, http.MethodGet, "/provider")
}

// CreateProvider implements Operations.
func (c *Client) CreateProvider(ctx context.Context) (Provider, error) {
	return call[Provider](ctx, c, http.MethodPut, "/provider")
}

// Topology implements Operations.
func (c *Client) Topology(ctx context.Context, tenant string) (Topology, error) {
	return call[Topology](ctx, c, http.MethodGet, "/topology?tenant="+url.QueryEscape(tenant))
}

// TakeDown implements Operations.
func (c *Client) TakeDown(ctx context.Context, force bool) error {
	_, err := call[any](ctx, c, http.MethodDelete, "/?force="+strconv.FormatBool(force))
	return err
}
