package tenant

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/effect"
)

// doubtAge is how long a request to create a port may be on its way, whose answer
// never came, before it can no more take effect: a server that was frozen works off
// what it was sent, and a connection does not outlive this in silence.
const doubtAge = 5 * time.Minute

// doubts are bridges of which nobody knows which ports they will have: a port's
// creation was not answered, and may take place when the attachment has long been
// undone. The zero value has none.
type doubts struct {
	mu    sync.Mutex
	since map[doubt]time.Time
}

// doubt is a bridge and its tenant.
type doubt struct {
	bridge sdn.BridgeID
	tenant string
}

func (d *doubts) add(rec ipam.Record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.since == nil {
		d.since = map[doubt]time.Time{}
	}
	d.since[doubt{sdn.BridgeID(rec.Bridge), rec.Tenant}] = time.Now()
}

func (d *doubts) list() []doubt {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]doubt, 0, len(d.since))
	for one := range d.since {
		all = append(all, one)
	}
	return all
}

// settled forgets a doubt that is old enough, after a look.
func (d *doubts) settled(one doubt, looked time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if looked.Sub(d.since[one]) > doubtAge {
		delete(d.since, one)
	}
}

// removeLatecomers removes pods' ports that came into being after their attachment
// was undone.
func (m *Manager) removeLatecomers(ctx context.Context) error {
	var errs []error
	for _, d := range m.doubts.list() {
		looked := time.Now()
		err := m.removeLatecomersOf(ctx, d)
		if err == nil {
			m.doubts.settled(d, looked)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// removeLatecomersOf reads the ports before the records: an attachment's record is
// there before its port and longer than it, so that a port that is seen and has none
// afterwards belongs to nobody.
func (m *Manager) removeLatecomersOf(ctx context.Context, d doubt) error {
	ports, err := m.opt.API.Ports(ctx, sdn.DeviceID(d.bridge))
	if errors.Is(err, sdn.ErrNotFound) {
		return nil
	}
	if err != nil {
		return op(fmt.Sprintf("list ports of bridge %s", d.bridge), err)
	}
	own := map[sdn.PortID]bool{}
	for _, p := range ports {
		if p.Host == m.opt.Host && p.Interface == sdn.InterfaceName(p.ID) {
			own[p.ID] = true
		}
	}
	if len(own) == 0 {
		return nil
	}
	if err := m.leaveRecorded(ctx, d.tenant, own); err != nil {
		return err
	}
	for id := range own {
		m.log.Info("a port came into being after its attachment was undone; it is removed", "tenant", d.tenant, "port", id)
		err := effect.Undo("delete a port that came after its attachment was undone", func() error { return gone(m.opt.API.DeletePort(ctx, id)) })
		if err != nil {
			return op(fmt.Sprintf("delete port %s", id), err)
		}
	}
	return nil
}

// leaveRecorded takes out of a set of ports those that records name: of this node,
// and, when that leaves any, of other agents that share its host.
func (m *Manager) leaveRecorded(ctx context.Context, tenant string, ports map[sdn.PortID]bool) error {
	records, err := m.opt.Store.Attachments(ctx, m.opt.Node, "")
	if err != nil {
		return err
	}
	for _, rec := range records {
		delete(ports, sdn.PortID(rec.Port))
	}
	if len(ports) == 0 {
		return nil
	}
	all, err := m.opt.Store.TenantAttachments(ctx, tenant)
	if err != nil {
		return err
	}
	for _, a := range all {
		rec, err := m.opt.Store.Attachment(ctx, a)
		if err == nil {
			delete(ports, sdn.PortID(rec.Port))
		} else if !errors.Is(err, ipam.ErrNotFound) {
			return err
		}
	}
	return nil
}
