package audit

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/moatnet/moat/ipam"
)

// late is how long a reservation may outlive its time: they are ended now and then.
const late = time.Minute

// place is an address in its scope.
type place struct {
	scope   ipam.Scope
	address netip.Addr
}

func (p place) String() string { return fmt.Sprintf("%s of %s", p.address, p.scope) }

// claim is an attachment's record or holding that names an address as its own.
type claim struct {
	place
	by       ipam.Ref
	revision int64
}

func (c claim) String() string {
	a := c.by.Attachment
	return fmt.Sprintf("%s of %s on node %s", recordOf(c.by.Kind), a, a.Node)
}

func recordOf(k ipam.RefKind) string {
	if k == ipam.AttachmentRef {
		return "the record"
	}
	return "the " + string(k)
}

// named says whether the record that holds an address is there and names it.
func (c *comparison) named(h ipam.Held) bool {
	if h.By.Kind == ipam.ReservationRef {
		return c.reserved[place{h.Scope, h.Address}]
	}
	return slices.ContainsFunc(c.byPlace[place{h.Scope, h.Address}], func(k claim) bool { return k.by == h.By })
}

// opaque says that an address is held by a record that cannot be read: it is among
// the unreadable, and may well be right.
func (c *comparison) opaque(h ipam.Held) bool {
	read := c.readable[h.By]
	if h.By.Kind == ipam.ReservationRef {
		read = c.named(h)
	}
	return h.By != (ipam.Ref{}) && h.Record != 0 && !read
}

// held looks from the addresses to the records. An address that names nothing is
// among the unreadable.
func (c *comparison) held() {
	for _, h := range c.Held {
		if h.By == (ipam.Ref{}) || c.opaque(h) || c.named(h) {
			continue
		}
		p := place{h.Scope, h.Address}
		if len(c.byPlace[p]) > 0 {
			continue // records says who is to have it
		}
		f := Finding{Kind: HeldWithoutRecord, Scope: h.Scope, Address: h.Address, Remedy: FixStore,
			Hint: "moat ip audit --repair frees the address",
			Fix:  ipam.Fix{Kind: ipam.FreeAddress, Held: h}, evidence: fmt.Sprint(h.Revision, h.Record)}
		what := "which is not there"
		if h.Record != 0 {
			f.Kind, what = AddressOfAnother, "which names another address"
		}
		if h.By.Kind != ipam.ReservationRef {
			a := h.By.Attachment
			f.Attachment = &a
			f.What = fmt.Sprintf("address %s is held by %s of %s on node %s, %s", p, recordOf(h.By.Kind), a, a.Node, what)
		} else {
			f.What = fmt.Sprintf("address %s is held by a reservation, %s", p, what)
		}
		c.add(f)
	}
}

// records looks from the records of attachments to the addresses.
func (c *comparison) records() {
	for _, k := range c.claims {
		all := c.byPlace[k.place]
		h, held := c.at[k.place]
		a := k.by.Attachment
		f := Finding{Scope: k.scope, Address: k.address, Attachment: &a, evidence: fmt.Sprint(k.revision, h.Revision)}
		switch {
		case len(all) > 1:
			f.Kind, f.Remedy = TwoHolders, ByHand
			f.What = fmt.Sprintf("%s names address %s, as %d others do", k, k.place, len(all)-1)
			f.Hint = "delete the pod that came later: " + names(all)
		case held && h.By == k.by:
			continue
		case held && c.opaque(h):
			f.Kind, f.Remedy, f.Hint = AddressOfAnother, ByHand, "see what cannot be read"
			f.What = fmt.Sprintf("%s names address %s, which is held by what cannot be read", k, k.place)
		case held && h.By.Kind == ipam.ReservationRef && c.named(h):
			f.Kind, f.Remedy = AddressOfAnother, ByHand
			f.What = fmt.Sprintf("%s names address %s, which is held by a reservation", k, k.place)
			f.Hint = "delete the pod, or release the reservation: moat ip release " + k.address.String()
		default:
			f.Kind, f.Remedy, f.Hint = RecordWithoutAddress, FixStore, "moat ip audit --repair holds the address for it"
			f.What = fmt.Sprintf("%s names address %s, which is not held for it", k, k.place)
			if !held {
				h = ipam.Held{Scope: k.scope, Address: k.address}
			}
			f.Fix = ipam.Fix{Kind: ipam.HoldAddress, Held: h, By: k.by, ByRevision: k.revision}
		}
		c.add(f)
	}
}

func names(all []claim) string {
	list := make([]string, len(all))
	for i, k := range all {
		list[i] = k.by.Attachment.Node + ":" + k.by.Attachment.String()
	}
	return strings.Join(list, ", ")
}

func (c *comparison) reservations() {
	for _, r := range c.Reservations {
		p := place{r.Scope, r.Address}
		f := Finding{Scope: r.Scope, Address: r.Address, evidence: fmt.Sprint(r.Revision)}
		switch _, held := c.at[p]; {
		case !r.Until.IsZero() && c.facts.Now.Sub(r.Until) > late:
			f.Kind, f.Remedy = ExpiredReservation, EndThem
			f.What = fmt.Sprintf("the reservation of address %s ended at %s", p, r.Until.UTC().Format(time.RFC3339))
			f.Hint = "a running daemon ends it; so does moat ip audit --repair"
		case !held && len(c.byPlace[p]) == 0:
			f.Kind, f.Remedy = RecordWithoutAddress, FixStore
			f.What = fmt.Sprintf("address %s is reserved, but not held", p)
			f.Hint = "moat ip audit --repair holds it"
			f.Fix = ipam.Fix{Kind: ipam.HoldAddress, Held: ipam.Held{Scope: r.Scope, Address: r.Address},
				By: ipam.Ref{Kind: ipam.ReservationRef, Claimant: r.Claimant}, ByRevision: r.Revision}
		default:
			continue
		}
		c.add(f)
	}
}
