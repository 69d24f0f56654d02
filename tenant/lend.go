package tenant

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
)

// enter records an attachment whose address is not known yet.
func (m *Manager) enter(ctx context.Context, n *network, r AttachRequest) (leased, error) {
	i, err := asked(n.record.Subnets, r)
	if err != nil {
		return leased{}, err
	}
	rec, err := m.plan(ctx, n, n.record.Subnets[max(i, 0)], r)
	if err != nil {
		return leased{}, err
	}
	if rec.PodMAC == "" {
		rec.PodMAC = podMAC(sdn.PortID(rec.Port))
	}
	rec, err = m.opt.Store.Enter(ctx, n.record, rec)
	return leased{Record: rec}, err
}

// leave ends an entered attachment, whatever became of its address.
func (m *Manager) leave(ctx context.Context, a ipam.Attachment) error {
	rec, err := m.opt.Store.Attachment(ctx, a)
	if errors.Is(err, ipam.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return m.opt.Store.Release(ctx, rec)
}

// lend has the lender name the address of an attachment whose interface is there,
// leases it, and gives it to the interface.
func (m *Manager) lend(ctx context.Context, n *network, r AttachRequest, rec *ipam.Record, u *undo) error {
	lender := r.Lender
	u.push("return the address", func(ctx context.Context) error { lender.Return(ctx); return nil })
	r, err := lender.Lend(ctx, r)
	if err != nil {
		return err
	}
	switch {
	case len(r.IPs) != 1 || !r.IPs[0].Is4():
		return fmt.Errorf("%saddresses %s, wanted is one of IPv4: %w", source(r.IPsFrom), r.IPs, ipam.ErrInvalid)
	case !rec.Subnet.Contains(r.IPs[0]):
		return fmt.Errorf("%saddress %s is not in subnet %s, on whose bridge the pod is: %w", source(r.IPsFrom), r.IPs[0], rec.Subnet, ipam.ErrInvalid)
	}
	if err := errors.Join(fits(rec.Subnet, r), validRoutes(r.Routes)); err != nil {
		return err
	}
	next := *rec
	next.Gateway, next.Routes = r.Gateway, append([]netip.Prefix{everywhere}, r.Routes...)
	next, err = m.assign(ctx, n.record, next, r.IPs[0])
	if err != nil {
		return m.holder(ctx, err)
	}
	*rec = next
	if err := notItself(next, r); err != nil {
		return err
	}
	if err := m.keep.port(ctx, "pod", m.bound(next)); err != nil {
		return err
	}
	w := wire(next)
	w.PodNS = r.Netns
	return op("configure the pod's interface", m.opt.Pods.Configure(ctx, w))
}

// assign leases the address. That others changed the tenant since, who may have
// given it a further subnet, is no reason to ask for the address once more.
func (m *Manager) assign(ctx context.Context, t ipam.Tenant, rec ipam.Record, a netip.Addr) (ipam.Record, error) {
	for {
		got, err := m.opt.Store.Assign(ctx, t, rec, a)
		if !errors.Is(err, ipam.ErrStale) {
			return got, err
		}
		now, failed := m.opt.Store.Tenant(ctx, t.Name)
		switch {
		case failed != nil:
			return got, errors.Join(err, failed)
		case now.Revision == t.Revision, now.Generation != t.Generation, now.State == ipam.TenantDeleting:
			return got, err // the record is what is stale, or the tenant is another
		}
		t = now
	}
}
