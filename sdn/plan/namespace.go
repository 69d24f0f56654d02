package plan

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/nft"
)

// Namespace is the state of one network namespace, wanted or observed.
type Namespace struct {
	Name   string       // below /run/netns; "" is the host's own
	Device sdn.DeviceID // the router or bridge whose home it is; "" for the host's

	Sysctls    []Sysctl
	Links      []Link
	Addresses  []Address
	Routes     []Route
	Rules      []PolicyRule
	Neighbours []Neighbour
	Stations   []Station
	Tables     []nft.Table
	DHCP       []DHCPServer

	// Unrealised says, for a reader, which objects were left out and why.
	Unrealised []string
}

// Sysctl is one setting below /proc/sys.
type Sysctl struct {
	Key   string // with slashes: "net/ipv4/ip_forward"
	Value string
	Dev   string // the interface that it is about; "" for the whole namespace
	// Optional settings are skipped where the kernel has no such file.
	Optional bool
}

// LinkKind says where an interface comes from.
type LinkKind string

// The kinds, in the order in which they are made.
const (
	LoopbackLink LinkKind = "loopback" // exists; carries the namespace's stamp
	BridgeLink   LinkKind = "bridge"
	VethLink     LinkKind = "veth"  // one end; the other is Peer in PeerNamespace
	BoundLink    LinkKind = "bound" // made by others and bound to a port; may be missing
)

// Link is one interface.
type Link struct {
	Name  string
	Kind  LinkKind
	Port  sdn.PortID // the port of this host that is bound to it; zero: none
	Alias string     // stamp
	MAC   string     // "" leaves it as it is
	MTU   int        // bytes; 0 leaves it as it is
	Up    bool
	NoARP bool

	Master  string       // bridge it is a port of; "" is none
	Senders []sdn.Sender // who may send frames into that bridge by it; none: anyone

	AnswerARP bool // bridge port: the bridge answers ARP for known neighbours behind it

	PeerNamespace string // of a veth
	Peer          string
}

// Address is an IP address of an interface. It never brings a connected route.
type Address struct {
	Dev    string
	Prefix netip.Prefix
}

// RouteType is the kernel's type of a route.
type RouteType string

// The types.
const (
	Unicast   RouteType = "unicast"
	Blackhole RouteType = "blackhole" // drops silently
	Prohibit  RouteType = "prohibit"  // drops and answers ICMP 3/13
	Local     RouteType = "local"     // delivers to the router itself
)

// Route is a route of the namespace.
type Route struct {
	Table  int // 0: the main table
	Type   RouteType
	Dst    netip.Prefix
	Metric int
	Hops   []Hop // one, or several of equal weight; none for Blackhole and Prohibit
}

// Hop is one way out of a route.
type Hop struct {
	Via netip.Addr // invalid: the destination is on the link itself
	Dev string
}

// Key identifies a route in its namespace.
type Key struct {
	Table  int
	Dst    netip.Prefix
	Metric int
}

// Key is what no two routes of a namespace share.
func (r Route) Key() Key { return Key{Table: r.Table, Dst: r.Dst, Metric: r.Metric} }

// Equal compares all of two routes.
func (r Route) Equal(o Route) bool {
	return r.Type == o.Type && r.Key() == o.Key() && slices.Equal(r.Hops, o.Hops)
}

// PolicyRule sends the route lookups of packets with a source to a table.
type PolicyRule struct {
	Src      netip.Prefix
	Table    int
	Priority int // lower is asked first; longer prefixes have lower ones
}

// Neighbour is a permanent ARP entry.
type Neighbour struct {
	Dev  string
	Addr netip.Addr
	MAC  string
}

// Station is a permanent entry of a bridge's forwarding table.
type Station struct {
	Dev string // a port of the bridge, or the bridge for what it takes in itself
	MAC string
}

// DHCPServer is what is answered on a bridge. No kernel object stands for it.
type DHCPServer struct {
	Dev     string // the bridge's interface
	MAC     string
	MTU     int // bytes; of subnets that name none
	Subnets []sdn.DHCPSubnet
	Hosts   []sdn.DHCPHost
}

// Link returns the link of that name.
func (n Namespace) Link(name string) (Link, bool) {
	for _, l := range n.Links {
		if l.Name == name {
			return l, true
		}
	}
	return Link{}, false
}

var kindOrder = map[LinkKind]int{LoopbackLink: 0, BridgeLink: 1, VethLink: 2, BoundLink: 3}

// Sort puts everything in the one order in which it is printed and applied.
func (n *Namespace) Sort() {
	slices.SortFunc(n.Links, func(a, b Link) int {
		return cmp.Or(cmp.Compare(kindOrder[a.Kind], kindOrder[b.Kind]), cmp.Compare(a.Name, b.Name))
	})
	slices.SortFunc(n.Addresses, func(a, b Address) int {
		return cmp.Or(cmp.Compare(a.Dev, b.Dev), a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()))
	})
	for _, r := range n.Routes {
		slices.SortFunc(r.Hops, func(a, b Hop) int { return cmp.Or(cmp.Compare(a.Dev, b.Dev), a.Via.Compare(b.Via)) })
	}
	slices.SortFunc(n.Routes, func(a, b Route) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), a.Dst.Addr().Compare(b.Dst.Addr()), cmp.Compare(a.Dst.Bits(), b.Dst.Bits()), cmp.Compare(a.Metric, b.Metric))
	})
	slices.SortFunc(n.Rules, func(a, b PolicyRule) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), a.Src.Addr().Compare(b.Src.Addr()))
	})
	slices.SortFunc(n.Neighbours, func(a, b Neighbour) int {
		return cmp.Or(cmp.Compare(a.Dev, b.Dev), a.Addr.Compare(b.Addr))
	})
	slices.SortFunc(n.Stations, func(a, b Station) int {
		return cmp.Or(cmp.Compare(a.Dev, b.Dev), cmp.Compare(a.MAC, b.MAC))
	})
	slices.SortFunc(n.Tables, func(a, b nft.Table) int {
		return cmp.Or(cmp.Compare(a.Family, b.Family), cmp.Compare(a.Name, b.Name))
	})
	slices.SortFunc(n.DHCP, func(a, b DHCPServer) int { return cmp.Compare(a.Dev, b.Dev) })
	slices.Sort(n.Unrealised)
}

// add joins the state of another device of the same namespace to n.
func (n *Namespace) add(o Namespace) {
	n.Sysctls = append(n.Sysctls, o.Sysctls...)
	n.Links = append(n.Links, o.Links...)
	n.Addresses = append(n.Addresses, o.Addresses...)
	n.Routes = append(n.Routes, o.Routes...)
	n.Rules = append(n.Rules, o.Rules...)
	n.Neighbours = append(n.Neighbours, o.Neighbours...)
	n.Stations = append(n.Stations, o.Stations...)
	n.Tables = append(n.Tables, o.Tables...)
	n.DHCP = append(n.DHCP, o.DHCP...)
	n.Unrealised = append(n.Unrealised, o.Unrealised...)
}
