package ipam

import (
	"context"
	"net/netip"
	"time"
)

// Snapshot is all that the store holds at one revision, raw enough for an audit
// to see what does not belong together. What cannot be read is in Unreadable.
type Snapshot struct {
	Revision     int64
	Installation Installation // zero: none is recorded
	Tenants      []Tenant
	Slots        []Slot
	Attachments  []Record  // of all nodes
	Holdings     []Holding // of all nodes
	Reservations []Reservation
	Held         []Held // addresses of tenants and pools
	Freed        []Freed
	Unreadable   []Unreadable
}

// Slot is a slot of a pool from which tenants get their subnets or transit pairs.
type Slot struct {
	Pool       string // "subnet", "transit" or another pool's name
	Number     int
	Tenant     string // "": nobody has it
	Generation string
	FreedAt    *time.Time // when it was given back; nil: somebody has it
	Revision   int64
}

// RefKind says what kind of record an address names.
type RefKind string

// The kinds of records that hold addresses.
const (
	AttachmentRef  RefKind = "attachment"
	HoldingRef     RefKind = "holding"
	ReservationRef RefKind = "reservation"
)

// Ref names the record that holds an address. The zero Ref names none.
type Ref struct {
	Kind RefKind
	// Attachment is whose record or holding it is.
	Attachment Attachment
	// Claimant is whose reservation of the address it is.
	Claimant Claimant
}

// Held is a held address: what keeps it from being leased again.
type Held struct {
	Scope   Scope
	Address netip.Addr
	// By is the record that has the address, in the store's words Value; the zero
	// Ref when this version cannot read them.
	By    Ref
	Value string
	// Revision is that of the held address; 0 in a Fix: it was not held.
	Revision int64
	// Record is the revision of the record that By names; 0: there is none. It may
	// name another address.
	Record int64
}

// Freed says when an address was given back.
type Freed struct {
	Scope    Scope
	Address  netip.Addr
	At       time.Time
	Revision int64
}

// Unreadable is what this version cannot read.
type Unreadable struct {
	Key      string
	Revision int64
	Reason   string
}

// FixKind is what a Fix does.
type FixKind string

// The kinds of fixes.
const (
	// FreeAddress frees Held: the record that it names is not there, or names
	// another address.
	FreeAddress FixKind = "free address"
	// HoldAddress has Held held by By: a record that names the address, which is
	// not held, or by something that FreeAddress would free.
	HoldAddress FixKind = "hold address"
	// DropUnreadable removes Unreadable.
	DropUnreadable FixKind = "drop unreadable"
)

// Fix is one repair. It is done only if all it relies on is as in the snapshot.
type Fix struct {
	Kind       FixKind
	Held       Held
	By         Ref
	ByRevision int64 // of the record that By names
	Unreadable Unreadable
}

// Auditable is a store that shows all it holds and lets itself be repaired.
type Auditable interface {
	// Snapshot reads all there is, at one revision. It takes long in a large
	// installation; meanwhile everything goes on.
	Snapshot(ctx context.Context) (Snapshot, error)
	// Repair does f. It looks itself whether f is right, so that an address that a
	// record has and names is never freed. Errors: ErrStale when something is not as
	// in the snapshot any more, ErrInvalid for what is no repair.
	Repair(ctx context.Context, f Fix) error
}
