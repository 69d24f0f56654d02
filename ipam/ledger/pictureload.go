package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/queue"
)

// load reads the subnet's addresses, unless another did since the caller saw
// the picture (seen is its count of loads then).
func (l *Ledger) load(ctx context.Context, p *picture, tenant string, subnet netip.Prefix, seen int) (err error) {
	if p.count() != seen {
		return nil
	}
	leave, err := p.turn(ctx)
	if err != nil {
		return err
	}
	defer leave(&err)
	if p.count() != seen {
		return nil
	}
	res, err := l.read(ctx, "read addresses of tenant "+tenant, addresses(tenant, subnet)...)
	if err != nil {
		return err
	}
	return p.draw(res.Out[0].Pairs, res.Out[1].Pairs)
}

// turn waits until nobody else loads.
func (p *picture) turn(ctx context.Context) (queue.Leave, error) {
	leave, err := p.loading.Enter(ctx, struct{}{})
	if err != nil && !errors.Is(err, ipam.ErrUnavailable) {
		err = fmt.Errorf("%w: %w", ipam.ErrUnavailable, err)
	}
	return leave, err
}

// addresses asks for the held and the freed addresses of a subnet, which a
// picture is drawn from.
func addresses(tenant string, subnet netip.Prefix) (ops []Op) {
	for _, prefix := range []string{addressesOf(tenant), freedOf(tenant)} {
		key, end := span(prefix, subnet)
		ops = append(ops, Op{Kind: OpGet, Key: key, End: end})
	}
	return ops
}

func (p *picture) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.loads
}

// draw starts the picture anew from what the store holds. The first time it
// goes on behind the address that was leased last, whoever did so.
func (p *picture) draw(held, given []Pair) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.places.Len()
	p.used, p.held = make([]uint64, (n+63)/64), 0
	before := p.freed
	p.freed, p.cooling = map[int]freed{}, nil
	for _, i := range p.places.nobodys() {
		p.set(i)
	}
	for i := n; i < len(p.used)*64; i++ {
		p.set(i)
	}
	p.nobodys = slices.Clone(p.used)
	first, latest := p.loads == 0, int64(0)
	for _, kv := range held {
		i, ok, err := p.place(kv.Key)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		p.hold(i)
		if first && kv.Create > latest && !reserved(kv.Value) {
			latest, p.next = kv.Create, i+1
		}
	}
	for i := range p.pending {
		p.hold(i)
	}
	if err := p.drawFreed(given, before); err != nil {
		return err
	}
	p.loads++
	return nil
}

// drawFreed draws in what was given back, in the order of time. Of what was known
// before it is known since when.
func (p *picture) drawFreed(given []Pair, before map[int]freed) error {
	now := p.now()
	type back struct {
		place int
		freed
	}
	all := make([]back, 0, len(given))
	for _, kv := range given {
		i, ok, err := p.place(kv.Key)
		if err != nil {
			return err
		}
		var v freedValue
		if err := json.Unmarshal(kv.Value, &v); err != nil {
			return fmt.Errorf("read %s: %w: %w", kv.Key, ipam.ErrCorrupt, err)
		}
		if ok {
			since := now
			if known := before[i]; known.rev == kv.Mod {
				since = known.known
			}
			all = append(all, back{i, freed{since, kv.Mod}})
		}
	}
	slices.SortFunc(all, func(a, b back) int { return cmp.Or(cmp.Compare(a.rev, b.rev), cmp.Compare(a.place, b.place)) })
	for _, b := range all {
		p.cool(b.place, b.freed)
	}
	return nil
}
