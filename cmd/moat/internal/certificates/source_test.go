package certificates

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/sdntest/heard"
)

// pair is a certificate that signs itself, and its key.
type pair struct{ cert, key []byte }

func newPair(t *testing.T, name string) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return pair{
		cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
		key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
	}
}

// place replaces a file in one step.
func place(t *testing.T, path string, text []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(path+".new", text, 0o600))
	require.NoError(t, os.Rename(path+".new", path))
}

// site is a server with its files.
type site struct {
	files Files
	log   *heard.Log
	url   string
}

func newSite(t *testing.T, server pair, clientCA []byte) *site {
	t.Helper()
	dir := t.TempDir()
	s := &site{files: Files{Cert: filepath.Join(dir, "cert"), Key: filepath.Join(dir, "key")}, log: &heard.Log{}}
	place(t, s.files.Cert, server.cert)
	place(t, s.files.Key, server.key)
	if clientCA != nil {
		s.files.ClientCA = filepath.Join(dir, "ca")
		place(t, s.files.ClientCA, clientCA)
	}
	source, err := Open(s.files, s.log.Logger())
	require.NoError(t, err)
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	srv := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(tls.NewListener(l, source.Config())) }()
	t.Cleanup(func() { require.NoError(t, srv.Close()); <-ended })
	s.url = "https://" + l.Addr().String()
	return s
}

// ask makes one request over a connection of its own and returns the protocol.
func (s *site) ask(t *testing.T, trusted []byte, client *pair, change ...func(*tls.Config)) (string, error) {
	t.Helper()
	c := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	require.True(t, c.RootCAs.AppendCertsFromPEM(trusted))
	if client != nil {
		own, err := tls.X509KeyPair(client.cert, client.key)
		require.NoError(t, err)
		c.Certificates = []tls.Certificate{own}
	}
	for _, f := range change {
		f(c)
	}
	h := &http.Client{Transport: &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true, DisableKeepAlives: true}, Timeout: 10 * time.Second}
	q, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), "GET", s.url, nil)
	require.NoError(t, err)
	resp, err := h.Do(q)
	if err != nil {
		return "", err
	}
	return resp.Proto, resp.Body.Close()
}

func TestFilesThatAreRefused(t *testing.T) {
	a, b := newPair(t, "a"), newPair(t, "b")
	dir := t.TempDir()
	path := func(name string, text []byte) string {
		p := filepath.Join(dir, name)
		place(t, p, text)
		return p
	}
	certA, keyA, keyB, junk := path("ca", a.cert), path("ka", a.key), path("kb", b.key), path("junk", []byte("junk"))
	log := slog.New(slog.DiscardHandler)
	for want, f := range map[string]Files{
		"no such file":       {Cert: certA, Key: filepath.Join(dir, "none")},
		"does not match":     {Cert: certA, Key: keyB},
		"failed to find any": {Cert: junk, Key: keyA},
		"no certificate in":  {Cert: certA, Key: keyA, ClientCA: junk},
		"none: no such file": {Cert: certA, Key: keyA, ClientCA: filepath.Join(dir, "none")},
	} {
		_, err := Open(f, log)
		require.ErrorContains(t, err, want)
	}
}

func TestCertificatesAreReadAgain(t *testing.T) {
	a, b := newPair(t, "a"), newPair(t, "b")
	s := newSite(t, a, nil)
	proto, err := s.ask(t, a.cert, nil)
	require.NoError(t, err)
	require.Equal(t, "HTTP/2.0", proto)
	_, err = s.ask(t, b.cert, nil)
	require.Error(t, err)
	_, err = s.ask(t, a.cert, nil, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 })
	require.Error(t, err, "too old a version")

	place(t, s.files.Cert, b.cert)
	for range 3 {
		_, err = s.ask(t, a.cert, nil)
		require.NoError(t, err, "half of a new pair changes nothing")
	}
	require.Equal(t, 1, strings.Count(s.log.String(), "level=ERROR"), s.log.String())
	place(t, s.files.Key, b.key)
	_, err = s.ask(t, b.cert, nil)
	require.NoError(t, err)
	require.NoError(t, os.Remove(s.files.Key))
	_, err = s.ask(t, b.cert, nil)
	require.NoError(t, err, "a file that is gone changes nothing")
	require.NotContains(t, s.log.String(), "PRIVATE")
}

func TestClientsNeedACertificateOfTheCA(t *testing.T) {
	server, one, other := newPair(t, "server"), newPair(t, "one"), newPair(t, "other")
	s := newSite(t, server, one.cert)
	_, err := s.ask(t, server.cert, nil)
	require.Error(t, err, "none")
	_, err = s.ask(t, server.cert, &other)
	require.Error(t, err, "of another CA")
	_, err = s.ask(t, server.cert, &one)
	require.NoError(t, err)

	sessions := tls.NewLRUClientSessionCache(1)
	resume := func(c *tls.Config) { c.ClientSessionCache = sessions }
	_, err = s.ask(t, server.cert, &one, resume)
	require.NoError(t, err)
	place(t, s.files.ClientCA, other.cert)
	_, err = s.ask(t, server.cert, &one, resume)
	require.Error(t, err, "not with a session from before either")
	_, err = s.ask(t, server.cert, &other)
	require.NoError(t, err)
}
