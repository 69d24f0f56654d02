package tenant

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/effect"
)

// lease records the attachment with an address of the tenant's: the requested
// one, or the next of the subnet that had room last, of the others, of a new
// one, in that order.
func (m *Manager) lease(ctx context.Context, n *network, r AttachRequest) (leased, error) {
	if r.Lender != nil {
		return m.enter(ctx, n, r)
	}
	if i, err := asked(n.record.Subnets, r); err != nil || i >= 0 {
		if err != nil {
			return leased{}, err
		}
		return m.leaseIn(ctx, n, i, r)
	}
	for range 3 {
		count := len(n.record.Subnets)
		first := int(n.hint.Load())
		for k := range count {
			i := (first + k) % count
			got, err := m.leaseIn(ctx, n, i, r)
			var kept *ipam.ElsewhereError
			if errors.As(err, &kept) {
				return m.leaseKept(ctx, n, *kept, r)
			}
			if !errors.Is(err, ipam.ErrExhausted) {
				n.hint.Store(int32(i))
				return got, err
			}
		}
		larger, err := m.extend(ctx, n)
		if err != nil {
			return leased{}, fmt.Errorf("subnets %s are full: %w", prefixes(n.record.Subnets), err)
		}
		n = larger
	}
	return leased{}, fmt.Errorf("subnets %s fill faster than new ones come: %w", prefixes(n.record.Subnets), ipam.ErrStale)
}

// leaseKept leases in the subnet in which the kept address of a sticky pod is.
func (m *Manager) leaseKept(ctx context.Context, n *network, kept ipam.ElsewhereError, r AttachRequest) (leased, error) {
	i := slices.IndexFunc(n.record.Subnets, func(s ipam.Subnet) bool { return s.Prefix.Contains(kept.Address) })
	if i < 0 {
		kept.Where = fmt.Sprintf("any of the tenant's subnets %s", prefixes(n.record.Subnets))
		return leased{}, &kept
	}
	return m.leaseIn(ctx, n, i, r)
}

func prefixes(subnets []ipam.Subnet) (ps []netip.Prefix) {
	for _, s := range subnets {
		ps = append(ps, s.Prefix)
	}
	return ps
}

// leased is a record with what was made while it was written.
type leased struct {
	ipam.Record
	pair Prepared // nil: Make makes it
	port bool     // its port is there
}

// leaseIn writes the record, and the port with it where one transaction can do
// both. While the store does that it makes the pair as far as it needs no address. This alone may come before the intent is recorded:
// it lives in the pod's namespace and dies with it, and it is stamped, so that
// the engine removes what a death in between leaves.
func (m *Manager) leaseIn(ctx context.Context, n *network, i int, r AttachRequest) (leased, error) {
	rec, err := m.plan(ctx, n, n.record.Subnets[i], r)
	if err != nil {
		return leased{}, err
	}
	pair := m.prepare(ctx, rec, r)
	rec, port, err := m.record(ctx, n, rec)
	got := leased{rec, <-pair, port}
	if err != nil && got.pair != nil {
		undone := effect.Undo("abandon a pair without a lease", func() error { return got.pair.Abandon(ctx) })
		err = errors.Join(err, op("remove the veth pair", undone))
	}
	return got, err
}

// record makes the lease; true: and its port.
func (m *Manager) record(ctx context.Context, n *network, rec ipam.Record) (ipam.Record, bool, error) {
	var rider PortRider
	if m.opt.Ride != nil {
		rider = m.opt.Ride(m.bound(rec))
	}
	if rider == nil {
		rec, err := m.opt.Store.Lease(ctx, n.record, rec)
		return rec, false, err
	}
	rec, err := m.opt.Store.Lease(ctx, n.record, rec, passenger{rider, m})
	if err != nil {
		return rec, false, err
	}
	landed, err := rider.Landed(ctx)
	if err != nil { // the port is there or will be: CreatePort finds out
		m.log.Debug("port that was written with its lease is not seen yet", "port", rec.Port, "error", err)
	}
	return rec, landed && err == nil, nil
}

// passenger is the port of a record that goes with the record's lease.
type passenger struct {
	PortRider
	m *Manager
}

func (p passenger) Op(r ipam.Record) any { return p.PortRider.Op(p.m.senders(r)) }

// prepare begins a pair, unless an SDN would take it away before it is finished.
func (m *Manager) prepare(ctx context.Context, rec ipam.Record, r AttachRequest) <-chan Prepared {
	pair := make(chan Prepared, 1)
	if rec.HostNS == "" {
		pair <- nil
		return pair
	}
	go func() {
		w := wire(rec)
		w.PodNS = r.Netns
		begun, err := m.opt.Pods.Prepare(ctx, w)
		if err != nil {
			begun = nil // Make says what is wrong, once the record is there
		}
		pair <- begun
	}()
	return pair
}

// plan is an attachment's record with everything that is to be made for it but
// the address.
func (m *Manager) plan(ctx context.Context, n *network, s ipam.Subnet, r AttachRequest) (ipam.Record, error) {
	if err := fits(s.Prefix, r); err != nil {
		return ipam.Record{}, err
	}
	port := n.names.pod(s.Bridge, r.Attachment)
	w, err := m.wiring(ctx, n, sdn.BridgeID(s.Bridge), port)
	if err != nil {
		return ipam.Record{}, op(fmt.Sprintf("ask for the wiring of bridge %s", s.Bridge), err)
	}
	deadline, _ := ctx.Deadline()
	rec := ipam.Record{
		Attachment: r.Attachment, Owner: m.opt.Instance, Deadline: deadline.Add(cleanup).UTC().Round(time.Millisecond),
		At:     time.Now().UTC().Round(time.Millisecond),
		Tenant: n.record.Name, Generation: n.record.Generation,
		PodNamespace: r.Pod.Namespace, PodName: r.Pod.Name, PodUID: r.Pod.UID,
		Sticky: r.Sticky, Gateway: r.Gateway,
		Subnet: s.Prefix, MTU: m.mtu(r, w), PodNetns: r.NetnsPath, PodInode: r.NetnsInode, BootID: r.BootID, PodMAC: r.MAC,
		Bridge: s.Bridge, Port: string(port), Host: string(m.opt.Host),
		HostNS: w.Namespace, Master: w.Master, HostName: w.Interface, HostAlias: w.Alias, HostMAC: hostMAC(port),
		Routes: append([]netip.Prefix{everywhere}, r.Routes...),
	}
	rec.Address = wanted(r)
	return rec, nil
}

func (m *Manager) mtu(r AttachRequest, w sdn.Wiring) int {
	switch {
	case r.MTU != 0:
		return r.MTU
	case w.MTU != 0:
		return w.MTU
	default:
		return m.opt.MTU
	}
}

// bound is the bridge port of a record.
func (m *Manager) bound(rec ipam.Record) sdn.Port {
	return sdn.Port{
		ID: sdn.PortID(rec.Port), Kind: sdn.BridgePort, Device: sdn.DeviceID(rec.Bridge), AdminStateUp: true,
		Host: sdn.HostID(rec.Host), Interface: rec.HostName, Senders: m.senders(rec),
	}
}

// senders is what a pod may call itself: what its record says, and nobody else.
// A record that is still without an address has no senders yet.
func (m *Manager) senders(rec ipam.Record) []sdn.Sender {
	if m.opt.AnySender || !rec.Address.IsValid() {
		return nil
	}
	return ownSenders(rec)
}

func ownSenders(rec ipam.Record) []sdn.Sender {
	return []sdn.Sender{{MAC: rec.PodMAC, Addrs: []netip.Addr{rec.Address}}}
}

// wire is the veth pair of a record; the pod's namespace is not in it.
func wire(rec ipam.Record) PodWire {
	w := PodWire{
		HostNS: rec.HostNS, Master: rec.Master, HostName: rec.HostName, HostAlias: rec.HostAlias,
		PodName: rec.IfName, PodMAC: rec.PodMAC, HostMAC: rec.HostMAC, MTU: rec.MTU,
	}
	if rec.Address.IsValid() {
		w.Addresses = []netip.Prefix{netip.PrefixFrom(rec.Address, rec.Subnet.Bits())}
		w.Gateway, w.Routes = rec.Gateway, rec.Routes
	}
	return w
}

// answer is what Attach says of a record that is fulfilled.
func answer(rec ipam.Record) Attached {
	w := wire(rec)
	return Attached{
		Host:      Interface{Name: rec.HostName, MAC: rec.HostMAC, MTU: rec.MTU, Sandbox: rec.HostNS},
		Pod:       Interface{Name: rec.IfName, MAC: rec.PodMAC, MTU: rec.MTU, Sandbox: rec.PodNetns},
		Addresses: w.Addresses, Gateway: w.Gateway, Routes: w.Routes,
	}
}
