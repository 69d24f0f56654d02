package tenant

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/effect"
)

const (
	mendEvery      = 10 * time.Second // where the SDN's picture is in this process
	mendEveryByAPI = 15 * time.Second
	// mendDelay is how long after a deletion a network is looked at: what is
	// deleted is often deleted in many pieces.
	mendDelay = 200 * time.Millisecond
	// mendAge is how long an object of a network that is ready must be seen to be
	// missing before it is made again: the records and the SDN are two pictures.
	mendAge = 300 * time.Millisecond
	// halfWayAge is how long a network may be half made or half removed: whoever
	// is at it gets done.
	halfWayAge = 8 * time.Second
	// A network that is damaged again and again is mended after a pause that
	// doubles from the first to the last, until nobody did so for some time.
	mendPause, mendPauseMost = time.Second, 16 * time.Second
	mendPeace                = 2 * time.Minute
)

// Source shows the topology of an SDN in this process, and tells of its changes.
type Source interface {
	// View calls f with a consistent picture, which is valid until f returns.
	View(f func(sdn.View))
	// Follow calls f with the changes of each commit, in order, until ctx ends.
	Follow(ctx context.Context, f func([]sdn.Change)) error
}

// mender keeps networks whole: it makes again what others deleted of them, and
// finishes what was left half made or half removed. One goroutine uses it.
type mender struct {
	*Manager
	wounds map[string]*wound // by tenant and generation; "": the provider's network
	// noLocal says that the SDN takes no Local routes, as MidoNet 1.9 does.
	noLocal bool
}

// wound is what is wrong with one network.
type wound struct {
	rec   ipam.Tenant // zero: the provider's
	lacks []string    // of a network that is ready, or of the provider's
	local []sdn.Route // those of lacks that come with no other object
	since time.Time   // when it was first seen; zero: it is whole at present
	tries int         // how often it was mended
	last  time.Time   // when that was
}

func newMender(m *Manager) *mender { return &mender{Manager: m, wounds: map[string]*wound{}} }

// run mends until ctx ends: each interval, and soon after a deletion.
func (m *mender) run(ctx context.Context) {
	wake := make(chan struct{}, 1)
	var following sync.WaitGroup
	defer following.Wait()
	if m.opt.Source != nil {
		following.Go(func() { m.follow(ctx, wake) })
	}
	timer, next := time.NewTimer(0), time.Now()
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wake: // who deletes all the time holds nothing up
			if at := time.Now().Add(mendDelay); at.Before(next) {
				next = at
				timer.Reset(mendDelay)
			}
		case <-timer.C:
			again, err := m.sweep(ctx, time.Now())
			if err != nil && ctx.Err() == nil {
				m.log.Warn("keep tenants' networks whole", "error", err)
			}
			next = time.Now().Add(again)
			timer.Reset(again)
		}
	}
}

// sweep looks at all networks, mends those that have been wrong for long enough,
// and says when to look again.
func (m *mender) sweep(ctx context.Context, now time.Time) (again time.Duration, err error) {
	again = mendEvery
	if m.opt.Source == nil {
		again = mendEveryByAPI
	}
	b, err := m.ensureBase(ctx, false)
	if err != nil {
		return again, err
	}
	found, err := m.find(ctx, b)
	if err != nil {
		return again, err
	}
	m.compare(found, now)
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(found)) { // the provider's first: the others stand on it
		w := m.wounds[key]
		if w.due().After(now) {
			again = min(again, w.due().Sub(now))
		} else {
			w.tries, w.last = w.tries+1, now
			errs = append(errs, m.mend(ctx, b, w))
			again = min(again, w.due().Sub(now))
		}
	}
	return again, errors.Join(errs...)
}

// compare keeps what was known of the wounds that are still there, and of those
// that may come again.
func (m *mender) compare(found map[string]*wound, now time.Time) {
	for key, w := range m.wounds {
		f, still := found[key]
		switch {
		case !still && now.Sub(w.last) > mendPeace:
			delete(m.wounds, key)
		case !still:
			w.since = time.Time{}
		case f.rec.State != w.rec.State || len(f.rec.Subnets) != len(w.rec.Subnets):
			delete(m.wounds, key)
		default:
			w.rec, w.lacks, w.local = f.rec, f.lacks, f.local
			if w.since.IsZero() {
				w.since = now
			}
		}
	}
	for key, f := range found {
		if m.wounds[key] == nil {
			f.since = now
			m.wounds[key] = f
		}
	}
}

// due is when a wound is to be mended.
func (w *wound) due() time.Time {
	at := w.since.Add(mendAge)
	if w.rec.Name != "" && w.rec.State != ipam.TenantReady {
		at = w.since.Add(halfWayAge)
	}
	if w.tries > 0 {
		if next := w.last.Add(min(mendPause<<min(w.tries-1, 10), mendPauseMost)); next.After(at) {
			at = next
		}
	}
	return at
}

// find looks for what is wrong, by tenant and generation.
func (m *mender) find(ctx context.Context, b *base) (map[string]*wound, error) {
	recs, err := m.opt.Store.Tenants(ctx) // before the SDN: of what is made meanwhile the objects come first
	if err != nil {
		return nil, op("list tenants", err)
	}
	found := map[string]*wound{}
	ready := map[string]ready{}
	for _, rec := range recs {
		key := rec.Name + " " + rec.Generation
		if rec.State != ipam.TenantReady {
			found[key] = &wound{rec: rec}
			continue
		}
		n, err := newNames(b.plan.ID, rec.Name, rec.Generation)
		if err != nil {
			return nil, err
		}
		ready[key] = readyOf(rec, n, b.around.layout(n, rec))
	}
	err = m.picture(ctx, b, ready, func(p picture) {
		if m.opt.Host != "" && !b.elsewhere {
			m.note(found, "", &wound{lacks: b.layout.lacks(p, m.opt.Host), local: unanswered(p, b.names, b.layout.Uplink)})
		}
		provider := idsOf(p.RoutesOf(b.layout.Router.ID))
		for key, r := range ready {
			m.note(found, key, &wound{rec: r.rec, lacks: r.lacks(p, provider), local: unanswered(p, r.names, r.ports()...)})
		}
	})
	return found, err
}

func (m *mender) note(found map[string]*wound, key string, w *wound) {
	if m.noLocal {
		w.local = nil
	}
	for _, r := range w.local {
		w.lacks = append(w.lacks, fmt.Sprintf("local route to %s", r.Dst))
	}
	if len(w.lacks) > 0 {
		found[key] = w
	}
}

// mend makes a network whole.
func (m *mender) mend(ctx context.Context, b *base, w *wound) (err error) {
	ctx, cancel := m.patient(ctx)
	defer cancel()
	if w.rec.Name == "" {
		m.log.Warn("objects of the provider's network were deleted; they are made again", "objects", strings.Join(w.lacks, ", "), "times", w.tries)
		_, err := m.ensureBase(ctx, true)
		if err == nil {
			err = m.answer(ctx, w.local)
		}
		return op("make the provider's network again", err)
	}
	leave, err := m.tenants.Enter(ctx, sdn.TenantID(w.rec.Name))
	if err != nil {
		return err
	}
	defer leave(&err)
	rec, err := m.opt.Store.Tenant(ctx, w.rec.Name)
	if errors.Is(err, ipam.ErrNotFound) || err == nil && (rec.Generation != w.rec.Generation || rec.State != w.rec.State) {
		return nil // somebody else is at it
	}
	if err != nil {
		return op("read tenant "+w.rec.Name, err)
	}
	err = m.finishTenant(ctx, b, rec, w)
	if errors.Is(err, ipam.ErrStale) {
		return nil // it is somebody else's now
	}
	return err
}

// finishTenant does what is left to do for the state of a record.
func (m *mender) finishTenant(ctx context.Context, b *base, rec ipam.Tenant, w *wound) error {
	if rec.State == ipam.TenantDeleting {
		m.log.Info("a tenant's network was left half removed; the removal is finished", "tenant", rec.Name)
		finished := effect.Undo("finish the removal of a tenant", func() error { return m.finishDelete(ctx, b, rec) })
		return op(fmt.Sprintf("finish the removal of tenant %q", rec.Name), finished)
	}
	what := "make again what was deleted of tenant"
	if rec.State == ipam.TenantReady {
		m.log.Warn("objects of a tenant's network were deleted; they are made again", "tenant", rec.Name, "objects", strings.Join(w.lacks, ", "), "times", w.tries)
	} else {
		what = "finish the network of tenant"
		m.log.Info("a tenant's network was left half made; it is finished", "tenant", rec.Name)
	}
	_, err := m.complete(ctx, b, rec, true)
	if err == nil {
		err = m.answer(ctx, w.local)
	}
	return op(fmt.Sprintf("%s %q", what, rec.Name), err)
}

// answer makes Local routes again, where the SDN lets it.
func (m *mender) answer(ctx context.Context, local []sdn.Route) error {
	err := together(ctx, local, m.keep.route)
	if !errors.Is(err, sdn.ErrInvalid) {
		return err
	}
	m.noLocal = true
	m.log.Warn("the SDN takes no Local routes; a router's port that lacks its own has to be made anew", "error", err)
	return nil
}
