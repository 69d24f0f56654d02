package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// Serve answers operations at a unix socket, mode 0600, until ctx ends.
func Serve(ctx context.Context, socket string, ops Operations) error {
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove stale control socket: %w", err)
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "unix", socket)
	if err != nil {
		return fmt.Errorf("listen for control: %w", err)
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		_ = ln.Close()
		return fmt.Errorf("protect control socket: %w", err)
	}
	srv := &http.Server{Handler: handler(ops), ReadHeaderTimeout: 5 * time.Second}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = srv.Shutdown(grace)
	}()
	err = srv.Serve(ln)
	if errors.Is(err, http.ErrServerClosed) {
		<-stopped
		return nil
	}
	return fmt.Errorf("serve control: %w", err)
}

func handler(ops Operations) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", reply(func(r *http.Request) (any, error) { return ops.Status(r.Context()) }))
	mux.HandleFunc("GET /tenants", reply(func(r *http.Request) (any, error) { return ops.Tenants(r.Context()) }))
	mux.HandleFunc("GET /tenants/{name}", reply(func(r *http.Request) (any, error) {
		return ops.Tenant(r.Context(), r.PathValue("name"))
	}))
	mux.HandleFunc("PUT /tenants/{name}", reply(func(r *http.Request) (any, error) {
		return ops.CreateTenant(r.Context(), r.PathValue("name"))
	}))
	mux.HandleFunc("DELETE /tenants/{name}", reply(func(r *http.Request) (any, error) {
		return nil, ops.DeleteTenant(r.Context(), r.PathValue("name"))
	}))
	mux.HandleFunc("GET /provider", reply(func(r *http.Request) (any, error) { return ops.Provider(r.Context()) }))
	mux.HandleFunc("PUT /provider", reply(func(r *http.Request) (any, error) { return ops.CreateProvider(r.Context()) }))
	mux.HandleFunc("GET /topology", reply(func(r *http.Request) (any, error) {
		return ops.Topology(r.Context(), r.URL.Query().Get("tenant"))
	}))
	mux.HandleFunc("DELETE /{$}", reply(func(r *http.Request) (any, error) { return nil, ops.TakeDown(r.Context()) }))
	return mux
}

type failure struct {
	Error string `json:"error"`
}

func reply(op func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		answer, err := op(r)
		if err != nil {
			w.WriteHeader(statusOf(err))
			answer = failure{err.Error()}
		}
		_ = json.NewEncoder(w).Encode(answer)
	}
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, ErrInUse):
		return http.StatusConflict
	default:
		return http.StatusInternalServerError
	}
}
