package ipam

import (
	"net/netip"
	"regexp"
	"slices"
)

// TenantState is where a tenant's network is in its life.
type TenantState string

// The states of a tenant.
const (
	TenantBuilding TenantState = "building" // objects may be missing; whoever needs them makes them
	TenantReady    TenantState = "ready"
	TenantDeleting TenantState = "deleting" // tombstone: objects may be left, no lease is given
)

// Tenant is the record of one tenant's network, written before its first
// object is made and removed after its last one is gone.
type Tenant struct {
	Schema int         `json:"schema"`
	Name   string      `json:"name"`
	State  TenantState `json:"state"`
	// Generation tells this tenant from an earlier one of the same name. The
	// transaction that creates the record decides it; it is random, so that it
	// does not repeat when a store is lost and the objects are not.
	Generation  string   `json:"generation"`
	Transit     Pair     `json:"transit"`
	TransitSlot int      `json:"transitSlot"`
	Subnets     []Subnet `json:"subnets"`
	// Pool is what Subnets are carved from; "" is DefaultPool, or nothing at all
	// when they are Own: given by the configuration.
	Pool string `json:"pool,omitempty"`
	Own  bool   `json:"own,omitempty"`
	// Overlap says that other tenants may have the same Own subnets: nothing
	// outside the tenant has a route to them.
	Overlap bool  `json:"overlap,omitempty"`
	Built   Built `json:"built"`

	// Revision is the store's revision of the record, for fences; not stored.
	Revision int64 `json:"-"`
}

// Pair are the two ends of the link between provider and tenant router.
type Pair struct {
	Provider netip.Addr `json:"provider"`
	Tenant   netip.Addr `json:"tenant"`
}

// Subnet is a subnet of a tenant with the bridge that it lies on.
type Subnet struct {
	Prefix netip.Prefix `json:"prefix"`
	Slot   int          `json:"slot"` // of its pool; -1: the tenant's own, of none
	Bridge string       `json:"bridge"`
	// Gateway is the address of the router; not valid: the first.
	Gateway netip.Addr `json:"gateway,omitzero"`
	// Exclude are never leased, Reserved only to who asks for one of them.
	Exclude  []netip.Prefix `json:"exclude,omitempty"`
	Reserved []netip.Prefix `json:"reserved,omitempty"`
}

// NoSlot is the slot of a tenant's own subnet.
const NoSlot = -1

// Router is the address of the subnet's gateway.
func (s Subnet) Router() netip.Addr {
	if s.Gateway.IsValid() {
		return s.Gateway
	}
	return Gateway(s.Prefix)
}

// Excludes reports whether an address is never leased by configuration.
func (s Subnet) Excludes(a netip.Addr) bool {
	return slices.ContainsFunc(s.Exclude, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Subnet returns the tenant's subnet with a prefix. One that the record does not
// have is a plain one.
func (t Tenant) Subnet(p netip.Prefix) Subnet {
	for _, s := range t.Subnets {
		if s.Prefix == p {
			return s
		}
	}
	return Subnet{Prefix: p}
}

var namespaceName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// ValidNamespace reports whether a tenant may be called so: as a Kubernetes
// namespace (RFC 1123, label), because the name becomes part of keys and of
// objects' names.
func ValidNamespace(name string) bool { return namespaceName.MatchString(name) }

// Built says what the network was last built as: a digest of the whole plan,
// and the IDs of the objects that another wording replaces.
type Built struct {
	Digest string   `json:"digest,omitempty"`
	Rules  []string `json:"rules,omitempty"`
	Routes []string `json:"routes,omitempty"`
}

// Claim asks for a tenant's record; it is used only by the one whose
// transaction creates it.
type Claim struct {
	Tenant     string
	Generation string
	// Bridge is the ID of the bridge of the subnet that is carved from Pool; ""
	// is DefaultPool.
	Bridge string
	Pool   string
	// Own are subnets with their bridges, in order, instead of one of the pool.
	Own     []Subnet
	Overlap bool // of Own
}
