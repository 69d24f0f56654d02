package dataplane

import (
	"context"
	"maps"
	"sync"

	"github.com/moatnet/moat/sdn"
)

// work says how much of a namespace has to be looked at.
type work struct {
	observe bool // read it from the kernel; else trust what was seen before
	// few, when it is not empty, are bound bridge ports that nothing else of the
	// namespace depends on: only they changed.
	few map[sdn.PortID]bool
}

func fewOf(p sdn.PortID) work { return work{few: map[sdn.PortID]bool{p: true}} }

// and is the work that covers both.
func (w work) and(o work) work {
	out := work{observe: w.observe || o.observe}
	if len(w.few) > 0 && len(o.few) > 0 && !out.observe {
		out.few = maps.Clone(w.few)
		maps.Copy(out.few, o.few)
	}
	return out
}

// queue holds the names of namespaces that have to be looked at. A name that is
// queued twice is worked on once; one that is queued while it is worked on
// comes again.
type queue struct {
	mu      sync.Mutex
	order   []string
	pending map[string]work
	busy    map[string]bool
	wake    chan struct{}
}

func newQueue() *queue {
	return &queue{pending: make(map[string]work), busy: make(map[string]bool), wake: make(chan struct{}, workers)}
}

func (q *queue) add(name string, observe bool) { q.put(name, work{observe: observe}) }

func (q *queue) put(name string, w work) {
	q.mu.Lock()
	if was, ok := q.pending[name]; ok {
		q.pending[name] = was.and(w)
		q.mu.Unlock()
		return
	}
	q.pending[name] = w
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
func (q *queue) next(ctx context.Context) (name string, w work, ok bool) {
	for {
		q.mu.Lock()
		if len(q.order) > 0 {
			name, q.order = q.order[0], q.order[1:]
			w = q.pending[name]
			delete(q.pending, name)
			q.busy[name] = true
			more := len(q.order) > 0
			q.mu.Unlock()
			if more {
				q.signal()
			}
			return name, w, ctx.Err() == nil
		}
		q.mu.Unlock()
		select {
		case <-q.wake:
		case <-ctx.Done():
			return "", work{}, false
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
