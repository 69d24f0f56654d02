package dataplane

import (
	"context"
	"sync"
)

// facts holds what the kernel confirmed, by name, and wakes those who wait.
type facts struct {
	mu   sync.Mutex
	held map[string]bool
	wait map[string]chan struct{}
}

func newFacts() *facts {
	return &facts{held: make(map[string]bool), wait: make(map[string]chan struct{})}
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
	if ch, ok := f.wait[key]; ok {
		close(ch)
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
		f.mu.Lock()
		if f.held[key] {
			f.mu.Unlock()
			return nil
		}
		ch, ok := f.wait[key]
		if !ok {
			ch = make(chan struct{})
			f.wait[key] = ch
		}
		f.mu.Unlock()
		select {
		case <-ch:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
