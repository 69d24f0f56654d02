package queue

import (
	"context"
	"slices"
	"sync"
)

// Line is one queue at which several are at work at once, and the others wait in the
// order in which they came. The zero value lets nobody in.
type Line struct {
	Most int // at work at one time

	mu      sync.Mutex
	inside  int
	waiting []chan error // each of them gets one word: nil, come in; or what silences it
}

// Enter waits for a place and returns how it is given back. It is given up as
// Queue.Enter is: when ctx ends, with its cause, and when somebody who was at work
// got no answer of the store, with ipam.ErrUnavailable.
func (l *Line) Enter(ctx context.Context) (Leave, error) {
	l.mu.Lock()
	if l.inside < l.Most {
		l.inside++
		l.mu.Unlock()
		return l.place(ctx), nil
	}
	own := make(chan error, 1)
	l.waiting = append(l.waiting, own)
	l.mu.Unlock()
	select {
	case silence := <-own:
		if silence != nil {
			return nil, silence
		}
		return l.place(ctx), nil
	case <-ctx.Done():
		l.abandon(own)
		return nil, context.Cause(ctx)
	}
}

// place is how a place of somebody with ctx is given back.
func (l *Line) place(ctx context.Context) Leave {
	return func(err *error) { l.leave(silence(ctx, err)) }
}

// leave gives a place to who waits longest, or tells all of the silence.
func (l *Line) leave(silence error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if silence != nil {
		for _, w := range l.waiting {
			w <- silence
		}
		l.waiting = nil
	}
	if len(l.waiting) == 0 {
		l.inside--
		return
	}
	l.waiting[0] <- nil
	l.waiting = l.waiting[1:]
}

// abandon takes one out of the queue; a place that it was given meanwhile goes on to
// the next.
func (l *Line) abandon(own chan error) {
	l.mu.Lock()
	at := slices.Index(l.waiting, own)
	if at >= 0 {
		l.waiting = slices.Delete(l.waiting, at, at+1)
	}
	l.mu.Unlock()
	if at < 0 && <-own == nil {
		l.leave(nil)
	}
}
