package tenant

import (
	"context"
	"errors"
	"fmt"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/effect"
)

// DeleteTenant removes a tenant's network, the provider's side too, and hands
// its subnets and transit pair back. It refuses while pods are attached, unless
// forced: then they are detached first. A tenant that does not exist is no
// error; what was begun is resumed.
func (m *Manager) DeleteTenant(ctx context.Context, tenant sdn.TenantID, force bool) error {
	ctx, cancel := m.patient(ctx)
	defer cancel()
	return m.fault(fmt.Sprintf("delete tenant %q", tenant), m.deleteTenant(ctx, tenant, force))
}

func (m *Manager) deleteTenant(ctx context.Context, tenant sdn.TenantID, force bool) error {
	if err := validTenant(tenant); err != nil {
		return err
	}
	b, err := m.ensureBase(ctx, false)
	if err != nil {
		return err
	}
	for {
		rec, err := m.opt.Store.Tenant(ctx, string(tenant))
		if errors.Is(err, ipam.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if force {
			if err := m.detachAll(ctx, tenant); err != nil {
				return err
			}
		}
		rec, err = m.opt.Store.MarkDeleting(ctx, rec)
		switch {
		case err == nil:
			return m.finishDelete(ctx, b, rec)
		case errors.Is(err, ipam.ErrStale), force && errors.Is(err, ipam.ErrInUse):
			if ctx.Err() != nil {
				return err
			}
		default:
			return err
		}
	}
}

func (m *Manager) detachAll(ctx context.Context, tenant sdn.TenantID) error {
	as, err := m.opt.Store.TenantAttachments(ctx, string(tenant))
	if err != nil {
		return err
	}
	return each(ctx, as, func(ctx context.Context, a ipam.Attachment) error { return m.Detach(ctx, a) })
}

// finishDelete removes the objects of a tombstone and then the tombstone.
func (m *Manager) finishDelete(ctx context.Context, b *base, rec ipam.Tenant) error {
	m.forget(sdn.TenantID(rec.Name), nil)
	if err := m.removeObjects(ctx, b, rec); err != nil {
		return err
	}
	return effect.Undo("drop the record of a tenant", func() error { return m.opt.Store.DropTenant(ctx, rec) })
}

// removeObjects removes what was made for a record; each may be gone already.
// The provider's side goes first, so that nothing reaches the rest any more,
// and the filters go last.
func (m *Manager) removeObjects(ctx context.Context, b *base, rec ipam.Tenant) error {
	n, err := newNames(b.plan.ID, rec.Name, rec.Generation)
	if err != nil {
		return err
	}
	api, l := m.opt.API, b.around.layout(n, rec)
	if err := effect.Undo("delete a tenant's port of the provider", func() error { return gone(api.DeletePort(ctx, l.Far.ID)) }); err != nil {
		return op("delete the provider's port", err)
	}
	// The routes go with their port; a topology that thinks otherwise is asked.
	for _, r := range l.ProviderRoutes {
		if err := effect.Undo("delete a tenant's route of the provider", func() error { return gone(api.DeleteRoute(ctx, r.ID)) }); err != nil {
			return op(fmt.Sprintf("delete the provider's route to %s", r.Dst), err)
		}
	}
	for _, br := range l.Bridges {
		if err := effect.Undo("delete a tenant's bridge", func() error { return gone(api.DeleteBridge(ctx, br.Bridge.ID)) }); err != nil {
			return op("delete bridge "+br.Bridge.Name, err)
		}
	}
	if err := effect.Undo("delete a tenant's router", func() error { return gone(api.DeleteRouter(ctx, l.Router.ID)) }); err != nil {
		return op("delete router "+l.Router.Name, err)
	}
	for _, c := range []sdn.Chain{l.In, l.Out} {
		if err := effect.Undo("delete a tenant's chain", func() error { return gone(api.DeleteChain(ctx, c.ID)) }); err != nil {
			return op("delete chain "+c.Name, err)
		}
	}
	return nil
}
