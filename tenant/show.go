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

// ErrNoProvider says that the provider router, or its uplink, is not there.
var ErrNoProvider = errors.New("no provider router")

// ShowProvider returns the provider router as it is, and makes nothing. Errors:
// ErrNoProvider, wrapped.
func (m *Manager) ShowProvider(ctx context.Context) (Provider, error) {
	ctx, cancel := m.patient(ctx)
	defer cancel()
	p, err := m.showProvider(ctx)
	return p, m.fault("show the provider router", err)
}

func (m *Manager) showProvider(ctx context.Context) (Provider, error) {
	plan, err := m.opt.Store.EnsureInstallation(ctx, m.opt.Plan)
	if err != nil {
		return Provider{}, err
	}
	b, err := m.newBase(plan)
	if err != nil {
		return Provider{}, err
	}
	return m.readProvider(ctx, b)
}

func (m *Manager) readProvider(ctx context.Context, b *base) (Provider, error) {
	none := &Error{Code: CodeSDNRefused, Msg: "there is none", Details: "it is made by `moat up`, or by `moat provider create`", Err: ErrNoProvider}
	l := b.layout
	up, err := m.opt.API.Port(ctx, l.Uplink.ID)
	if errors.Is(err, sdn.ErrNotFound) {
		return Provider{}, none
	}
	if err != nil {
		return Provider{}, op("read the uplink", err)
	}
	routes, err := m.opt.API.Routes(ctx, l.Router.ID)
	if errors.Is(err, sdn.ErrNotFound) {
		return Provider{}, none
	}
	if err != nil {
		return Provider{}, op("read the provider's routes", err)
	}
	p := Provider{Installation: b.plan, Router: l.Router.ID, Uplink: up.ID, Interface: up.Interface, Address: up.Address}
	for _, r := range routes {
		if r.Type == sdn.RouteNormal && r.Dst.Bits() == 0 && r.NextHopPort == up.ID {
			p.Gateway = r.Gateway
		}
	}
	return p, nil
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
