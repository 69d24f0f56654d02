package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/moatnet/moat/cmd/moat/internal/socket"
)

// grace is how long requests under way may take when the daemon ends.
const grace = 5 * time.Second

// Listen takes the socket, mode 0600, that the CLI calls.
func Listen(ctx context.Context, path string) (*net.UnixListener, error) {
	return socket.Listen(ctx, path, 0o600)
}

// Serve answers operations until ctx ends, and closes the listener.
func Serve(ctx context.Context, l net.Listener, ops Operations) error {
	err := socket.ServeHTTP(ctx, l, &http.Server{Handler: handler(ops), ReadHeaderTimeout: 5 * time.Second}, grace)
	if err != nil {
		return fmt.Errorf("serve control: %w", err)
	}
	return nil
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
		return nil, ops.DeleteTenant(r.Context(), r.PathValue("name"), forced(r))
	}))
	mux.HandleFunc("GET /provider", reply(func(r *http.Request) (any, error) { return ops.Provider(r.Context()) }))
	mux.HandleFunc("PUT /provider", reply(func(r *http.Request) (any, error) { return ops.CreateProvider(r.Context()) }))
	mux.HandleFunc("GET /topology", reply(func(r *http.Request) (any, error) {
		return ops.Topology(r.Context(), r.URL.Query().Get("tenant"))
	}))
	mux.HandleFunc("DELETE /{$}", reply(func(r *http.Request) (any, error) {
		return nil, ops.TakeDown(r.Context(), forced(r))
	}))
	handleAddresses(mux, ops)
	return mux
}

func forced(r *http.Request) bool { return is(r, forceParam) }

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
