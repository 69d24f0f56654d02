package topology

import (
	"context"

	"github.com/moatnet/moat/sdn"
)

// Bridges implements sdn.API.
func (t *Topology) Bridges(ctx context.Context, tenant sdn.TenantID) ([]sdn.Bridge, error) {
	return read(ctx, t, func(g *graph) ([]sdn.Bridge, error) {
		if tenant == "" {
			return fetch(g.Bridge, g.Bridges()), nil
		}
		return fetch(g.Bridge, referrers[sdn.BridgeID](g, tenantOfBridge, tenant)), nil
	})
}

// Bridge implements sdn.API.
func (t *Topology) Bridge(ctx context.Context, id sdn.BridgeID) (sdn.Bridge, error) {
	return one(ctx, t, sdn.KindBridge, id, func(g *graph) (sdn.Bridge, bool) { return g.Bridge(id) })
}

// CreateBridge implements sdn.API. The home is not the caller's to choose.
func (t *Topology) CreateBridge(ctx context.Context, b sdn.Bridge) (sdn.Bridge, error) {
	if err := validBridge(&b); err != nil {
		return sdn.Bridge{}, err
	}
	b.Home = sdn.Home{}
	_, err := t.write(ctx, func(x *txn) error {
		if err := x.createDevice(sdn.KindBridge, string(b.ID), b); err != nil {
			return err
		}
		return x.filters([]sdn.ChainID{b.InboundFilter, b.OutboundFilter}, nil)
	})
	return result(b, err)
}

// UpdateBridge implements sdn.API. The home is kept.
func (t *Topology) UpdateBridge(ctx context.Context, b sdn.Bridge) error {
	if err := validBridge(&b); err != nil {
		return err
	}
	_, err := t.write(ctx, func(x *txn) error {
		old, err := look[sdn.Bridge](x, sdn.KindBridge, b.ID)
		if err != nil {
			return err
		}
		b.Home = old.Home
		x.put(key{sdn.KindBridge, string(b.ID)}, b)
		return x.filters([]sdn.ChainID{b.InboundFilter, b.OutboundFilter}, []sdn.ChainID{old.InboundFilter, old.OutboundFilter})
	})
	return err
}

// DeleteBridge implements sdn.API.
func (t *Topology) DeleteBridge(ctx context.Context, id sdn.BridgeID) error {
	return t.erase(ctx, sdn.KindBridge, string(id), unguarded)
}

// settle decides a bridge's home, if it is undecided.
func (x *txn) settle(id sdn.BridgeID, home sdn.Home) error {
	b, err := look[sdn.Bridge](x, sdn.KindBridge, id)
	if err != nil || b.Home.Device != "" {
		return err
	}
	b.Home = home
	x.put(key{sdn.KindBridge, string(id)}, b)
	return nil
}

// unself takes from a bridge the router port that its own interface plays.
// The port is no longer linked to it, or has an interface of its own.
func (x *txn) unself(p sdn.Port) error {
	if p.Kind != sdn.RouterPort {
		return nil
	}
	for id := range x.graph.seen[edge{selfOfBridge, string(p.ID)}].all() {
		b, err := look[sdn.Bridge](x, sdn.KindBridge, id)
		if err != nil {
			return err
		}
		b.Home.Self = ""
		x.put(key{sdn.KindBridge, id}, b)
	}
	return nil
}
