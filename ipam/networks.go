package ipam

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
)

// Configuration keys of Networks, as errors name them.
const (
	KeyPools           = "pools"
	KeyAutoAssign      = "namespaces.autoAssign"
	KeyDefaultPool     = "namespaces.default"
	KeyNamespacePools  = "namespaces.pools"
	KeyServiceNetworks = "serviceNetworks"
	KeyNodeNetworks    = "nodeNetworks"
)

// KeyTenant is the configuration key of a tenant's entry.
func KeyTenant(name string) string { return "tenants." + name }

// KeyOwnSubnets is the configuration key of a tenant's own subnets.
func KeyOwnSubnets(tenant string) string { return KeyTenant(tenant) + ".subnets" }

// DefaultPool is the name of the pool that the Installation says: its supernet.
const DefaultPool = "default"

// Networks is what a configuration says of address ranges beside the
// Installation's plan. Unlike that it may change; the zero value is one that
// says nothing: all tenants' subnets are carved from the supernet.
type Networks struct {
	Schema int `json:"schema"`
	// Pools are further supernets. One from which a subnet was ever carved does
	// not change any more.
	Pools      []TenantPool `json:"pools,omitempty"`
	Namespaces Namespaces   `json:"namespaces,omitzero"`
	// Service and Node are networks of others, which nothing of Moat's overlaps.
	Service []netip.Prefix `json:"serviceNetworks,omitempty"`
	Node    []netip.Prefix `json:"nodeNetworks,omitempty"`
	// Tenants are those that have subnets of their own, by name.
	Tenants map[string]OwnSubnets `json:"tenants,omitempty"`
}

// TenantPool is what tenants' subnets are carved from.
type TenantPool struct {
	Name         string       `json:"name"`
	Supernet     netip.Prefix `json:"supernet"`
	SubnetLength int          `json:"tenantPrefix"` // prefix length of one tenant subnet
}

// Namespaces says which pool a tenant's subnets are carved from.
type Namespaces struct {
	// MappedOnly refuses namespaces that Pools does not name and that have no own
	// subnets. Without it they get Default.
	MappedOnly bool              `json:"mappedOnly,omitempty"`
	Default    string            `json:"default,omitempty"` // "" is DefaultPool
	Pools      map[string]string `json:"pools,omitempty"`   // by namespace
}

// OwnSubnets are a tenant's, given by the configuration instead of carved.
type OwnSubnets struct {
	Subnets []Subnet `json:"subnets"` // in order; slots and bridges are not set
	// Overlap lets them overlap those of other tenants that say so as well. What
	// may overlap is reached by nobody from outside the tenant.
	Overlap bool `json:"overlap,omitempty"`
}

// Assignment says where a tenant's subnets come from: Own, or else the pool.
type Assignment struct {
	Pool string
	Own  OwnSubnets
}

// UnassignedError says that a namespace has no pool, and gets none by itself.
type UnassignedError struct{ Namespace string }

func (e *UnassignedError) Error() string {
	return fmt.Sprintf("namespace %s has no pool: %s is false, and neither %s nor %s names it",
		e.Namespace, KeyAutoAssign, KeyNamespacePools, KeyOwnSubnets(e.Namespace))
}

// Silent reports whether nothing is said.
func (n Networks) Silent() bool {
	n.Schema = 0
	return reflect.DeepEqual(n, Networks{})
}

// Assign says where the subnets of a tenant come from that is made now. Errors:
// *UnassignedError.
func (n Networks) Assign(tenant string) (Assignment, error) {
	if own, ok := n.Tenants[tenant]; ok {
		return Assignment{Own: own}, nil
	}
	if pool, ok := n.Namespaces.Pools[tenant]; ok {
		return Assignment{Pool: pool}, nil
	}
	if n.Namespaces.MappedOnly {
		return Assignment{}, &UnassignedError{tenant}
	}
	if n.Namespaces.Default == "" {
		return Assignment{Pool: DefaultPool}, nil
	}
	return Assignment{Pool: n.Namespaces.Default}, nil
}

// Pool returns a pool by name, the plan's own for DefaultPool or "".
func (n Networks) Pool(plan Installation, name string) (TenantPool, bool) {
	if name == "" || name == DefaultPool {
		return plan.DefaultPool(), true
	}
	i := slices.IndexFunc(n.Pools, func(p TenantPool) bool { return p.Name == name })
	if i < 0 {
		return TenantPool{}, false
	}
	return n.Pools[i], true
}

// Routed lists the tenants' ranges that are reached by their own addresses: of
// all pools, and the own subnets that may not overlap.
func (n Networks) Routed(plan Installation) []netip.Prefix {
	ps := n.Supernets(plan)
	for _, name := range slices.Sorted(maps.Keys(n.Tenants)) {
		for _, s := range n.Tenants[name].Subnets {
			if !n.Tenants[name].Overlap {
				ps = append(ps, s.Prefix)
			}
		}
	}
	return ps
}

// Supernets lists those of all pools, the plan's first.
func (n Networks) Supernets(plan Installation) []netip.Prefix {
	ps := []netip.Prefix{plan.Supernet}
	for _, p := range n.Pools {
		ps = append(ps, p.Supernet)
	}
	return ps
}

// Subnets is how many tenant subnets the pool holds.
func (p TenantPool) Subnets() int { return 1 << (p.SubnetLength - p.Supernet.Bits()) }

// Subnet is the tenant subnet of a slot, from 0 on.
func (p TenantPool) Subnet(slot int) netip.Prefix {
	return netip.PrefixFrom(Nth(p.Supernet, slot<<(32-p.SubnetLength)), p.SubnetLength)
}
