package sdn

import "context"

// API reads and changes a topology. The topology itself, the REST client, the
// engine's in-process shortcut and test doubles all implement it, and one suite
// holds them to it.
//
// Create methods take the object with the ID that the caller chose, or with a
// zero ID, and return it as stored. An ID that is in use is ErrExists; a
// reference to what does not exist is ErrNotFound. Delete cascades as
// section 4.8 of the API's contract says; deleting what is not there returns
// ErrNotFound (the REST dialect turns that into 204 where MidoNet does).
// Lists are ordered by ID, rules by position.
type API interface {
	RouterAPI
	BridgeAPI
	PortAPI
	ChainAPI
	HostAPI
	TunnelZoneAPI
	PortGroupAPI
	IPAddrGroupAPI
	NeighbourAPI
	DHCPAPI

	// Tenants lists the owners of at least one object, ordered by name.
	Tenants(ctx context.Context) ([]TenantID, error)
}

// RouterAPI is the part of API about routers and their routes.
type RouterAPI interface {
	// Routers lists those of one tenant, or all for the zero tenant.
	Routers(ctx context.Context, tenant TenantID) ([]Router, error)
	Router(ctx context.Context, id RouterID) (Router, error)
	CreateRouter(ctx context.Context, r Router) (Router, error)
	// UpdateRouter replaces all fields but ID.
	UpdateRouter(ctx context.Context, r Router) error
	DeleteRouter(ctx context.Context, id RouterID) error

	Routes(ctx context.Context, router RouterID) ([]Route, error)
	Route(ctx context.Context, id RouteID) (Route, error)
	CreateRoute(ctx context.Context, r Route) (Route, error)
	DeleteRoute(ctx context.Context, id RouteID) error
}

// BridgeAPI is the part of API about bridges.
type BridgeAPI interface {
	Bridges(ctx context.Context, tenant TenantID) ([]Bridge, error)
	Bridge(ctx context.Context, id BridgeID) (Bridge, error)
	CreateBridge(ctx context.Context, b Bridge) (Bridge, error)
	UpdateBridge(ctx context.Context, b Bridge) error
	DeleteBridge(ctx context.Context, id BridgeID) error
}

// PortAPI is the part of API about ports, links and bindings.
type PortAPI interface {
	// Ports lists those of one device, or all for the zero device.
	Ports(ctx context.Context, device DeviceID) ([]Port, error)
	// PeerPorts lists the ports that ports of the device are linked to.
	PeerPorts(ctx context.Context, device DeviceID) ([]Port, error)
	Port(ctx context.Context, id PortID) (Port, error)
	// CreatePort makes a port of p.Device, whose kind p.Kind names. Host and
	// Interface may be given, so that it is created bound. For a router port
	// with an address a Local route for it is made in the same step.
	CreatePort(ctx context.Context, p Port) (Port, error)
	// UpdatePort replaces all fields but ID, Device, Kind, TunnelKey; Host,
	// Interface and Peer are kept where they are set.
	UpdatePort(ctx context.Context, p Port) error
	DeletePort(ctx context.Context, id PortID) error

	// Link joins two ports. Either end linked already is ErrConflict.
	Link(ctx context.Context, a, b PortID) error
	// Unlink clears both ends; an unlinked port is no error.
	Unlink(ctx context.Context, a PortID) error

	Bindings(ctx context.Context, host HostID) ([]Binding, error)
	Bind(ctx context.Context, b Binding) error
	// Unbind of a port that is not bound is no error.
	Unbind(ctx context.Context, port PortID) error
}

// ChainAPI is the part of API about chains and rules.
type ChainAPI interface {
	Chains(ctx context.Context, tenant TenantID) ([]Chain, error)
	Chain(ctx context.Context, id ChainID) (Chain, error)
	CreateChain(ctx context.Context, c Chain) (Chain, error)
	DeleteChain(ctx context.Context, id ChainID) error

	Rules(ctx context.Context, chain ChainID) ([]Rule, error)
	Rule(ctx context.Context, id RuleID) (Rule, error)
	CreateRule(ctx context.Context, r Rule) (Rule, error)
	DeleteRule(ctx context.Context, id RuleID) error
}

// HostAPI is the part of API about hosts.
type HostAPI interface {
	Hosts(ctx context.Context) ([]Host, error)
	Host(ctx context.Context, id HostID) (Host, error)
	CreateHost(ctx context.Context, h Host) (Host, error)
	// UpdateHost replaces the weights and limits, nothing else.
	UpdateHost(ctx context.Context, h Host) error
	// DeleteHost is ErrForbidden while the host is alive or has bindings.
	DeleteHost(ctx context.Context, id HostID) error
}

// TunnelZoneAPI is the part of API about tunnel zones.
type TunnelZoneAPI interface {
	TunnelZones(ctx context.Context) ([]TunnelZone, error)
	TunnelZone(ctx context.Context, id TunnelZoneID) (TunnelZone, error)
	CreateTunnelZone(ctx context.Context, z TunnelZone) (TunnelZone, error)
	UpdateTunnelZone(ctx context.Context, z TunnelZone) error
	DeleteTunnelZone(ctx context.Context, id TunnelZoneID) error

	TunnelZoneHosts(ctx context.Context, zone TunnelZoneID) ([]TunnelZoneHost, error)
	TunnelZoneHost(ctx context.Context, zone TunnelZoneID, host HostID) (TunnelZoneHost, error)
	AddTunnelZoneHost(ctx context.Context, m TunnelZoneHost) error
	RemoveTunnelZoneHost(ctx context.Context, zone TunnelZoneID, host HostID) error
}
