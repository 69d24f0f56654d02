package audit

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/moatnet/moat/ipam"
)

// Compare lists what does not belong together, ordered by kind, scope, address and
// attachment. A single look may err about what is being made or unmade at the time;
// see Lasting.
func Compare(s ipam.Snapshot, f Facts) []Finding {
	c := newComparison(s, f)
	c.held()
	c.records()
	c.reservations()
	c.tenants()
	c.unreadable()
	c.halfMade()
	c.ports()
	c.node()
	slices.SortStableFunc(c.found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Scope.String(), b.Scope.String()), a.Address.Compare(b.Address),
			cmp.Compare(a.key(), b.key()))
	})
	return c.found
}

// comparison is a snapshot, indexed, with what was found in it.
type comparison struct {
	ipam.Snapshot
	facts    Facts
	claims   []claim
	byPlace  map[place][]claim
	at       map[place]ipam.Held
	reserved map[place]bool
	readable map[ipam.Ref]bool // attachments and holdings
	ofPort   map[string]ipam.Record
	bridges  map[string]string // tenants, by ID
	found    []Finding
}

func newComparison(s ipam.Snapshot, f Facts) *comparison {
	c := &comparison{Snapshot: s, facts: f, byPlace: map[place][]claim{}, at: map[place]ipam.Held{},
		reserved: map[place]bool{}, readable: map[ipam.Ref]bool{}, ofPort: map[string]ipam.Record{}, bridges: map[string]string{}}
	for _, r := range s.Attachments {
		c.ofPort[r.Port] = r
		by := ipam.Ref{Kind: ipam.AttachmentRef, Attachment: r.Attachment}
		c.readable[by] = true
		if r.Address.IsValid() { // else it is entered, and waits for one
			c.claim(claim{place: place{ofTenant(r.Tenant), r.Address}, by: by, revision: r.Revision})
		}
	}
	for _, h := range s.Holdings {
		by := ipam.Ref{Kind: ipam.HoldingRef, Attachment: h.Attachment}
		c.readable[by] = true
		for _, l := range h.Leases {
			c.claim(claim{place: place{ofPool(h.Pool), l.Address.Addr()}, by: by, revision: h.Revision})
		}
	}
	for _, h := range s.Held {
		c.at[place{h.Scope, h.Address}] = h
	}
	for _, r := range s.Reservations {
		c.reserved[place{r.Scope, r.Address}] = true
	}
	for _, t := range s.Tenants {
		for _, sub := range t.Subnets {
			c.bridges[sub.Bridge] = t.Name
		}
	}
	return c
}

func (c *comparison) claim(k claim) {
	c.claims = append(c.claims, k)
	c.byPlace[k.place] = append(c.byPlace[k.place], k)
}

func (c *comparison) add(f Finding) { c.found = append(c.found, f) }

func (c *comparison) unreadable() {
	for _, u := range c.Unreadable {
		c.add(Finding{Kind: UnreadableRecord, What: fmt.Sprintf("key %s: %s", u.Key, u.Reason), Remedy: DropIt,
			Hint: "was it written by another version of Moat? if not: moat ip audit --repair --drop-unreadable removes it",
			Fix:  ipam.Fix{Kind: ipam.DropUnreadable, Unreadable: u}, evidence: fmt.Sprint(u.Key, u.Revision)})
	}
}
