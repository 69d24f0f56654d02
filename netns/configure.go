package netns

import (
	"context"
	"fmt"
)

// Configure gives the pod's end of a pair that was made without addresses those of
// v, with its routes, and announces them. When it fails it may have done a part.
//
// Errors: ErrMissing, ErrForeign, ErrRouteExists, ErrNoNamespace, the context's, or
// the kernel's (unix.Errno).
func Configure(ctx context.Context, v Veth) error {
	if err := configure(ctx, v); err != nil {
		return fmt.Errorf("configure the pod's %s: %w", v.PodName, err)
	}
	return nil
}

func configure(ctx context.Context, v Veth) error {
	if v.PodNS == nil {
		return fmt.Errorf("no pod namespace given: %w", ErrNoNamespace)
	}
	w, err := connect(v)
	if err != nil {
		return err
	}
	defer func() { w.close() }()
	if w.crier, err = openCrier(v.PodNS); err != nil {
		return err
	}
	end, err := findLink(ctx, w.pod, v.PodName)
	switch {
	case err != nil:
		return err
	case end == nil:
		return fmt.Errorf("interface %s is gone: %w", v.PodName, ErrMissing)
	case end.alias != v.HostAlias:
		return fmt.Errorf("interface %s has alias %q: %w", v.PodName, end.alias, ErrForeign)
	}
	if err := w.pod.do(ctx, addressSteps(v, end.index)...); err != nil {
		return err
	}
	return w.crier.announce(v, Made{PodIndex: end.index, PodMAC: end.mac})
}
