package agent

import (
	"context"
	"sync"

	"github.com/moatnet/moat/ipam"
)

// busy lets one call at a time work on an attachment. The zero value is ready.
type busy struct {
	mu   sync.Mutex
	held map[ipam.Attachment]chan struct{} // closed when it is given back
}

// lock waits until nobody works on a, or ctx ends, and returns what gives it back.
func (b *busy) lock(ctx context.Context, a ipam.Attachment) (unlock func(), err error) {
	for {
		unlock, others := b.try(a)
		if others == nil {
			return unlock, nil
		}
		select {
		case <-others:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// try is lock without waiting: others is closed when those who work on a have
// given it back, and nil when nobody did.
func (b *busy) try(a ipam.Attachment) (unlock func(), others <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if held := b.held[a]; held != nil {
		return nil, held
	}
	own := make(chan struct{})
	if b.held == nil {
		b.held = map[ipam.Attachment]chan struct{}{}
	}
	b.held[a] = own
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.held, a)
		close(own)
	}, nil
}
