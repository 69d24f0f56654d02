package dataplane

import (
	"context"
	"errors"
	"fmt"
)

// TakeDown removes everything of this installation from the kernel: its
// namespaces with all that is in them, and what it made on the host. Interfaces
// of others go back to the host. The engine must not run.
func (e *Engine) TakeDown(ctx context.Context) error {
	names, err := e.kernel.Namespaces()
	if err != nil {
		return fmt.Errorf("take down: %w", err)
	}
	errs := []error{e.takeHostDown(ctx)}
	for _, name := range names {
		s := e.take(name)
		j := &job{Engine: e, ctx: ctx, space: s}
		if err := j.remove(); err != nil {
			errs = append(errs, fmt.Errorf("take down namespace %s: %w", name, err))
		}
		s.apply.Unlock()
	}
	return errors.Join(errs...)
}

// takeHostDown removes what the installation has on the host.
func (e *Engine) takeHostDown(ctx context.Context) error {
	s := e.take("")
	defer s.apply.Unlock()
	j := &job{Engine: e, ctx: ctx, space: s}
	if err := j.enter(true); err != nil {
		return fmt.Errorf("take down on the host: %w", err)
	}
	var errs []error
	for _, l := range s.seen.links {
		if e.stamped(l.Alias) {
			errs = append(errs, j.drop(l))
		}
	}
	errs = append(errs, j.tables(), j.admit())
	s.leave()
	return errors.Join(errs...)
}
