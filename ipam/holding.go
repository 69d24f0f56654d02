package ipam

import (
	"context"
	"net/netip"
	"time"
)

// Holding is what an attachment holds of a pool: the addresses of an interface
// that another plugin makes. One value in the store.
type Holding struct {
	Schema int `json:"schema"`
	Attachment
	Pool   string      `json:"pool"`
	Leases []PoolLease `json:"leases"` // one of each set of the pool

	// Sticky keeps the addresses beyond the attachment's end; nil: it does not.
	Sticky *Sticky `json:"sticky,omitempty"`

	PodNamespace string `json:"podNamespace,omitempty"`
	PodName      string `json:"podName,omitempty"`
	PodUID       string `json:"podUID,omitempty"`
	PodNetns     string `json:"podNetns,omitempty"` // as the runtime called it
	// PodInode is the inode of the pod's namespace in the boot BootID; 0: the
	// node cannot see what PodNetns names, and so not when it is gone.
	PodInode uint64    `json:"podInode,omitempty"`
	BootID   string    `json:"bootID,omitempty"`
	At       time.Time `json:"at"`

	// Revision is the store's revision of the record, for fences; not stored.
	Revision int64 `json:"-"`
	// Made says, in what Hold returns, that this call made it, and no earlier one;
	// not stored.
	Made bool `json:"-"`
}

// PoolLease is an address with its subnet's length, and its gateway.
type PoolLease struct {
	Address netip.Prefix `json:"address"`
	Gateway netip.Addr   `json:"gateway"`
	// Reserved is whose reservation the address has, to which it goes back; nil:
	// it has none. The store sets it.
	Reserved *Claimant `json:"reserved,omitempty"`
}

// Set is a part of a pool from which an attachment gets one address; package
// pool makes them. Places are numbered from 0 on.
type Set interface {
	Len() int
	At(place int) netip.Addr
	Place(a netip.Addr) (int, bool)
	// Lease says what comes with an address; false: it is not to be leased.
	Lease(a netip.Addr) (PoolLease, bool)
	// String is the same for sets that are the same.
	String() string
}

// PoolStore keeps what attachments hold of pools. As for Store, each method that
// changes something is one transaction, or a few more when others are faster.
type PoolStore interface {
	// Hold records h with an address of each set. An attachment that holds
	// something already keeps it; it is returned as it is. Errors:
	// *AddressInUseError, *ExhaustedError, ErrInvalid for an asked address that no
	// set has.
	Hold(ctx context.Context, h Holding, w Wish) (Holding, error)
	// Holding returns what an attachment holds. Errors: ErrNotFound.
	Holding(ctx context.Context, a Attachment) (Holding, error)
	// Holdings lists those of a node, of one network unless network is "".
	Holdings(ctx context.Context, node, network string) ([]Holding, error)
	// GiveBack ends a holding as it was read; one that has ended, or that was
	// made anew since, is left alone.
	GiveBack(ctx context.Context, h Holding) error
	// Ping returns nil when the store answers.
	Ping(ctx context.Context) error
}

// Wish says what Hold is to choose from.
type Wish struct {
	Sets []Set
	// Asked are addresses that the attachment wants: of each set the first that
	// is in it. For other sets the next free address is taken.
	Asked []netip.Addr
	// CoolDown is how long an address that was given back is passed over while
	// others are free; 0: not at all.
	CoolDown time.Duration
}
