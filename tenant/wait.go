package tenant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
)

// firstLook is how long the engine may take to make a bridge or a port before it
// is asked whether there is still one to make.
const firstLook = 250 * time.Millisecond

// wiring asks the engine, which waits for the bridge. It would wait in vain for
// one that was removed since it was remembered, so now and then the record and
// the bridge are looked at.
func (m *Manager) wiring(ctx context.Context, n *network, bridge sdn.BridgeID, port sdn.PortID) (sdn.Wiring, error) {
	for look := firstLook; ; look *= 2 {
		short, cancel := context.WithTimeout(ctx, look)
		w, err := m.opt.Engine.Wiring(short, bridge, port)
		cancel()
		if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return w, err
		}
		now, err := m.opt.Store.Tenant(ctx, n.record.Name)
		if errors.Is(err, ipam.ErrNotFound) || err == nil && now.Revision != n.record.Revision {
			return sdn.Wiring{}, fmt.Errorf("tenant %s was changed or deleted: %w", n.record.Name, ipam.ErrStale)
		}
		if err != nil {
			return sdn.Wiring{}, err
		}
		if _, err := m.opt.API.Bridge(ctx, bridge); err != nil {
			return sdn.Wiring{}, err
		}
	}
}

// active waits until the engine plays the port. It would wait in vain for one that
// was deleted meanwhile, as with its bridge, so now and then the port is looked at.
func (m *Manager) active(ctx context.Context, port sdn.PortID) error {
	for look := firstLook; ; look *= 2 {
		short, cancel := context.WithTimeout(ctx, look)
		err := m.opt.Engine.WaitActive(short, port)
		cancel()
		if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		if gone := m.deleted(ctx, port); gone != nil {
			return gone
		}
	}
}

// mayBeActive waits for an active port, for a little while: before that the
// bridge lets nothing in from a pod.
func (m *Manager) mayBeActive(ctx context.Context, port sdn.PortID) {
	ctx, cancel := context.WithTimeout(ctx, firstLook)
	defer cancel()
	if err := m.opt.Engine.WaitActive(ctx, port); err != nil {
		m.log.Debug("a pod's addresses are announced before its port is active", "port", port, "error", err)
	}
}

// because tells what failed in the kernel as its port was deleted, with its
// bridge or alone, from what failed for another cause.
func (m *Manager) because(ctx context.Context, port sdn.PortID, err error) error {
	if gone := m.deleted(ctx, port); gone != nil {
		return fmt.Errorf("%w: %w", gone, err)
	}
	return err
}

// deleted returns an error when a port that was created is there no more.
func (m *Manager) deleted(ctx context.Context, port sdn.PortID) error {
	if _, err := m.opt.API.Port(ctx, port); errors.Is(err, sdn.ErrNotFound) {
		return fmt.Errorf("port %s was deleted meanwhile: %w", port, err)
	}
	return nil
}
