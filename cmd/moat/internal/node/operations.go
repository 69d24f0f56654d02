package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/moatnet/moat/cmd/moat/internal/control"
	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/tenant"
)

// operations are those that need a manager and a topology, wherever they are.
type operations struct {
	manager *tenant.Manager
	api     sdn.API
}

// Tenants implements control.Operations.
func (o operations) Tenants(ctx context.Context) ([]control.Tenant, error) {
	list, err := o.manager.ListTenants(ctx)
	if err != nil {
		return nil, err
	}
	shown := make([]control.Tenant, 0, len(list))
	for _, t := range list {
		one, err := o.Tenant(ctx, t.Name)
		if errors.Is(err, control.ErrNotFound) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		shown = append(shown, one)
	}
	return shown, nil
}

// Tenant implements control.Operations.
func (o operations) Tenant(ctx context.Context, name string) (control.Tenant, error) {
	n, err := o.manager.ShowTenant(ctx, sdn.TenantID(name))
	if errors.Is(err, tenant.ErrNoTenant) {
		return control.Tenant{}, fmt.Errorf("%w: %w", control.ErrNotFound, err)
	}
	return show(n), err
}

// CreateTenant implements control.Operations.
func (o operations) CreateTenant(ctx context.Context, name string) (control.Tenant, error) {
	n, err := o.manager.EnsureTenant(ctx, sdn.TenantID(name))
	if err != nil {
		return control.Tenant{}, err
	}
	return show(n), nil
}

// DeleteTenant implements control.Operations.
func (o operations) DeleteTenant(ctx context.Context, name string, force bool) error {
	err := o.manager.DeleteTenant(ctx, sdn.TenantID(name), force)
	if errors.Is(err, ipam.ErrInUse) {
		return fmt.Errorf("%w: %w", control.ErrInUse, err)
	}
	return err
}

// CreateProvider implements control.Operations.
func (o operations) CreateProvider(ctx context.Context) (control.Provider, error) {
	p, err := o.manager.EnsureProvider(ctx)
	return showProvider(p), err
}

// Provider implements control.Operations.
func (o operations) Provider(ctx context.Context) (control.Provider, error) {
	p, err := o.manager.ShowProvider(ctx)
	if errors.Is(err, tenant.ErrNoProvider) {
		return control.Provider{}, fmt.Errorf("%w: %w", control.ErrNotFound, err)
	}
	return showProvider(p), err
}

func showProvider(p tenant.Provider) control.Provider {
	return control.Provider{Router: p.Router, Port: p.Uplink, Address: p.Address, Gateway: p.Gateway}
}

func show(n tenant.Network) control.Tenant {
	shown := control.Tenant{
		Name: n.Record.Name, State: string(n.Record.State), Transit: n.Record.Transit.Tenant, Overlap: n.Record.Overlap,
		Router: n.Router, InChain: n.Inbound, OutChain: n.Outbound, Pods: len(n.Attachments),
	}
	if !n.Record.Own {
		shown.Pool = cmp.Or(n.Record.Pool, ipam.DefaultPool)
	}
	for _, s := range n.Record.Subnets {
		shown.Subnets = append(shown.Subnets, s.Prefix)
	}
	return shown
}

// Topology implements control.Operations.
func (o operations) Topology(ctx context.Context, tenantName string) (control.Topology, error) {
	routers, err := o.api.Routers(ctx, sdn.TenantID(tenantName))
	if err != nil {
		return control.Topology{}, err
	}
	bridges, err := o.api.Bridges(ctx, sdn.TenantID(tenantName))
	if err != nil {
		return control.Topology{}, err
	}
	if tenantName != "" && len(routers)+len(bridges) == 0 {
		return control.Topology{}, fmt.Errorf("tenant %s has no device: %w", tenantName, control.ErrNotFound)
	}
	t := control.Topology{Routers: []control.Router{}, Bridges: []control.Bridge{}}
	for _, r := range routers {
		shown, err := o.router(ctx, r)
		if err != nil {
			return control.Topology{}, err
		}
		t.Routers = append(t.Routers, shown)
	}
	for _, b := range bridges {
		ports, err := o.api.Ports(ctx, sdn.DeviceID(b.ID))
		if err != nil {
			return control.Topology{}, err
		}
		t.Bridges = append(t.Bridges, control.Bridge{Bridge: b, Ports: ports})
	}
	slices.SortFunc(t.Routers, func(a, b control.Router) int { return cmp.Compare(a.Name, b.Name) })
	return t, nil
}

func (o operations) router(ctx context.Context, r sdn.Router) (control.Router, error) {
	shown := control.Router{Router: r, Namespace: sdn.NamespaceName(sdn.DeviceID(r.ID))}
	var err error
	if shown.Ports, err = o.api.Ports(ctx, sdn.DeviceID(r.ID)); err != nil {
		return shown, err
	}
	if shown.Routes, err = o.api.Routes(ctx, r.ID); err != nil {
		return shown, err
	}
	if r.InboundFilter != "" {
		if shown.Inbound, err = o.api.Rules(ctx, r.InboundFilter); err != nil {
			return shown, err
		}
	}
	if r.OutboundFilter != "" {
		shown.Outbound, err = o.api.Rules(ctx, r.OutboundFilter)
	}
	return shown, err
}
