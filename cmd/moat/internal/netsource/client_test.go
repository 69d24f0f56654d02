package netsource

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	good   = `{"code":0,"data":[{"type":"a","master":true}]}`
	canary = "s3cr3t-c4n4ry"
)

var asked = Pod{Name: "p&1 ä", Namespace: "blue", UID: "u1", Node: "n/1", Network: "moat", IfName: "eth0"}

// serve is a source that answers with h, and a client of it.
func serve(t *testing.T, h http.HandlerFunc, o Options) *Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return client(t, s.URL, o)
}

func client(t *testing.T, url string, o Options) *Client {
	t.Helper()
	if o.URL == "" {
		o.URL = url + "/pods"
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	c, err := New(o)
	require.NoError(t, err)
	t.Cleanup(c.http.CloseIdleConnections)
	return c
}

func file(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	f := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(f, []byte(text), mode))
	return f
}

func TestWhatIsNoAnswer(t *testing.T) {
	for name, test := range map[string]struct {
		answer  http.HandlerFunc
		passing bool
		want    string
	}{
		"a failure of the source": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, true, "status 500 Internal Server Error"},
		"too many requests":       {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) }, true, "429"},
		"not allowed":             {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, false, "tokenFile"},
		"not there":               {http.NotFound, false, "404"},
		"no content":              {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, false, "204"},
		"nothing":                 {func(http.ResponseWriter, *http.Request) {}, false, "cannot be read"},
		"text":                    {func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("hello")) }, false, "cannot be read"},
		"a huge body":             {func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, maxBody+1)) }, false, "longer than 1048576 bytes"},
		"half a body":             {half, true, "unexpected EOF"},
		"a connection that ends":  {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, true, "running and can be reached"},
		"another host":            {http.RedirectHandler("http://192.0.2.1/"+canary, http.StatusFound).ServeHTTP, false, "redirects to http://192.0.2.1/"},
		"a loop":                  {http.RedirectHandler("/pods", http.StatusFound).ServeHTTP, false, "after 3 redirects"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := serve(t, test.answer, Options{}).Networks(t.Context(), asked)
			require.ErrorContains(t, err, test.want)
			var own *Error
			require.ErrorAs(t, err, &own)
			require.Equal(t, test.passing, own.Passing, "%v", err)
			require.NotContains(t, err.Error(), "podName")
		})
	}
}

func half(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	w.Write([]byte(good))
}

func TestASourceThatHangsOrIsNotThere(t *testing.T) {
	done := make(chan struct{})
	hangs := func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-done:
		}
	}
	c := serve(t, hangs, Options{Timeout: 50 * time.Millisecond})
	patient := serve(t, hangs, Options{Timeout: time.Hour})
	slow := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		hangs(w, r)
	}, Options{Timeout: 50 * time.Millisecond})
	t.Cleanup(func() { close(done) })
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for name, call := range map[string]func() error{
		"its own deadline":  func() error { _, err := c.Networks(t.Context(), asked); return err },
		"the call's":        func() error { _, err := patient.Networks(short, asked); return err },
		"between two bytes": func() error { _, err := slow.Networks(t.Context(), asked); return err },
	} {
		t.Run(name, func(t *testing.T) {
			err := call()
			require.ErrorContains(t, err, "no answer in time")
			require.ErrorContains(t, err, "networkSource.timeout")
			require.ErrorIs(t, err, context.DeadlineExceeded)
			var own *Error
			require.ErrorAs(t, err, &own)
			require.True(t, own.Passing)
		})
	}
	_, err := client(t, "http://127.0.0.1:1", Options{}).Networks(t.Context(), asked)
	require.ErrorContains(t, err, "connection refused")
	require.NotContains(t, err.Error(), "podName")
}

func TestTheRequestNamesThePod(t *testing.T) {
	var got *http.Request
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/pods" {
			http.Redirect(w, r, "/v2/pods?"+r.URL.RawQuery, http.StatusTemporaryRedirect)
			return
		}
		got = r
		w.Write([]byte(good))
	}, Options{})
	c.url.RawQuery = "cluster=a%26b"
	_, err := c.Networks(t.Context(), asked)
	require.NoError(t, err)
	require.Equal(t, map[string][]string{"cluster": {"a&b"}, "podName": {"p&1 ä"}, "podNamespace": {"blue"}, "podUID": {"u1"}, "node": {"n/1"},
		"network": {"moat"}, "ifName": {"eth0"}},
		map[string][]string(got.URL.Query()))
	require.Equal(t, http.MethodGet, got.Method)
	require.Empty(t, got.Header.Get("Authorization"))
}

func TestCredentialsAreReadForEachPodAndNeverSaid(t *testing.T) {
	var sent string
	status := http.StatusOK
	h := func(w http.ResponseWriter, r *http.Request) {
		sent = r.Header.Get("Authorization")
		w.WriteHeader(status)
		w.Write([]byte(good))
	}
	token := file(t, canary+"-1\n", 0o600)
	c := serve(t, h, Options{TokenFile: token})
	_, err := c.Networks(t.Context(), asked)
	require.NoError(t, err)
	require.Equal(t, "Bearer "+canary+"-1", sent)
	require.NoError(t, os.WriteFile(token, []byte(canary+"-2"), 0o600))
	_, err = c.Networks(t.Context(), asked)
	require.NoError(t, err)
	require.Equal(t, "Bearer "+canary+"-2", sent)
	status = http.StatusForbidden
	_, err = c.Networks(t.Context(), asked)
	require.ErrorContains(t, err, "403")
	require.NotContains(t, err.Error(), canary)
	require.NoError(t, os.Remove(token))
	_, err = c.Networks(t.Context(), asked)
	require.ErrorContains(t, err, "networkSource.tokenFile")

	status = http.StatusOK
	_, err = serve(t, h, Options{Username: "moat", PasswordFile: file(t, canary, 0o600)}).Networks(t.Context(), asked)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(sent, "Basic "))
}

func TestBadFilesAreRefusedAtTheStart(t *testing.T) {
	for want, o := range map[string]Options{
		"networkSource.caFile: open":             {CAFile: "/nowhere"},
		"networkSource.caFile: no certificate":   {CAFile: file(t, canary, 0o600)},
		"networkSource.certFile":                 {CertFile: file(t, canary, 0o600), KeyFile: file(t, canary, 0o600)},
		"networkSource.tokenFile: open":          {TokenFile: "/nowhere"},
		"is open to others: its mode is 0644":    {TokenFile: file(t, canary, 0o644)},
		"is empty":                               {TokenFile: file(t, " \n", 0o600)},
		"control characters or more than one":    {TokenFile: file(t, "a\nb", 0o600)},
		"has more than 65536 bytes":              {TokenFile: file(t, strings.Repeat("x", maxSecret+1), 0o600)},
		"networkSource.passwordFile: open /nowh": {Username: "u", PasswordFile: "/nowhere"},
	} {
		o.URL, o.Timeout = "https://h", time.Second
		_, err := New(o)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), canary)
	}
}

func TestTLSIsVerifiedBothWays(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(good)) }))
	s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	certificate := s.TLS.Certificates[0]
	cert := file(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})), 0o600)
	key := file(t, keyPEM(t, certificate), 0o600)

	_, err := client(t, s.URL, Options{}).Networks(t.Context(), asked)
	require.ErrorContains(t, err, "networkSource.caFile")
	var own *Error
	require.ErrorAs(t, err, &own)
	require.False(t, own.Passing)

	_, err = client(t, s.URL, Options{CAFile: cert}).Networks(t.Context(), asked)
	require.Error(t, err, "the source wants a certificate of the client")

	got, err := client(t, s.URL, Options{CAFile: cert, CertFile: cert, KeyFile: key}).Networks(t.Context(), asked)
	require.NoError(t, err)
	require.Len(t, got, 1)
}
