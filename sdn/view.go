package sdn

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

// Change is one object made, changed or deleted. Before and After hold the
// object by value (Router, Bridge, ...); nil where it did not, or does not,
// exist. Activity and liveness are no changes.
type Change struct {
	Kind          Kind
	ID            string
	Before, After any
}
