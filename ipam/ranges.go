package ipam

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// Range is a range of addresses that is spoken for.
type Range struct {
	Prefix netip.Prefix
	Key    string // of the configuration that says it
	// Tenant whose own subnet it is; "": it is none.
	Tenant  string
	Overlap bool // it may overlap those of other tenants that say so as well
	Foreign bool // not Moat's: a Service or node network
}

// clash reports whether two ranges that overlap may not.
func (r Range) clash(o Range) bool {
	if r.Foreign && o.Foreign {
		return false
	}
	return r.Tenant == "" || o.Tenant == "" || r.Tenant == o.Tenant || !r.Overlap || !o.Overlap
}

// Conflict is the *ConfigError of a range that may not overlap another, or nil.
func (r Range) Conflict(o Range) error {
	if !r.Prefix.Overlaps(o.Prefix) || !r.clash(o) {
		return nil
	}
	reason := fmt.Sprintf("overlaps %s %s", o.Key, o.Prefix)
	if r.Tenant != "" && o.Tenant != "" && r.Tenant != o.Tenant {
		reason += fmt.Sprintf("; to have that, both tenants say so: %s.overlap and %s.overlap", KeyTenant(r.Tenant), KeyTenant(o.Tenant))
	}
	return &ConfigError{r.Key, r.Prefix.String(), reason}
}

// Beside is the *ConfigError of a configured range that may not stand beside an own
// subnet that a tenant has, or nil. The tenant's own configuration names what it has,
// or nothing that overlaps it.
func (r Range) Beside(has Range) error {
	if r.Tenant != has.Tenant {
		return r.Conflict(has)
	}
	if r.Prefix == has.Prefix || !r.Prefix.Overlaps(has.Prefix) {
		return nil
	}
	return &ConfigError{r.Key, r.Prefix.String(), fmt.Sprintf("tenant %s has %s, which cannot be changed; "+
		"name that, or another subnet beside it, or delete the tenant first", has.Tenant, has.Prefix)}
}

// Fixed lists the ranges of the plan and of n that are no tenant's own.
func (n Networks) Fixed(plan Installation) []Range {
	rs := []Range{{Prefix: plan.Supernet, Key: KeySupernet}, {Prefix: plan.Transit, Key: KeyTransit}}
	for _, p := range n.Pools { // by name: one that only the store has is at no place of the configuration
		rs = append(rs, Range{Prefix: p.Supernet, Key: KeyPools + "." + p.Name + "." + KeySupernet})
	}
	for i, p := range n.Service {
		rs = append(rs, Range{Prefix: p, Key: fmt.Sprintf("%s[%d]", KeyServiceNetworks, i), Foreign: true})
	}
	for i, p := range n.Node {
		rs = append(rs, Range{Prefix: p, Key: fmt.Sprintf("%s[%d]", KeyNodeNetworks, i), Foreign: true})
	}
	return rs
}

// Ranges lists all ranges of the plan and of n.
func (n Networks) Ranges(plan Installation) []Range {
	rs := n.Fixed(plan)
	for _, name := range slices.Sorted(maps.Keys(n.Tenants)) {
		own := n.Tenants[name]
		for i, s := range own.Subnets {
			rs = append(rs, Range{Prefix: s.Prefix, Key: fmt.Sprintf("%s[%d]", KeyOwnSubnets(name), i), Tenant: name, Overlap: own.Overlap})
		}
	}
	return rs
}

// Disjoint returns a *ConfigError for two ranges that overlap and may not; the
// one that comes later in rs is called wrong. Networks of others (Service and
// node networks) may overlap each other.
func Disjoint(rs []Range) error {
	type numbered struct {
		Range
		n int
	}
	sorted := make([]numbered, len(rs))
	for i, r := range rs {
		sorted[i] = numbered{r, i}
	}
	slices.SortStableFunc(sorted, func(a, b numbered) int {
		return cmp.Or(a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()))
	})
	var around []numbered // those that hold the present one: prefixes nest or are apart
	for _, r := range sorted {
		around = slices.DeleteFunc(around, func(o numbered) bool { return !o.Prefix.Overlaps(r.Prefix) })
		for _, o := range around {
			later, earlier := r, o
			if later.n < earlier.n {
				later, earlier = earlier, later
			}
			if err := later.Conflict(earlier.Range); err != nil {
				return err
			}
		}
		around = append(around, r)
	}
	return nil
}
