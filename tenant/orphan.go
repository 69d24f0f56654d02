package tenant

import (
	"context"
	"errors"
	"fmt"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn/effect"
)

// DetachIf detaches what a record of this node says, if gone says so, which is
// asked while no call for the attachment can begin here. It leaves it alone, and
// returns false, when a call is under way or the record changed since it was read.
func (m *Manager) DetachIf(ctx context.Context, rec ipam.Record, gone func(context.Context, ipam.Record) (bool, error)) (done bool, err error) {
	what := fmt.Sprintf("detach %s, whose pod is gone", rec.Attachment)
	return m.undisturbed(ctx, what, rec, func(ctx context.Context, now ipam.Record) (bool, error) {
		if yes, err := gone(ctx, now); err != nil || !yes {
			return false, err
		}
		err := effect.Undo("detach what has no pod any more", func() error { return m.detach(ctx, now.Attachment) })
		return err == nil, err
	})
}

// undisturbed does what nobody asked for to an attachment of this node, unless a call
// for it is under way or its record changed since it was read: then it is false. No
// call begins while it does it.
func (m *Manager) undisturbed(ctx context.Context, what string, rec ipam.Record, do func(context.Context, ipam.Record) (bool, error)) (done bool, err error) {
	if rec.Node != m.opt.Node {
		return false, nil
	}
	ctx, cancel := m.patient(ctx)
	defer cancel()
	leave, entered := m.busy.Try(ctx, rec.Attachment)
	if !entered {
		return false, nil
	}
	defer leave(&err)
	now, err := m.opt.Store.Attachment(ctx, rec.Attachment)
	if errors.Is(err, ipam.ErrNotFound) {
		return false, nil
	}
	if err != nil || now.Revision != rec.Revision {
		return false, m.fault(what, err)
	}
	done, err = do(ctx, now)
	return done, m.fault(what, err)
}
