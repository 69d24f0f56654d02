package audit

import (
	"net/netip"
	"time"

	"github.com/moatnet/moat/ipam"
)

// Facts are what is outside the store. What is nil was not looked at, and nothing is
// concluded from it.
type Facts struct {
	Now   time.Time
	Ports map[string]Port // of all devices, by ID
	Node  *Node
}

// Port in the SDN's topology.
type Port struct {
	ID, Device      string
	Host, Interface string // what it is bound to
	Active          bool
	// Pod says that its ID and interface are of the form that Moat gives to ports of
	// pods: an API's client has others.
	Pod bool
}

// Node is what one node sees.
type Node struct {
	Name string
	// Ends are the interfaces of the namespaces of routers and bridges, and of the
	// node's own, that are marked as the installation's, by the port in their mark.
	// Those of a namespace that cannot be read are missing, and Blind is true.
	Ends  map[string]End
	Blind bool
	// Pods are those of the node's attachments and holdings.
	Pods map[ipam.Attachment]Pod
}

// End is the host's end of a veth pair.
type End struct {
	Namespace string // path; "" is the node's own
	Name      string
	MAC       string
}

// Life is what is known of a pod.
type Life string

// What is known of pods.
const (
	Unknown Life = "unknown" // nothing is proven
	Living  Life = "living"  // its namespace is at its path
	Gone    Life = "gone"    // that is proven
)

// Pod is what a node sees of one.
type Pod struct {
	Life Life
	// End is the pod's own interface of a living pod; nil: there is none with the
	// attachment's mark, if Looked.
	End    *PodEnd
	Looked bool
}

// PodEnd is the interface inside a pod.
type PodEnd struct {
	Name      string
	MAC       string
	Addresses []netip.Prefix
}
