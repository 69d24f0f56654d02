package tenant

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
)

// Restore makes again what is missing of an attachment of this node, as its record
// says: the port, and the veth pair if netns, the living pod's namespace, is given.
// It leaves the attachment alone, and returns false, when a call is under way, when it
// is to be detached, when its bridge has no link, or when the record changed since it
// was read.
func (m *Manager) Restore(ctx context.Context, rec ipam.Record, netns *os.File) (done bool, err error) {
	return m.undisturbed(ctx, fmt.Sprintf("restore %s", rec.Attachment), rec, func(ctx context.Context, now ipam.Record) (bool, error) {
		if now.State != ipam.Added || m.tombs.has(now.Attachment) { // what is to be detached stays away
			return false, nil
		}
		if linked, err := m.linked(ctx, now); err != nil || !linked {
			return false, err
		}
		err := m.restore(ctx, now, netns)
		return err == nil, err
	})
}

// linked says whether the bridge of a record has a link. One that is being made again
// has none yet, and lives where the router is only if nothing is bound to it before.
func (m *Manager) linked(ctx context.Context, rec ipam.Record) (bool, error) {
	ports, err := m.opt.API.Ports(ctx, sdn.DeviceID(rec.Bridge))
	return slices.ContainsFunc(ports, func(p sdn.Port) bool { return p.Peer != "" }), op("list ports of bridge "+rec.Bridge, err)
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
