package topology

import (
	"maps"
	"slices"
	"sync"

	"github.com/moatnet/moat/sdn"
)

// trial is a second graph, on which writes are tried before Options.Check is
// asked about them: what the check makes of the picture may take its time, and
// no reader waits for it. Whoever has the turn may use the graph.
type trial struct {
	graph *graph

	mu    sync.Mutex
	later map[key]fact // what the graph lacks
	rev   int64
}

func newTrial(of *graph) *trial {
	g := newGraph()
	g.overlay, g.quiet = of.overlay, true
	return &trial{graph: g, later: map[key]fact{}}
}

// note keeps facts for the next catchUp.
func (t *trial) note(facts []fact, rev int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range facts {
		t.later[f.key] = f
	}
	t.rev = max(t.rev, rev)
}

// catchUp brings the graph to what was noted last. It needs the turn.
func (t *trial) catchUp() {
	t.mu.Lock()
	later, rev := t.later, t.rev
	t.later = map[key]fact{}
	t.mu.Unlock()
	t.graph.apply(slices.Collect(maps.Values(later)), rev)
}

// check asks about every touched chain, on the graph as the write would leave
// it, and puts the graph back.
func (x *txn) check(ask func(v sdn.View, chain sdn.ChainID) error) error {
	rev, writes := x.graph.rev, x.list(x.graph.rev+1)
	undo := make([]fact, len(writes))
	for i, w := range writes {
		undo[i] = x.graph.facts[w.key]
		undo[i].key = w.key
	}
	x.graph.apply(writes, rev)
	defer x.graph.apply(undo, rev)
	for _, id := range slices.Sorted(maps.Keys(x.chains)) {
		if !x.graph.has(sdn.KindChain, string(id)) {
			continue
		}
		if err := ask(x.graph, id); err != nil {
			return err
		}
	}
	return nil
}

// tryCatchUp brings the trial's graph up to date, unless someone is about to,
// so that the next check finds little to do.
func (s *state) tryCatchUp() {
	if s.trial == nil {
		return
	}
	select {
	case s.turns <- struct{}{}:
		s.trial.catchUp()
		<-s.turns
	default:
	}
}
