package topology

import (
	"context"
	"slices"
	"time"

	"github.com/moatnet/moat/sdn"
)

const (
	// stepSize bounds the writes of one step of a deletion; etcd allows 128
	// operations in a transaction, and one object adds at most three.
	stepSize = 100
	// stepOrder bounds the IDs in the orders that one step writes, of 40 bytes
	// each; etcd allows 1.5 MiB in a request.
	stepOrder = 20_000
	// sweepEvery is how often deletions that others left unfinished are looked
	// for; whoever marked something is given that long to finish it.
	sweepEvery = 10 * time.Second
)

// erase deletes an object on which others may hang. The marking decides; what
// follows removes what nobody sees any more.
func (s *state) erase(ctx context.Context, kind sdn.Kind, id string, guard func(x *txn) error) error {
	_, err := s.write(ctx, func(x *txn) error {
		if err := parent(x, kind, id); err != nil {
			return err
		}
		if err := guard(x); err != nil {
			return err
		}
		x.mark(kind, id)
		return nil
	})
	if err != nil {
		return err
	}
	s.erased(ctx, key{kind, id})
	return nil
}

// erased finishes a deletion that has been decided. When it can not now,
// someone will later: the object is gone already.
func (s *state) erased(ctx context.Context, k key) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	if err := s.finish(ctx, k); err != nil {
		s.log.Warn("deletion left to be finished later", "object", k.String(), "error", err)
	}
}

func unguarded(*txn) error { return nil }

// sweep finishes every deletion that is marked.
func (s *state) sweep(ctx context.Context) error {
	for _, k := range s.unfinished() {
		if err := s.finish(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

func (s *state) unfinished() []key {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var list []key
	for k := range s.graph.marked {
		list = append(list, k)
	}
	return list
}

// sweepLate finishes, until ctx ends, deletions that stay marked from one tick
// to the next.
func (s *state) sweepLate(ctx context.Context, tick <-chan time.Time) {
	var before []key
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
		s.tryCatchUp()
		now := s.unfinished()
		for _, k := range now {
			if !slices.Contains(before, k) {
				continue
			}
			s.log.Info("finishing a deletion", "object", k.String())
			if err := s.finish(ctx, k); err != nil {
				s.log.Warn("finish a deletion", "object", k.String(), "error", err)
			}
		}
		before = now
	}
}

// finish takes steps until nothing of a marked object is stored.
func (s *state) finish(ctx context.Context, root key) error {
	for {
		x, err := s.plan(func(x *txn) error {
			if x.graph.facts[root].deleted {
				b := broom{txn: x, met: map[key]struct{}{}}
				b.clear(root)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if len(x.writes) == 0 {
			return nil
		}
		if _, _, err := s.commit(ctx, x); err != nil {
			return err
		}
	}
}

// broom gathers one step of a deletion.
type broom struct {
	*txn
	met     map[key]struct{}
	ordered int // IDs in the orders that are written
}

func (b *broom) full() bool { return len(b.writes) >= stepSize || b.ordered >= stepOrder }

// clear removes an invisible object after everything that refers to it, and
// clears the reference of what stays. False: the step is full.
func (b *broom) clear(k key) bool {
	if _, ok := b.met[k]; ok {
		return true
	}
	if b.full() {
		return false
	}
	b.met[k] = struct{}{}
	if v, visible := b.graph.objects[k.kind][k.id]; visible {
		b.put(k, v)
		return true
	}
	for _, rel := range pointingAt[k.kind] {
		for id := range b.graph.stored[edge{rel, k.id}].all() {
			if !b.clear(key{referrer[rel], id}) {
				return false
			}
		}
	}
	if b.full() {
		return false
	}
	b.release(k)
	b.remove(k)
	return true
}

// release gives back what an object holds besides its own key.
func (b *broom) release(k key) {
	switch o := b.graph.facts[k].body.(type) {
	case sdn.Port:
		b.yield(bindKey(o.Host, o.Interface), string(o.ID))
	case sdn.Chain:
		b.remove(key{kindOrder, string(o.ID)})
	case sdn.TunnelZone:
		b.yield(key{kindZoneName, o.Name}, string(o.ID))
	case sdn.DHCPSubnet:
		b.yield(prefixKey(o.Bridge, o.Prefix), k.id)
	case sdn.Rule:
		if b.graph.has(sdn.KindChain, string(o.Chain)) {
			b.ordered += b.unlist(o)
		}
	}
}

// yield gives back a name that an object holds.
func (b *broom) yield(name key, holder string) {
	if held, _ := b.graph.facts[name].body.(string); held == holder {
		b.remove(name)
	}
}
