package dataplane

import (
	"context"
	"sync"
)

// queue holds the names of namespaces that have to be looked at. A name that is
// queued twice is worked on once; one that is queued while it is worked on
// comes again.
type queue struct {
	mu      sync.Mutex
	order   []string
	pending map[string]bool // true: observe, not only compare
	busy    map[string]bool
	wake    chan struct{}
}

func newQueue() *queue {
	return &queue{pending: make(map[string]bool), busy: make(map[string]bool), wake: make(chan struct{}, workers)}
}

func (q *queue) add(name string, observe bool) {
	q.mu.Lock()
	if was, ok := q.pending[name]; ok {
		q.pending[name] = was || observe
		q.mu.Unlock()
		return
	}
	q.pending[name] = observe
	if !q.busy[name] {
		q.order = append(q.order, name)
	}
	q.mu.Unlock()
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// next waits for a name; false when ctx ended.
func (q *queue) next(ctx context.Context) (name string, observe, ok bool) {
	for {
		q.mu.Lock()
		if len(q.order) > 0 {
			name, q.order = q.order[0], q.order[1:]
			observe = q.pending[name]
			delete(q.pending, name)
			q.busy[name] = true
			more := len(q.order) > 0
			q.mu.Unlock()
			if more {
				q.signal()
			}
			return name, observe, ctx.Err() == nil
		}
		q.mu.Unlock()
		select {
		case <-q.wake:
		case <-ctx.Done():
			return "", false, false
		}
	}
}

// done lets the name be worked on again.
func (q *queue) done(name string) {
	q.mu.Lock()
	delete(q.busy, name)
	_, again := q.pending[name]
	if again {
		q.order = append(q.order, name)
	}
	q.mu.Unlock()
	if again {
		q.signal()
	}
}
