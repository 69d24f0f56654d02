package sdn

import (
	"context"
	"net/netip"
)

// MACPort says behind which port of a bridge a MAC is. All fields together are
// its key. MidoNet API, resource MacPort-v2.
type MACPort struct {
	Bridge BridgeID
	VLAN   uint16 // 0 is untagged
	MAC    string // "aa:bb:cc:dd:ee:ff"
	Port   PortID // of the bridge, with this VLAN
}

// IP4MAC is what a bridge answers to ARP requests for an address. Bridge, Addr
// and MAC together are its key. MidoNet API, resource IP4Mac-v1.
type IP4MAC struct {
	Bridge BridgeID
	Addr   netip.Addr // IPv4
	MAC    string
}

// NeighbourAPI is the part of API about what is fixed on bridges. Adding what is
// there is ErrExists, removing what is not ErrNotFound.
type NeighbourAPI interface {
	// MACPorts lists the entries of one VLAN, or all for nil. A VLAN that no
	// port of the bridge has is ErrNotFound.
	MACPorts(ctx context.Context, bridge BridgeID, vlan *uint16) ([]MACPort, error)
	// AddMACPort is ErrInvalid for a port of another bridge or VLAN.
	AddMACPort(ctx context.Context, m MACPort) error
	RemoveMACPort(ctx context.Context, m MACPort) error

	IP4MACs(ctx context.Context, bridge BridgeID) ([]IP4MAC, error)
	AddIP4MAC(ctx context.Context, m IP4MAC) error
	RemoveIP4MAC(ctx context.Context, m IP4MAC) error
}
