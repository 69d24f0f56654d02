package tenant

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
)

// Secure gives the ports of this node's pods the senders that the options say,
// which were other ones, or not known to an older program, when the pods were
// attached. A port whose senders somebody else has set keeps them.
func (m *Manager) Secure(ctx context.Context) error {
	rs, err := m.opt.Store.Attachments(ctx, m.opt.Node, "")
	if err != nil {
		return err
	}
	var errs []error
	for _, rec := range rs {
		if ctx.Err() == nil && rec.State == ipam.Added {
			errs = append(errs, m.secure(ctx, rec))
		}
	}
	return errors.Join(errs...)
}

func (m *Manager) secure(ctx context.Context, rec ipam.Record) (err error) {
	leave, err := m.busy.Enter(ctx, rec.Attachment)
	if err != nil {
		return err
	}
	defer leave(&err)
	p, err := m.opt.API.Port(ctx, sdn.PortID(rec.Port))
	if errors.Is(err, sdn.ErrNotFound) {
		return nil // it was detached meanwhile, or is to be
	}
	if err != nil {
		return op("read port "+rec.Port, err)
	}
	switch own := ownSenders(rec); {
	case m.opt.AnySender && sdn.SameSenders(p.Senders, own):
		p.Senders = nil
	case !m.opt.AnySender && len(p.Senders) == 0:
		if err := m.sendsAs(ctx, rec); err != nil {
			m.log.Warn("pod may send as others: it is not what its record says", "attachment", rec.Attachment.String(), "error", err)
			return nil
		}
		p.Senders = own
	default:
		return nil
	}
	return op("update port "+rec.Port, m.opt.API.UpdatePort(ctx, p))
}

// sendsAs returns nil when a pod has the MAC and address of its record: a plugin
// behind this one may have changed them, and the pod must not be cut off.
func (m *Manager) sendsAs(ctx context.Context, rec ipam.Record) error {
	w := wire(rec)
	ns, err := os.Open(rec.PodNetns)
	if err != nil {
		return fmt.Errorf("open the pod's network namespace: %w", err)
	}
	defer ns.Close()
	w.PodNS, w.MTU = ns, 0
	return m.opt.Pods.Check(ctx, w)
}
