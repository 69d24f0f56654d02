package sdn

import (
	"net/netip"
	"slices"
)

// Router forwards IPv4 between its ports. MidoNet API, resource Router-v3.
type Router struct {
	ID             RouterID
	TenantID       TenantID
	Name           string // at most 255 characters
	AdminStateUp   bool
	InboundFilter  ChainID // zero: none; seen by a packet before the route lookup
	OutboundFilter ChainID // zero: none; seen after it
	ASNumber       int
	LocalRedirect  ChainID `json:",omitzero"` // passed before InboundFilter
	Forward        ChainID `json:",omitzero"` // passed before OutboundFilter
}

// Bridge is an Ethernet switch. MidoNet API, resource Bridge-v4.
type Bridge struct {
	ID             BridgeID
	TenantID       TenantID
	Name           string
	AdminStateUp   bool
	InboundFilter  ChainID
	OutboundFilter ChainID

	// Home says in which network namespace the engine keeps the bridge. The
	// topology decides it once, at the bridge's first link or binding, and it
	// stays; it is not part of the REST representation.
	Home Home
}

// Home is the namespace of a bridge. The zero value means "not decided yet".
type Home struct {
	// Device names the namespace: the router that the bridge was linked to
	// first, or the bridge itself when it was bound before it was linked.
	Device DeviceID
	// Self is the router port that the bridge's own interface plays, so that
	// no veth pair stands between that router and its bridge. Zero: none.
	Self PortID
}

// PortKind is the discriminator "type" of a port.
type PortKind string

// The kinds of port that Moat knows. Vxlan ports exist in MidoNet only.
const (
	RouterPort PortKind = "Router"
	BridgePort PortKind = "Bridge"
)

// Port is a port of a router or of a bridge. MidoNet API, resource Port-v3.
type Port struct {
	ID             PortID
	Kind           PortKind
	Device         DeviceID // the router or bridge it belongs to
	AdminStateUp   bool
	InboundFilter  ChainID
	OutboundFilter ChainID
	TunnelKey      int64  // assigned by the server
	VIF            string // opaque UUID of the client's, or empty

	Host      HostID // with Interface: the binding; zero: not bound
	Interface string // name of the interface on the host
	Peer      PortID // the other end of the link; zero: not linked

	// Active is true while the engine of the port's host confirms that the
	// interface is in place and filtered. It is computed, never stored.
	Active bool

	Address netip.Prefix // router port: its address with the subnet's length
	MAC     string       // router port: "aa:bb:cc:dd:ee:ff", or empty
	VLAN    uint16       // bridge port: 802.1Q ID, 0 is untagged

	// Senders lists, for a bridge port, who may send frames into it; every other
	// frame is dropped there. Empty: anyone, as in MidoNet, which has no such list.
	Senders []Sender `json:",omitempty"`
}

// Sender is an interface behind a bridge port by what it may call itself. It may
// also use the link-local IPv6 address that is made of its MAC (RFC 4291,
// appendix A).
type Sender struct {
	MAC   string       // "aa:bb:cc:dd:ee:ff", unicast
	Addrs []netip.Addr `json:",omitempty"` // of both families, without zones
}

// SameSenders compares two lists, also in their order.
func SameSenders(a, b []Sender) bool {
	return slices.EqualFunc(a, b, func(a, b Sender) bool { return a.MAC == b.MAC && slices.Equal(a.Addrs, b.Addrs) })
}

// RouteType is what a route does with a packet.
type RouteType string

// The types of route. MidoNet API, resource Route-v1.
const (
	RouteNormal    RouteType = "Normal"    // forward out of NextHopPort
	RouteBlackHole RouteType = "BlackHole" // drop silently
	RouteReject    RouteType = "Reject"    // drop, ICMP type 3 code 13 to the sender
	RouteLocal     RouteType = "Local"     // the router's own address: answers echo
)

// Route is an entry of a router's table. MidoNet API, resource Route-v1.
type Route struct {
	ID          RouteID
	Router      RouterID
	Type        RouteType
	Src         netip.Prefix // 0.0.0.0/0 matches every source
	Dst         netip.Prefix
	NextHopPort PortID     // required for Normal
	Gateway     netip.Addr // invalid: the destination is directly attached
	Weight      int        // lower wins
	Attributes  string
}

// Host is a network namespace in which an engine was started, normally a
// machine's. MidoNet API, resource Host-v3.
type Host struct {
	ID         HostID
	Name       string
	Addresses  []netip.Addr
	Interfaces []HostInterface
	Alive      bool // an engine for it is running; computed, never stored

	FloodingProxyWeight   int
	ContainerWeight       int
	ContainerLimit        int
	EnforceContainerLimit bool
}

// HostInterface is one interface of a host. MidoNet API, resource Interface-v1.
type HostInterface struct {
	Name      string
	MAC       string
	MTU       int // bytes
	Type      string
	Endpoint  string
	PortType  string
	Addresses []netip.Addr
	Status    int // bit 0: up, bit 1: has a link
}

// Binding ties a port to an interface of a host. MidoNet API, resource
// HostInterfacePort-v1.
type Binding struct {
	Host      HostID
	Port      PortID
	Interface string // at most 15 bytes
}

// TunnelZone groups hosts that reach one another through tunnels of one type.
// MidoNet API, resource TunnelZone-v1.
type TunnelZone struct {
	ID   TunnelZoneID
	Name string // unique
	Type string // gre, vxlan or vtep
}

// TunnelZoneHost is a member of a tunnel zone.
type TunnelZoneHost struct {
	Zone    TunnelZoneID
	Host    HostID
	Address netip.Addr // IPv4, the tunnels' end on this host
}
