package control

import (
	"context"
	"net/netip"
	"time"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/audit"
)

// AddressOperations is the part of Operations about addresses.
type AddressOperations interface {
	// Addresses lists what is held.
	Addresses(ctx context.Context, q AddressQuery) ([]audit.Address, error)
	// Usage tells how much of tenants' subnets and of pools is in use.
	Usage(ctx context.Context) ([]audit.Usage, error)
	// Reserve keeps an address that nobody holds. It is ErrInUse when somebody does.
	Reserve(ctx context.Context, r ReserveRequest) (audit.Address, error)
	// Release ends a reservation. It is ErrInUse for an address that an attachment
	// holds, unless forced and an audit proves that the attachment is gone.
	Release(ctx context.Context, r ReleaseRequest) (Released, error)
	// Audit looks for what does not belong together, and repairs it if asked.
	Audit(ctx context.Context, r AuditRequest) (AuditReport, error)
}

// AddressQuery chooses addresses; what is zero does not matter.
type AddressQuery struct {
	Scope   ipam.Scope
	Node    string
	Address netip.Addr
}

// ReserveRequest asks for a reservation.
type ReserveRequest struct {
	Scope   ipam.Scope
	Address netip.Addr
	For     string        // "NAMESPACE/POD", or "NAMESPACE/KIND/NAME" of an owner; "": nobody
	Note    string        // why
	During  time.Duration // 0: until it is released
}

// ReleaseRequest asks for a reservation's end.
type ReleaseRequest struct {
	Scope   ipam.Scope // zero: the one in which the address is held
	Address netip.Addr
	Force   bool
}

// Released says what Release did.
type Released struct {
	Scope   ipam.Scope `json:"scope"`
	Address netip.Addr `json:"address"`
	// Holder still has the address, and gives it back at its end; nil: it is free.
	Holder *ipam.Attachment `json:"holder,omitempty"`
}

// AuditRequest says how far an audit goes.
type AuditRequest struct {
	Node           bool // pods and interfaces of the daemon's node, too
	Repair         bool
	DropUnreadable bool // with Repair: remove records that cannot be read
}

// AuditReport is what an audit found.
type AuditReport struct {
	Revision int64         `json:"revision"`       // of the store
	Node     string        `json:"node,omitempty"` // that was looked at; "": none
	Findings []AuditResult `json:"findings"`
}

// AuditResult is a finding and what became of it.
type AuditResult struct {
	audit.Finding
	Repaired bool   `json:"repaired,omitempty"`
	Error    string `json:"error,omitempty"` // of the repair
}

// Left counts the findings that were not repaired.
func (r AuditReport) Left() (n int) {
	for _, f := range r.Findings {
		if !f.Repaired {
			n++
		}
	}
	return n
}
