package tenant

import (
	"context"
	"sync"
)

// locks is one lock per key, given up when ctx ends. The zero value is ready.
type locks[K comparable] struct {
	mu   sync.Mutex
	held map[K]*waiters
}

type waiters struct {
	turn chan struct{} // holds one token while the lock is free
	n    int           // holder and waiters
}

// lock waits for a key's turn and returns what gives it back.
func (l *locks[K]) lock(ctx context.Context, k K) (unlock func(), err error) {
	l.mu.Lock()
	if l.held == nil {
		l.held = map[K]*waiters{}
	}
	w, ok := l.held[k]
	if !ok {
		w = &waiters{turn: make(chan struct{}, 1)}
		w.turn <- struct{}{}
		l.held[k] = w
	}
	w.n++
	l.mu.Unlock()
	select {
	case <-w.turn:
		return func() { w.turn <- struct{}{}; l.leave(k, w) }, nil
	case <-ctx.Done():
		l.leave(k, w)
		return nil, context.Cause(ctx)
	}
}

// taken reports whether somebody holds a key or waits for it.
func (l *locks[K]) taken(k K) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held[k] != nil
}

func (l *locks[K]) leave(k K, w *waiters) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.n--; w.n == 0 {
		delete(l.held, k)
	}
}
