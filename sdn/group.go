package sdn

import (
	"context"
	"net/netip"
)

// IDs of the objects of this file.
type (
	PortGroupID   string
	IPAddrGroupID string
)

// PortGroup is a set of ports that rules can name. MidoNet API, resource
// PortGroup-v1.
type PortGroup struct {
	ID       PortGroupID
	TenantID TenantID
	Name     string // at most 255 characters
	Stateful bool   // the members' hosts share the state of connections
}

// PortGroupPort is a member of a port group. Resource PortGroupPort-v1.
type PortGroupPort struct {
	Group PortGroupID
	Port  PortID
}

// IPAddrGroup is a set of addresses that rules can name. It belongs to no
// tenant. MidoNet API, resource IpAddrGroup-v1.
type IPAddrGroup struct {
	ID   IPAddrGroupID
	Name string // 1 to 255 characters
}

// IPAddrGroupAddr is an address of a group, of either family. Resource
// IpAddrGroupAddr-v1.
type IPAddrGroupAddr struct {
	Group IPAddrGroupID
	Addr  netip.Addr
}

// PortGroupAPI is the part of API about port groups. A group that goes leaves
// its ID in the rules that name it; such a condition matches no port.
type PortGroupAPI interface {
	// PortGroups lists those of a tenant that have a member; the zero tenant
	// and the zero port narrow nothing.
	PortGroups(ctx context.Context, tenant TenantID, member PortID) ([]PortGroup, error)
	PortGroup(ctx context.Context, id PortGroupID) (PortGroup, error)
	CreatePortGroup(ctx context.Context, g PortGroup) (PortGroup, error)
	// UpdatePortGroup replaces all fields but ID. Members stay.
	UpdatePortGroup(ctx context.Context, g PortGroup) error
	DeletePortGroup(ctx context.Context, id PortGroupID) error

	PortGroupPorts(ctx context.Context, group PortGroupID) ([]PortGroupPort, error)
	// GroupsOfPort lists a port's memberships.
	GroupsOfPort(ctx context.Context, port PortID) ([]PortGroupPort, error)
	// AddPortGroupPort of a member is ErrExists.
	AddPortGroupPort(ctx context.Context, m PortGroupPort) error
	// RemovePortGroupPort of a port that is no member is ErrNotFound.
	RemovePortGroupPort(ctx context.Context, m PortGroupPort) error
}

// IPAddrGroupAPI is the part of API about groups of addresses.
type IPAddrGroupAPI interface {
	IPAddrGroups(ctx context.Context) ([]IPAddrGroup, error)
	IPAddrGroup(ctx context.Context, id IPAddrGroupID) (IPAddrGroup, error)
	CreateIPAddrGroup(ctx context.Context, g IPAddrGroup) (IPAddrGroup, error)
	DeleteIPAddrGroup(ctx context.Context, id IPAddrGroupID) error

	IPAddrGroupAddrs(ctx context.Context, group IPAddrGroupID) ([]IPAddrGroupAddr, error)
	// AddIPAddrGroupAddr of an address that is in the group is ErrExists.
	AddIPAddrGroupAddr(ctx context.Context, a IPAddrGroupAddr) error
	// RemoveIPAddrGroupAddr of one that is not is ErrNotFound.
	RemoveIPAddrGroupAddr(ctx context.Context, a IPAddrGroupAddr) error
}
