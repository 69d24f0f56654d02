package tenant

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
)

// wording is a chain's rules in one line each.
func wording(t *testing.T, w *world, chain sdn.ChainID, ports map[sdn.PortID]string) (lines []string) {
	rules, err := w.topo.Rules(t.Context(), chain)
	require.NoError(t, err)
	for _, r := range rules {
		s, c := string(r.Type), r.Condition
		if c.MatchReturnFlow {
			s += " return-flow"
		}
		for _, p := range c.InPorts {
			s += " in " + ports[p]
		}
		for _, p := range c.OutPorts {
			s += " out " + ports[p]
		}
		if c.Src.IsValid() {
			s += map[bool]string{true: " src not ", false: " src "}[c.InvSrc] + c.Src.String()
		}
		if c.Dst.IsValid() {
			s += " dst " + c.Dst.String()
		}
		for _, n := range r.NATTargets {
			s += " to " + n.AddressFrom.String() + " " + string(c.Fragment)
		}
		lines = append(lines, s+map[bool]string{true: " " + string(r.FlowAction)}[r.FlowAction != ""])
	}
	return lines
}

func TestATenantsNetwork(t *testing.T) {
	w := newWorld(t)
	m := w.manager(t, func(o *Options) { o.NoNAT = []netip.Prefix{netip.MustParsePrefix("10.96.0.0/12")} })
	provider, err := m.EnsureProvider(t.Context())
	require.NoError(t, err)
	n, err := m.EnsureTenant(t.Context(), "blue")
	require.NoError(t, err)
	subnet, pair := n.Record.Subnets[0].Prefix, n.Record.Transit

	uplink, err := w.topo.Port(t.Context(), provider.Uplink)
	require.NoError(t, err)
	require.Equal(t, "100.64.0.2/30", uplink.Address.String())
	require.Equal(t, w.host, uplink.Host)
	require.Equal(t, sdn.InterfaceName(uplink.ID), uplink.Interface)
	require.Equal(t, "100.64.0.1", provider.Gateway.String())

	router, err := w.topo.Router(t.Context(), n.Router)
	require.NoError(t, err)
	require.Equal(t, n.Inbound, router.InboundFilter)
	require.Equal(t, n.Outbound, router.OutboundFilter)
	far, err := w.topo.Port(t.Context(), n.Far)
	require.NoError(t, err)
	require.Equal(t, n.Uplink, far.Peer)
	require.Equal(t, netip.PrefixFrom(pair.Provider, 31), far.Address)

	ports := map[sdn.PortID]string{n.Uplink: "uplink"}
	list, err := w.topo.Ports(t.Context(), sdn.DeviceID(n.Router))
	require.NoError(t, err)
	for _, p := range list {
		if p.Address.Addr() == ipam.Gateway(subnet) {
			ports[p.ID] = "bridge"
			require.NotEmpty(t, p.Peer)
		}
	}
	require.Equal(t, []string{
		"rev_snat in uplink continue",
		"accept return-flow",
		"accept in uplink src 100.64.0.1/32",
		"drop in uplink",
	}, wording(t, w, n.Inbound, ports))
	require.Equal(t, []string{
		"accept return-flow",
		"drop in bridge src not " + subnet.String(),
		"accept dst " + subnet.String(),
		"drop dst 10.128.0.0/9",
		"drop dst 100.64.0.0/16",
		"accept dst 10.96.0.0/12",
		"snat out uplink to " + pair.Tenant.String() + " unfragmented accept",
	}, wording(t, w, n.Outbound, ports))

	require.ElementsMatch(t, []string{
		"Normal 0.0.0.0/0 via " + pair.Provider.String(), "Normal " + subnet.String(),
		"Local " + pair.Tenant.String() + "/32", "Local " + ipam.Gateway(subnet).String() + "/32",
	}, routes(t, w, n.Router))
	require.ElementsMatch(t, []string{
		"Normal 0.0.0.0/0 via 100.64.0.1", "Normal 100.64.0.0/30", "Reject 10.128.0.0/9", "Reject 100.64.0.0/16",
		"Normal " + pair.Tenant.String() + "/32", "Normal " + subnet.String() + " via " + pair.Tenant.String(),
		"Local 100.64.0.2/32", "Local " + pair.Provider.String() + "/32",
	}, routes(t, w, provider.Router))
}

func routes(t *testing.T, w *world, r sdn.RouterID) (lines []string) {
	list, err := w.topo.Routes(t.Context(), r)
	require.NoError(t, err)
	for _, x := range list {
		s := string(x.Type) + " " + x.Dst.String()
		if x.Gateway.IsValid() {
			s += " via " + x.Gateway.String()
		}
		lines = append(lines, s)
	}
	return lines
}

func TestRealUplinkLetsNobodyIn(t *testing.T) {
	w := newWorld(t)
	m := w.manager(t, func(o *Options) {
		o.Uplink = Uplink{Interface: "eth1", Address: netip.MustParsePrefix("192.0.2.2/24"), Gateway: netip.MustParseAddr("192.0.2.1")}
	})
	p, err := m.EnsureProvider(t.Context())
	require.NoError(t, err)
	require.Equal(t, "eth1", p.Interface)
	require.Contains(t, routes(t, w, p.Router), "Normal 192.0.2.0/24")
	n, err := m.EnsureTenant(t.Context(), "blue")
	require.NoError(t, err)
	require.Len(t, wording(t, w, n.Inbound, nil), 3)
	_, err = New(Options{Node: "n", Host: w.host, Uplink: Uplink{Interface: "eth1", Gateway: netip.MustParseAddr("192.0.2.1")}})
	require.ErrorContains(t, err, "uplink eth1")
}

func TestEnsuringAgainWritesNothing(t *testing.T) {
	w := newWorld(t)
	_, err := w.manager(t).EnsureTenant(t.Context(), "blue")
	require.NoError(t, err)
	before := w.everything(t)
	changes := 0
	m := w.manager(t, func(o *Options) { o.API = updates{o.API, &changes} })
	_, err = m.EnsureTenant(t.Context(), "blue")
	require.NoError(t, err)
	require.Equal(t, before, w.everything(t))
	require.Zero(t, changes)
}

// updates counts the updates of an SDN.
type updates struct {
	sdn.API
	n *int
}

func (u updates) UpdateRouter(context.Context, sdn.Router) error { *u.n++; return nil }
func (u updates) UpdateBridge(context.Context, sdn.Bridge) error { *u.n++; return nil }
func (u updates) UpdatePort(context.Context, sdn.Port) error     { *u.n++; return nil }

func TestOperatorsRulesAreKeptInTheirPlace(t *testing.T) {
	w := newWorld(t)
	n, err := w.manager(t).EnsureTenant(t.Context(), "blue")
	require.NoError(t, err)
	mine, err := w.topo.CreateRule(t.Context(), sdn.Rule{Chain: n.Inbound, Type: sdn.RuleAccept, Position: 1})
	require.NoError(t, err)
	was := wording(t, w, n.Inbound, nil)
	rules, err := w.topo.Rules(t.Context(), n.Inbound)
	require.NoError(t, err)
	require.NoError(t, w.topo.DeleteRule(t.Context(), rules[3].ID))
	_, err = w.manager(t).EnsureTenant(t.Context(), "blue")
	require.NoError(t, err)
	require.Equal(t, was, wording(t, w, n.Inbound, nil))
	rules, err = w.topo.Rules(t.Context(), n.Inbound)
	require.NoError(t, err)
	require.Equal(t, mine.ID, rules[0].ID)
}

func TestAnotherWordingReplacesTheOldRules(t *testing.T) {
	w := newWorld(t)
	with := func(ps ...string) func(*Options) {
		return func(o *Options) {
			for _, p := range ps {
				o.NoNAT = append(o.NoNAT, netip.MustParsePrefix(p))
			}
		}
	}
	_, err := w.manager(t, with("10.96.0.0/12", "192.0.2.0/24")).Attach(t.Context(), request(t, "blue", "c1"))
	require.NoError(t, err)
	m := w.manager(t, with("10.112.0.0/12"))
	_, err = m.Attach(t.Context(), request(t, "blue", "c2"))
	require.NoError(t, err)
	n, err := m.ShowTenant(t.Context(), "blue")
	require.NoError(t, err)
	lines := wording(t, w, n.Outbound, nil)
	require.Len(t, lines, 7)
	require.Equal(t, "accept dst 10.112.0.0/12", lines[5])
	require.Contains(t, lines[6], "snat")
}

func TestWhatCannotBePutIsNamed(t *testing.T) {
	w := newWorld(t)
	m := w.manager(t)
	n, err := m.EnsureTenant(t.Context(), "blue")
	require.NoError(t, err)
	require.NoError(t, w.topo.UpdateRouter(t.Context(), sdn.Router{ID: n.Router, TenantID: "blue", Name: "renamed"}))
	_, err = m.EnsureTenant(t.Context(), "blue")
	require.NoError(t, err)
	r, err := w.topo.Router(t.Context(), n.Router)
	require.NoError(t, err)
	require.Equal(t, n.Inbound, r.InboundFilter, "what was changed by hand is put back")
	require.True(t, r.AdminStateUp)

	require.NoError(t, w.topo.UpdateRouter(t.Context(), sdn.Router{ID: n.Router, TenantID: "red"}))
	_, err = m.EnsureTenant(t.Context(), "blue")
	require.Equal(t, CodeSDNRefused, code(t, err))
	require.ErrorContains(t, err, `another tenantId: red, not blue`)
}

func TestDeleteTenantTakesTheProvidersSideToo(t *testing.T) {
	w := newWorld(t)
	m := w.manager(t)
	_, err := m.EnsureProvider(t.Context())
	require.NoError(t, err)
	before := w.everything(t)
	require.NoError(t, m.DeleteTenant(t.Context(), "blue", false), "there is none")
	_, err = m.ShowTenant(t.Context(), "blue")
	require.ErrorIs(t, err, ErrNoTenant)

	_, err = m.Attach(t.Context(), request(t, "blue", "c1"))
	require.NoError(t, err)
	first, err := m.ShowTenant(t.Context(), "blue")
	require.NoError(t, err)
	require.Equal(t, []ipam.Attachment{attachment("c1")}, first.Attachments)
	err = m.DeleteTenant(t.Context(), "blue", false)
	require.Equal(t, CodeTenantDenied, code(t, err))
	require.ErrorContains(t, err, "c1")
	require.NoError(t, m.DeleteTenant(t.Context(), "blue", true))
	require.Equal(t, before, w.everything(t))
	require.Empty(t, w.pods.pairs)
	ts, err := m.ListTenants(t.Context())
	require.NoError(t, err)
	require.Empty(t, ts)

	second, err := m.EnsureTenant(t.Context(), "blue")
	require.NoError(t, err)
	require.NotEqual(t, first.Router, second.Router)
	require.NotEqual(t, first.Record.Transit, second.Record.Transit)
}

func TestDeletionThatSomebodyBeganIsFinishedByTheNextPod(t *testing.T) {
	w := newWorld(t)
	m := w.manager(t)
	old, err := m.EnsureTenant(t.Context(), "blue")
	require.NoError(t, err)
	size := len(w.everything(t))
	_, err = m.opt.Store.MarkDeleting(t.Context(), old.Record)
	require.NoError(t, err)
	_, err = m.Attach(t.Context(), request(t, "blue", "c1"))
	require.NoError(t, err)
	young, err := m.ShowTenant(t.Context(), "blue")
	require.NoError(t, err)
	require.NotEqual(t, old.Router, young.Router)
	_, err = w.topo.Router(t.Context(), old.Router)
	require.True(t, errors.Is(err, sdn.ErrNotFound))
	require.Len(t, w.everything(t), size+1)
}
