package plan

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"

	"github.com/moatnet/moat/sdn"
)

// A packet takes the route with the longest destination among those whose
// source contains its own. The kernel chooses a table by the source first. So
// each source prefix that a route of the router names has a table with every
// route that packets of that source can take, and the packet goes to the table
// of the longest prefix that it is in.

// maxSources bounds the source prefixes of one router: the kernel goes through
// the rules one by one for each packet, and each has a table with nearly all of
// the router's routes.
const maxSources = 256

// Tables below firstTable and priorities below firstRule are left to others.
const (
	firstTable = 1 << 16
	firstRule  = 1000
)

var anySource = netip.PrefixFrom(netip.IPv4Unspecified(), 0)

func matchesSource(r sdn.Route) bool { return r.Src.IsValid() && r.Src.Bits() > 0 }

// source is a source prefix with the number of its table.
type source struct {
	prefix netip.Prefix
	table  int
}

type sources []source

// sourcesOf numbers the source prefixes that routes name. A prefix keeps its
// number whatever others there are, but for two with the same digest.
func sourcesOf(routes []sdn.Route) sources {
	var prefixes []netip.Prefix
	for _, r := range routes {
		if matchesSource(r) && CheckRoute(r) == nil {
			prefixes = append(prefixes, r.Src.Masked())
		}
	}
	slices.SortFunc(prefixes, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	prefixes = slices.Compact(prefixes)
	out := make(sources, 0, len(prefixes))
	taken := make(map[int]bool, len(prefixes))
	for _, p := range prefixes {
		h := fnv.New32a()
		fmt.Fprint(h, p)
		table := firstTable + int(h.Sum32()>>2)
		for taken[table] {
			table++
		}
		taken[table] = true
		out = append(out, source{prefix: p, table: table})
	}
	return out
}

// rules ask the tables of longer prefixes first. A packet that finds no route in
// its table finds none in those after it, which hold less.
func (s sources) rules() []PolicyRule {
	var out []PolicyRule
	for _, one := range s {
		out = append(out, PolicyRule{
			Src: one.prefix, Table: one.table, Priority: firstRule + one.prefix.Addr().BitLen() - one.prefix.Bits(),
		})
	}
	return out
}

// CheckSource returns an error that wraps sdn.ErrUnsupported when a route would
// give a router, which has the others already, too many source prefixes.
func CheckSource(r sdn.Route, others []sdn.Route) error {
	if !matchesSource(r) {
		return nil
	}
	if n := len(sourcesOf(append(slices.Clone(others), r))); n > maxSources {
		return fmt.Errorf("route %s: srcNetworkAddr %s: a router's routes may name %d source prefixes, not %d: %w",
			r.ID, r.Src, maxSources, n, sdn.ErrUnsupported)
	}
	return nil
}
