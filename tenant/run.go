package tenant

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn/effect"
)

const (
	confirmEvery = time.Second      // a batch of confirmations, one write
	finishEvery  = 5 * time.Second  // tombstones
	sweepEvery   = 10 * time.Second // leftovers of agents that are gone
	aloneBudget  = time.Second      // for tombstones, on a call, when Run does not run
)

// Run does what no caller waits for, until ctx ends: it confirms attachments,
// finishes tombstones, sweeps what dead agents left half made, and makes again what
// others deleted of tenants' networks.
//
// An attachment is confirmed (Adding to Added) after Attach has answered, many
// in one write, so that an ADD pays one durable write for its record and not
// two. What a kill in between leaves behind is a record in state Adding that
// says everything; the next agent knows the attachment by it, and the sweep
// turns it into Added, or undoes it, by the facts: the port, its binding, the
// veth pair.
func (m *Manager) Run(ctx context.Context) error {
	m.running.Store(true)
	defer m.running.Store(false)
	var mending sync.WaitGroup
	mending.Go(func() { newMender(m).run(ctx) })
	defer mending.Wait()
	m.sweepAndLog(ctx)
	if err := m.Secure(ctx); err != nil && ctx.Err() == nil {
		m.log.Warn("set who may send into the ports of pods", "error", err)
	}
	confirm, finish, sweep := time.NewTicker(confirmEvery), time.NewTicker(finishEvery), time.NewTicker(sweepEvery)
	defer confirm.Stop()
	defer finish.Stop()
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := afterwards(ctx)
			defer cancel()
			return m.Confirm(last)
		case <-confirm.C:
			if err := m.Confirm(ctx); err != nil && ctx.Err() == nil {
				m.log.Warn("confirm attachments", "error", err)
			}
		case <-finish.C:
			if err := m.Finish(ctx); err != nil && ctx.Err() == nil {
				m.log.Warn("finish what was to be detached", "error", err)
			}
		case <-sweep.C:
			m.sweepAndLog(ctx)
			if err := m.removeLatecomers(ctx); err != nil && ctx.Err() == nil {
				m.log.Warn("look for ports whose creation was not answered", "error", err)
			}
		}
	}
}

func (m *Manager) sweepAndLog(ctx context.Context) {
	if err := m.Sweep(ctx); err != nil && ctx.Err() == nil {
		m.log.Warn("sweep attachments that were left half made", "error", err)
	}
}

func (m *Manager) confirmLater(rec ipam.Record) {
	m.confirming.Lock()
	defer m.confirming.Unlock()
	m.unsure = append(m.unsure, rec)
}

// awaits reports whether a record is to be confirmed.
func (m *Manager) awaits(rec ipam.Record) bool {
	m.confirming.Lock()
	defer m.confirming.Unlock()
	return slices.ContainsFunc(m.unsure, func(r ipam.Record) bool { return r.Attachment == rec.Attachment })
}

// Confirm writes that the attachments made since the last time are complete.
func (m *Manager) Confirm(ctx context.Context) error {
	m.confirming.Lock()
	rs := m.unsure
	m.unsure = nil
	m.confirming.Unlock()
	if len(rs) == 0 {
		return nil
	}
	err := m.opt.Store.Confirm(ctx, rs)
	if err != nil {
		m.confirming.Lock()
		m.unsure = append(rs, m.unsure...)
		m.confirming.Unlock()
	}
	return err
}

// Finish detaches what has a tombstone. It goes on after errors and joins them.
func (m *Manager) Finish(ctx context.Context) error {
	return m.finish(ctx, ipam.Attachment{})
}

// finish leaves out one attachment, whose lock the caller holds.
func (m *Manager) finish(ctx context.Context, except ipam.Attachment) error {
	var errs []error
	for _, a := range m.tombs.list() {
		if a == except || ctx.Err() != nil {
			continue
		}
		errs = append(errs, m.finishOne(ctx, a))
	}
	return errors.Join(errs...)
}

// finishOne leaves an attachment to the call that is at work on it.
func (m *Manager) finishOne(ctx context.Context, a ipam.Attachment) (err error) {
	leave, entered := m.busy.Try(ctx, a)
	if !entered {
		return nil
	}
	defer leave(&err)
	if !m.tombs.has(a) {
		return nil
	}
	return effect.Undo("detach what has a tombstone", func() error { return m.detach(ctx, a) })
}

// finishIfAlone is for a process that does not Run, such as a plugin that is
// its own agent: the next call finishes what an earlier one could not.
func (m *Manager) finishIfAlone(ctx context.Context, except ipam.Attachment) {
	if m.running.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, aloneBudget)
	defer cancel()
	if err := m.finish(ctx, except); err != nil {
		m.log.Warn("finish what was to be detached", "error", err)
	}
}

// Sweep settles the attachments of this node that were left in state Adding:
// complete ones are confirmed, others undone. Whoever owned one is proven to be
// gone, or, when its deadline has passed, is gone or does not know of it (an answer
// of the store that was lost, a transaction that took place after it was given up).
func (m *Manager) Sweep(ctx context.Context) error {
	rs, err := m.opt.Store.Attachments(ctx, m.opt.Node, "")
	if err != nil {
		return err
	}
	var errs []error
	for _, rec := range rs {
		if rec.State == ipam.Adding && m.abandoned(rec) && !m.awaits(rec) {
			errs = append(errs, m.settle(ctx, rec))
		}
	}
	return errors.Join(errs...)
}

func (m *Manager) abandoned(rec ipam.Record) bool {
	return time.Now().After(rec.Deadline) || rec.Owner != m.opt.Instance && m.opt.OwnerGone != nil && m.opt.OwnerGone(rec.Owner)
}

func (m *Manager) settle(ctx context.Context, rec ipam.Record) (err error) {
	leave, entered := m.busy.Try(ctx, rec.Attachment)
	if !entered {
		return nil
	}
	defer leave(&err)
	// Taking it over first keeps others, and an owner that is not gone after
	// all, from settling it too.
	rec, err = m.opt.Store.TakeOver(ctx, rec, m.opt.Instance, time.Now().Add(cleanup))
	if errors.Is(err, ipam.ErrStale) || errors.Is(err, ipam.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	err = m.facts(ctx, rec, func(*PodWire) {})
	if unknown(err) {
		return err
	}
	if err != nil {
		m.log.Info("attachment was left half made; it is undone", "attachment", rec.Attachment.String(), "error", err)
		return effect.Undo("detach what was left half made", func() error { return m.detach(ctx, rec.Attachment) })
	}
	m.confirmLater(rec)
	return nil
}
