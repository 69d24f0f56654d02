package node

import (
	"context"
	"errors"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/dhcp"
	"github.com/moatnet/moat/sdn/plan"
	"github.com/moatnet/moat/sdn/topology"
	"github.com/moatnet/moat/tenant"
)

// guarded refuses, before anything is stored, what the kernel engine cannot
// make real. Chains are checked by the topology itself, which knows their uses.
type guarded struct {
	sdn.API
	lifeline lifeline
}

func (g guarded) CreatePort(ctx context.Context, p sdn.Port) (sdn.Port, error) {
	if err := errors.Join(plan.CheckPort(p), g.lifeline.refuse(bindingOf(p))); err != nil {
		return sdn.Port{}, err
	}
	return g.API.CreatePort(ctx, p)
}

func (g guarded) UpdatePort(ctx context.Context, p sdn.Port) error {
	if err := errors.Join(plan.CheckPort(p), g.lifeline.refuse(bindingOf(p))); err != nil {
		return err
	}
	return g.API.UpdatePort(ctx, p)
}

func (g guarded) Bind(ctx context.Context, b sdn.Binding) error {
	if err := g.lifeline.refuse(b); err != nil {
		return err
	}
	return g.API.Bind(ctx, b)
}

func bindingOf(p sdn.Port) sdn.Binding {
	return sdn.Binding{Host: p.Host, Port: p.ID, Interface: p.Interface}
}

func (g guarded) CreateRoute(ctx context.Context, r sdn.Route) (sdn.Route, error) {
	if err := plan.CheckRoute(r); err != nil {
		return sdn.Route{}, err
	}
	if r.Src.Bits() > 0 {
		others, err := g.API.Routes(ctx, r.Router)
		if err != nil {
			return sdn.Route{}, err
		}
		if err := plan.CheckSource(r, others); err != nil {
			return sdn.Route{}, err
		}
	}
	return g.API.CreateRoute(ctx, r)
}

func (g guarded) AddMACPort(ctx context.Context, m sdn.MACPort) error {
	if err := plan.CheckMACPort(m); err != nil {
		return err
	}
	return g.API.AddMACPort(ctx, m)
}

func (g guarded) AddIP4MAC(ctx context.Context, m sdn.IP4MAC) error {
	if err := plan.CheckIP4MAC(m); err != nil {
		return err
	}
	return g.API.AddIP4MAC(ctx, m)
}

func (g guarded) CreateDHCPHost(ctx context.Context, h sdn.DHCPHost) error {
	if err := dhcp.CheckHost(h); err != nil {
		return err
	}
	return g.API.CreateDHCPHost(ctx, h)
}

func (g guarded) UpdateDHCPHost(ctx context.Context, mac string, h sdn.DHCPHost) error {
	if err := dhcp.CheckHost(h); err != nil {
		return err
	}
	return g.API.UpdateDHCPHost(ctx, mac, h)
}

// riding lets ports of a topology in the ledger's own etcd be created by the
// transactions of their leases, under the same guard.
func riding(t *topology.Topology) func(sdn.Port) tenant.PortRider {
	return func(p sdn.Port) tenant.PortRider {
		if plan.CheckPort(p) != nil {
			return nil
		}
		if r := t.RideCreatePort(p); r != nil {
			return r
		}
		return nil
	}
}
