package topology

import (
	"context"
	"errors"
	"fmt"

	"github.com/moatnet/moat/sdn"
)

// write plans and commits until the plan is committed or refused, and returns
// when the graph contains it. The revision is that of the write.
//
// A refusal, or the finding that there is nothing to do, may rest on a graph
// that lags behind the store: before it is believed, the graph catches up once. On the way of success the
// store is asked exactly once, by the commit.
func (s *state) write(ctx context.Context, plan func(x *txn) error) (int64, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	turn := turn{state: s}
	defer turn.end()
	fresh := false
	for {
		x, err := s.plan(plan)
		if err == nil && len(x.chains) > 0 && s.trial != nil {
			x, err = turn.plan(ctx, plan)
		}
		switch {
		case errors.Is(err, errUnfinished):
			err = s.sweep(ctx)
			if err == nil {
				continue
			}
			return 0, err
		case !fresh && (err != nil || len(x.writes) == 0):
			fresh = true
			if err := s.catchUp(ctx); err != nil {
				return 0, err
			}
			continue
		case err != nil || len(x.writes) == 0:
			return 0, err
		}
		rev, ok, err := s.commit(ctx, x)
		if err != nil || ok {
			return rev, err
		}
		fresh = true
	}
}

// commit commits one plan and waits until the graph shows the outcome.
func (s *state) commit(ctx context.Context, x *txn) (int64, bool, error) {
	if err := ctx.Err(); err != nil {
		return 0, false, fmt.Errorf("write to the topology: %w: %w", sdn.ErrUnavailable, context.Cause(ctx))
	}
	ctx, cancel := resolved(ctx)
	defer cancel()
	rev, ok, err := s.store.commit(ctx, x)
	if err != nil && !errors.Is(err, sdn.ErrUnavailable) {
		err = fmt.Errorf("%w: %w", sdn.ErrUnavailable, err)
	}
	if err != nil {
		return 0, false, fmt.Errorf("write to the topology: %w", err)
	}
	if !ok && x.rev >= rev {
		return 0, false, fmt.Errorf("write to the topology: the store refused what the graph of revision %d allows, start again: %w", x.rev, sdn.ErrUnavailable)
	}
	if err := s.reach(ctx, rev); err != nil {
		return 0, false, err
	}
	return rev, ok, nil
}

// plan computes a write on the graph as it is now.
func (s *state) plan(plan func(x *txn) error) (*txn, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.broken != nil {
		return nil, s.broken
	}
	return s.compute(s.graph, plan)
}

func (s *state) compute(g *graph, plan func(x *txn) error) (*txn, error) {
	x := newTxn(g)
	x.deadHosts = s.opt.AllowDeadHosts
	return x, plan(x)
}

// turn is the right to make a write that has to be checked. In one process
// there is one at a time; between processes chainsKey decides.
type turn struct {
	*state
	held bool
}

// plan computes a write on the trial's graph, and asks about the chains that it
// touches.
func (t *turn) plan(ctx context.Context, plan func(x *txn) error) (*txn, error) {
	if err := t.take(ctx); err != nil {
		return nil, err
	}
	t.trial.catchUp()
	x, err := t.compute(t.trial.graph, plan)
	if err != nil {
		return nil, err
	}
	x.put(chainsKey, 0)
	return x, x.check(t.opt.Check)
}

// take waits for the turn.
func (t *turn) take(ctx context.Context) error {
	if t.held {
		return nil
	}
	select {
	case t.turns <- struct{}{}:
		t.held = true
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait to write to a chain: %w: %w", sdn.ErrUnavailable, context.Cause(ctx))
	}
}

func (t *turn) end() {
	if t.held {
		<-t.turns
	}
}
