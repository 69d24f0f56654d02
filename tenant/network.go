package tenant

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/effect"
)

// network is what this process remembers of a tenant's network, so that an
// attach needs no look at the record. It never changes but for the hint; a
// newer one takes its place.
type network struct {
	record ipam.Tenant
	names  names
	hint   atomic.Int32 // the subnet that had room last
}

// EnsureTenant makes a tenant's network, or completes it, comparing every
// object. It may be repeated, by anyone, at any time.
func (m *Manager) EnsureTenant(ctx context.Context, tenant sdn.TenantID) (Network, error) {
	ctx, cancel := m.patient(ctx)
	defer cancel()
	var err error
	if err = validTenant(tenant); err == nil {
		m.suspect(tenant, nil)
		if _, err = m.network(ctx, tenant); err == nil {
			return m.ShowTenant(ctx, tenant)
		}
	}
	return Network{}, m.fault(fmt.Sprintf("set up the network of tenant %q", tenant), err)
}

// network returns the memory of a tenant's network; without one it claims the
// record and makes what is missing.
func (m *Manager) network(ctx context.Context, tenant sdn.TenantID) (n *network, err error) {
	if n, _ := m.remembered(tenant); n != nil {
		return n, nil
	}
	leave, err := m.tenants.Enter(ctx, tenant)
	if err != nil {
		return nil, err
	}
	defer leave(&err)
	if n, _ := m.remembered(tenant); n != nil {
		return n, nil
	}
	done, err := m.builds.Enter(ctx)
	if err != nil {
		return nil, err
	}
	defer done(&err)
	for {
		n, rebuild := m.remembered(tenant)
		if n != nil {
			return n, nil
		}
		b, err := m.ensureBase(ctx, rebuild)
		if err != nil {
			return nil, err
		}
		n, err = m.ensure(ctx, b, tenant, rebuild)
		if !errors.Is(err, ipam.ErrStale) || ctx.Err() != nil {
			return n, err
		}
	}
}

func (m *Manager) ensure(ctx context.Context, b *base, tenant sdn.TenantID, rebuild bool) (*network, error) {
	rec, err := m.claim(ctx, b, tenant)
	if err != nil {
		return nil, err
	}
	if rec.State == ipam.TenantDeleting {
		// Whoever deletes it may be gone; finish that, and claim anew.
		if err := effect.Undo("finish the removal of a tenant that comes again", func() error { return m.finishDelete(ctx, b, rec) }); err != nil {
			return nil, err
		}
		return nil, ipam.ErrStale
	}
	return m.complete(ctx, b, rec, rebuild)
}

// claim returns a tenant's record. One that is not there is made as the
// configuration assigns pools and own subnets; one that is keeps what it has.
func (m *Manager) claim(ctx context.Context, b *base, tenant sdn.TenantID) (ipam.Tenant, error) {
	from, err := m.opt.Networks.Assign(string(tenant))
	if err != nil {
		rec, none := m.opt.Store.Tenant(ctx, string(tenant))
		if errors.Is(none, ipam.ErrNotFound) {
			return rec, err
		}
		return rec, none
	}
	generation := uuid.NewString()
	n, err := newNames(b.plan.ID, string(tenant), generation)
	if err != nil {
		return ipam.Tenant{}, err
	}
	rec, err := m.opt.Store.ClaimTenant(ctx, ipam.Claim{
		Tenant: string(tenant), Generation: generation, Bridge: string(n.bridge(0)), Pool: from.Pool,
		Own: bridged(n, 0, from.Own.Subnets), Overlap: from.Own.Overlap,
	})
	if err != nil || !rec.Own || rec.State == ipam.TenantDeleting {
		return rec, err
	}
	return m.addOwn(ctx, b, rec, from.Own.Subnets)
}

// addOwn gives a tenant those own subnets that were configured since its record
// was made. Those that are not configured any more stay.
func (m *Manager) addOwn(ctx context.Context, b *base, rec ipam.Tenant, wanted []ipam.Subnet) (ipam.Tenant, error) {
	n, err := newNames(b.plan.ID, rec.Name, rec.Generation)
	if err != nil {
		return rec, err
	}
	for _, s := range wanted {
		if slices.ContainsFunc(rec.Subnets, func(have ipam.Subnet) bool { return have.Prefix == s.Prefix }) {
			continue
		}
		more := bridged(n, len(rec.Subnets), []ipam.Subnet{s})
		if rec, err = m.opt.Store.AddOwnSubnet(ctx, rec, more[0]); err != nil {
			return rec, err
		}
	}
	return rec, nil
}

// bridged gives own subnets their bridges, the first of which is the nth of the
// tenant.
func bridged(n names, nth int, subnets []ipam.Subnet) []ipam.Subnet {
	subnets = slices.Clone(subnets)
	for i := range subnets {
		subnets[i].Slot, subnets[i].Bridge = ipam.NoSlot, string(n.bridge(nth+i))
	}
	return subnets
}

// complete makes what a record says and remembers it. A network that was built
// to the present wording is taken as it is, unless rebuild is set.
func (m *Manager) complete(ctx context.Context, b *base, rec ipam.Tenant, rebuild bool) (*network, error) {
	n, err := newNames(b.plan.ID, rec.Name, rec.Generation)
	if err != nil {
		return nil, err
	}
	l := b.around.layout(n, rec)
	built := l.built()
	if rebuild || rec.State != ipam.TenantReady || rec.Built.Digest != built.Digest {
		ready, err := m.realise(ctx, rec, l, built)
		if err != nil {
			return nil, m.overtaken(ctx, b, rec, err)
		}
		rec = ready
	}
	net := &network{record: rec, names: n}
	if !rec.Own { // own ones are filled in order, carved ones come when the rest is full
		net.hint.Store(int32(len(rec.Subnets) - 1))
	}
	m.remember(net)
	return net, nil
}

func (m *Manager) realise(ctx context.Context, rec ipam.Tenant, l layout, built ipam.Built) (ipam.Tenant, error) {
	if err := m.build(ctx, l); err != nil {
		return ipam.Tenant{}, err
	}
	if err := m.retire(ctx, rec.Built, built); err != nil {
		return ipam.Tenant{}, err
	}
	return m.opt.Store.MarkReady(ctx, rec, built)
}

// overtaken looks why a network could not be built. If the tenant was deleted
// meanwhile, by someone who could not know of what was being built, it clears
// that away and returns ErrStale; else it returns the cause.
func (m *Manager) overtaken(ctx context.Context, b *base, rec ipam.Tenant, cause error) error {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	have, err := m.opt.Store.Tenant(ctx, rec.Name)
	if err == nil && have.Generation == rec.Generation && have.State != ipam.TenantDeleting {
		return cause
	}
	if err != nil && !errors.Is(err, ipam.ErrNotFound) {
		return errors.Join(cause, err)
	}
	err = effect.Undo("remove what was built of a tenant that is no more", func() error { return m.removeObjects(ctx, b, rec) })
	if err != nil {
		return errors.Join(cause, err)
	}
	return fmt.Errorf("tenant %s was deleted while its network was built: %w", rec.Name, ipam.ErrStale)
}

// remembered returns what is known of a tenant; suspect says that nothing is,
// because its objects were found wanting.
func (m *Manager) remembered(tenant sdn.TenantID) (n *network, suspect bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.networks[tenant], m.suspects[tenant]
}

func (m *Manager) remember(n *network) {
	m.mu.Lock()
	defer m.mu.Unlock()
	tenant := sdn.TenantID(n.record.Name)
	m.networks[tenant] = n
	delete(m.suspects, tenant)
}

// forget drops the memory of a tenant, if it is still the given one or if none
// is given: its record is read again.
func (m *Manager) forget(tenant sdn.TenantID, old *network) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old == nil || m.networks[tenant] == old {
		delete(m.networks, tenant)
	}
}

// suspect is forget, and all objects are looked at again too.
func (m *Manager) suspect(tenant sdn.TenantID, old *network) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old == nil || m.networks[tenant] == old {
		delete(m.networks, tenant)
		m.suspects[tenant] = true
	}
}

// extend gives a tenant, whose subnets are all full, a further one. If another
// did so meanwhile that one is taken.
func (m *Manager) extend(ctx context.Context, old *network) (n *network, err error) {
	tenant := sdn.TenantID(old.record.Name)
	leave, err := m.tenants.Enter(ctx, tenant)
	if err != nil {
		return nil, err
	}
	defer leave(&err)
	if n, _ := m.remembered(tenant); n != old && n != nil {
		return n, nil
	}
	b := m.known()
	if b == nil {
		return nil, ipam.ErrStale
	}
	if old.record.Own {
		return nil, &ipam.ExhaustedError{Pool: "what the configuration gives tenant " + old.record.Name, Key: ipam.KeyOwnSubnets(old.record.Name)}
	}
	rec, err := m.opt.Store.AddSubnet(ctx, old.record, string(old.names.bridge(len(old.record.Subnets))))
	if err != nil {
		return nil, err
	}
	return m.complete(ctx, b, rec, false)
}
