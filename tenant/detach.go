package tenant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/effect"
)

// Detach implements Service.
func (m *Manager) Detach(ctx context.Context, a ipam.Attachment) (err error) {
	what := fmt.Sprintf("detach %s", a)
	if err := a.Validate(); err != nil {
		return m.fault(what, err)
	}
	ctx, cancel := m.patient(ctx)
	defer cancel()
	leave, err := m.busy.Enter(ctx, a)
	if err != nil {
		return m.fault(what, errors.Join(err, m.tombs.add(a)))
	}
	defer leave(&err)
	err = m.fault(what, m.detach(ctx, a))
	if err == nil {
		m.finishIfAlone(ctx, a)
	}
	return err
}

// secondLook is how long a store that has just not answered is asked once more
// while a caller waits.
const secondLook = 500 * time.Millisecond

// detachIfAnswered is detach for a store that has just not answered: a caller that
// has waited for it already does not wait as long once more.
func (m *Manager) detachIfAnswered(ctx context.Context, a ipam.Attachment) error {
	short, cancel := context.WithTimeout(ctx, secondLook)
	defer cancel()
	if _, err := m.opt.Store.Attachment(short, a); err != nil && !errors.Is(err, ipam.ErrNotFound) {
		return err
	}
	return m.detach(ctx, a)
}

// detach undoes an attachment from its record alone. What it cannot do now is
// noted for later; the caller holds the attachment's lock.
func (m *Manager) detach(ctx context.Context, a ipam.Attachment) error {
	rec, err := m.opt.Store.Attachment(ctx, a)
	if err == nil {
		err = m.dismantle(ctx, rec)
	}
	if err == nil || errors.Is(err, ipam.ErrNotFound) {
		return m.tombs.remove(a)
	}
	if noted := m.tombs.add(a); noted != nil {
		return errors.Join(err, noted)
	}
	return err
}

// dismantle removes port and veth pair of a record and then ends it: whatever
// fails, the record still says what there is.
func (m *Manager) dismantle(ctx context.Context, rec ipam.Record) error {
	err := both(ctx,
		func(ctx context.Context) error {
			return op("delete port "+rec.Port, effect.Undo("delete the port of an attachment", func() error {
				return gone(m.opt.API.DeletePort(ctx, sdn.PortID(rec.Port)))
			}))
		},
		func(ctx context.Context) error {
			if rec.Node != m.opt.Node {
				return nil // its engine removes what has no port
			}
			return op("remove the veth pair", effect.Undo("remove the pair of an attachment", func() error {
				return m.opt.Pods.Remove(ctx, wire(rec))
			}))
		})
	if err != nil {
		return fmt.Errorf("pod %s/%s of tenant %s: %w", rec.PodNamespace, rec.PodName, rec.Tenant, err)
	}
	return effect.Undo("release the lease of an attachment", func() error { return m.opt.Store.Release(ctx, rec) })
}
