package tenant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/queue"
	"github.com/moatnet/moat/sdn"
)

// Uplink is a real interface that the provider router has instead of a veth
// pair to the host.
type Uplink struct {
	Interface string       // on the host
	Address   netip.Prefix // of the provider router on it
	Gateway   netip.Addr   // next hop to the outside
}

// Options of a Manager. API, Store, Engine, Pods and Node are required, and Host
// to attach pods.
type Options struct {
	API   sdn.API
	Store ipam.Store
	// Source is the picture of an SDN in this process; nil: the API is asked what
	// is missing of networks, and nothing tells of deletions.
	Source Source
	Engine Engine
	Pods   Pods
	// Ride plans a port's creation for the transaction of a lease, or returns nil;
	// a nil Ride is an SDN that does not share the store's etcd.
	Ride func(p sdn.Port) PortRider

	Plan ipam.Installation // zero: ipam.Defaults("moat")
	// Networks is what the store holds (Store.StateNetworks or Store.Networks) of
	// pools, own subnets and which tenant gets what.
	Networks ipam.Networks
	Node     string // name of this node in attachments
	// Host is what pods' ports, and an uplink that has no host yet, are bound to.
	// Without one tenants' networks can be made, shown and removed: for an
	// operator who is anywhere.
	Host sdn.HostID

	// Uplink of the provider router; without an interface it is a veth pair to
	// the host, in the first /30 of the transit pool.
	Uplink Uplink
	// TunnelAddress is this host's end of tunnels; zero: the host's first IPv4
	// address, or the uplink's far end.
	TunnelAddress netip.Addr
	// NoNAT lists further destinations, such as the Service range, that see
	// pods' own addresses.
	NoNAT []netip.Prefix
	MTU   int // bytes, the installation's; 0: what the engine says of each port
	// AnySender lets pods send frames with other MACs and addresses than their own
	// into their tenant's bridges.
	AnySender bool

	// TombstoneDir keeps, across restarts, what could not be detached; "": in
	// memory only.
	TombstoneDir string
	// Instance tells this agent from others and from its former selves; "":
	// random.
	Instance string
	// OwnerGone says whether it is proven that another instance of this node runs
	// no more; nil: never, its records' deadlines decide.
	OwnerGone func(instance string) bool
	// Patience bounds an Attach or Detach whose ctx has no deadline; 0: 30 s.
	Patience time.Duration
	Log      *slog.Logger // nil discards
}

// Manager implements Service over an SDN and a store.
type Manager struct {
	opt  Options
	keep keeper
	log  *slog.Logger

	busy    queue.Queue[ipam.Attachment]
	tenants queue.Queue[sdn.TenantID]
	builds  queue.Line
	tombs   *tombstones
	doubts  doubts
	status  statusCache
	running atomic.Bool

	confirming sync.Mutex
	unsure     []ipam.Record // made here, not yet confirmed

	mu       sync.Mutex
	base     *base
	networks map[sdn.TenantID]*network
	suspects map[sdn.TenantID]bool // forgotten because their objects were found wanting
}

var _ Service = (*Manager)(nil)

// cleanup is how long undoing may take when nobody waits for the call any more.
const cleanup = 15 * time.Second

// buildsAtOnce is how many tenants' networks are made at one time. The SDN takes
// their objects one after the other: of hundreds that were made side by side on a
// slow machine all would be late, and none be done when their callers give up.
const buildsAtOnce = 4

// lastMoment is how long a call whose time is over may go on undoing before it
// answers; what is left then is noted and done later.
const lastMoment = 100 * time.Millisecond

// New checks the options and reads the tombstones. It talks to nobody.
func New(o Options) (*Manager, error) {
	if o.Plan.Name == "" && !o.Plan.Supernet.IsValid() {
		o.Plan = ipam.Defaults("moat")
	}
	if err := o.Plan.Validate(); err != nil {
		return nil, err
	}
	if !ipam.ValidName(o.Node) {
		return nil, fmt.Errorf("node name %q: %w", o.Node, ipam.ErrInvalid)
	}
	if o.Host != "" {
		if _, err := sdn.ParseID[sdn.HostID](string(o.Host)); err != nil {
			return nil, fmt.Errorf("host ID: %w", err)
		}
	}
	for _, p := range o.NoNAT {
		if !p.IsValid() || !p.Addr().Is4() || p != p.Masked() {
			return nil, fmt.Errorf("prefix without NAT %s: %w", p, ipam.ErrInvalid)
		}
	}
	if u := o.Uplink; u.Interface != "" && (!u.Address.IsValid() || !u.Gateway.IsValid() || !u.Address.Contains(u.Gateway)) {
		return nil, fmt.Errorf("uplink %s: gateway %s is not in %s: %w", u.Interface, u.Gateway, u.Address, ipam.ErrInvalid)
	}
	if o.API == nil || o.Store == nil || o.Engine == nil || o.Pods == nil {
		return nil, fmt.Errorf("API, store, engine and pods are all required: %w", ipam.ErrInvalid)
	}
	if o.Instance == "" {
		o.Instance = uuid.NewString()
	}
	if o.Patience == 0 {
		o.Patience = 30 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	tombs, err := openTombstones(o.TombstoneDir)
	if err != nil {
		return nil, err
	}
	return &Manager{
		opt: o, keep: keeper{o.API}, log: o.Log, tombs: tombs, builds: queue.Line{Most: buildsAtOnce},
		networks: map[sdn.TenantID]*network{}, suspects: map[sdn.TenantID]bool{},
	}, nil
}

// patient gives ctx a deadline if it has none.
func (m *Manager) patient(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, m.opt.Patience)
}

// afterwards is for undoing: it goes on when the call's ctx has ended. A caller who
// waits for the answer, as its deadline passes, is kept for a moment longer; when
// nobody does, there is more time.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	budget := cleanup
	if deadline, waits := ctx.Deadline(); waits && !errors.Is(ctx.Err(), context.Canceled) {
		budget = min(max(time.Until(deadline), 0)+lastMoment, cleanup)
	}
	return context.WithTimeout(context.WithoutCancel(ctx), budget)
}
