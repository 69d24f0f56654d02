package tenant

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
)

// Restore makes again what is missing of an attachment of this node, as its record
// says: the port, and the veth pair if netns, the living pod's namespace, is given.
// It leaves the attachment alone, and returns false, when a call is under way or the
// record changed since it was read.
func (m *Manager) Restore(ctx context.Context, rec ipam.Record, netns *os.File) (done bool, err error) {
	what := fmt.Sprintf("restore %s", rec.Attachment)
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
	if err != nil || now.Revision != rec.Revision || now.State != ipam.Added {
		return false, m.fault(what, err)
	}
	err = m.restore(ctx, now, netns)
	return err == nil, m.fault(what, err)
}

func (m *Manager) restore(ctx context.Context, rec ipam.Record, netns *os.File) error {
	if err := m.keep.port(ctx, "pod", m.bound(rec)); err != nil {
		return err
	}
	if netns != nil {
		w := wire(rec)
		w.PodNS = netns
		if _, err := m.opt.Pods.Make(ctx, w); err != nil {
			return op("make the veth pair", err)
		}
	}
	return m.active(ctx, sdn.PortID(rec.Port))
}
