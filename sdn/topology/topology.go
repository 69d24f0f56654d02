package topology

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/sdn"
)

// patience bounds a call whose context has no deadline.
const patience = 10 * time.Second

// Options of a Topology.
type Options struct {
	// Prefix of all etcd keys, such as "/moat/sdn/".
	Prefix string
	// Check says whether a chain, as used, can be expressed. It is called with
	// the view as it would be after a change, for every chain that the change
	// gives other rules, another user, or another member of a group of ports
	// that its rules name; an error, which wraps sdn.ErrUnsupported, refuses the
	// write. It is asked one thing at a time, must not call the Topology, and is
	// not called for what only removes.
	Check func(v sdn.View, chain sdn.ChainID) error
	// AllowDeadHosts lets ports be bound to hosts without a living engine.
	AllowDeadHosts bool
	// Logger hears of reloads and of deletions finished late; nil is silent.
	Logger *slog.Logger
}

// Topology is the virtual network. All methods may be called concurrently.
type Topology struct {
	*state
	local bool // reads do not ask the store how far it is
}

var _ sdn.API = (*Topology)(nil)

// state is what a Topology and its local reader share.
type state struct {
	opt   Options
	log   *slog.Logger
	store store

	mu        sync.RWMutex
	graph     *graph
	moved     chan struct{} // closed and replaced when the graph moves on
	broken    error         // why the graph can not be relied on any more
	followers map[*follower]struct{}

	trial *trial        // nil without a check
	turns chan struct{} // holds a token while someone has their turn
	stop  context.CancelFunc
	tasks sync.WaitGroup
}

func newState(o Options) *state {
	s := &state{
		opt:       o,
		log:       o.Logger,
		graph:     newGraph(),
		moved:     make(chan struct{}),
		followers: map[*follower]struct{}{},
		turns:     make(chan struct{}, 1),
		stop:      func() {},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if o.Check != nil {
		s.trial = newTrial(s.graph)
	}
	return s
}

// NewMemory makes an empty topology that is stored nowhere.
func NewMemory(o Options) *Topology {
	s := newState(o)
	s.store = newMemory(s)
	return &Topology{state: s}
}

// OpenEtcd loads a topology from etcd, follows it until Close, and finishes
// the deletions that a process before it could not. ctx bounds the opening
// only; the client stays the caller's and must outlive the Topology. Without
// etcd the error wraps sdn.ErrUnavailable.
func OpenEtcd(ctx context.Context, c *clientv3.Client, o Options) (*Topology, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	s := newState(o)
	e, err := openEtcd(ctx, c, o.Prefix, s, s.log)
	if err != nil {
		return nil, err
	}
	s.store = e
	if err := s.sweep(ctx); err != nil {
		s.log.Warn("deletions left to be finished later", "error", err)
	}
	s.tryCatchUp()
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.tasks.Go(func() {
		tick := time.NewTicker(sweepEvery)
		defer tick.Stop()
		s.sweepLate(life, tick.C)
	})
	return &Topology{state: s}, nil
}

// Close stops following the store and waits until that has ended. Calls after
// it fail with sdn.ErrUnavailable; View goes on to show what was last.
func (t *Topology) Close() error {
	t.stop()
	t.tasks.Wait()
	t.store.close()
	t.fail(errClosed)
	return nil
}

// Local reads the same topology without asking the store whether another
// process has written to it: what this process wrote is always there.
func (t *Topology) Local() sdn.API { return &Topology{state: t.state, local: true} }

// View calls f with the picture in memory, which holds every write of this
// process that has returned, and others' as they arrive. f must neither call
// the Topology nor keep v.
func (t *Topology) View(f func(v sdn.View)) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	f(t.graph)
}

// take implements sink.
func (s *state) take(facts []fact, rev int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if rev > s.graph.rev {
		s.absorb(facts, rev)
	}
}

// takeOwn implements sink.
func (s *state) takeOwn(facts []fact, rev, before int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if rev > s.graph.rev && s.graph.facts[headKey].mod == before {
		s.absorb(facts, rev)
	}
}

// has implements sink.
func (s *state) has(rev int64) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return rev <= s.graph.rev
}

// takeAll implements sink: only what differs is news to anyone.
func (s *state) takeAll(facts []fact, rev int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if rev < s.graph.rev {
		return // a write of this process overtook the loading, which proves that nothing was missed
	}
	there := make(map[key]struct{}, len(facts))
	var news []fact
	for _, f := range facts {
		there[f.key] = struct{}{}
		if s.graph.facts[f.key].mod != f.mod {
			news = append(news, f)
		}
	}
	for k := range s.graph.facts {
		if _, ok := there[k]; !ok {
			news = append(news, fact{key: k})
		}
	}
	s.absorb(news, rev)
}

func (s *state) absorb(facts []fact, rev int64) {
	if s.trial != nil {
		s.trial.note(facts, rev)
	}
	changes := s.graph.apply(facts, rev)
	s.graph.overlay.forget(changes)
	if len(changes) > 0 {
		for f := range s.followers {
			f.push(changes)
		}
	}
	close(s.moved)
	s.moved = make(chan struct{})
}

// fail implements sink: every later call fails with err.
func (s *state) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = err
	for f := range s.followers {
		f.wake()
	}
	close(s.moved)
	s.moved = make(chan struct{})
}

// reach waits until the graph contains a revision.
func (s *state) reach(ctx context.Context, rev int64) error {
	for {
		s.mu.RLock()
		at, moved, broken := s.graph.rev, s.moved, s.broken
		s.mu.RUnlock()
		if broken != nil {
			return broken
		}
		if at >= rev {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("wait for the topology to reach revision %d from %d: %w: %w", rev, at, sdn.ErrUnavailable, context.Cause(ctx))
		}
	}
}

// catchUp waits until the graph contains everything written before the call. A
// store that knows less than the graph was put back to an older state under
// the running program, which must not go on as if nothing had happened.
func (s *state) catchUp(ctx context.Context) error {
	s.mu.RLock()
	known := s.graph.facts[headKey].mod
	s.mu.RUnlock()
	rev, err := s.store.head(ctx)
	if err != nil {
		return fmt.Errorf("ask for the topology's revision: %w: %w", sdn.ErrUnavailable, err)
	}
	if rev < known {
		return fmt.Errorf("the stored topology went back from revision %d to %d, start again: %w", known, rev, sdn.ErrUnavailable)
	}
	return s.reach(ctx, rev)
}

// bounded gives ctx a deadline if it has none.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, patience)
}

// resolved is ctx without its cancellation, but with its deadline: a transaction
// that was sent may be carried out, and who gives up half-way could not know
// what there is to undo.
func resolved(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(patience)
	}
	return context.WithDeadline(context.WithoutCancel(ctx), deadline)
}

// read answers from the graph, when it contains everything written before.
func read[T any](ctx context.Context, t *Topology, f func(g *graph) (T, error)) (T, error) {
	var none T
	if !t.local {
		ctx, cancel := bounded(ctx)
		defer cancel()
		if err := t.catchUp(ctx); err != nil {
			return none, err
		}
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.broken != nil {
		return none, t.broken
	}
	return f(t.graph)
}

// one reads an object that must exist.
func one[T any, ID ~string](ctx context.Context, t *Topology, kind sdn.Kind, id ID, get func(g *graph) (T, bool)) (T, error) {
	return read(ctx, t, func(g *graph) (T, error) {
		v, ok := get(g)
		if !ok {
			return v, missing(kind, id)
		}
		return v, nil
	})
}
