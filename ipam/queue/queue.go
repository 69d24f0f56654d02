package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/moatnet/moat/ipam"
)

// Queue is one queue for each key. The zero value is ready.
type Queue[K comparable] struct {
	mu   sync.Mutex
	held map[K]*turn
}

// turn is that of whoever is at the head of a queue.
type turn struct {
	over    chan struct{} // closed at its end
	silence error         // that the store gave it no answer; set before over is closed
}

// Leave ends a turn. It is told the error that the call ends with; nil: none that
// concerns those who wait.
type Leave func(err *error)

// Enter waits until nobody is at work on k and returns how its turn is ended. It is
// given up when ctx ends, with its cause, and when the turn that it waited for ended
// without an answer of the store, with ipam.ErrUnavailable.
func (q *Queue[K]) Enter(ctx context.Context, k K) (Leave, error) {
	for {
		own, other := q.enter(k)
		if own != nil {
			return func(err *error) { q.leave(ctx, k, own, err) }, nil
		}
		select {
		case <-other.over:
			if other.silence != nil {
				return nil, other.silence
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Try is Enter without waiting; false: somebody is at work on k.
func (q *Queue[K]) Try(ctx context.Context, k K) (Leave, bool) {
	own, _ := q.enter(k)
	if own == nil {
		return nil, false
	}
	return func(err *error) { q.leave(ctx, k, own, err) }, true
}

// Taken reports whether somebody is at work on k.
func (q *Queue[K]) Taken(k K) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.held[k] != nil
}

// enter returns the turn that begins, or the one that is under way.
func (q *Queue[K]) enter(k K) (own, other *turn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if other := q.held[k]; other != nil {
		return nil, other
	}
	if q.held == nil {
		q.held = map[K]*turn{}
	}
	own = &turn{over: make(chan struct{})}
	q.held[k] = own
	return own, nil
}

// leave ends a turn.
func (q *Queue[K]) leave(ctx context.Context, k K, own *turn, err *error) {
	own.silence = silence(ctx, err)
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.held, k)
	close(own.over)
}

// silence is what those who waited are told of a call that ended with err; nil:
// nothing. A call whose own time was up says nothing of the store.
func silence(ctx context.Context, err *error) error {
	if err == nil || ctx.Err() != nil || !errors.Is(*err, ipam.ErrUnavailable) || errors.Is(*err, ipam.ErrFull) {
		return nil
	}
	return fmt.Errorf("%w: it did not answer the call that this one waited for", ipam.ErrUnavailable)
}
