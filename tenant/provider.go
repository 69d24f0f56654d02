package tenant

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
)

// base is what all tenants' networks stand on: the recorded plan and the
// provider's objects.
type base struct {
	plan   ipam.Installation
	names  names // the provider's
	around surroundings
	layout providerLayout
	// elsewhere says that another host had the uplink: it alone makes it again.
	elsewhere bool
}

// providerTenant owns the provider router, as MidoNet 1.9 wants every router to
// have a tenant. No tenant of Moat's can have the name.
const providerTenant sdn.TenantID = "moat.provider"

// providerLayout is the provider router with its uplink.
type providerLayout struct {
	Zone   sdn.TunnelZone
	Router sdn.Router
	Uplink sdn.Port
	Routes []sdn.Route
}

// Provider is what EnsureProvider made.
type Provider struct {
	Installation ipam.Installation
	Router       sdn.RouterID
	Uplink       sdn.PortID
	Interface    string
	Address      netip.Prefix // of the provider router on the uplink
	Gateway      netip.Addr   // next hop to the outside
}

func (m *Manager) newBase(plan ipam.Installation) (*base, error) {
	n, err := newNames(plan.ID, "", "")
	if err != nil {
		return nil, err
	}
	host, far := plan.Uplink()
	gateway, asked := host.Addr(), host.Addr()
	up := m.opt.Uplink
	port := sdn.Port{ID: id[sdn.PortID](n, roleUplink), Host: m.opt.Host, AdminStateUp: true, Kind: sdn.RouterPort, Address: far}
	port.Interface = sdn.InterfaceName(port.ID)
	if up.Interface != "" {
		gateway, asked = up.Gateway, netip.Addr{}
		port.Interface, port.Address = up.Interface, up.Address
	}
	router := sdn.Router{ID: id[sdn.RouterID](n, roleProvider), TenantID: providerTenant, Name: "moat provider", AdminStateUp: true}
	port.Device = sdn.DeviceID(router.ID)
	l := providerLayout{
		Zone:   sdn.TunnelZone{ID: id[sdn.TunnelZoneID](n, roleTunnelZone), Name: "moat " + plan.Name, Type: "vxlan"},
		Router: router, Uplink: port,
		Routes: []sdn.Route{
			normal(n, router.ID, everywhere, port.ID, gateway),
			normal(n, router.ID, port.Address.Masked(), port.ID, netip.Addr{}),
		},
	}
	// An address that no tenant has must not go out and come back.
	for _, pool := range append(m.opt.Networks.Supernets(plan), plan.Transit) {
		l.Routes = append(l.Routes, refusal(n, router.ID, pool))
	}
	return &base{plan: plan, names: n, layout: l,
		around: surroundings{plan: plan, networks: m.opt.Networks, provider: router.ID, host: asked, noNAT: m.opt.NoNAT}}, nil
}

func refusal(n names, router sdn.RouterID, dst netip.Prefix) sdn.Route {
	return n.route(sdn.Route{Router: router, Type: sdn.RouteReject, Src: everywhere, Dst: dst})
}

// EnsureProvider makes the tunnel zone with this host in it, the provider
// router and its uplink, bound to this host unless it is bound to another
// already. It may be repeated. A Manager without a host leaves a provider router
// that is there as it is, or makes one whose uplink the first host binds.
func (m *Manager) EnsureProvider(ctx context.Context) (Provider, error) {
	ctx, cancel := m.patient(ctx)
	defer cancel()
	b, err := m.ensureBase(ctx, true)
	if err != nil {
		return Provider{}, m.fault("set up the provider router", err)
	}
	return b.provider(), nil
}

func (b *base) provider() Provider {
	up := b.layout.Uplink
	return Provider{Installation: b.plan, Router: b.layout.Router.ID, Uplink: up.ID,
		Interface: up.Interface, Address: up.Address, Gateway: b.layout.Routes[0].Gateway}
}

// ensureBase returns what is known of the base, after building it if asked to
// or if it is not known.
func (m *Manager) ensureBase(ctx context.Context, rebuild bool) (made *base, err error) {
	if b := m.known(); b != nil && !rebuild {
		return b, nil
	}
	leave, err := m.tenants.Enter(ctx, "")
	if err != nil {
		return nil, err
	}
	defer leave(&err)
	if b := m.known(); b != nil && !rebuild {
		return b, nil
	}
	plan, err := m.opt.Store.EnsureInstallation(ctx, m.opt.Plan)
	if err != nil {
		return nil, err
	}
	b, err := m.newBase(plan)
	if err != nil {
		return nil, err
	}
	if m.opt.Host == "" {
		err = m.adoptProvider(ctx, b)
	} else {
		b.elsewhere, err = m.buildProvider(ctx, b.layout)
	}
	if err == nil && rebuild {
		err = m.admitPools(ctx, b)
	}
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	m.base = b
	m.mu.Unlock()
	return b, nil
}

func (m *Manager) known() *base {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.base
}

// adoptProvider takes the provider router as its host made it, whose uplink may
// be another than this process was told of. If there is none it is made, with an
// uplink for a host to bind.
func (m *Manager) adoptProvider(ctx context.Context, b *base) error {
	have, err := m.readProvider(ctx, b)
	if err == nil {
		if have.Address != b.layout.Uplink.Address {
			b.around.host = netip.Addr{} // a real interface: the host is not its far end
		}
		b.layout.Uplink.Interface, b.layout.Uplink.Address = have.Interface, have.Address
		b.layout.Routes[0].Gateway = have.Gateway
		return nil
	}
	if !errors.Is(err, ErrNoProvider) {
		return err
	}
	l := b.layout
	if _, err := m.opt.API.CreateTunnelZone(ctx, l.Zone); err != nil && !errors.Is(err, sdn.ErrExists) {
		return op("create tunnel zone "+l.Zone.Name, err)
	}
	l.Uplink.Interface = ""
	if err := m.keep.router(ctx, l.Router); err != nil {
		return err
	}
	if err := m.portOf("uplink", l.Uplink)(ctx); err != nil {
		return err
	}
	return together(ctx, l.Routes, m.keep.route)
}

// buildProvider says whether another host has the uplink.
func (m *Manager) buildProvider(ctx context.Context, l providerLayout) (elsewhere bool, err error) {
	if err := m.joinZone(ctx, l.Zone); err != nil {
		return false, err
	}
	if was := m.known(); was != nil && was.elsewhere {
		_, err := m.opt.API.Port(ctx, l.Uplink.ID)
		return true, op("read the uplink, which another host makes", err)
	}
	if err := m.keep.router(ctx, l.Router); err != nil {
		return false, err
	}
	if err := m.portOf("uplink", l.Uplink)(ctx); err != nil {
		if elsewhere = m.uplinkElsewhere(ctx, l.Uplink); !elsewhere {
			return false, err
		}
	}
	return elsewhere, together(ctx, l.Routes, m.keep.route)
}

// admitPools takes away the refusals of pools that are no more: what has their
// addresses now is to be reached.
func (m *Manager) admitPools(ctx context.Context, b *base) error {
	have, err := m.opt.API.Routes(ctx, b.layout.Router.ID)
	if err != nil {
		return op("read the provider's routes", err)
	}
	for _, r := range have {
		same := func(want sdn.Route) bool { return want.ID == r.ID }
		if r.ID != refusal(b.names, b.layout.Router.ID, r.Dst).ID || slices.ContainsFunc(b.layout.Routes, same) {
			continue
		}
		if err := gone(m.opt.API.DeleteRoute(ctx, r.ID)); err != nil {
			return op(fmt.Sprintf("delete the provider's refusal of %s", r.Dst), err)
		}
	}
	return nil
}

// uplinkElsewhere reports whether another host has the uplink, which is its
// right: one host of an installation is its way out.
func (m *Manager) uplinkElsewhere(ctx context.Context, want sdn.Port) bool {
	have, err := m.opt.API.Port(ctx, want.ID)
	return err == nil && have.Host != "" && have.Host != want.Host && have.Address == want.Address
}

// joinZone makes this host a member of the tunnel zone: no port of a host
// without one can be bound.
func (m *Manager) joinZone(ctx context.Context, z sdn.TunnelZone) error {
	if _, err := m.opt.API.CreateTunnelZone(ctx, z); err != nil && !errors.Is(err, sdn.ErrExists) {
		return op("create tunnel zone "+z.Name, err)
	}
	_, err := m.opt.API.TunnelZoneHost(ctx, z.ID, m.opt.Host)
	if err == nil || !errors.Is(err, sdn.ErrNotFound) {
		return op("read tunnel zone "+z.Name, err)
	}
	address, err := m.tunnelAddress(ctx)
	if err != nil {
		return err
	}
	err = m.opt.API.AddTunnelZoneHost(ctx, sdn.TunnelZoneHost{Zone: z.ID, Host: m.opt.Host, Address: address})
	if errors.Is(err, sdn.ErrExists) || errors.Is(err, sdn.ErrConflict) {
		return nil
	}
	return op(fmt.Sprintf("add host %s to tunnel zone %s", m.opt.Host, z.Name), err)
}

func (m *Manager) tunnelAddress(ctx context.Context) (netip.Addr, error) {
	if m.opt.TunnelAddress.IsValid() {
		return m.opt.TunnelAddress, nil
	}
	h, err := m.opt.API.Host(ctx, m.opt.Host)
	if err != nil {
		return netip.Addr{}, op(fmt.Sprintf("read host %s", m.opt.Host), err)
	}
	for _, a := range h.Addresses {
		if a.Is4() && a.IsGlobalUnicast() {
			return a, nil
		}
	}
	host, _ := m.opt.Plan.Uplink()
	return host.Addr(), nil
}
