package audit

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/moatnet/moat/ipam"
)

// State is what an address is held for.
type State string

// The states of addresses.
const (
	Attached State = "attached" // a pod's, of a tenant
	Adding   State = "adding"   // of a pod that is being attached
	Leased   State = "leased"   // a pod's, of a pool
	Reserved State = "reserved" // kept for somebody, who does not have it now
	Lost     State = "lost"     // held for a record that is not there: see Compare
)

// Address is one that is held, and by whom.
type Address struct {
	Scope      ipam.Scope       `json:"scope"`
	Address    netip.Addr       `json:"address"`
	State      State            `json:"state"`
	Attachment *ipam.Attachment `json:"attachment,omitempty"`
	Namespace  string           `json:"namespace,omitempty"` // of the pod
	Pod        string           `json:"pod,omitempty"`
	PodUID     string           `json:"podUID,omitempty"`
	Since      time.Time        `json:"since,omitzero"`
	Subnet     netip.Prefix     `json:"subnet,omitzero"`
	Gateway    netip.Addr       `json:"gateway,omitzero"`
	MAC        string           `json:"mac,omitempty"`
	Bridge     string           `json:"bridge,omitempty"`
	Port       string           `json:"port,omitempty"`
	Interface  string           `json:"hostInterface,omitempty"`
	Netns      string           `json:"podNetns,omitempty"` // as the runtime called it
	// Reservation is there for who has the address, or comes for it; nil: none.
	Reservation *Reservation `json:"reservation,omitempty"`
}

// Reservation says for whom an address is kept.
type Reservation struct {
	For    string    `json:"for,omitempty"` // "": nobody
	Sticky bool      `json:"sticky,omitempty"`
	Note   string    `json:"note,omitempty"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until,omitzero"`
}

// Addresses lists all that is held, by scope and address.
func Addresses(s ipam.Snapshot) []Address {
	records := make(map[ipam.Attachment]ipam.Record, len(s.Attachments))
	holdings := make(map[ipam.Attachment]ipam.Holding, len(s.Holdings))
	reserved := make(map[place]ipam.Reservation, len(s.Reservations))
	for _, r := range s.Attachments {
		records[r.Attachment] = r
	}
	for _, h := range s.Holdings {
		holdings[h.Attachment] = h
	}
	for _, r := range s.Reservations {
		reserved[place{r.Scope, r.Address}] = r
	}
	list := make([]Address, 0, len(s.Held))
	for _, h := range s.Held {
		a := Address{Scope: h.Scope, Address: h.Address, State: Lost}
		r, kept := reserved[place{h.Scope, h.Address}]
		switch h.By.Kind {
		case ipam.AttachmentRef:
			a.attached(h.By.Attachment, records)
		case ipam.HoldingRef:
			a.leased(h.By.Attachment, holdings)
		case ipam.ReservationRef:
			if kept {
				a.State, a.Since = Reserved, r.Since
			}
		}
		if kept {
			a.Reservation = &Reservation{For: r.Identity, Sticky: r.Sticky, Note: r.Note, Since: r.Since, Until: r.Until}
		}
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b Address) int {
		return cmp.Or(cmp.Compare(a.Scope.Kind, b.Scope.Kind), strings.Compare(a.Scope.Name, b.Scope.Name), a.Address.Compare(b.Address))
	})
	return list
}

func (a *Address) attached(by ipam.Attachment, records map[ipam.Attachment]ipam.Record) {
	a.Attachment = &by
	r, ok := records[by]
	if !ok || r.Address != a.Address {
		return
	}
	a.State = Attached
	if r.State == ipam.Adding {
		a.State = Adding
	}
	a.Namespace, a.Pod, a.PodUID, a.Netns, a.Since = r.PodNamespace, r.PodName, r.PodUID, r.PodNetns, r.At
	a.Subnet, a.Gateway, a.MAC, a.Bridge, a.Port, a.Interface = r.Subnet, r.Gateway, r.PodMAC, r.Bridge, r.Port, r.HostName
}

func (a *Address) leased(by ipam.Attachment, holdings map[ipam.Attachment]ipam.Holding) {
	a.Attachment = &by
	h := holdings[by]
	for _, l := range h.Leases {
		if l.Address.Addr() == a.Address {
			a.State, a.Subnet, a.Gateway = Leased, l.Address.Masked(), l.Gateway
			a.Namespace, a.Pod, a.PodUID, a.Netns, a.Since = h.PodNamespace, h.PodName, h.PodUID, h.PodNetns, h.At
		}
	}
}
