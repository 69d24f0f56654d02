package dataplane

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/plan"
)

// Engine keeps the kernel of one host as the topology wants it.
type Engine struct {
	cfg    Config
	log    *slog.Logger
	kernel Kernel
	close  func() error

	making  sync.Mutex // held while a namespace or a pair of interfaces is made
	queue   *queue
	timers  *timers
	facts   *facts
	ready   chan struct{}
	first   sync.Once
	hearing chan struct{} // closed when events of the kernel arrive
	listen  sync.Once
	legacy  sync.Once

	hosting sync.Mutex // held while host is used
	host    Space      // nil: not opened yet

	mu      sync.Mutex
	spaces  map[string]*space
	byID    map[int]*space
	devices map[string]sdn.DeviceID // whose home a namespace is, by its name
	waiting map[string]awaited      // bound interfaces that are not there yet
}

// New returns an engine whose host is the network namespace of the calling
// thread. It touches nothing yet. Close frees it.
func New(c Config) (*Engine, error) {
	c = c.withDefaults()
	e := &Engine{
		cfg: c, log: c.Logger, kernel: c.Kernel, close: func() error { return nil },
		queue: newQueue(), timers: newTimers(), facts: newFacts(), ready: make(chan struct{}), hearing: make(chan struct{}),
		spaces: make(map[string]*space), byID: make(map[int]*space), devices: make(map[string]sdn.DeviceID),
		waiting: make(map[string]awaited),
	}
	if e.kernel == nil {
		k, err := NewLinux(c.NetnsDir, c.Plan)
		if err != nil {
			return nil, fmt.Errorf("engine: %w", err)
		}
		e.kernel, e.close = k, k.Close
	}
	return e, nil
}

// Close frees the engine's descriptors. The kernel stays as it is.
func (e *Engine) Close() error {
	e.timers.stop()
	for _, s := range e.all() {
		s.apply.Lock()
		s.silenceAll()
		s.leave()
		s.apply.Unlock()
	}
	e.hosting.Lock()
	defer e.hosting.Unlock()
	if e.host != nil {
		e.host.Close()
		e.host = nil
	}
	return e.close()
}

// onHost runs f with the host's namespace.
func (e *Engine) onHost(f func(Space) error) error {
	e.hosting.Lock()
	defer e.hosting.Unlock()
	if e.host == nil {
		host, err := e.kernel.Open("")
		if err != nil {
			return err
		}
		e.host = host
	}
	return f(e.host)
}

// String names the task.
func (e *Engine) String() string { return "engine" }

// Ready is closed after the first full pass.
func (e *Engine) Ready() <-chan struct{} { return e.ready }

// Run follows the topology and the kernel until its context ends. It leaves the kernel
// as it is: traffic goes on.
func (e *Engine) Run(parent context.Context) error {
	g, ctx := errgroup.WithContext(parent)
	g.Go(func() error { return e.cfg.Source.Follow(ctx, e.changed) })
	g.Go(func() error { return e.kernel.Events(ctx, e.heard) })
	for range workers {
		g.Go(func() error { e.work(ctx); return nil })
	}
	g.Go(func() error { return e.passes(ctx) })
	err := g.Wait()
	e.timers.stop()
	e.cfg.Reports.SetAlive(e.cfg.Plan.Host, false)
	if parent.Err() != nil {
		return nil
	}
	return err
}

// passes does a full pass as soon as events are heard, and then each interval.
func (e *Engine) passes(ctx context.Context) error {
	select {
	case <-e.hearing:
	case <-ctx.Done():
		return nil
	}
	tick := time.NewTicker(e.cfg.Interval)
	defer tick.Stop()
	for {
		r, err := e.Pass(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			e.log.Error("full pass", "err", err)
		case r.Writes() > 0:
			e.log.Info("full pass", "wrote", r)
		}
		e.first.Do(func() { close(e.ready) })
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Pass observes every namespace of the installation and writes what is not as
// the topology wants it, once. One that fails does not keep the others; the
// error joins all.
func (e *Engine) Pass(ctx context.Context) (Report, error) {
	names, err := e.names()
	if err != nil {
		return Report{}, fmt.Errorf("full pass: %w", err)
	}
	e.cfg.Reports.SetAlive(e.cfg.Plan.Host, true)
	var total Report
	var errs []error
	for round := 0; len(names) > 0 && round < 3; round++ {
		r, again, err := e.passOver(ctx, names)
		total.add(r)
		errs = append(errs, err)
		names = again
	}
	errs = append(errs, e.reportHost())
	return total, errors.Join(errs...)
}

// passOver observes the named namespaces, several at a time, and names those
// that have to be looked at again because a neighbour changed them.
func (e *Engine) passOver(ctx context.Context, names []string) (total Report, again []string, err error) {
	var mu sync.Mutex
	var errs []error
	more := make(map[string]bool)
	g := errgroup.Group{}
	g.SetLimit(workers)
	for _, name := range names {
		g.Go(func() error {
			r, peers, err := e.reconcile(ctx, name, work{observe: true})
			mu.Lock()
			defer mu.Unlock()
			total.add(r)
			errs = append(errs, err)
			for _, p := range peers {
				more[p] = true
			}
			return nil
		})
	}
	_ = g.Wait() // errors are collected one by one above
	for p := range more {
		again = append(again, p)
	}
	return total, again, errors.Join(errs...)
}

// names lists the namespaces that exist or shall: the host's, those of the
// topology, and those pinned under a name like Moat's.
func (e *Engine) names() ([]string, error) {
	found, err := e.kernel.Namespaces()
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{"": true}
	out := []string{""}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	e.cfg.Source.View(func(v sdn.View) {
		for _, d := range plan.Homes(v) {
			name := sdn.NamespaceName(d)
			e.learn(name, d)
			add(name)
		}
	})
	for _, name := range found {
		add(name)
	}
	return out, nil
}

// changed queues the namespaces that changes of the topology concern.
func (e *Engine) changed(changes []sdn.Change) {
	devices := make(map[string]sdn.DeviceID)
	todo := make(map[string]work)
	doubts := make(map[sdn.PortID]map[string]sdn.DeviceID)
	e.cfg.Source.View(func(v sdn.View) {
		for _, c := range changes {
			touched := touchedBy(v, e.cfg.Plan.Uplink.Port, c)
			maps.Copy(devices, touched)
			if e.rebound(c) {
				doubts[sdn.PortID(c.ID)] = touched
			}
			var w work
			if standsAlone(c) {
				w = fewOf(sdn.PortID(c.ID))
			}
			for name := range touched {
				if was, ok := todo[name]; ok {
					w = was.and(w)
				}
				todo[name] = w
			}
		}
	})
	for port, homes := range doubts {
		for name := range homes {
			e.doubt(name, port)
		}
	}
	for name, w := range todo {
		e.learn(name, devices[name])
		e.queue.put(name, w)
	}
}

// work applies what is queued.
func (e *Engine) work(ctx context.Context) {
	for {
		name, w, ok := e.queue.next(ctx)
		if !ok {
			return
		}
		_, again, err := e.reconcile(ctx, name, w)
		e.queue.done(name)
		if err != nil && ctx.Err() == nil {
			e.log.Error("namespace is not as the topology wants it", "namespace", name, "err", err)
		}
		for _, peer := range again {
			e.queue.add(peer, false)
		}
	}
}
