package topology

import (
	"context"
	"sync"

	"github.com/moatnet/moat/sdn"
)

// follower is an unbounded queue of batches for one Follow.
type follower struct {
	mu    sync.Mutex
	queue [][]sdn.Change
	ready chan struct{} // holds a token while the queue may not be empty
}

func (f *follower) push(batch []sdn.Change) {
	f.mu.Lock()
	f.queue = append(f.queue, batch)
	f.mu.Unlock()
	f.wake()
}

func (f *follower) wake() {
	select {
	case f.ready <- struct{}{}:
	default:
	}
}

func (f *follower) take() [][]sdn.Change {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := f.queue
	f.queue = nil
	return q
}

// Follow calls f first with every object that exists, as a change with a nil
// Before, then with the changes of each revision, in order and without a gap,
// after they are visible in View. No lock is held while f runs, and a slow f
// delays nobody. It returns ctx's error when ctx ends, and why no change will
// come any more when the topology was closed or can not be relied on.
func (t *Topology) Follow(ctx context.Context, f func([]sdn.Change)) error {
	me := &follower{ready: make(chan struct{}, 1)}
	t.mu.Lock()
	first := t.graph.everything()
	t.followers[me] = struct{}{}
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		delete(t.followers, me)
		t.mu.Unlock()
	}()
	f(first)
	me.wake() // it may be broken already
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-me.ready:
		}
		broken := t.why() // whatever came before is in the queue
		for _, batch := range me.take() {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			f(batch)
		}
		if broken != nil {
			return broken
		}
	}
}

// why is the reason why no change will come any more; nil while they may.
func (s *state) why() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.broken
}

// everything lists all objects, targets of references before their referrers.
func (g *graph) everything() []sdn.Change {
	var list []sdn.Change
	for _, kind := range inOrder {
		for id := range g.lists[edge{ofKind, string(kind)}].all() {
			id, o := shown(key{kind, id}, g.objects[kind][id])
			list = append(list, sdn.Change{Kind: kind, ID: id, After: o})
		}
	}
	return list
}
