package ipam

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// ScopeKind says what an address is unique in.
type ScopeKind string

// The kinds of scopes.
const (
	TenantScope ScopeKind = "tenant" // a tenant's subnets
	PoolScope   ScopeKind = "pool"   // a pool of the IPAM plugin
)

// Scope is what an address is unique in.
type Scope struct {
	Kind ScopeKind `json:"kind"`
	Name string    `json:"name"`
}

func (s Scope) String() string { return string(s.Kind) + " " + s.Name }

// Sticky keeps an attachment's addresses for whoever it belongs to, beyond its end.
type Sticky struct {
	// Identity is whose the addresses are: "NAMESPACE/POD", or
	// "NAMESPACE/KIND/NAME" of a pod's owner.
	Identity string `json:"identity"`
	// For is how long they are kept after the attachment's end.
	For time.Duration `json:"for"`
	// Shared: several attachments may have the identity at once, each with
	// addresses of its own. Without it the second one is refused while the first
	// holds them.
	Shared bool `json:"shared,omitempty"`
}

// Claimant is who gets a reserved address: a pod, or one that takes its place.
type Claimant struct {
	// Identity as in Sticky; "": nobody gets the address, until it is released.
	Identity string `json:"identity,omitempty"`
	// IfName is the pod's interface that has the address; "": any. A pod with two
	// interfaces gets for each the address that it had.
	IfName string `json:"ifName,omitempty"`
}

// Reservation keeps an address from being leased to anybody but its claimant. One
// value in the store, beside the key that holds the address.
type Reservation struct {
	Schema  int        `json:"schema"`
	Scope   Scope      `json:"scope"`
	Address netip.Addr `json:"address"`
	Claimant
	// Sticky says that the address is kept for an attachment that was sticky; else
	// an operator reserved it.
	Sticky bool      `json:"sticky,omitempty"`
	Note   string    `json:"note,omitempty"` // at most MaxNote bytes, printable
	Since  time.Time `json:"since"`
	// Until is when it ends by itself; zero: when it is released. That of a sticky
	// address is zero while an attachment holds it.
	Until time.Time `json:"until,omitzero"`
	// Holder is the attachment that has the address now; nil: none. Not stored.
	Holder *Attachment `json:"holder,omitempty"`

	// Revision is the store's revision of the record, for fences; not stored.
	Revision int64 `json:"-"`
}

// MaxNote is how many bytes a reservation's note may have.
const MaxNote = 200

// ReservedError answers a request for an address that is kept for somebody else.
type ReservedError struct{ Reservation Reservation }

func (e *ReservedError) Error() string {
	r := e.Reservation
	text := fmt.Sprintf("address %s is reserved", r.Address)
	if r.Identity != "" {
		text += " for " + r.Identity
	}
	if !r.Until.IsZero() {
		text += " until " + r.Until.UTC().Format(time.RFC3339)
	}
	if r.Note != "" {
		text += fmt.Sprintf(" (%s)", r.Note)
	}
	return text
}

// ReservationStore keeps reservations, of tenants and pools alike.
type ReservationStore interface {
	// Reserve keeps an address that nobody holds. Errors: *AddressInUseError,
	// *ReservedError, ErrInvalid, ErrNotFound for a tenant that is not there.
	Reserve(ctx context.Context, r Reservation) (Reservation, error)
	// Unreserve ends a reservation as it was read. An address that an attachment
	// holds stays its own; it is not kept when that ends. Errors: ErrStale.
	Unreserve(ctx context.Context, r Reservation) error
	// Reservation returns one. Errors: ErrNotFound.
	Reservation(ctx context.Context, s Scope, a netip.Addr) (Reservation, error)
	// Reservations lists those of a scope by address, or all for the zero Scope.
	Reservations(ctx context.Context, s Scope) ([]Reservation, error)
	// EndReservations ends those whose time is over, and says how many.
	EndReservations(ctx context.Context) (int, error)
}
