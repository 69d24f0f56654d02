package tenant

import (
	"context"
	"net/netip"
	"os"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
)

// Service is what a CNI call needs: the node agent offers it over its socket,
// standalone mode calls it in process. Errors are *Error.
type Service interface {
	// Attach gives a pod its interface. Repeated for an attachment that is in
	// place, it answers what the first call answered.
	Attach(ctx context.Context, r AttachRequest) (Attached, error)
	// Detach undoes Attach. It needs no namespace and no memory of the caller's;
	// detaching what is not attached succeeds.
	Detach(ctx context.Context, a ipam.Attachment) error
	// Check returns an error when what Attach made is missing or wrong. want is
	// what the runtime remembers of the result (prevResult).
	Check(ctx context.Context, r AttachRequest, want Attached) error
	// Collect detaches every attachment of this node and network that valid
	// does not list (CNI GC). It goes on after errors and joins them.
	Collect(ctx context.Context, node, network string, valid []ipam.Attachment) error
	// Status returns nil when an Attach could be served now.
	Status(ctx context.Context) error
}

// Pod is what the runtime says of a pod in CNI_ARGS.
type Pod struct {
	Namespace string
	Name      string
	UID       string
}

// AttachRequest asks for one interface in one pod.
type AttachRequest struct {
	Attachment ipam.Attachment
	Pod        Pod
	Tenant     sdn.TenantID
	// Netns is the pod's open network namespace; NetnsPath is what the runtime
	// called it, for the result only.
	Netns     *os.File
	NetnsPath string
	// NetnsInode is the namespace's inode in the boot BootID, if it is visible at
	// NetnsPath; 0: it is not.
	NetnsInode uint64
	BootID     string
	MTU        int          // bytes; 0: the installation's
	IPs        []netip.Addr // requested addresses; empty: the next free one
	// SubnetBits is the length that the subnet of IPs must have; 0: any.
	SubnetBits int
	Sticky     *ipam.Sticky // keeps the address beyond the attachment's end; nil: it does not
	Gateway    netip.Addr   // of the default route, in the pod's subnet; zero: the subnet's own
	MAC        string       // requested MAC; empty: Moat's choice
	// IPsFrom and GatewayFrom begin messages about IPs and Gateway, such as
	// "annotation moat.dev/ip"; empty: nothing is to be said of who asks.
	IPsFrom     string
	GatewayFrom string
	Routes      []netip.Prefix // further destinations via the gateway; the default route is always made
	// Lender names the address when the interface is there; nil: nobody does. IPs,
	// if there are any, choose the subnet beforehand; else it is the first.
	Lender Lender
}

// Lender is somebody else who names a pod's address by way of its interface, which
// is up and has no address then, such as a DHCP client.
type Lender interface {
	// Lend returns r with the one address in IPs, and what comes with it: gateway,
	// further routes, the length of its subnet, and who says so.
	Lend(ctx context.Context, r AttachRequest) (AttachRequest, error)
	// Return undoes Lend, also one that failed. The interface is still there. What it
	// cannot undo is the lender's own to note.
	Return(ctx context.Context)
}

// Interface is one end of the pod's veth pair.
type Interface struct {
	Name    string
	MAC     string
	MTU     int    // bytes
	Sandbox string // path of its namespace; "" is the host's
}

// Attached is what Attach made; it becomes the CNI result.
type Attached struct {
	Host      Interface // the end on the tenant's bridge
	Pod       Interface
	Addresses []netip.Prefix
	Gateway   netip.Addr
	Routes    []netip.Prefix // by way of Gateway
}

// Code is the kind of failure of a Service call. The numbers are CNI error
// codes: those of CNI 1.1.0, section 5, and from 100 on Moat's own.
type Code uint

// The codes.
const (
	CodeInvalidEnv    Code = 4
	CodeIO            Code = 5
	CodeInvalidConfig Code = 7
	CodeNetns         Code = 8  // the pod's namespace cannot be used
	CodeTryAgain      Code = 11 // passing: etcd, the SDN or a deadline
	CodeNotAvailable  Code = 50 // STATUS: no ADD can be served
	CodeSDNRefused    Code = 100
	CodeStore         Code = 101
	CodePoolExhausted Code = 102
	CodeAddressInUse  Code = 103
	CodeTenantDenied  Code = 104
	CodeInterfaceUsed Code = 105 // the pod has an interface of this name already
	CodeCheckFailed   Code = 106
)

// Error is what a Service returns: Msg names tenant, pod and cause, Details
// says what to do about it. Both appear word for word in the pod's events.
type Error struct {
	Code    Code
	Msg     string
	Details string
	Err     error // the cause, for errors.Is; may be nil
}

func (e *Error) Error() string {
	if e.Details == "" {
		return e.Msg
	}
	return e.Msg + "; " + e.Details
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
