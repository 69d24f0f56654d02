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

	PodNamespace string    `json:"podNamespace,omitempty"`
	PodName      string    `json:"podName,omitempty"`
	PodUID       string    `json:"podUID,omitempty"`
	PodNetns     string    `json:"podNetns,omitempty"` // as the runtime called it
	At           time.Time `json:"at"`

	// Revision is the store's revision of the record, for fences; not stored.
	Revision int64 `json:"-"`
}

// PoolLease is an address with its subnet's length, and its gateway.
type PoolLease struct {
	Address netip.Prefix `json:"address"`
	Gateway netip.Addr   `json:"gateway"`
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
	// Hold records h with an address of each set: the one of asked that is in
	// it, or else the next free one. An attachment that holds something already
	// keeps it; it is returned as it is. Errors: *AddressInUseError,
	// *ExhaustedError, ErrInvalid for an asked address that no set has.
	Hold(ctx context.Context, h Holding, sets []Set, asked []netip.Addr) (Holding, error)
	// Holding returns what an attachment holds. Errors: ErrNotFound.
	Holding(ctx context.Context, a Attachment) (Holding, error)
	// Holdings lists those of a node, of one network unless network is "".
	Holdings(ctx context.Context, node, network string) ([]Holding, error)
	// GiveBack ends a holding as it was read; one that has ended, or that was
	// made anew since, is left alone.
	GiveBack(ctx context.Context, h Holding) error
}
