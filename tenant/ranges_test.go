package tenant

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/ledger"
	"github.com/moatnet/moat/sdn"
)

func ownSubnets(overlap bool, ps ...string) ipam.OwnSubnets {
	own := ipam.OwnSubnets{Overlap: overlap}
	for _, p := range ps {
		own.Subnets = append(own.Subnets, ipam.Subnet{Prefix: netip.MustParsePrefix(p)})
	}
	return own
}

// stating is a manager of a process whose configuration says n, which it records.
func (w *world) stating(t *testing.T, n ipam.Networks, change ...func(*Options)) *Manager {
	l := ledger.New(w.kv, ledger.Options{})
	_, err := l.EnsureInstallation(t.Context(), ipam.Defaults("moat"))
	require.NoError(t, err)
	n, err = l.StateNetworks(t.Context(), n)
	require.NoError(t, err)
	return w.manager(t, append(change, func(o *Options) { o.Networks = n })...)
}

func TestNamespaceWithoutAPoolIsRefusedByTheKey(t *testing.T) {
	w := newWorld(t)
	m := w.stating(t, ipam.Networks{
		Pools:      []ipam.TenantPool{{Name: "gold", Supernet: netip.MustParsePrefix("10.64.0.0/16"), SubnetLength: 24}},
		Namespaces: ipam.Namespaces{MappedOnly: true, Pools: map[string]string{"blue": "gold"}},
	})
	_, err := m.Attach(t.Context(), request(t, "red", "c1"))
	var refused *Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, CodeTenantDenied, refused.Code)
	require.ErrorContains(t, err, `namespace red has no pool: namespaces.autoAssign is false, and neither namespaces.pools nor tenants.red.subnets names it`)
	require.Empty(t, w.leases(t))
	_, err = m.ShowTenant(t.Context(), "red")
	require.ErrorIs(t, err, ErrNoTenant)

	n, err := m.EnsureTenant(t.Context(), "blue")
	require.NoError(t, err)
	require.Equal(t, "gold", n.Record.Pool)
	require.True(t, netip.MustParsePrefix("10.64.0.0/16").Contains(n.Record.Subnets[0].Prefix.Addr()))
	provider, err := m.EnsureProvider(t.Context())
	require.NoError(t, err)
	require.Contains(t, routes(t, w, provider.Router), "Reject 10.64.0.0/16")
	require.Contains(t, strings.Join(wording(t, w, n.Outbound, nil), "\n"), "drop dst 10.128.0.0/9\ndrop dst 10.64.0.0/16\ndrop dst 100.64.0.0/16")
}

func TestATenantKeepsWhatItWasMadeWith(t *testing.T) {
	w := newWorld(t)
	first, err := w.manager(t).EnsureTenant(t.Context(), "blue")
	require.NoError(t, err)
	for name, n := range map[string]ipam.Networks{
		"refused today":     {Namespaces: ipam.Namespaces{MappedOnly: true}},
		"own subnets today": {Tenants: map[string]ipam.OwnSubnets{"blue": ownSubnets(false, "192.168.1.0/24")}},
	} {
		m := w.stating(t, n)
		_, err := m.Attach(t.Context(), request(t, "blue", strings.ReplaceAll(name, " ", "-")))
		require.NoError(t, err, name)
		now, err := m.ShowTenant(t.Context(), "blue")
		require.NoError(t, err)
		require.Equal(t, first.Record.Subnets, now.Record.Subnets, name)
	}
}

// The provider's ways to an own subnet: of the host, not of other tenants, of all
// others; and none to what another tenant may have too.
func TestWaysToOwnSubnets(t *testing.T) {
	w := newWorld(t)
	m := w.stating(t, ipam.Networks{Tenants: map[string]ipam.OwnSubnets{
		"acme": ownSubnets(false, "192.168.1.0/24"), "beta": ownSubnets(true, "192.168.2.0/24"), "gamma": ownSubnets(true, "192.168.2.0/24"),
	}}, func(o *Options) { o.NoNAT = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")} })
	provider, err := m.EnsureProvider(t.Context())
	require.NoError(t, err)
	tenants := map[string]Network{}
	for _, name := range []string{"acme", "beta", "gamma"} {
		tenants[name], err = m.EnsureTenant(t.Context(), sdn.TenantID(name))
		require.NoError(t, err)
	}
	var to1 []string
	list, err := w.topo.Routes(t.Context(), provider.Router)
	require.NoError(t, err)
	for _, r := range list {
		require.False(t, netip.MustParsePrefix("192.168.2.0/24").Overlaps(r.Dst) && r.Dst.Bits() > 0, "%v", r)
		if r.Dst == netip.MustParsePrefix("192.168.1.0/24") {
			to1 = append(to1, strings.Join([]string{string(r.Type), r.Src.String(), r.Gateway.String()}, " "))
			require.Positive(t, r.Weight)
		}
	}
	near := tenants["acme"].Record.Transit.Tenant.String()
	require.ElementsMatch(t, []string{"Normal 100.64.0.1/32 " + near, "BlackHole 100.64.0.0/16 invalid IP", "Normal 0.0.0.0/0 " + near}, to1)
	require.Contains(t, wording(t, w, tenants["acme"].Outbound, nil), "accept dst 198.51.100.0/24")
	require.NotContains(t, wording(t, w, tenants["beta"].Outbound, nil), "accept dst 198.51.100.0/24", "nobody there has a way back")
	for _, name := range []string{"acme", "beta", "gamma"} {
		require.NoError(t, m.DeleteTenant(t.Context(), sdn.TenantID(name), false))
	}
	require.NotContains(t, strings.Join(routes(t, w, provider.Router), "\n"), "192.168")
}

func TestOwnSubnetsFillInOrderAndSayTheirKeyWhenFull(t *testing.T) {
	w := newWorld(t)
	n := ipam.Networks{Tenants: map[string]ipam.OwnSubnets{"acme": ownSubnets(false, "192.168.1.0/30", "192.168.2.0/30")}}
	m := w.stating(t, n)
	for i, want := range []string{"192.168.1.2/30", "192.168.2.2/30"} {
		got, err := m.Attach(t.Context(), request(t, "acme", string(rune('a'+i))))
		require.NoError(t, err)
		require.Equal(t, want, got.Addresses[0].String())
	}
	_, err := m.Attach(t.Context(), request(t, "acme", "c"))
	var full *Error
	require.ErrorAs(t, err, &full)
	require.Equal(t, CodePoolExhausted, full.Code)
	require.ErrorContains(t, err, "tenants.acme.subnets")

	n.Tenants["acme"] = ownSubnets(false, "192.168.1.0/30", "192.168.2.0/30", "192.168.3.0/30")
	got, err := w.stating(t, n).Attach(t.Context(), request(t, "acme", "c"))
	require.NoError(t, err, "one that was configured since")
	require.Equal(t, "192.168.3.2/30", got.Addresses[0].String())
}

func TestRefusalOfAPoolGoesWithIt(t *testing.T) {
	w := newWorld(t)
	gold := ipam.Networks{Pools: []ipam.TenantPool{{Name: "gold", Supernet: netip.MustParsePrefix("10.64.0.0/16"), SubnetLength: 24}}}
	provider, err := w.stating(t, gold).EnsureProvider(t.Context())
	require.NoError(t, err)
	foreign, err := w.topo.CreateRoute(t.Context(), sdn.Route{Router: provider.Router, Type: sdn.RouteReject, Src: everywhere, Dst: netip.MustParsePrefix("10.7.0.0/16")})
	require.NoError(t, err)
	_, err = w.stating(t, ipam.Networks{}).EnsureProvider(t.Context())
	require.NoError(t, err)
	now := routes(t, w, provider.Router)
	require.NotContains(t, now, "Reject 10.64.0.0/16")
	require.Contains(t, now, "Reject "+foreign.Dst.String(), "what others made stays")
	require.Contains(t, now, "Reject 10.128.0.0/9")
}
