package topology

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/sdn"
)

const (
	defaultPrefix = "/moat/sdn/"
	pageSize      = 2000 // keys read at once
	maxReloadWait = 2 * time.Second
)

// etcd is a store in etcd. Every transaction puts the head key, so that its
// revision tells readers how far they have to wait, whatever else is written
// to the same etcd.
type etcd struct {
	client *clientv3.Client
	prefix string
	sink   sink
	log    *slog.Logger
	life   context.Context // ends with close
	stop   context.CancelFunc
	task   sync.WaitGroup
}

// openEtcd loads what is stored into the sink and goes on to feed it until
// closed. ctx bounds the loading.
func openEtcd(ctx context.Context, c *clientv3.Client, prefix string, to sink, log *slog.Logger) (*etcd, error) {
	if prefix == "" {
		prefix = defaultPrefix
	}
	e := &etcd{client: c, prefix: strings.TrimSuffix(prefix, "/") + "/", sink: to, log: log}
	if err := e.found(ctx); err != nil {
		return nil, fmt.Errorf("open topology at %s: %w", e.prefix, err)
	}
	rev, err := e.load(ctx)
	if err != nil {
		return nil, fmt.Errorf("load topology from %s: %w", e.prefix, err)
	}
	e.life, e.stop = context.WithCancel(context.WithoutCancel(ctx))
	e.task.Go(func() { e.follow(e.life, rev) })
	return e, nil
}

func (e *etcd) path(k key) string { return e.prefix + k.String() }

// load hands everything to the sink, as of one revision.
func (e *etcd) load(ctx context.Context) (int64, error) {
	facts, rev, err := e.read(ctx)
	if err != nil {
		return 0, err
	}
	e.sink.takeAll(facts, rev)
	return rev, nil
}

// all implements store.
func (e *etcd) all() ([]fact, int64, error) {
	ctx, cancel := bounded(e.life)
	defer cancel()
	facts, rev, err := e.read(ctx)
	if at := slices.IndexFunc(facts, func(f fact) bool { return f.key == headKey }); at >= 0 {
		rev = facts[at].mod
	}
	return facts, rev, err
}

// read returns everything that is stored, as of one revision.
func (e *etcd) read(ctx context.Context) ([]fact, int64, error) {
	var (
		facts []fact
		rev   int64
		from  = e.prefix
	)
	for {
		page, err := e.page(ctx, from, rev)
		if err != nil {
			return nil, 0, err
		}
		if rev == 0 {
			rev = page.Header.Revision
		}
		for _, kv := range page.Kvs {
			f, err := e.fact(kv)
			if err != nil {
				return nil, 0, err
			}
			facts = append(facts, f)
		}
		if !page.More {
			break
		}
		from = string(page.Kvs[len(page.Kvs)-1].Key) + "\x00"
	}
	return facts, rev, nil
}

// page returns the first keys from one on, as of a revision, or of now (0).
func (e *etcd) page(ctx context.Context, from string, rev int64) (*clientv3.GetResponse, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	page, err := e.client.Get(ctx, from, clientv3.WithRange(clientv3.GetPrefixRangeEnd(e.prefix)),
		clientv3.WithLimit(pageSize), clientv3.WithRev(rev))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", sdn.ErrUnavailable, err)
	}
	return page, nil
}

// fact reads a stored key. A schema from the future is an error, whatever it
// made of the rest.
func (e *etcd) fact(kv *mvccpb.KeyValue) (fact, error) {
	f := fact{key: parseKey(strings.TrimPrefix(string(kv.Key), e.prefix)), mod: kv.ModRevision, created: kv.CreateRevision}
	if err := f.decode(kv.Value); err != nil {
		return f, err
	}
	if version, ok := f.body.(int); ok && f.key == schemaKey {
		return f, checkSchema(version)
	}
	return f, nil
}

// follow feeds the sink from a revision on. When the watch ends, because what
// it missed was compacted or because etcd lost its leader, everything is
// loaded again.
func (e *etcd) follow(ctx context.Context, rev int64) {
	for {
		err := e.watch(ctx, rev)
		if ctx.Err() != nil {
			return
		}
		if passing(err) {
			e.log.Warn("topology is loaded again", "error", err)
			rev, err = e.reload(ctx)
		}
		if err != nil {
			e.sink.fail(fmt.Errorf("follow topology: %w: %w", sdn.ErrUnavailable, err))
			return
		}
	}
}

// passing tells a store that cannot be reached from one that cannot be read.
func passing(err error) bool {
	return errors.Is(err, sdn.ErrUnavailable) && !errors.Is(err, errNewerSchema)
}

// watch feeds the sink until the watch ends; the error says why.
func (e *etcd) watch(ctx context.Context, rev int64) error {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	for resp := range e.client.Watch(ctx, e.prefix, clientv3.WithPrefix(), clientv3.WithRev(rev+1)) {
		if err := resp.Err(); err != nil {
			return fmt.Errorf("watch: %w: %w", sdn.ErrUnavailable, err)
		}
		if len(resp.Events) == 0 {
			continue
		}
		if err := e.deliver(resp.Events); err != nil {
			return err
		}
	}
	return fmt.Errorf("watch ended: %w", sdn.ErrUnavailable)
}

// deliver hands over events, one revision at a time, but for those that the
// sink has from this process's own writes.
func (e *etcd) deliver(events []*clientv3.Event) error {
	for len(events) > 0 {
		rev, n := events[0].Kv.ModRevision, 1
		for n < len(events) && events[n].Kv.ModRevision == rev {
			n++
		}
		if !e.sink.has(rev) {
			facts, err := e.facts(events[:n])
			if err != nil {
				return err
			}
			e.sink.take(facts, rev)
		}
		events = events[n:]
	}
	return nil
}

func (e *etcd) facts(events []*clientv3.Event) ([]fact, error) {
	facts := make([]fact, 0, len(events))
	for _, ev := range events {
		f := fact{key: parseKey(strings.TrimPrefix(string(ev.Kv.Key), e.prefix))}
		if ev.Type == clientv3.EventTypePut {
			var err error
			if f, err = e.fact(ev.Kv); err != nil {
				return nil, err
			}
		}
		facts = append(facts, f)
	}
	return facts, nil
}

// reload loads until it succeeds, meets what it cannot read, or ctx ends.
func (e *etcd) reload(ctx context.Context) (int64, error) {
	wait := backoff.NewExponentialBackOff()
	wait.MaxInterval = maxReloadWait
	for {
		rev, err := e.load(ctx)
		if err == nil || !passing(err) {
			return rev, err
		}
		select {
		case <-ctx.Done():
			return 0, err
		case <-time.After(wait.NextBackOff()):
		}
	}
}

func (e *etcd) close() {
	e.stop()
	e.task.Wait()
}
