package plan_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/plan"
)

func TestTooManySourcesAreRefused(t *testing.T) {
	var routes []sdn.Route
	from := func(i int) sdn.Route {
		return sdn.Route{Dst: prefix("0.0.0.0/0"), Src: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i)}), 24)}
	}
	for i := range 256 {
		require.NoError(t, plan.CheckSource(from(i), routes), i)
		routes = append(routes, from(i))
	}
	require.ErrorIs(t, plan.CheckSource(from(256), routes), sdn.ErrUnsupported)
	require.NoError(t, plan.CheckSource(from(7), routes), "a prefix that is named already")
	require.NoError(t, plan.CheckSource(sdn.Route{Dst: prefix("0.0.0.0/0")}, routes), "any source")
}

func TestRoutesBySourcePrintAsTablesAndRules(t *testing.T) {
	topo := handmade(t)
	_, err := topo.CreateRoute(t.Context(), sdn.Route{
		Router: router, Type: sdn.RouteNormal, Src: prefix("10.128.1.0/24"), Dst: prefix("0.0.0.0/0"),
		NextHopPort: gateway, Gateway: netip.MustParseAddr("10.128.0.9"), Weight: 7,
	})
	require.NoError(t, err)
	text := home(t, topo, sdn.DeviceID(router)).String()
	const ns = "ip -n moat-b0000000000 "
	for _, line := range []string{
		ns + "route add 0.0.0.0/0 via 100.64.1.0 dev moatd0000003000 onlink proto 77 metric 0\n",
		ns + "route add 0.0.0.0/0 via 100.64.1.0 dev moatd0000003000 onlink proto 77 metric 0 table 305220476\n",
		ns + "route add 0.0.0.0/0 via 10.128.0.9 dev moatc0000000000 onlink proto 77 metric 7 table 305220476\n",
		ns + "rule add from 10.128.1.0/24 lookup 305220476 priority 1008 protocol 77\n",
	} {
		require.Contains(t, text, line)
	}
	require.NotContains(t, text, "metric 7\n", "the main table has nothing for some sources only")
}

// lookup does what the kernel does with the plan of a router.
func lookup(n plan.Namespace, src, dst netip.Addr) (plan.Route, bool) {
	in := func(table int) (plan.Route, bool) {
		var best plan.Route
		found := false
		for _, r := range n.Routes {
			if r.Table != table || !r.Dst.Contains(dst) {
				continue
			}
			if !found || r.Dst.Bits() > best.Dst.Bits() || r.Dst.Bits() == best.Dst.Bits() && r.Metric < best.Metric {
				best, found = r, true
			}
		}
		return best, found
	}
	for _, rule := range n.Rules {
		if rule.Src.Contains(src) {
			if r, ok := in(rule.Table); ok {
				return r, true
			}
		}
	}
	return in(0)
}

// choose does what MidoNet does with the routes.
func choose(routes []sdn.Route, src, dst netip.Addr) (weight int, found bool) {
	fit := slices.DeleteFunc(slices.Clone(routes), func(r sdn.Route) bool { return !r.Dst.Contains(dst) || !r.Src.Contains(src) })
	if len(fit) == 0 {
		return 0, false
	}
	return slices.MinFunc(fit, func(a, b sdn.Route) int {
		return cmp.Or(cmp.Compare(b.Dst.Bits(), a.Dst.Bits()), cmp.Compare(a.Weight, b.Weight))
	}).Weight, true
}

func TestTablesBySourceChooseAsMidoNetDoes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	address := func() netip.Addr { // few bits differ, so that prefixes nest
		return netip.AddrFrom4([4]byte{10, byte(random.IntN(2)) << 7, byte(random.IntN(4)) << 6, byte(random.IntN(4))})
	}
	some := func() netip.Prefix {
		return netip.PrefixFrom(address(), []int{0, 0, 8, 9, 17, 18, 24, 32}[random.IntN(8)]).Masked()
	}
	for round := range 200 {
		topo := handmade(t)
		all, err := topo.Routes(t.Context(), router)
		require.NoError(t, err)
		for _, r := range all {
			require.NoError(t, topo.DeleteRoute(t.Context(), r.ID))
		}
		var routes []sdn.Route
		for i := range 1 + random.IntN(12) {
			r := sdn.Route{Router: router, Type: sdn.RouteBlackHole, Src: some(), Dst: some(), Weight: i} // the weight names it
			_, err := topo.CreateRoute(t.Context(), r)
			require.NoError(t, err)
			routes = append(routes, r)
		}
		n := home(t, topo, sdn.DeviceID(router))
		for range 50 {
			src, dst := address(), address()
			weight, found := choose(routes, src, dst)
			got, ok := lookup(n, src, dst)
			say := fmt.Sprintf("round %d, from %s to %s", round, src, dst)
			require.Equal(t, found, ok, say)
			require.Equal(t, weight, got.Metric, say)
		}
	}
}
