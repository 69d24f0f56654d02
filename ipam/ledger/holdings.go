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
	now := p.ledger.opt.Now().UTC()
	v, err := encode(freedValue{now})
	if err != nil {
		return err
	}
	key := holdingKey(h.Attachment)
	then := []Op{del(key)}
	for _, l := range h.Leases {
		a := sortable(l.Address.Addr())
		then = append(then, del(poolAddresses(h.Pool)+a), put(poolFreed(h.Pool)+a, v))
	}
	res, err := p.ledger.commit(ctx, "give back what attachment "+h.Attachment.String()+" holds", Txn{
		If: []Cond{at(key, h.Revision)}, Then: then})
	if err != nil || !res.OK {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, of := range p.pictures {
		for _, l := range h.Leases {
			if of.pool == h.Pool {
				of.released(l.Address.Addr(), now, res.Revision)
			}
		}
	}
	return nil
}

// Ping implements ipam.PoolStore.
func (p *Pools) Ping(ctx context.Context) error { return p.ledger.Ping(ctx) }
