package tenant

import (
	"context"
	"errors"
	"fmt"

	"github.com/moatnet/moat/ipam"
)

// DetachIf detaches what a record of this node says, if gone says so, which is
// asked while no call for the attachment can begin here. It leaves it alone, and
// returns false, when a call is under way or the record changed since it was read.
func (m *Manager) DetachIf(ctx context.Context, rec ipam.Record, gone func(context.Context, ipam.Record) (bool, error)) (done bool, err error) {
	what := fmt.Sprintf("detach %s, whose pod is gone", rec.Attachment)
	if rec.Node != m.opt.Node || m.busy.Taken(rec.Attachment) {
		return false, nil
	}
	ctx, cancel := m.patient(ctx)
	defer cancel()
	leave, err := m.busy.Enter(ctx, rec.Attachment)
	if err != nil {
		return false, m.fault(what, err)
	}
	defer leave(&err)
	now, err := m.opt.Store.Attachment(ctx, rec.Attachment)
	if errors.Is(err, ipam.ErrNotFound) {
		return false, nil
	}
	if err != nil || now.Revision != rec.Revision {
		return false, m.fault(what, err)
	}
	if yes, err := gone(ctx, now); err != nil || !yes {
		return false, m.fault(what, err)
	}
	err = m.detach(ctx, rec.Attachment)
	return err == nil, m.fault(what, err)
}
