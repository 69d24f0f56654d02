package tenant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/effect"
)

// errAgain says that a leftover was cleared away and the attach is to be begun
// anew.
var errAgain = errors.New("a leftover of an earlier try was removed")

// Attach implements Service.
func (m *Manager) Attach(ctx context.Context, r AttachRequest) (got Attached, err error) {
	what := fmt.Sprintf("attach pod %s/%s of tenant %q as %s", r.Pod.Namespace, r.Pod.Name, r.Tenant, r.Attachment)
	if err := m.valid(r); err != nil {
		return Attached{}, m.fault(what, err)
	}
	ctx, cancel := m.patient(ctx)
	defer cancel()
	leave, err := m.busy.Enter(ctx, r.Attachment)
	if err != nil {
		return Attached{}, m.fault(what, err)
	}
	defer leave(&err)
	m.finishIfAlone(ctx, r.Attachment)
	if m.tombs.has(r.Attachment) {
		err := effect.Undo("detach what has a tombstone, before its next ADD", func() error { return m.detach(ctx, r.Attachment) })
		if err != nil {
			return Attached{}, m.fault(what, err)
		}
	}
	got, err = m.attach(ctx, r)
	return got, m.fault(what, err)
}

// attach begins anew when a leftover was removed or when what was remembered
// turned out to be stale: for each cause once, and a few times for records that
// others are changing.
func (m *Manager) attach(ctx context.Context, r AttachRequest) (Attached, error) {
	left := map[error]int{errAgain: 1, ipam.ErrStale: 8, sdn.ErrNotFound: 1, sdn.ErrConflict: 1}
	for {
		n, err := m.network(ctx, r.Tenant)
		if err != nil {
			return Attached{}, err
		}
		got, err := m.once(ctx, n, r)
		if err == nil || !m.again(r.Tenant, n, err, left) {
			return got, err
		}
	}
}

func (m *Manager) again(tenant sdn.TenantID, n *network, err error, left map[error]int) bool {
	for kind, times := range left {
		if !errors.Is(err, kind) {
			continue
		}
		if times == 0 {
			return false
		}
		left[kind]--
		switch kind {
		case ipam.ErrStale:
			m.forget(tenant, n)
		case sdn.ErrNotFound, sdn.ErrConflict:
			m.suspect(tenant, n)
		}
		return true
	}
	return false
}

// once is one attempt: record, port and veth, active.
func (m *Manager) once(ctx context.Context, n *network, r AttachRequest) (Attached, error) {
	got, err := m.lease(ctx, n, r)
	var exists *ipam.ExistsError
	if errors.As(err, &exists) {
		return m.resume(ctx, r, exists.Record)
	}
	if errors.Is(err, ipam.ErrUnavailable) {
		m.undo(ctx, r.Attachment, undo{{"find out whether the lease was recorded", func(ctx context.Context) error {
			return effect.Undo("detach what an ADD may have leased", func() error { return m.detachIfAnswered(ctx, r.Attachment) })
		}}})
	}
	if err != nil {
		return Attached{}, m.holder(ctx, err)
	}
	rec := got.Record
	var u undo
	u.push("release the lease", func(ctx context.Context) error {
		return effect.Undo("release the lease of an ADD that failed", func() error {
			if r.Lender != nil {
				return m.leave(ctx, rec.Attachment)
			}
			return m.opt.Store.Release(ctx, rec)
		})
	})
	err = m.fulfil(ctx, r, &rec, got, &u)
	if err == nil && r.Lender != nil {
		err = m.lend(ctx, n, r, &rec, &u)
	}
	if err != nil {
		m.undo(ctx, rec.Attachment, u)
		return Attached{}, err
	}
	m.confirmLater(rec)
	return answer(rec), nil
}

// fulfil makes what a record says and waits until it works. What it pushes is
// pushed before it is tried: a step that failed may have been done. An SDN that
// takes interfaces up from the host's namespace gets the pair before the port:
// it would take a half-made one away.
func (m *Manager) fulfil(ctx context.Context, r AttachRequest, rec *ipam.Record, have leased, u *undo) error {
	if err := notItself(*rec, r); err != nil {
		return err
	}
	w := wire(*rec)
	w.PodNS = r.Netns
	port := sdn.PortID(rec.Port)
	u.push("delete the port", func(ctx context.Context) error {
		return effect.Undo("delete the port of an ADD that failed", func() error { return gone(m.opt.API.DeletePort(ctx, port)) })
	})
	u.push("remove the veth pair", func(ctx context.Context) error {
		return effect.Undo("remove the pair of an ADD that failed", func() error { return m.opt.Pods.Remove(ctx, w) })
	})
	var made PodMade
	pair := func(ctx context.Context) (err error) {
		finish := m.opt.Pods.Make
		if have.pair != nil {
			finish = have.pair.Finish
		}
		made, err = finish(ctx, w)
		return op("make the veth pair", err)
	}
	steps := oneByOne
	if w.HostNS != "" {
		steps = both
		w.Ready = func(ctx context.Context) { m.mayBeActive(ctx, port) }
	}
	var err error
	if have.port {
		if err = pair(ctx); err != nil {
			err = m.because(ctx, port, err)
		}
	} else {
		err = steps(ctx, pair, func(ctx context.Context) error {
			err := m.keep.port(ctx, "pod", m.bound(*rec))
			if unknown(err) {
				m.doubts.add(*rec)
			}
			return err
		})
	}
	if err != nil {
		return err
	}
	if made.HostMAC != "" && made.PodMAC != "" {
		rec.HostMAC, rec.PodMAC = made.HostMAC, made.PodMAC
	}
	return m.active(ctx, port)
}

// undo takes back what was done; what cannot be taken back now is noted, and
// taken back later.
func (m *Manager) undo(ctx context.Context, a ipam.Attachment, u undo) {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	if err := u.run(ctx); err != nil {
		m.log.Warn("attach was not undone in full; it is tried again later", "attachment", a.String(), "error", err)
		if err := m.tombs.add(a); err != nil {
			m.log.Error("note what is left to detach", "attachment", a.String(), "error", err)
		}
	}
}

// resume answers for an attachment that has a record: with that, if everything
// it says is in place; else it clears away what there is. When the SDN does not
// say what there is, it does neither.
func (m *Manager) resume(ctx context.Context, r AttachRequest, rec ipam.Record) (Attached, error) {
	err := m.facts(ctx, rec, func(w *PodWire) { w.PodNS = r.Netns })
	if err == nil && rec.Tenant != string(r.Tenant) {
		err = fmt.Errorf("it is in place for tenant %s", rec.Tenant)
	}
	if unknown(err) {
		return Attached{}, err
	}
	if err != nil {
		m.log.Info("attachment is recorded but not in place; it is made anew", "attachment", rec.Attachment.String(), "error", err)
		if err := effect.Undo("clear away what an earlier ADD left", func() error { return m.dismantle(ctx, rec) }); err != nil {
			return Attached{}, err
		}
		return Attached{}, errAgain
	}
	if err := m.active(ctx, sdn.PortID(rec.Port)); err != nil {
		return Attached{}, err
	}
	if rec.State == ipam.Adding {
		if rec, err = m.adopt(ctx, rec); err != nil {
			return Attached{}, err
		}
	}
	return answer(rec), nil
}

// adopt makes a record of an owner that is gone this agent's, and known to be
// complete.
func (m *Manager) adopt(ctx context.Context, rec ipam.Record) (ipam.Record, error) {
	if rec.Owner != m.opt.Instance {
		var err error
		if rec, err = m.opt.Store.TakeOver(ctx, rec, m.opt.Instance, time.Now().Add(cleanup)); err != nil {
			return rec, err
		}
	}
	m.confirmLater(rec)
	return rec, nil
}

// facts returns nil when port and veth pair of a record are in place. It does
// not ask for an active port: after a restart it takes a while until one is.
func (m *Manager) facts(ctx context.Context, rec ipam.Record, want func(*PodWire)) error {
	if !rec.Address.IsValid() {
		return errors.New("it has no address yet")
	}
	p, err := m.opt.API.Port(ctx, sdn.PortID(rec.Port))
	if errors.Is(err, sdn.ErrNotFound) {
		return op("read port "+rec.Port, err)
	}
	if err != nil {
		return &unread{op("read port "+rec.Port, err)}
	}
	if string(p.Host) != rec.Host || p.Interface != rec.HostName {
		return fmt.Errorf("port %s is bound to %q on host %q, not to %s on %s", rec.Port, p.Interface, p.Host, rec.HostName, rec.Host)
	}
	w := wire(rec)
	want(&w)
	return op("veth pair", m.opt.Pods.Check(ctx, w))
}

// unread says that the SDN did not say what there is, for whatever cause.
type unread struct{ error }

func (u *unread) Unwrap() error { return u.error }

// unknown reports whether an error leaves the facts open.
func unknown(err error) bool {
	var u *unread
	return errors.As(err, &u) || errors.Is(err, sdn.ErrUnavailable) || errors.Is(err, sdn.ErrUnauthorized) || errors.Is(err, sdn.ErrForbidden) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}
