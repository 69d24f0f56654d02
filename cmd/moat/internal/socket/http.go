package socket

import (
	"context"
	"net"
	"net/http"
	"time"
)

// ServeHTTP serves until ctx ends; then requests under way have that long to be
// answered. It returns nil unless it ended by itself.
func ServeHTTP(ctx context.Context, l net.Listener, srv *http.Server, grace time.Duration) error {
	stopped := make(chan struct{})
	asked := context.AfterFunc(ctx, func() {
		defer close(stopped)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		if srv.Shutdown(last) != nil {
			_ = srv.Close()
		}
	})
	err := srv.Serve(l)
	if asked() { // nobody has
		_ = srv.Close()
		return err
	}
	<-stopped
	return nil
}
