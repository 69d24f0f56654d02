package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// bench is a measurement under way.
type bench struct {
	options
	*caller
	*installation
	progress io.Writer
	ids      []string // of the routers where there are many
}

// results are what was measured.
type results struct {
	create, get, getBeside series
	few, many              series // lists, in turn
	bytes                  int64  // of one list
}

func measure(ctx context.Context, o options, progress io.Writer) (r results, err error) {
	b := &bench{options: o, progress: progress, ids: newIDs(o.objects)}
	if b.installation, err = install(ctx, o.dir); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	if b.caller, err = newCaller(ctx, b.installation.many, o.writers+o.readers); err != nil {
		return r, err
	}
	if _, err := b.create(ctx, b.installation.few, newIDs(o.listed)); err != nil {
		return r, err
	}
	if r.create, err = b.create(ctx, b.installation.many, b.ids); err != nil {
		return r, err
	}
	if err := b.lists(ctx, &r); err != nil {
		return r, err
	}
	if r.get, err = b.gets(ctx); err != nil {
		return r, err
	}
	r.getBeside, err = b.getsBesideWrites(ctx)
	return r, err
}

func newIDs(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = uuid.NewString()
	}
	return ids
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.progress, format+"\n", args...)
}

// create makes routers; as many as are listed are of one tenant.
func (b *bench) create(ctx context.Context, base string, ids []string) (series, error) {
	b.say("create %d routers by %d clients", len(ids), b.writers)
	var made atomic.Int64
	return load(ctx, b.writers, func() (func(context.Context) error, bool) {
		i := int(made.Add(1)) - 1
		if i >= len(ids) {
			return nil, false
		}
		return func(ctx context.Context) error { return b.createOne(ctx, base, ids[i], i/b.listed) }, true
	})
}

func (b *bench) createOne(ctx context.Context, base, id string, tenant int) error {
	body, err := json.Marshal(map[string]any{"id": id, "name": "router " + id, "tenantId": tenantName(tenant)})
	if err != nil {
		return err
	}
	_, err = b.call(ctx, http.MethodPost, base+"/routers", body, http.StatusCreated)
	return err
}

func tenantName(n int) string { return "tenant-" + strconv.Itoa(n) }

// lists reads the first tenant's routers by one client, in turn where there are
// few and where there are many, so that what else the machine does falls on
// both alike. The first lists warm up and do not count.
func (b *bench) lists(ctx context.Context, r *results) error {
	b.say("list %d routers %d times, among %d and among %d in turn", b.listed, b.rounds, b.listed, b.objects)
	const warm = 10
	for i := -warm; i < b.rounds; i++ {
		for _, of := range []struct {
			base string
			into *series
		}{{b.installation.few, &r.few}, {b.installation.many, &r.many}} {
			begin := time.Now()
			n, err := b.call(ctx, http.MethodGet, of.base+"/routers?tenant_id="+tenantName(0), nil, http.StatusOK)
			if err != nil {
				return err
			}
			if took := time.Since(begin); i >= 0 {
				of.into.took, of.into.span, r.bytes = append(of.into.took, took), of.into.span+took, n
			}
		}
	}
	slices.Sort(r.few.took)
	slices.Sort(r.many.took)
	return nil
}

// gets reads routers at random.
func (b *bench) gets(ctx context.Context) (series, error) {
	b.say("GET for %s by %d clients", b.each, b.readers)
	end := time.Now().Add(b.each)
	return load(ctx, b.readers, func() (func(context.Context) error, bool) {
		id := b.ids[rand.IntN(len(b.ids))]
		return func(ctx context.Context) error {
			_, err := b.call(ctx, http.MethodGet, b.installation.many+"/routers/"+id, nil, http.StatusOK)
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
			if err := b.createOne(writing, b.installation.many, uuid.NewString(), -1); err != nil && writing.Err() == nil {
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
