package tenant

import (
	"context"
	"net/netip"
	"os"

	"github.com/moatnet/moat/sdn"
)

// Engine is what makes bound ports real on this host: the dataplane in process,
// or a Polling one for an SDN behind its API.
type Engine interface {
	// Wiring says how the interface of a bridge port is to be made. What it
	// names (namespace, master) is in place when it returns.
	Wiring(ctx context.Context, bridge sdn.BridgeID, port sdn.PortID) (sdn.Wiring, error)
	// WaitActive returns when the port is active, or ctx's error.
	WaitActive(ctx context.Context, port sdn.PortID) error
}

// PortRider is a port that is created by the transaction of a lease.
type PortRider interface {
	// Op is what ipam.Rider calls Op, for the port with these senders.
	Op(senders []sdn.Sender) any
	// Carried is ipam.Rider's.
	Carried(revision int64, answer any)
	// Landed says whether the port was created, and returns when the SDN shows it.
	Landed(ctx context.Context) (bool, error)
}

// Pods makes and removes the veth pairs between bridges and pods. An error that
// is an *Error keeps its code.
type Pods interface {
	// Prepare makes the part of a pair that needs no address, in place and
	// stamped; w's addresses, gateway, routes and pod's MAC are not looked at. It
	// replaces nothing that is there. An error, or nil for both, leaves all to Make.
	Prepare(ctx context.Context, w PodWire) (Prepared, error)
	// Make makes the pair with its peer in the pod's namespace, configured and
	// up. An interface of the pod's that has the name already is
	// CodeInterfaceUsed.
	Make(ctx context.Context, w PodWire) (PodMade, error)
	// Configure gives the pod's end of a pair, which Make made without addresses,
	// those of w, with its routes. When it fails it may have done a part.
	Configure(ctx context.Context, w PodWire) error
	// Remove removes the pair by its host end; PodNS may be nil. What is gone
	// already is no error.
	Remove(ctx context.Context, w PodWire) error
	// Check returns an error that says what is missing or different. An empty
	// MAC or an MTU of 0 in w is not looked at; with a nil PodNS only the host
	// end is.
	Check(ctx context.Context, w PodWire) error
}

// Prepared is a pair that one of its methods ends.
type Prepared interface {
	// Finish does what is left of Make. When it fails the pair is gone.
	Finish(ctx context.Context, w PodWire) (PodMade, error)
	// Abandon removes the pair.
	Abandon(ctx context.Context) error
}

// PodWire is one pod's veth pair, in full.
type PodWire struct {
	HostNS    string // path of the host end's namespace; "" is the host's own
	Master    string // bridge interface in HostNS; "": none
	HostName  string
	HostAlias string

	PodNS   *os.File
	PodName string

	PodMAC, HostMAC string
	MTU             int // bytes
	Addresses       []netip.Prefix
	Gateway         netip.Addr
	Routes          []netip.Prefix // by way of Gateway, the default route among them

	// Ready, if set, is called by Make and Finish before the pod's addresses are
	// announced: it returns when the bridge lets the pod's frames in, or has
	// waited long enough for that.
	Ready func(context.Context)
}

// PodMade is what the kernel says of a pair that was made.
type PodMade struct{ HostMAC, PodMAC string }
