package dataplane

import (
	"context"
	"sync"
)

// facts holds what the kernel confirmed, by name, and wakes those who wait.
type facts struct {
	mu   sync.Mutex
	held map[string]bool
	wait map[string]*waiters
}

// waiters are those who wait for one fact.
type waiters struct {
	held  chan struct{} // closed when it holds
	count int
}

func newFacts() *facts {
	return &facts{held: make(map[string]bool), wait: make(map[string]*waiters)}
}

// set records a fact and says whether that changed anything.
func (f *facts) set(key string, holds bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held[key] == holds {
		return false
	}
	if !holds {
		delete(f.held, key)
		return true
	}
	f.held[key] = true
	if w, ok := f.wait[key]; ok {
		close(w.held)
		delete(f.wait, key)
	}
	return true
}

func (f *facts) holds(key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.held[key]
}

// until returns when the fact holds, or with the context's error.
func (f *facts) until(ctx context.Context, key string) error {
	for {
		w := f.join(key)
		if w == nil {
			return nil
		}
		select {
		case <-w.held:
		case <-ctx.Done():
			f.leave(key, w)
			return context.Cause(ctx)
		}
	}
}

// join waits for a fact; nil when it holds.
func (f *facts) join(key string) *waiters {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held[key] {
		return nil
	}
	w, ok := f.wait[key]
	if !ok {
		w = &waiters{held: make(chan struct{})}
		f.wait[key] = w
	}
	w.count++
	return w
}

// leave ends a wait in vain. The last to leave forgets the fact: most of them
// are about ports that never come.
func (f *facts) leave(key string, w *waiters) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.count--
	if w.count == 0 && f.wait[key] == w {
		delete(f.wait, key)
	}
}
