package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// bench is a measurement under way.
type bench struct {
	options
	*caller
	progress io.Writer
	ids      []string // of the routers, as far as they are made
}

// results are what was measured.
type results struct {
	create, get, getBeside  series
	few, many               series
	bytes                   int64
	fewObjects, manyObjects int
}

func measure(ctx context.Context, o options, progress io.Writer) (r results, err error) {
	url, stop, err := serve(ctx, o.dir)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	c, err := newCaller(ctx, url, o.writers+o.readers)
	if err != nil {
		return r, err
	}
	b := &bench{options: o, caller: c, progress: progress, ids: make([]string, o.objects)}
	for i := range b.ids {
		b.ids[i] = uuid.NewString()
	}
	r.fewObjects, r.manyObjects = o.listed, o.objects
	if _, err := b.create(ctx, 0, o.listed); err != nil {
		return r, err
	}
	if r.few, r.bytes, err = b.list(ctx); err != nil {
		return r, err
	}
	if r.create, err = b.create(ctx, o.listed, o.objects); err != nil {
		return r, err
	}
	if r.many, _, err = b.list(ctx); err != nil {
		return r, err
	}
	if r.get, err = b.gets(ctx); err != nil {
		return r, err
	}
	r.getBeside, err = b.getsBesideWrites(ctx)
	return r, err
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.progress, format+"\n", args...)
}

// create makes the routers from..to, each listed of one tenant.
func (b *bench) create(ctx context.Context, from, to int) (series, error) {
	if from == to {
		return series{}, nil
	}
	b.say("create %d routers by %d clients", to-from, b.writers)
	var made atomic.Int64
	made.Store(int64(from))
	return load(ctx, b.writers, func() (func(context.Context) error, bool) {
		i := int(made.Add(1)) - 1
		return func(ctx context.Context) error { return b.createOne(ctx, b.ids[min(i, to-1)], i/b.listed) }, i < to
	})
}

func (b *bench) createOne(ctx context.Context, id string, tenant int) error {
	body, err := json.Marshal(map[string]any{"id": id, "name": "router " + id, "tenantId": tenantName(tenant)})
	if err != nil {
		return err
	}
	_, err = b.call(ctx, http.MethodPost, "/routers", body, http.StatusCreated)
	return err
}

func tenantName(n int) string { return "tenant-" + strconv.Itoa(n) }

// list reads the first tenant's routers again and again, by one client. The
// first lists warm up and do not count.
func (b *bench) list(ctx context.Context) (series, int64, error) {
	b.say("list %d routers %d times", b.listed, b.rounds)
	const warm = 10
	var bytes int64
	one := func(ctx context.Context) (err error) {
		bytes, err = b.call(ctx, http.MethodGet, "/routers?tenant_id="+tenantName(0), nil, http.StatusOK)
		return err
	}
	for range warm {
		if err := one(ctx); err != nil {
			return series{}, 0, err
		}
	}
	left := b.rounds
	s, err := load(ctx, 1, func() (func(context.Context) error, bool) {
		left--
		return one, left >= 0
	})
	return s, bytes, err
}

// gets reads routers at random.
func (b *bench) gets(ctx context.Context) (series, error) {
	b.say("GET for %s by %d clients", b.each, b.readers)
	end := time.Now().Add(b.each)
	return load(ctx, b.readers, func() (func(context.Context) error, bool) {
		id := b.ids[rand.IntN(len(b.ids))]
		return func(ctx context.Context) error {
			_, err := b.call(ctx, http.MethodGet, "/routers/"+id, nil, http.StatusOK)
			return err
		}, time.Now().Before(end)
	})
}

// getsBesideWrites reads while one client writes.
func (b *bench) getsBesideWrites(ctx context.Context) (series, error) {
	b.say("beside one client that creates:")
	writing, stop := context.WithCancel(ctx)
	written := make(chan error, 1)
	go func() {
		for writing.Err() == nil {
			if err := b.createOne(writing, uuid.NewString(), -1); err != nil && writing.Err() == nil {
				written <- err
				return
			}
		}
		written <- nil
	}()
	s, err := b.gets(ctx)
	stop()
	return s, errors.Join(err, <-written)
}
