package node

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// stopPatience bounds the end of all parts together, so that a service manager
// need not kill the daemon.
const stopPatience = 11 * time.Second

// tasks are the parts of a daemon, each under a context of its own, so that they
// can end one after the other: what others stand on goes last.
type tasks struct {
	log    *slog.Logger
	failed chan error // holds the first failure of a part

	mu      sync.Mutex
	running map[string]task
}

type task struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func newTasks(log *slog.Logger) *tasks {
	return &tasks{log: log, failed: make(chan error, 1), running: map[string]task{}}
}

// start runs f until its context ends. An error before that is the daemon's.
func (t *tasks) start(name string, f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	one := task{cancel, make(chan struct{})}
	t.mu.Lock()
	t.running[name] = one
	t.mu.Unlock()
	go func() {
		defer close(one.done)
		err := f(ctx)
		switch {
		case err == nil:
		case ctx.Err() == nil:
			select {
			case t.failed <- err:
			default:
				t.log.Error("a part of the daemon failed", "part", name, "error", err)
			}
		default:
			t.log.Warn("at the end of a part of the daemon", "part", name, "error", ended(err))
		}
	}()
}

// wait returns when ctx ends, or with the first failure.
func (t *tasks) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-t.failed:
		return err
	}
}

// stop ends the named parts, each when the one before it has ended. When ctx is
// over it waits no more.
func (t *tasks) stop(ctx context.Context, names ...string) {
	for _, name := range names {
		t.mu.Lock()
		one, ok := t.running[name]
		t.mu.Unlock()
		if !ok {
			continue
		}
		one.cancel()
		select {
		case <-one.done:
			t.log.Debug("stopped", "part", name)
		case <-ctx.Done():
			t.log.Warn("a part of the daemon does not end in time", "part", name)
		}
	}
}

// stopAll is stop within stopPatience.
func (t *tasks) stopAll(names ...string) {
	ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	t.stop(ctx, names...)
}
