package audit

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/moatnet/moat/ipam"
)

// Kind is what is wrong.
type Kind string

// The kinds of findings.
const (
	HeldWithoutRecord    Kind = "address held without record"
	RecordWithoutAddress Kind = "record without address"
	AddressOfAnother     Kind = "record whose address is another's"
	TwoHolders           Kind = "address of two records"
	UnreadableRecord     Kind = "unreadable record"
	ExpiredReservation   Kind = "expired reservation"
	NoTenant             Kind = "record of a tenant that is not there"
	SlotWithoutTenant    Kind = "slot without tenant"
	TenantWithoutSlot    Kind = "tenant without slot"
	HalfMade             Kind = "attachment left half made"
	NoPort               Kind = "attachment without port"
	OtherPort            Kind = "port bound to something else"
	PortWithoutOwner     Kind = "port without attachment"
	NoInterface          Kind = "attachment without interface"
	OtherInterface       Kind = "interface that differs"
	InterfaceWithoutPort Kind = "interface without attachment"
	PodGone              Kind = "attachment of a pod that is gone"
	HoldingOfGonePod     Kind = "holding of a pod that is gone"
)

// Remedy is what repairs a finding.
type Remedy string

// The remedies.
const (
	ByHand   Remedy = "by hand"   // Hint says how
	ByItself Remedy = "by itself" // the daemon or the engine of the node does it
	FixStore Remedy = "fix"       // Finding.Fix
	DropIt   Remedy = "drop"      // Finding.Fix, when an operator says so
	EndThem  Remedy = "end"       // the reservations whose time is over
	GiveBack Remedy = "give back" // Finding.Holding
	Detach   Remedy = "detach"    // Finding.Record, on its node
	Restore  Remedy = "restore"   // Finding.Record, on its node
	Settle   Remedy = "settle"    // the attachments of a node that are half made, on it
	DropPort Remedy = "drop port" // Finding.Port
)

// Finding is one thing that is wrong.
type Finding struct {
	Kind       Kind             `json:"kind"`
	Scope      ipam.Scope       `json:"scope,omitzero"`
	Address    netip.Addr       `json:"address,omitzero"`
	Attachment *ipam.Attachment `json:"attachment,omitempty"`
	Port       string           `json:"port,omitempty"`
	What       string           `json:"what"`
	Remedy     Remedy           `json:"remedy"`
	Hint       string           `json:"hint,omitempty"` // what an operator can do

	// What the remedy works on, as it was read.
	Fix     ipam.Fix     `json:"-"`
	Record  ipam.Record  `json:"-"`
	Holding ipam.Holding `json:"-"`

	evidence string // the same as long as nothing that it rests on changed
}

// Lasting are the findings of later that are in earlier too, with all that they rest
// on unchanged between: while calls are under way others may come from looking at
// one thing before and at another after a call.
func Lasting(earlier, later []Finding) []Finding {
	seen := make(map[string]bool, len(earlier))
	for _, f := range earlier {
		seen[f.key()] = true
	}
	var out []Finding
	for _, f := range later {
		if seen[f.key()] {
			out = append(out, f)
		}
	}
	return out
}

func (f Finding) key() string {
	at := ""
	if f.Attachment != nil {
		at = f.Attachment.Node + "/" + f.Attachment.String()
	}
	return strings.Join([]string{string(f.Kind), f.Scope.String(), f.Address.String(), at, f.Port, f.evidence}, "\x00")
}

func ofTenant(name string) ipam.Scope { return ipam.Scope{Kind: ipam.TenantScope, Name: name} }
func ofPool(name string) ipam.Scope   { return ipam.Scope{Kind: ipam.PoolScope, Name: name} }

// ofRecord begins a finding about an attachment.
func ofRecord(kind Kind, r ipam.Record, format string, args ...any) Finding {
	a := r.Attachment
	return Finding{Kind: kind, Scope: ofTenant(r.Tenant), Address: r.Address, Attachment: &a, Port: r.Port, Record: r,
		What: fmt.Sprintf(format, args...), evidence: fmt.Sprint(r.Revision)}
}
