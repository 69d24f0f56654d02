package node

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/moatnet/moat/cmd/moat/internal/certificates"
	"github.com/moatnet/moat/cmd/moat/internal/config"
	"github.com/moatnet/moat/cmd/moat/internal/socket"
	"github.com/moatnet/moat/sdn/access"
	"github.com/moatnet/moat/sdn/auth"
	"github.com/moatnet/moat/sdn/server"
)

// restGrace is how long requests under way may take when the daemon ends.
const restGrace = 3 * time.Second

// openREST makes the server of the REST API, so that users, certificates and
// keys that cannot be read are known before anything is served.
func (s *sdnPart) openREST(c config.Config) error {
	who, err := s.authenticator(c)
	if err != nil {
		return fmt.Errorf("REST API: %w", err)
	}
	handler := server.New(server.Options{API: guarded{s.topology, s.lifeline}, Auth: who, Logger: s.log})
	s.rest = server.NewHTTPServer(handler, server.Limits{
		Connections: c.Limits.Connections, Requests: c.Limits.Requests, RequestTimeout: c.Limits.RequestTimeout, Logger: s.log,
	})
	if c.TLS.CertFile == "" {
		return nil
	}
	source, err := certificates.Open(certificates.Files{Cert: c.TLS.CertFile, Key: c.TLS.KeyFile, ClientCA: c.TLS.ClientCAFile}, s.log)
	if err != nil {
		return fmt.Errorf("REST API: %w", err)
	}
	s.rest.TLSConfig = source.Config()
	return nil
}

// authenticator knows the built-in admin, the users of the file, and those of
// Keystone where there is one.
func (s *sdnPart) authenticator(c config.Config) (access.Authenticator, error) {
	return auth.OpenUsers(c.Users.File, auth.Options{
		TTL:    c.Users.TokenLifetime,
		Admin:  auth.NewPasswordAuth(config.BuiltinUser, s.password, c.Users.TokenLifetime),
		Logger: s.log,
	})
}

// serveREST serves the API until ctx ends, and closes the listener.
func (s *sdnPart) serveREST(ctx context.Context, l net.Listener) error {
	if s.rest.TLSConfig != nil {
		l = tls.NewListener(l, s.rest.TLSConfig)
	}
	if err := socket.ServeHTTP(ctx, l, s.rest, restGrace); err != nil {
		return fmt.Errorf("REST API: %w", err)
	}
	return nil
}
