package dataplane

import (
	"context"
	"time"

	"github.com/moatnet/moat/sdn/dataplane/rtnl"
	"github.com/moatnet/moat/sdn/nft"
	"github.com/moatnet/moat/sdn/plan"
)

// Kernel is the seam to the machine: every effect of the engine passes it.
// Linux is the real one; tests wrap it to count, to fail, or to die.
type Kernel interface {
	// Namespaces lists the names of pinned network namespaces.
	Namespaces() ([]string, error)
	// CreateNamespace makes and pins a namespace whose loopback has the alias
	// before anyone can see it. It is an error when the name is taken.
	CreateNamespace(name, alias string) error
	// PinAgain pins an open namespace under its name if nothing is pinned there any
	// more, and says whether it did.
	PinAgain(name string, fd int) (bool, error)
	// RemoveNamespace unpins a namespace; one that is not there is no error.
	RemoveNamespace(name string) error
	// RemoveFile removes the file of a namespace that nothing is pinned to, if
	// it is at least that old; else it says when it will be.
	RemoveFile(name string, age time.Duration) (left time.Duration, err error)
	// Open returns a namespace by its name, "" being the host's own. It is
	// fs.ErrNotExist when there is none.
	Open(name string) (Space, error)
	// Path is where a namespace is pinned.
	Path(name string) string
	// Events reports what changes in all opened namespaces until ctx ends. The
	// first event is Listening.
	Events(ctx context.Context, f func(Event)) error
}

// Space is one open network namespace. It is not safe for concurrent use.
type Space interface {
	// ID identifies the namespace in events.
	ID() (int, error)
	// KnownSpaceID is the number by which this namespace knows another.
	KnownSpaceID(fd int) (int, error)
	FD() int
	Close() error

	Links() ([]rtnl.Link, error)
	Link(name string) (rtnl.Link, bool, error)
	Addresses() ([]rtnl.Address, error)
	// Routes lists the routes of all tables; on the host those of the main one.
	Routes() ([]rtnl.Route, error)
	// Rules lists the policy rules; on the host none is Moat's, and none listed.
	Rules() ([]rtnl.Rule, error)
	// Neighbours lists the permanent neighbours, Stations the permanent entries
	// of bridges.
	Neighbours() ([]rtnl.Neighbour, error)
	Stations() ([]rtnl.Station, error)
	// Write applies changes of links, addresses, routes and neighbours in one datagram.
	Write(batch []rtnl.Request) error

	// Sysctls reads the values of keys; a key that has no file is left out.
	Sysctls(keys []string) (map[string]string, error)
	SetSysctls(s []plan.Sysctl) error

	// Tables reads the nftables tables of this installation.
	Tables(ctx context.Context) ([]nft.Table, error)
	// SetTables turns have into want in one transaction and returns the number
	// of messages that it took.
	SetTables(ctx context.Context, have, want []nft.Table) (int, error)

	// DHCPSocket hears the clients of the bridge with that index.
	DHCPSocket(bridge int) (DHCPSocket, error)

	// ForeignForward lists the base chains of others at the forward hook that
	// drop by policy, or that hold rules with the stamp.
	ForeignForward(stamp string) ([]ForeignChain, error)
	// Admit puts a stamped rule at the head of the chain that accepts what comes
	// in (or goes out) by dev.
	Admit(c ForeignChain, dev, stamp string, in bool) error
	Retract(c ForeignChain, r ForeignRule) error
	// LegacyFilter says whether there is a filter table of legacy iptables.
	LegacyFilter() (bool, error)
}

// Event says that something changed in a namespace.
type Event struct {
	Space int // as Space.ID says
	Kind  EventKind
	Link  rtnl.Link // of the link events
}

// EventKind is what happened.
type EventKind int

// The kinds of event.
const (
	Listening  EventKind = iota // from now on every change is reported
	LinkSeen                    // made or changed
	LinkGone                    // deleted, or moved away
	Committed                   // a transaction of nftables
	StateGone                   // an address, a route, a policy rule or a static entry of a bridge was deleted
	EventsLost                  // the kernel dropped events; look at everything
)
