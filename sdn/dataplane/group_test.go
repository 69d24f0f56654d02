package dataplane_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

// dropping gives a network's router an inbound chain that drops what a condition
// selects.
func (l *lab) dropping(n network, c sdn.Condition) {
	t, ctx := l.t, l.t.Context()
	chain, err := l.topo.CreateChain(ctx, sdn.Chain{TenantID: "red", Name: "drop"})
	require.NoError(t, err)
	_, err = l.topo.CreateRule(ctx, sdn.Rule{Chain: chain.ID, Type: sdn.RuleDrop, Condition: c})
	require.NoError(t, err)
	r, err := l.topo.Router(ctx, n.router)
	require.NoError(t, err)
	r.InboundFilter = chain.ID
	require.NoError(t, l.topo.UpdateRouter(ctx, r))
}

// oneElement waits for the count of what was done just now: a message of
// nftables.
func oneElement(t *testing.T, m *meter) {
	t.Helper()
	done := make(map[string]int)
	eventually(t, func() bool {
		for method, n := range m.taken() {
			done[method] += n
		}
		return len(done) > 0
	})
	require.Equal(t, map[string]int{"SetTables": 1}, done)
}

func TestOneMoreAddressOfAGroupIsOneElement(t *testing.T) {
	l := newLab(t)
	m := l.metered()
	e, _ := l.run(l.config)
	red, blue := l.tenant("red", "10.1.0.1/24"), l.tenant("blue", "10.2.0.1/24")
	p, q := l.pod(e, red, "10.1.0.2/24"), l.pod(e, red, "10.1.0.3/24")
	l.pod(e, blue, "10.2.0.2/24")
	g, err := l.topo.CreateIPAddrGroup(t.Context(), sdn.IPAddrGroup{Name: "blocked"})
	require.NoError(t, err)
	l.dropping(red, sdn.Condition{SrcGroup: g.ID})
	l.settled(e)
	reaches(t, p.ns, red.gateway.Addr())

	m.taken()
	entry := sdn.IPAddrGroupAddr{Group: g.ID, Addr: p.address.Addr()}
	require.NoError(t, l.topo.AddIPAddrGroupAddr(t.Context(), entry))
	eventually(t, func() bool { return !echo(t, p.ns, red.gateway.Addr(), 100*time.Millisecond) })
	oneElement(t, m)
	reaches(t, q.ns, red.gateway.Addr())

	require.NoError(t, l.topo.RemoveIPAddrGroupAddr(t.Context(), entry))
	eventually(t, func() bool { return echo(t, p.ns, red.gateway.Addr(), 100*time.Millisecond) })
	oneElement(t, m)
	require.NoError(t, l.topo.AddIPAddrGroupAddr(t.Context(), sdn.IPAddrGroupAddr{Group: g.ID, Addr: netip.MustParseAddr("2001:db8::1")}))
	l.settled(e)
}

func TestOneMorePortOfAGroupIsOneElement(t *testing.T) {
	l := newLab(t)
	m := l.metered()
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	p := l.pod(e, red, "10.1.0.2/24")
	g, err := l.topo.CreatePortGroup(t.Context(), sdn.PortGroup{TenantID: "red", Name: "blocked"})
	require.NoError(t, err)
	l.dropping(red, sdn.Condition{InPortGroup: g.ID})
	l.settled(e)
	reaches(t, p.ns, red.gateway.Addr())

	m.taken()
	member := sdn.PortGroupPort{Group: g.ID, Port: red.port}
	require.NoError(t, l.topo.AddPortGroupPort(t.Context(), member))
	eventually(t, func() bool { return !echo(t, p.ns, red.gateway.Addr(), 100*time.Millisecond) })
	oneElement(t, m)

	require.NoError(t, l.topo.DeletePortGroup(t.Context(), g.ID))
	eventually(t, func() bool { return echo(t, p.ns, red.gateway.Addr(), 100*time.Millisecond) })
	l.settled(e)
}
