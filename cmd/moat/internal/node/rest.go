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
	handler := server.New(server.Options{API: guarded{s.topology, s.lifeline}, Auth: who, Release: c.API.Release, Logger: s.log})
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
	users, err := auth.OpenUsers(c.Users.File, auth.Options{
		TTL:    c.Users.TokenLifetime,
		Admin:  auth.NewPasswordAuth(config.BuiltinUser, s.password, c.Users.TokenLifetime),
		Logger: s.log,
	})
	if err != nil || c.Keystone.URL == "" {
		return users, err
	}
	k := c.Keystone
	o := auth.KeystoneOptions{
		URL: k.URL, Username: k.Username, Project: k.Project, DefaultProject: k.DefaultProject, Domain: k.Domain,
		TenantByName: k.TenantByName, AdminRole: k.AdminRole, TenantAdminRole: k.TenantAdminRole, TenantUserRole: k.TenantUserRole,
		Logger: s.log,
	}
	if o.Password, err = readSecret(k.PasswordFile); err != nil {
		return nil, fmt.Errorf("keystone.passwordFile: %w", err)
	}
	if k.CAFile != "" {
		pool, err := readCAs(k.CAFile)
		if err != nil {
			return nil, fmt.Errorf("keystone.caFile: %w", err)
		}
		o.TLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return auth.NewBeside(users, auth.NewKeystone(o)), nil
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
