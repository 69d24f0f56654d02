package audit

import (
	"fmt"

	"github.com/moatnet/moat/ipam"
)

// The pools of slots, as a snapshot names them: of the supernet, of the transit pool,
// and of other pools with their names behind.
const (
	subnetPool  = "subnet"
	transitPool = "transit"
	namedPool   = "pool/"
)

// slot is one slot of a pool.
type slot struct {
	pool   string
	number int
}

// slotsOf are those that a tenant's record names.
func slotsOf(t ipam.Tenant) []slot {
	pool := subnetPool
	if t.Pool != "" && t.Pool != ipam.DefaultPool {
		pool = namedPool + t.Pool
	}
	slots := []slot{{transitPool, t.TransitSlot}}
	for _, s := range t.Subnets {
		if s.Slot != ipam.NoSlot {
			slots = append(slots, slot{pool, s.Slot})
		}
	}
	return slots
}

// tenants compares tenants with their slots and with what names them.
func (c *comparison) tenants() {
	known := make(map[string]ipam.Tenant, len(c.Tenants))
	taken := make(map[slot]ipam.Slot, len(c.Slots))
	for _, t := range c.Tenants {
		known[t.Name] = t
	}
	for _, s := range c.Slots {
		if s.FreedAt == nil {
			taken[slot{s.Pool, s.Number}] = s
		}
	}
	for _, t := range c.Tenants {
		for _, named := range slotsOf(t) {
			s, ok := taken[named]
			what := "which nobody has"
			switch {
			case ok && s.Tenant == t.Name:
				delete(taken, named)
				if s.Generation == t.Generation {
					continue
				}
				what = "which an earlier tenant of that name has"
			case ok:
				what = "which tenant " + s.Tenant + " has"
			}
			c.add(Finding{Kind: TenantWithoutSlot, Scope: ofTenant(t.Name), Remedy: ByHand,
				What: fmt.Sprintf("tenant %s names slot %d of pool %s, %s", t.Name, named.number, named.pool, what),
				Hint: "move its pods elsewhere, then: moat tenant delete " + t.Name, evidence: fmt.Sprint(t.Revision, s.Revision, named)})
		}
	}
	for named, s := range taken {
		c.add(Finding{Kind: SlotWithoutTenant, Scope: ofTenant(s.Tenant), Remedy: ByHand,
			What: fmt.Sprintf("slot %d of pool %s is kept for tenant %s, which does not name it", named.number, named.pool, s.Tenant),
			Hint: "nothing but the slot is lost", evidence: fmt.Sprint(s.Revision, named)})
	}
	c.strays(known)
}

// strays are attachments and reservations of tenants that are not there.
func (c *comparison) strays(known map[string]ipam.Tenant) {
	for _, r := range c.Attachments {
		if t, ok := known[r.Tenant]; !ok || t.Generation != r.Generation {
			f := ofRecord(NoTenant, r, "attachment %s on node %s is of tenant %s (generation %s), which is not there", r.Attachment, r.Node, r.Tenant, r.Generation)
			f.Remedy, f.Hint = ByHand, "delete the pod"
			c.add(f)
		}
	}
	for _, r := range c.Reservations {
		if _, ok := known[r.Scope.Name]; !ok && r.Scope.Kind == ipam.TenantScope {
			c.add(Finding{Kind: NoTenant, Scope: r.Scope, Address: r.Address, Remedy: ByHand, evidence: fmt.Sprint(r.Revision),
				What: fmt.Sprintf("address %s is reserved in %s, which is not there", r.Address, r.Scope),
				Hint: fmt.Sprintf("moat ip release %s --tenant %s", r.Address, r.Scope.Name)})
		}
	}
}
