package netsource

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	// maxBody bounds an answer, in bytes.
	maxBody = 1 << 20
	// maxHeader bounds an answer's header, in bytes.
	maxHeader = 64 << 10
	// maxRedirects bounds how often an answer may send on to another path.
	maxRedirects = 3
	// idle is how long a connection is kept for the next pod.
	idle = 90 * time.Second
)

// Options of a Client. URL and Timeout must be given; files that are "" are not
// used. Secrets are read for each request, a client's certificate for each
// connection, the CA file once.
type Options struct {
	URL          string
	Timeout      time.Duration // longest time for one answer
	CAFile       string        // PEM; "": the system's
	CertFile     string        // PEM, of this client
	KeyFile      string
	TokenFile    string // sent as "Authorization: Bearer"
	Username     string // sent with the password as "Authorization: Basic"
	PasswordFile string
}

// Client asks one network source.
type Client struct {
	opt  Options
	url  *url.URL
	http *http.Client
}

// New makes a client; it reads the files that it was given to see that it can.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, fmt.Errorf("networkSource.url: %w", err)
	}
	t := &http.Transport{IdleConnTimeout: idle, MaxIdleConnsPerHost: 16, MaxResponseHeaderBytes: maxHeader, ForceAttemptHTTP2: true}
	if t.TLSClientConfig, err = tlsConfig(o); err != nil {
		return nil, err
	}
	c := &Client{opt: o, url: u, http: &http.Client{Transport: t, CheckRedirect: sameHost}}
	if err := c.authorise(&http.Request{Header: http.Header{}}); err != nil {
		return nil, err
	}
	return c, nil
}

// Pod is whom the source is asked about.
type Pod struct {
	Name, Namespace, UID string
	Node                 string
	// Network and IfName are what the runtime asks for: the name of the network
	// configuration, and of the master's interface.
	Network, IfName string
}

// Networks asks which networks the pod gets, with the deadline of ctx or of the
// options, whichever is earlier. A source that knows of none answers nil. Errors
// are *Error.
func (c *Client) Networks(ctx context.Context, p Pod) ([]Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opt.Timeout)
	defer cancel()
	body, err := c.get(ctx, p)
	if err != nil {
		return nil, err
	}
	return parse(body, p.Namespace)
}

func (c *Client) get(ctx context.Context, p Pod) ([]byte, error) {
	u := *c.url
	q := u.Query()
	for key, value := range map[string]string{"podName": p.Name, "podNamespace": p.Namespace, "podUID": p.UID,
		"node": p.Node, "network": p.Network, "ifName": p.IfName} {
		if value != "" {
			q.Set(key, value)
		}
	}
	u.RawQuery = q.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, c.failed(false, "correct networkSource.url", err)
	}
	r.Header.Set("Accept", "application/json")
	if err := c.authorise(r); err != nil {
		return nil, c.failed(true, "correct the file; it is read again for each pod", err)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, c.unreached(ctx, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, c.status(answer.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxBody+1))
	if err != nil {
		return nil, c.unreached(ctx, err)
	}
	if len(body) > maxBody {
		return nil, c.failed(false, correctAnswer, fmt.Errorf("the answer is longer than %d bytes", maxBody))
	}
	return body, nil
}

// place is the URL without its query, which may hold what is not for logs.
func (c *Client) place() string {
	u := *c.url
	u.RawQuery = ""
	return u.Redacted()
}

func (c *Client) failed(passing bool, details string, err error) *Error {
	return &Error{Msg: fmt.Sprintf("network source %s: %v", c.place(), err), Details: details, Passing: passing, Err: err}
}

// unreached says why there is no answer, without the URL of the request.
func (c *Client) unreached(ctx context.Context, err error) *Error {
	var inURL *url.Error
	if errors.As(err, &inURL) {
		err = inURL.Err
	}
	var redirect *redirectError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &redirect):
		return c.failed(false, "name the right place in networkSource.url", err)
	case errors.As(err, &certificate):
		return c.failed(false, "correct networkSource.caFile, or the certificate of the source", err)
	case ctx.Err() != nil:
		return c.failed(true, fmt.Sprintf("it has %s (networkSource.timeout), or less if the call has less", c.opt.Timeout),
			fmt.Errorf("no answer in time: %w", err))
	}
	return c.failed(true, "check that the source is running and can be reached from this node", err)
}

// status says what to do about a status other than 200.
func (c *Client) status(code int) *Error {
	err := fmt.Errorf("it answered with the HTTP status %d %s, not with 200", code, http.StatusText(code))
	switch {
	case code >= 500, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout:
		return c.failed(true, "see the source's own log", err)
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return c.failed(false, "correct networkSource.tokenFile, username and passwordFile, or certFile", err)
	}
	return c.failed(false, "correct networkSource.url, or what the source knows of this pod", err)
}

// redirectError is an answer that sends on to where no request may go.
type redirectError struct{ to, why string }

func (e *redirectError) Error() string {
	return fmt.Sprintf("it redirects to %s, %s", e.to, e.why)
}

// sameHost follows redirects within the source alone: the request carries
// credentials, and names of pods.
func sameHost(r *http.Request, before []*http.Request) error {
	to := (&url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Path: r.URL.Path}).String()
	first := before[0].URL
	switch {
	case r.URL.Scheme != first.Scheme || r.URL.Host != first.Host:
		return &redirectError{to, "which is another host or scheme"}
	case len(before) > maxRedirects:
		return &redirectError{to, fmt.Sprintf("after %d redirects", maxRedirects)}
	}
	return nil
}
