package sdn

import (
	"context"
	"net/netip"
)

// DHCPSubnet is what a bridge answers to DHCP clients. Bridge and Prefix are its
// key. MidoNet API, resource DhcpSubnet-v2.
type DHCPSubnet struct {
	Bridge  BridgeID
	Prefix  netip.Prefix // IPv4, masked
	Gateway netip.Addr   // invalid: none is given
	Server  netip.Addr   // invalid: the gateway
	DNS     []netip.Addr
	MTU     int // bytes; 0: none is given
	Routes  []DHCPRoute
	Enabled bool
}

// DHCPRoute is a classless static route, option 121 (RFC 3442).
type DHCPRoute struct {
	Dst     netip.Prefix
	Gateway netip.Addr
}

// DHCPHost is a client of a subnet. Bridge, Subnet and MAC are its key. MidoNet
// API, resource DhcpHost-v2.
type DHCPHost struct {
	Bridge  BridgeID
	Subnet  netip.Prefix
	MAC     string
	Addr    netip.Addr
	Name    string
	Options []DHCPOption
}

// DHCPOption is a further option, by name or number.
type DHCPOption struct{ Name, Value string }

// DHCPAPI is the part of API about DHCP. What is there already is ErrExists.
type DHCPAPI interface {
	DHCPSubnets(ctx context.Context, bridge BridgeID) ([]DHCPSubnet, error)
	DHCPSubnet(ctx context.Context, bridge BridgeID, p netip.Prefix) (DHCPSubnet, error)
	CreateDHCPSubnet(ctx context.Context, s DHCPSubnet) error
	// UpdateDHCPSubnet replaces the subnet p of s.Bridge by s, whose prefix may
	// be another. Hosts stay.
	UpdateDHCPSubnet(ctx context.Context, p netip.Prefix, s DHCPSubnet) error
	DeleteDHCPSubnet(ctx context.Context, bridge BridgeID, p netip.Prefix) error

	DHCPHosts(ctx context.Context, bridge BridgeID, p netip.Prefix) ([]DHCPHost, error)
	DHCPHost(ctx context.Context, bridge BridgeID, p netip.Prefix, mac string) (DHCPHost, error)
	CreateDHCPHost(ctx context.Context, h DHCPHost) error
	// UpdateDHCPHost replaces the host with the MAC mac by h, whose MAC may be
	// another.
	UpdateDHCPHost(ctx context.Context, mac string, h DHCPHost) error
	DeleteDHCPHost(ctx context.Context, bridge BridgeID, p netip.Prefix, mac string) error
}
