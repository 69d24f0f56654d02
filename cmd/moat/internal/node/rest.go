package node

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/moatnet/moat/cmd/moat/internal/socket"
	"github.com/moatnet/moat/sdn/auth"
	"github.com/moatnet/moat/sdn/server"
)

const (
	// loginTTL is how long a token of the REST API lives.
	loginTTL = 24 * time.Hour
	// restGrace is how long requests under way may take when the daemon ends.
	restGrace = 3 * time.Second
)

func (s *sdnPart) handler() http.Handler {
	return server.New(server.Options{
		API: guarded{s.topology, s.lifeline}, Auth: auth.NewPasswordAuth("admin", s.password, loginTTL), Logger: s.log,
	})
}

// serveREST serves the API until ctx ends, and closes the listener.
func (s *sdnPart) serveREST(ctx context.Context, l net.Listener) error {
	srv := &http.Server{Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	if err := socket.ServeHTTP(ctx, l, srv, restGrace); err != nil {
		return fmt.Errorf("REST API: %w", err)
	}
	return nil
}
