package tenant

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/effect"
)

// Check implements Service. What a plugin behind this one may change, MAC and
// MTU, is compared with the result that the runtime remembers; addresses,
// port and binding with the record.
func (m *Manager) Check(ctx context.Context, r AttachRequest, want Attached) (err error) {
	what := fmt.Sprintf("check pod %s/%s of tenant %q as %s", r.Pod.Namespace, r.Pod.Name, r.Tenant, r.Attachment)
	if err := r.Attachment.Validate(); err != nil {
		return m.fault(what, err)
	}
	ctx, cancel := m.patient(ctx)
	defer cancel()
	leave, err := m.busy.Enter(ctx, r.Attachment)
	if err != nil {
		return m.fault(what, err)
	}
	defer leave(&err)
	return m.fault(what, failedCheck(m.check(ctx, r, want)))
}

// failedCheck gives an error its code, unless it says nothing of the pod.
func failedCheck(err error) error {
	if err == nil || unknown(err) || errors.Is(err, ipam.ErrUnavailable) {
		return err
	}
	return &Error{Code: CodeCheckFailed, Msg: err.Error(), Details: "delete the pod to have it made anew", Err: err}
}

func (m *Manager) check(ctx context.Context, r AttachRequest, want Attached) error {
	rec, err := m.opt.Store.Attachment(ctx, r.Attachment)
	if err != nil {
		return err
	}
	w := wire(rec)
	for _, a := range w.Addresses {
		if len(want.Addresses) > 0 && !slices.Contains(want.Addresses, a) {
			return fmt.Errorf("the result names addresses %s, leased is %s", want.Addresses, a)
		}
	}
	err = m.facts(ctx, rec, func(w *PodWire) {
		w.PodNS = r.Netns
		w.HostMAC, w.PodMAC, w.MTU = want.Host.MAC, want.Pod.MAC, want.Pod.MTU
	})
	if err != nil {
		return err
	}
	p, err := m.opt.API.Port(ctx, sdn.PortID(rec.Port))
	if err == nil && !p.Active {
		return fmt.Errorf("port %s is not active", rec.Port)
	}
	return err
}

// Collect implements Service.
func (m *Manager) Collect(ctx context.Context, node, network string, valid []ipam.Attachment) error {
	what := fmt.Sprintf("collect what is left of network %s on node %s", network, node)
	if err := (ipam.Attachment{Node: node, Network: network, ContainerID: "c", IfName: "i"}).Validate(); err != nil {
		return m.fault(what, err)
	}
	ctx, cancel := m.patient(ctx)
	defer cancel()
	rs, err := m.opt.Store.Attachments(ctx, node, network)
	if err != nil {
		return m.fault(what, err)
	}
	keep := map[ipam.Attachment]bool{}
	for _, a := range valid {
		a.Node, a.Network = node, network // the list is of these two
		keep[a] = true
	}
	var errs []error
	for _, rec := range rs {
		if ctx.Err() != nil {
			errs = append(errs, ctx.Err())
			break
		}
		if !keep[rec.Attachment] && !m.busy.Taken(rec.Attachment) {
			errs = append(errs, effect.Undo("detach what GC does not name", func() error { return m.Detach(ctx, rec.Attachment) }))
		}
	}
	return m.fault(what, errors.Join(errs...))
}

// statusAge is how long an answer to Status holds, statusPatience how long it may
// take to find.
const (
	statusAge      = time.Second
	statusPatience = 5 * time.Second
)

// statusCache keeps the last answer; its lock is never held over a call.
type statusCache struct {
	asking singleflight.Group
	mu     sync.Mutex
	at     time.Time
	err    error
}

// Status implements Service. It asks store and SDN at most once a second, and
// once for all who want to know at the same time: each waits for the answer as
// long as its own ctx says, and a caller that goes away takes nothing from the
// others.
func (m *Manager) Status(ctx context.Context) error {
	answer := m.status.asking.DoChan("", func() (any, error) {
		if fresh, err := m.status.get(); fresh {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), statusPatience)
		defer cancel()
		return nil, m.status.keep(m.available(ctx))
	})
	select {
	case a := <-answer:
		return a.Err
	case <-ctx.Done():
		return m.fault(fmt.Sprintf("ask for the status of node %s", m.opt.Node), ctx.Err())
	}
}

func (c *statusCache) get() (fresh bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.at) < statusAge, c.err
}

// keep remembers an answer, unless it says only that there was no time.
func (c *statusCache) keep(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.err = time.Now(), err
	return err
}

// available says whether a pod can be attached, as an error of its own code.
func (m *Manager) available(ctx context.Context) error {
	err := m.reachable(ctx)
	if err == nil {
		return nil
	}
	return &Error{Code: CodeNotAvailable, Msg: fmt.Sprintf("no pod can be attached on node %s: %v", m.opt.Node, err),
		Details: "check etcd, the SDN API and the engine of this host", Err: err}
}

func (m *Manager) reachable(ctx context.Context) error {
	if err := m.opt.Store.Ping(ctx); err != nil {
		return err
	}
	h, err := m.opt.API.Host(ctx, m.opt.Host)
	if err != nil {
		return op(fmt.Sprintf("read host %s", m.opt.Host), err)
	}
	if !h.Alive {
		return fmt.Errorf("host %s (%s) has no living engine: %w", h.Name, h.ID, sdn.ErrConflict)
	}
	return nil
}
