package sdntest

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

// Conformance holds an sdn.API to the contract. open is called once for each
// part and may return the same API each time: the parts use IDs and a tenant
// of their own and remove what they made. Hosts that the suite makes must be
// bindable without an engine.
func Conformance(t *testing.T, open func(t *testing.T) sdn.API) { ConformanceIn(t, wire.V5, open) }

// ConformanceIn is Conformance for a client of servers of a release. With 1.9
// it allows for what that release does otherwise.
func ConformanceIn(t *testing.T, release wire.Release, open func(t *testing.T) sdn.API) {
	parts := []struct {
		name string
		run  func(*testing.T, *bed)
	}{
		{"routers", routers}, {"router IDs", routerIDs}, {"bridges", bridges},
		{"names", names}, {"zero and unknown IDs", unknownIDs},
		{"router ports", routerPorts}, {"bridge ports", bridgePorts}, {"updates of ports", portUpdates},
		{"links", links}, {"link cascades", linkCascades},
		{"routes", routes}, {"bad routes", badRoutes},
		{"chains", chains}, {"rule order", ruleOrder}, {"rule content", ruleContent}, {"bad rules", badRules},
		{"unsupported rules", unsupportedRules}, {"chain cascades", chainCascades},
		{"hosts", hosts}, {"bindings", bindings}, {"ports created bound", boundPorts}, {"host deletion", hostDeletion},
		{"tunnel zones", tunnelZones}, {"tunnel zone hosts", tunnelZoneHosts},
		{"tenants", tenants}, {"done contexts", doneContexts},
		{"port groups", portGroupsPart}, {"address groups", addressGroups}, {"further conditions", furtherConditions},
		{"MAC tables", macTables}, {"ARP tables", arpTables}, {"DHCP subnets", dhcpSubnets}, {"DHCP hosts", dhcpHosts},
	}
	for _, p := range parts {
		t.Run(p.name, func(t *testing.T) { p.run(t, newBed(t, release, open(t))) })
	}
}

// bed makes objects that end with the test.
type bed struct {
	sdn.API
	t       *testing.T
	tenant  sdn.TenantID
	release wire.Release
}

func newBed(t *testing.T, release wire.Release, api sdn.API) *bed {
	return &bed{API: api, t: t, tenant: sdn.TenantID("suite-" + sdn.NewID[string]()), release: release}
}

// gone is the outcome of deleting a port that is not there, which 1.9 does not
// tell from one that is.
func (b *bed) gone(err error) {
	b.t.Helper()
	if b.release == wire.V1 {
		idempotent(b.t, err)
		return
	}
	require.ErrorIs(b.t, err, sdn.ErrNotFound)
}

func (b *bed) ctx() context.Context { return b.t.Context() }

// later removes an object at the end, if the test has not.
func (b *bed) later(remove func(context.Context) error) {
	ctx := context.WithoutCancel(b.t.Context())
	b.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if err := remove(ctx); err != nil {
			require.ErrorIs(b.t, err, sdn.ErrNotFound)
		}
	})
}

func (b *bed) router(edit ...func(*sdn.Router)) sdn.Router {
	b.t.Helper()
	r := sdn.Router{TenantID: b.tenant, Name: "router", AdminStateUp: true}
	for _, f := range edit {
		f(&r)
	}
	made, err := b.CreateRouter(b.ctx(), r)
	require.NoError(b.t, err)
	b.later(func(ctx context.Context) error { return b.DeleteRouter(ctx, made.ID) })
	return made
}

func (b *bed) bridge(edit ...func(*sdn.Bridge)) sdn.Bridge {
	b.t.Helper()
	br := sdn.Bridge{TenantID: b.tenant, Name: "bridge", AdminStateUp: true}
	for _, f := range edit {
		f(&br)
	}
	made, err := b.CreateBridge(b.ctx(), br)
	require.NoError(b.t, err)
	b.later(func(ctx context.Context) error { return b.DeleteBridge(ctx, made.ID) })
	return made
}

func (b *bed) chain() sdn.Chain {
	b.t.Helper()
	made, err := b.CreateChain(b.ctx(), sdn.Chain{TenantID: b.tenant, Name: "chain"})
	require.NoError(b.t, err)
	b.later(func(ctx context.Context) error { return b.DeleteChain(ctx, made.ID) })
	return made
}

// port makes a port of a device, which takes it along when it goes.
func (b *bed) port(p sdn.Port) sdn.Port {
	b.t.Helper()
	p.AdminStateUp = true
	made, err := b.CreatePort(b.ctx(), p)
	require.NoError(b.t, err)
	return made
}

func (b *bed) routerPort(r sdn.RouterID, cidr string) sdn.Port {
	b.t.Helper()
	return b.port(sdn.Port{Kind: sdn.RouterPort, Device: sdn.DeviceID(r), Address: netip.MustParsePrefix(cidr)})
}

func (b *bed) bridgePort(br sdn.BridgeID) sdn.Port {
	b.t.Helper()
	return b.port(sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(br)})
}

// host makes a host that is in no tunnel zone.
func (b *bed) host() sdn.Host {
	b.t.Helper()
	h, err := b.CreateHost(b.ctx(), sdn.Host{ID: sdn.NewID[sdn.HostID](), Name: "host", FloodingProxyWeight: 1, ContainerWeight: 1, ContainerLimit: -1})
	require.NoError(b.t, err)
	b.later(func(ctx context.Context) error { return b.DeleteHost(ctx, h.ID) })
	return h
}

func (b *bed) zone() sdn.TunnelZone {
	b.t.Helper()
	z, err := b.CreateTunnelZone(b.ctx(), sdn.TunnelZone{Name: "zone-" + sdn.NewID[string](), Type: "vxlan"})
	require.NoError(b.t, err)
	b.later(func(ctx context.Context) error { return b.DeleteTunnelZone(ctx, z.ID) })
	return z
}

// bindable makes a host that is in a tunnel zone.
func (b *bed) bindable() sdn.Host {
	b.t.Helper()
	z, h := b.zone(), b.host()
	require.NoError(b.t, b.AddTunnelZoneHost(b.ctx(), sdn.TunnelZoneHost{Zone: z.ID, Host: h.ID, Address: netip.MustParseAddr("192.0.2.1")}))
	return h
}

// idempotent is the outcome of deleting what is not there, for the kinds of
// object where the REST dialect cannot tell.
func idempotent(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		require.ErrorIs(t, err, sdn.ErrNotFound)
	}
}

func unknownIDs(t *testing.T, b *bed) {
	for _, id := range []string{"", sdn.NewID[string](), "../routers", "%2e%2e"} {
		_, err := b.Router(b.ctx(), sdn.RouterID(id))
		require.ErrorIs(t, err, sdn.ErrNotFound, "router %q", id)
		_, err = b.Bridge(b.ctx(), sdn.BridgeID(id))
		require.ErrorIs(t, err, sdn.ErrNotFound, "bridge %q", id)
		_, err = b.Port(b.ctx(), sdn.PortID(id))
		require.ErrorIs(t, err, sdn.ErrNotFound, "port %q", id)
		_, err = b.Chain(b.ctx(), sdn.ChainID(id))
		require.ErrorIs(t, err, sdn.ErrNotFound, "chain %q", id)
		_, err = b.Rules(b.ctx(), sdn.ChainID(id))
		require.ErrorIs(t, err, sdn.ErrNotFound, "rules of %q", id)
		_, err = b.Routes(b.ctx(), sdn.RouterID(id))
		require.ErrorIs(t, err, sdn.ErrNotFound, "routes of %q", id)
		_, err = b.Host(b.ctx(), sdn.HostID(id))
		require.ErrorIs(t, err, sdn.ErrNotFound, "host %q", id)
		_, err = b.TunnelZone(b.ctx(), sdn.TunnelZoneID(id))
		require.ErrorIs(t, err, sdn.ErrNotFound, "tunnel zone %q", id)
		if id != "" {
			_, err = b.Ports(b.ctx(), sdn.DeviceID(id))
			require.ErrorIs(t, err, sdn.ErrNotFound, "ports of %q", id)
		}
	}
}

func tenants(t *testing.T, b *bed) {
	list, err := b.Tenants(b.ctx())
	require.NoError(t, err)
	require.NotContains(t, list, b.tenant)
	b.chain()
	list, err = b.Tenants(b.ctx())
	require.NoError(t, err)
	require.Contains(t, list, b.tenant)
	require.IsIncreasing(t, list)
}

func doneContexts(t *testing.T, b *bed) {
	r := b.router()
	ctx, cancel := context.WithCancel(b.ctx())
	cancel()
	_, err := b.CreateRouter(ctx, sdn.Router{TenantID: b.tenant})
	if err != nil {
		require.ErrorIs(t, err, context.Canceled)
	}
	_, err = b.Router(b.ctx(), r.ID)
	require.NoError(t, err)
}
