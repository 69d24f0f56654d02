package certificates

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
)

// Files are what a source reads, each in PEM.
type Files struct {
	Cert, Key string
	ClientCA  string // "": clients need no certificate
}

// Source is a TLS configuration that follows its files. They are looked at when
// a client connects; while they do not fit together the last ones that did stay
// in use.
type Source struct {
	files Files
	log   *slog.Logger

	mu   sync.Mutex
	seen [3]fs.FileInfo // of Cert, Key and ClientCA when they were read, or tried
	now  *tls.Config
}

// Open reads the files for the first time.
func Open(f Files, log *slog.Logger) (*Source, error) {
	s := &Source{files: f, log: log}
	seen, err := s.look()
	if err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	now, err := s.read()
	if err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	s.seen, s.now = seen, now
	return s, nil
}

// Config is for a listener. It offers HTTP/2.
func (s *Source) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return s.current(), nil
		},
	}
}

// current reads the files again if they have changed.
func (s *Source) current() *tls.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen, err := s.look()
	if err == nil && same(seen, s.seen) {
		return s.now
	}
	var now *tls.Config
	if err == nil {
		now, err = s.read()
	}
	switch {
	case err == nil:
		s.now = now
		s.log.Info("TLS certificate read again", "file", s.files.Cert)
	case !same(seen, s.seen): // told once for each state of the files
		s.log.Error("TLS certificate stays as it was: the files cannot be used", "err", err)
	}
	s.seen = seen
	return s.now
}

func (s *Source) look() (seen [3]fs.FileInfo, err error) {
	for i, path := range []string{s.files.Cert, s.files.Key, s.files.ClientCA} {
		if path == "" {
			continue
		}
		info, statErr := os.Stat(path)
		if err = errors.Join(err, statErr); statErr == nil {
			seen[i] = info
		}
	}
	return seen, err
}

func same(a, b [3]fs.FileInfo) bool {
	for i := range a {
		if (a[i] == nil) != (b[i] == nil) {
			return false
		}
		if a[i] != nil && (!os.SameFile(a[i], b[i]) || a[i].Size() != b[i].Size() || !a[i].ModTime().Equal(b[i].ModTime())) {
			return false
		}
	}
	return true
}

func (s *Source) read() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(s.files.Cert, s.files.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", s.files.Cert, s.files.Key, err)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, Certificates: []tls.Certificate{pair}}
	if s.files.ClientCA == "" {
		return c, nil
	}
	pem, err := os.ReadFile(s.files.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("clients' CA: %w", err)
	}
	c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	c.SessionTicketsDisabled = true // a resumed session is not held to a new CA
	if !c.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("clients' CA: no certificate in %s", s.files.ClientCA)
	}
	return c, nil
}
