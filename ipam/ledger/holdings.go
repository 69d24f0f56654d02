package ledger

import (
	"context"
	"fmt"

	"github.com/moatnet/moat/ipam"
)

func decodeHolding(p Pair) (ipam.Holding, error) {
	var h ipam.Holding
	err := decode(p, &h, &h.Schema)
	h.Revision = p.Mod
	return h, err
}

// Holding implements ipam.PoolStore.
func (p *Pools) Holding(ctx context.Context, a ipam.Attachment) (ipam.Holding, error) {
	if err := a.Validate(); err != nil {
		return ipam.Holding{}, err
	}
	what := "read what attachment " + a.String() + " holds"
	res, err := p.ledger.read(ctx, what, get(holdingKey(a)))
	if err != nil {
		return ipam.Holding{}, err
	}
	kv, ok := res.Out[0].one()
	if !ok {
		return ipam.Holding{}, fmt.Errorf("%s: %w", what, ipam.ErrNotFound)
	}
	return decodeHolding(kv)
}

// Holdings implements ipam.PoolStore.
func (p *Pools) Holdings(ctx context.Context, node, network string) ([]ipam.Holding, error) {
	res, err := p.ledger.read(ctx, "list what is held on node "+node, list(holdingsOf(node, network)))
	if err != nil {
		return nil, err
	}
	return decodeAll(res.Out[0].Pairs, decodeHolding)
}

// GiveBack implements ipam.PoolStore.
func (p *Pools) GiveBack(ctx context.Context, h ipam.Holding) error {
	key, now := holdingKey(h.Attachment), p.ledger.opt.Now().UTC()
	e := ending{scope: poolScope(h.Pool), key: key, fence: at(key, h.Revision), sticky: h.Sticky}
	for _, l := range h.Leases {
		e.leases = append(e.leases, leaseEnd{l.Address.Addr(), l.Reserved})
	}
	freed, rev, err := p.ledger.end(ctx, "give back what attachment "+h.Attachment.String()+" holds", now, e)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, of := range p.pictures {
		for _, a := range freed {
			if of.pool == h.Pool {
				of.released(a, rev)
			}
		}
	}
	return nil
}

// Ping implements ipam.PoolStore.
func (p *Pools) Ping(ctx context.Context) error { return p.ledger.Ping(ctx) }
