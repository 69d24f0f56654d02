package control

import (
	"context"
	"errors"
	"net/netip"

	"github.com/moatnet/moat/sdn"
)

// Operations is what an operator can ask for.
type Operations interface {
	AddressOperations

	// Status says what can be served. An unready daemon answers, too.
	Status(ctx context.Context) (Status, error)
	Tenants(ctx context.Context) ([]Tenant, error)
	Tenant(ctx context.Context, name string) (Tenant, error)
	// CreateTenant makes a tenant's network or leaves it as it is.
	CreateTenant(ctx context.Context, name string) (Tenant, error)
	// DeleteTenant is ErrInUse while pods are attached, unless forced: then they
	// are detached first.
	DeleteTenant(ctx context.Context, name string, force bool) error
	// Provider is ErrNotFound where none was made.
	Provider(ctx context.Context) (Provider, error)
	// CreateProvider makes the provider router or leaves it as it is.
	CreateProvider(ctx context.Context) (Provider, error)
	// Topology returns one tenant's devices, or everyone's for "".
	Topology(ctx context.Context, tenant string) (Topology, error)
	// TakeDown removes all that the installation has in the kernel and in the
	// store; the daemon ends after it. It is ErrInUse while pods of other nodes
	// are attached, unless forced. It goes on when ctx ends.
	TakeDown(ctx context.Context, force bool) error
}

// The kinds of error of Operations.
var (
	ErrNotFound = errors.New("not found")
	ErrInUse    = errors.New("in use")
	// ErrNotRunning: no daemon answers at the socket.
	ErrNotRunning = errors.New("the daemon is not running")
)

// Status of a daemon.
type Status struct {
	Ready        bool     `json:"ready"`
	Reason       string   `json:"reason,omitempty"` // why it is not ready
	Installation string   `json:"installation"`
	Name         string   `json:"name"`
	Version      string   `json:"version"`
	Engine       bool     `json:"engine"` // routers are namespaces of the daemon's node
	Listen       string   `json:"listen"`
	Etcd         string   `json:"etcd"`               // endpoints, or "embedded"
	Warnings     []string `json:"warnings,omitempty"` // what does not keep pods from being attached yet
}

// Tenant as an operator sees it.
type Tenant struct {
	Name     string         `json:"name"`
	State    string         `json:"state"`
	Pool     string         `json:"pool"`              // "" where the subnets are the tenant's own
	Overlap  bool           `json:"overlap,omitempty"` // other tenants may have the same
	Subnets  []netip.Prefix `json:"subnets"`
	Transit  netip.Addr     `json:"transit"` // source address of what leaves the installation
	Router   sdn.RouterID   `json:"router"`
	InChain  sdn.ChainID    `json:"inChain"`
	OutChain sdn.ChainID    `json:"outChain"`
	Pods     int            `json:"pods"`
}

// Provider is the provider router with its uplink.
type Provider struct {
	Router  sdn.RouterID `json:"router"`
	Port    sdn.PortID   `json:"port"`
	Address netip.Prefix `json:"address"`
	Gateway netip.Addr   `json:"gateway"`
}

// Topology is a printable picture of devices and what joins them.
type Topology struct {
	Routers []Router `json:"routers"`
	Bridges []Bridge `json:"bridges"`
}

// Router in a Topology.
type Router struct {
	sdn.Router
	Namespace string      `json:"namespace"`
	Ports     []sdn.Port  `json:"ports"`
	Routes    []sdn.Route `json:"routes"`
	Inbound   []sdn.Rule  `json:"inbound"`
	Outbound  []sdn.Rule  `json:"outbound"`
}

// Bridge in a Topology.
type Bridge struct {
	sdn.Bridge
	Ports []sdn.Port `json:"ports"`
}
