package ipam

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// Kept says, in a sentence each, what tenants keep although the configuration says
// otherwise by now: a tenant keeps what it was made with. What namespaces.default
// says is for tenants to come, and is not compared.
func (n Networks) Kept(tenants []Tenant) (list []string) {
	for _, t := range tenants {
		own, isOwn := n.Tenants[t.Name]
		pool, mapped := n.Namespaces.Pools[t.Name]
		switch {
		case t.State == TenantDeleting:
		case t.Own && isOwn:
			list = append(list, own.kept(t)...)
		case t.Own:
			list = append(list, fmt.Sprintf("%s: is not given; tenant %s keeps %s until it is deleted", KeyOwnSubnets(t.Name), t.Name, prefixesOf(t.Subnets)))
		case isOwn:
			list = append(list, fmt.Sprintf("%s: tenant %s has subnets of pool %s and keeps them until it is deleted", KeyOwnSubnets(t.Name), t.Name, poolName(t.Pool)))
		case mapped && poolName(pool) != poolName(t.Pool):
			list = append(list, fmt.Sprintf("%s.%s: %s: tenant %s has subnets of pool %s and keeps them until it is deleted",
				KeyNamespacePools, t.Name, pool, t.Name, poolName(t.Pool)))
		}
	}
	return list
}

// kept is Kept of a tenant that has own subnets and is to have them.
func (o OwnSubnets) kept(t Tenant) (list []string) {
	if o.Overlap != t.Overlap {
		list = append(list, fmt.Sprintf("%s.overlap: %t: tenant %s was made with %t and keeps that until it is deleted", KeyTenant(t.Name), o.Overlap, t.Name, t.Overlap))
	}
	wanted := map[netip.Prefix]bool{}
	for i, s := range o.Subnets {
		wanted[s.Prefix] = true
		if has := t.Subnet(s.Prefix); has.Bridge != "" && !has.leasesAs(s) {
			list = append(list, fmt.Sprintf("%s[%d]: %s: tenant %s has it with gateway %s, exclude %s and reserved %s, and keeps that until it is deleted",
				KeyOwnSubnets(t.Name), i, s.Prefix, t.Name, has.Router(), has.Exclude, has.Reserved))
		}
	}
	for _, s := range t.Subnets {
		if !wanted[s.Prefix] {
			list = append(list, fmt.Sprintf("%s: names no %s; tenant %s keeps it until it is deleted", KeyOwnSubnets(t.Name), s.Prefix, t.Name))
		}
	}
	return list
}

// leasesAs says whether two subnets of one prefix are leased alike.
func (s Subnet) leasesAs(o Subnet) bool {
	return s.Router() == o.Router() && sameSet(s.Exclude, o.Exclude) && sameSet(s.Reserved, o.Reserved)
}

func sameSet(a, b []netip.Prefix) bool {
	set := func(ps []netip.Prefix) map[netip.Prefix]bool {
		m := map[netip.Prefix]bool{}
		for _, p := range ps {
			m[p] = true
		}
		return m
	}
	return maps.Equal(set(a), set(b))
}

func prefixesOf(subnets []Subnet) []netip.Prefix {
	ps := make([]netip.Prefix, len(subnets))
	for i, s := range subnets {
		ps[i] = s.Prefix
	}
	slices.SortFunc(ps, netip.Prefix.Compare)
	return ps
}

func poolName(name string) string {
	if name == "" {
		return DefaultPool
	}
	return name
}
