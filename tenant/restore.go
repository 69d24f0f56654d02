package tenant

import (
	"context"
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
	return m.undisturbed(ctx, fmt.Sprintf("restore %s", rec.Attachment), rec, func(ctx context.Context, now ipam.Record) (bool, error) {
		if now.State != ipam.Added {
			return false, nil
		}
		err := m.restore(ctx, now, netns)
		return err == nil, err
	})
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
