package topology

import (
	"context"

	"github.com/moatnet/moat/sdn"
)

// Link implements sdn.API.
func (t *Topology) Link(ctx context.Context, a, b sdn.PortID) error {
	_, err := t.write(ctx, func(x *txn) error { return x.link(a, b) })
	return err
}

// Unlink implements sdn.API.
func (t *Topology) Unlink(ctx context.Context, a sdn.PortID) error {
	_, err := t.write(ctx, func(x *txn) error {
		p, err := look[sdn.Port](x, sdn.KindPort, a)
		if err != nil {
			return err
		}
		return x.unlink(p)
	})
	return err
}

func (x *txn) link(a, b sdn.PortID) error {
	p, err := look[sdn.Port](x, sdn.KindPort, a)
	if err != nil {
		return err
	}
	q, err := look[sdn.Port](x, sdn.KindPort, b)
	if err != nil {
		return err
	}
	if a == b || p.Peer != "" || q.Peer != "" {
		return refuse(sdn.ErrConflict, "Ports are not linkable.")
	}
	p.Peer, q.Peer = q.ID, p.ID
	x.put(key{sdn.KindPort, string(a)}, p)
	x.put(key{sdn.KindPort, string(b)}, q)
	if p.Kind == sdn.RouterPort {
		p, q = q, p
	}
	if p.Kind != sdn.BridgePort || q.Kind != sdn.RouterPort {
		return nil
	}
	home := sdn.Home{Device: q.Device, Self: q.ID}
	if q.Interface != "" {
		home.Self = ""
	}
	return x.settle(sdn.BridgeID(p.Device), home)
}

// unlink clears both ends of a port's link, if it has one.
func (x *txn) unlink(p sdn.Port) error {
	if p.Peer == "" {
		return nil
	}
	q, err := look[sdn.Port](x, sdn.KindPort, p.Peer)
	if err != nil {
		return err
	}
	p.Peer, q.Peer = "", ""
	x.put(key{sdn.KindPort, string(p.ID)}, p)
	x.put(key{sdn.KindPort, string(q.ID)}, q)
	if err := x.unself(p); err != nil {
		return err
	}
	return x.unself(q)
}
