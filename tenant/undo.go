package tenant

import (
	"context"
	"errors"
	"fmt"
)

// undo is what takes back the steps of a call, the last one first.
type undo []undoStep

type undoStep struct {
	what string
	do   func(context.Context) error
}

func (u *undo) push(what string, do func(context.Context) error) {
	*u = append(*u, undoStep{what, do})
}

// run takes back all steps. A step that fails ends it: the earlier ones are the
// record of the later, and must outlive them.
func (u undo) run(ctx context.Context) error {
	for i := len(u) - 1; i >= 0; i-- {
		if err := u[i].do(ctx); err != nil {
			return fmt.Errorf("undo: %s: %w", u[i].what, err)
		}
	}
	return nil
}

// oneByOne runs f, then g.
func oneByOne(ctx context.Context, f, g func(context.Context) error) error {
	if err := f(ctx); err != nil {
		return err
	}
	return g(ctx)
}

// both does two things at once; when one fails the other is given up. It
// returns when both have ended, with the cause that came first.
func both(ctx context.Context, f, g func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan error, 1)
	run := func(h func(context.Context) error) error {
		err := h(ctx)
		if err != nil {
			cancel(err)
		}
		return err
	}
	go func() { done <- run(g) }()
	first, second := run(f), <-done
	if cause := context.Cause(ctx); cause != nil && (errors.Is(first, cause) || errors.Is(second, cause)) {
		return cause
	}
	return errors.Join(first, second)
}
