package auth

import (
	"context"
	"fmt"

	"github.com/moatnet/moat/sdn"
)

// gate lets a few callers in at once and some more wait; the rest is turned
// away, so that neither memory nor the length of the wait depends on how many
// there are.
type gate struct {
	inside  chan struct{}
	waiting chan struct{} // holds those inside too
}

func newGate(inside, waiting int) gate {
	return gate{inside: make(chan struct{}, inside), waiting: make(chan struct{}, inside+waiting)}
}

// pass calls f inside. Errors: sdn.ErrUnavailable when too many wait, or the
// context's.
func (g gate) pass(ctx context.Context, f func()) error {
	select {
	case g.waiting <- struct{}{}:
		defer func() { <-g.waiting }()
	default:
		return fmt.Errorf("too many logins at once: %w", sdn.ErrUnavailable)
	}
	select {
	case g.inside <- struct{}{}:
		defer func() { <-g.inside }()
	case <-ctx.Done():
		return fmt.Errorf("wait for other logins: %w", ctx.Err())
	}
	f()
	return nil
}
