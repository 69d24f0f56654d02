package kube

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/cache"
)

// trouble says once that something cannot be followed, until it can again.
type trouble struct {
	of  string // what is followed
	log *slog.Logger

	mu sync.Mutex
	on bool
}

// hear is told why a watch ended. That it does is usual; that it was refused, or
// the API server is away, is not.
func (t *trouble) hear(_ context.Context, _ *cache.Reflector, err error) {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.on {
		t.log.Warn("the Kubernetes API server cannot be followed; it is tried again", "what", t.of, "error", err)
	}
	t.on = true
}

func (t *trouble) over() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.on {
		t.log.Info("the Kubernetes API server is followed again", "what", t.of)
	}
	t.on = false
}

// quiet passes on errors alone, as debug messages: what matters of the client
// library's words is said by trouble.
type quiet struct{ slog.Handler }

func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelInfo && q.Handler.Enabled(ctx, slog.LevelDebug)
}

func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	r.Level = slog.LevelDebug
	return q.Handler.Handle(ctx, r)
}

func (q quiet) WithAttrs(a []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(a)} }
func (q quiet) WithGroup(n string) slog.Handler      { return quiet{q.Handler.WithGroup(n)} }
