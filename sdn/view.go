package sdn

import "net/netip"

// View is a consistent, read-only picture of a topology in memory. Lookups
// return false for what does not exist; lists are ordered by ID, rules by
// position. What it returns must not be changed.
type View interface {
	Router(RouterID) (Router, bool)
	Bridge(BridgeID) (Bridge, bool)
	Port(PortID) (Port, bool)
	Chain(ChainID) (Chain, bool)
	Host(HostID) (Host, bool)

	Routers() []RouterID
	Bridges() []BridgeID
	PortsOf(DeviceID) []Port
	RoutesOf(RouterID) []Route
	RulesOf(ChainID) []Rule

	// BridgesAt lists the bridges whose home is the namespace of a device.
	BridgesAt(DeviceID) []Bridge
	// UsersOf names the routers, bridges and ports that have the chain as a
	// filter, and the chains that jump to it (one level, not transitively).
	UsersOf(ChainID) Users

	// HasPortGroup and HasIPAddrGroup tell a group without members from none.
	HasPortGroup(PortGroupID) bool
	PortsInGroup(PortGroupID) []PortID // ordered
	HasIPAddrGroup(IPAddrGroupID) bool
	AddrsInGroup(IPAddrGroupID) []netip.Addr // ordered, both families
	// ChainsNaming lists the chains with a rule that names the group, whichever
	// kind of group it is.
	ChainsNaming(group string) []ChainID

	MACPortsOf(BridgeID) []MACPort
	IP4MACsOf(BridgeID) []IP4MAC
	DHCPSubnetsOf(BridgeID) []DHCPSubnet
	DHCPHostsOf(BridgeID) []DHCPHost // of all subnets, ordered by subnet and MAC
}

// Users of a chain.
type Users struct {
	Routers []RouterID
	Bridges []BridgeID
	Ports   []PortID
	Chains  []ChainID
}

// Kind is a kind of object in a Change.
type Kind string

// The kinds.
const (
	KindRouter     Kind = "router"
	KindBridge     Kind = "bridge"
	KindPort       Kind = "port"
	KindRoute      Kind = "route"
	KindChain      Kind = "chain"
	KindRule       Kind = "rule"
	KindHost       Kind = "host"
	KindTunnelZone Kind = "tunnel zone"
)

// The kinds whose ID is made of several parts, joined by "/", and their groups.
const (
	KindPortGroup       Kind = "port group"
	KindPortGroupPort   Kind = "port group member" // group/port
	KindIPAddrGroup     Kind = "IP address group"
	KindIPAddrGroupAddr Kind = "IP address group address" // group/address
	KindMACPort         Kind = "MAC entry"                // bridge/vlan/mac/port
	KindIP4MAC          Kind = "ARP entry"                // bridge/address/mac
	KindDHCPSubnet      Kind = "DHCP subnet"              // bridge/address_length
	KindDHCPHost        Kind = "DHCP host"                // bridge/address_length/mac
)

// Change is one object made, changed or deleted. Before and After hold the
// object by value (Router, Bridge, ...); nil where it did not, or does not,
// exist. Activity and liveness are no changes.
type Change struct {
	Kind          Kind
	ID            string
	Before, After any
}
