package ipam

import "net/netip"

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
	Built       Built    `json:"built"`

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
	Slot   int          `json:"slot"`
	Bridge string       `json:"bridge"`
}

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
	Bridge     string // ID of the default bridge
}
