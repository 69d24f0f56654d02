package ipam

import (
	"context"
	"net/netip"
	"time"
)

// Store keeps all of it. Each method that changes something is one transaction
// (a few more when others are faster); it returns within ctx's deadline, with
// ErrUnavailable when the store did not answer.
type Store interface {
	TenantStore
	AttachmentStore

	// EnsureInstallation records the address plan, or compares it with the one
	// that is recorded; a difference is a *ConfigError. want.ID is used only by
	// the first. It comes before all other calls.
	EnsureInstallation(ctx context.Context, want Installation) (Installation, error)
	// StateNetworks records what a configuration says, or leaves what is recorded
	// when that is the same, and returns what holds now: want, and recorded pools
	// that are in use. Errors: *ConfigError for what overlaps a tenant's own
	// subnet, or changes a pool that is in use.
	StateNetworks(ctx context.Context, want Networks) (Networks, error)
	// Networks returns what is recorded, the zero value where nothing is.
	Networks(ctx context.Context) (Networks, error)
	// Ping returns nil when the store answers.
	Ping(ctx context.Context) error
}

// TenantStore is the part of Store about tenants.
type TenantStore interface {
	// ClaimTenant returns the tenant's record, made with a subnet and a transit
	// pair of its own if there was none: the slots that its name hashes to,
	// else the next free ones. All who claim at once get the same record, whatever
	// pool or subnets they claim. Errors: ErrExhausted; *ConfigError for own subnets
	// that overlap what they may not, and for a pool that is not recorded.
	ClaimTenant(ctx context.Context, c Claim) (Tenant, error)
	// Tenant returns a record. Errors: ErrNotFound.
	Tenant(ctx context.Context, name string) (Tenant, error)
	// Tenants lists all records ordered by name.
	Tenants(ctx context.Context) ([]Tenant, error)
	// AddSubnet gives t a further subnet of its pool on the bridge and puts it back
	// into TenantBuilding. Errors: ErrStale, ErrExhausted.
	AddSubnet(ctx context.Context, t Tenant, bridge string) (Tenant, error)
	// AddOwnSubnet is AddSubnet for a tenant whose subnets are its own. Errors:
	// ErrStale; *ConfigError for one that overlaps what it may not.
	AddOwnSubnet(ctx context.Context, t Tenant, s Subnet) (Tenant, error)
	// MarkReady records that t was built as b. If another did so already it
	// returns that record. Errors: ErrStale.
	MarkReady(ctx context.Context, t Tenant, b Built) (Tenant, error)
	// MarkDeleting makes the record a tombstone: no lease is given any more.
	// Errors: ErrStale; ErrInUse while an address is leased.
	MarkDeleting(ctx context.Context, t Tenant) (Tenant, error)
	// DropTenant removes a tombstone and hands its slots back, which are free
	// again after a cool-down. Repeated, it succeeds.
	DropTenant(ctx context.Context, t Tenant) error
}

// AttachmentStore is the part of Store about attachments and their leases.
type AttachmentStore interface {
	// Lease records r, in state Adding, with the next free address of r.Subnet
	// or with r.Address if that is set; an empty r.PodMAC becomes MAC(address), a
	// zero r.Gateway the subnet's.
	// t is the tenant's record that r was planned from. Errors: *ExistsError
	// when the attachment has a record; ErrStale when t is not current;
	// *AddressInUseError; *ExhaustedError; ErrInvalid for an address that no
	// pod may have. A rider goes with the lease, if the store can carry it.
	Lease(ctx context.Context, t Tenant, r Record, with ...Rider) (Record, error)
	// Enter records r, in state Adding, without an address: somebody else names it
	// when the interface is there, and Assign leases it. A record without an address
	// is no lease: its tenant may be deleted. Errors: *ExistsError, ErrStale.
	Enter(ctx context.Context, t Tenant, r Record) (Record, error)
	// Assign leases a to a record as Enter returned it, by t's record. Errors:
	// *AddressInUseError; ErrInvalid for an address that no pod may have; ErrStale
	// when r or t is not current.
	Assign(ctx context.Context, t Tenant, r Record, a netip.Addr) (Record, error)
	// TakeOver makes owner the owner of r. Errors: ErrStale, ErrNotFound.
	TakeOver(ctx context.Context, r Record, owner string, deadline time.Time) (Record, error)
	// Confirm turns records from Adding to Added, each as given, in one
	// transaction; one that changed or went meanwhile is left alone.
	Confirm(ctx context.Context, rs []Record) error
	// Release ends r and its lease. It succeeds when r has ended already, and
	// leaves alone a later record of the same attachment.
	Release(ctx context.Context, r Record) error
	// Attachment returns a record. Errors: ErrNotFound.
	Attachment(ctx context.Context, a Attachment) (Record, error)
	// Attachments lists a node's records, of one network unless network is "".
	Attachments(ctx context.Context, node, network string) ([]Record, error)
	// TenantAttachments lists the attachments that hold an address of a tenant.
	TenantAttachments(ctx context.Context, tenant string) ([]Attachment, error)
}

// Rider is a write to something else that is kept in the same etcd, made by the
// transaction that makes a lease: one durable write instead of two, and never
// the one without the other. Its own conditions decide on it alone. A store that
// is not that etcd, or does not say that it carried a rider, has not.
type Rider interface {
	// Op is the write as one operation in the store's terms, a clientv3.Op, beside
	// r as it is to be stored. A lease whose address is lost to another is tried
	// with the next one, and asks again.
	Op(r Record) any
	// Carried hears that the transaction took place, at a revision of the store,
	// and what the store says of Op: a *etcdserverpb.ResponseOp.
	Carried(revision int64, answer any)
}
