package client

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-resty/resty/v2"
	"golang.org/x/sync/singleflight"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

const (
	// defaultTimeout bounds one exchange when Options names no bound.
	defaultTimeout = 10 * time.Second
	// maxAnswer is the size of the largest answer read: a list of some 40,000
	// ports.
	maxAnswer = 64 << 20
)

// Options say which endpoint to use and how.
type Options struct {
	// Endpoints are base URLs such as "http://127.0.0.1:8181/midonet-api", of
	// servers of one topology, each of any release. The first that answers is
	// used.
	Endpoints []string
	// User, Password and Project log in; an empty User does not log in.
	User, Password, Project string
	TLS                     *tls.Config   // nil: the system's roots
	Timeout                 time.Duration // of one exchange; 0: 10 s. The caller's deadline holds besides
	Logger                  *slog.Logger  // nil: none; level debug, without secrets
}

// Client talks to one topology. It is safe for concurrent use.
type Client struct {
	http      *resty.Client
	transport *http.Transport
	endpoints []*endpoint
	login     credentials
	timeout   time.Duration
	log       *slog.Logger
	paths     wire.URIs
	shared    singleflight.Group // logins and readings of the root
	devices   kinds

	live   context.Context // ends with Close
	end    context.CancelFunc
	probes sync.WaitGroup
}

var _ sdn.API = (*Client)(nil)

type credentials struct{ user, password, project string }

// New makes a client. It does not connect.
func New(o Options) (*Client, error) {
	if len(o.Endpoints) == 0 {
		return nil, fmt.Errorf("SDN client: no endpoint: %w", sdn.ErrInvalid)
	}
	c := &Client{
		login:   credentials{o.User, o.Password, o.Project},
		timeout: o.Timeout,
		log:     o.Logger,
		paths:   wire.NewURIs(""),
	}
	for _, text := range o.Endpoints {
		base, err := parseEndpoint(text)
		if err != nil {
			return nil, err
		}
		c.endpoints = append(c.endpoints, &endpoint{base: base})
	}
	if c.timeout <= 0 {
		c.timeout = defaultTimeout
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.live, c.end = context.WithCancel(context.Background())
	c.transport = newTransport(o.TLS)
	c.http = resty.New().
		SetTransport(c.transport).
		SetLogger(silent{}).
		SetResponseBodyLimit(maxAnswer).
		SetRedirectPolicy(resty.RedirectPolicyFunc(func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // a token must not follow to another server
		})).
		SetCookieJar(nil)
	return c, nil
}

// Close ends idle connections and what looks after endpoints that are down.
func (c *Client) Close() {
	c.end()
	c.probes.Wait()
	c.transport.CloseIdleConnections()
}

func parseEndpoint(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", fmt.Errorf("SDN client: endpoint is no URL: %w", sdn.ErrInvalid)
	}
	switch {
	case u.User != nil:
		return "", fmt.Errorf("SDN client: endpoint %s: user and password do not belong in the URL: %w", u.Redacted(), sdn.ErrInvalid)
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.RawQuery != "", u.Fragment != "":
		return "", fmt.Errorf("SDN client: endpoint %q is not of the form http(s)://host:port/path: %w", text, sdn.ErrInvalid)
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// newTransport keeps connections for reuse. Packing is off: on the loopback
// it costs more than it saves, and answers are small.
func newTransport(t *tls.Config) *http.Transport {
	return &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 3 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       t,
		TLSHandshakeTimeout:   5 * time.Second,
		MaxIdleConns:          64,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       90 * time.Second,
		DisableCompression:    true,
		ExpectContinueTimeout: time.Second,
		ForceAttemptHTTP2:     true,
	}
}

// silent drops resty's own log lines, which may quote headers.
type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Debugf(string, ...any) {}
