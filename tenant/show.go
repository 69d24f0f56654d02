package tenant

import (
	"context"
	"errors"
	"fmt"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
)

// Network is a tenant's network as it is recorded: what EnsureTenant made.
type Network struct {
	Record      ipam.Tenant
	Router      sdn.RouterID
	Inbound     sdn.ChainID
	Outbound    sdn.ChainID
	Uplink      sdn.PortID // of the tenant router
	Far         sdn.PortID // its peer on the provider router
	Attachments []ipam.Attachment
}

// ListTenants lists the records of all tenants, ordered by name.
func (m *Manager) ListTenants(ctx context.Context) ([]ipam.Tenant, error) {
	ctx, cancel := m.patient(ctx)
	defer cancel()
	ts, err := m.opt.Store.Tenants(ctx)
	return ts, m.fault("list tenants", err)
}

// ErrNoTenant says that there is no tenant of that name.
var ErrNoTenant = errors.New("no such tenant")

// ShowTenant returns one tenant's network. Errors: ErrNoTenant, wrapped.
func (m *Manager) ShowTenant(ctx context.Context, tenant sdn.TenantID) (Network, error) {
	ctx, cancel := m.patient(ctx)
	defer cancel()
	n, err := m.show(ctx, tenant)
	return n, m.fault(fmt.Sprintf("show tenant %q", tenant), err)
}

func (m *Manager) show(ctx context.Context, tenant sdn.TenantID) (Network, error) {
	if err := validTenant(tenant); err != nil {
		return Network{}, err
	}
	rec, err := m.opt.Store.Tenant(ctx, string(tenant))
	if errors.Is(err, ipam.ErrNotFound) {
		return Network{}, &Error{Code: CodeTenantDenied, Msg: "there is none", Details: "it is made with its first pod, or by `moat tenant create`", Err: ErrNoTenant}
	}
	if err != nil {
		return Network{}, err
	}
	plan, err := m.opt.Store.EnsureInstallation(ctx, m.opt.Plan)
	if err != nil {
		return Network{}, err
	}
	names, err := newNames(plan.ID, rec.Name, rec.Generation)
	if err != nil {
		return Network{}, err
	}
	as, err := m.opt.Store.TenantAttachments(ctx, rec.Name)
	if err != nil {
		return Network{}, err
	}
	l := surroundings{plan: plan}.layout(names, rec)
	return Network{Record: rec, Router: l.Router.ID, Inbound: l.In.ID, Outbound: l.Out.ID,
		Uplink: l.Near.ID, Far: l.Far.ID, Attachments: as}, nil
}
