package topology

import (
	"net/netip"

	"github.com/moatnet/moat/sdn"
)

// The topology stores no groups, neighbours and DHCP subnets yet.

func (g *graph) HasPortGroup(sdn.PortGroupID) bool           { return false }
func (g *graph) PortsInGroup(sdn.PortGroupID) []sdn.PortID   { return nil }
func (g *graph) HasIPAddrGroup(sdn.IPAddrGroupID) bool       { return false }
func (g *graph) AddrsInGroup(sdn.IPAddrGroupID) []netip.Addr { return nil }
func (g *graph) ChainsNaming(string) []sdn.ChainID           { return nil }
func (g *graph) MACPortsOf(sdn.BridgeID) []sdn.MACPort       { return nil }
func (g *graph) IP4MACsOf(sdn.BridgeID) []sdn.IP4MAC         { return nil }
func (g *graph) DHCPSubnetsOf(sdn.BridgeID) []sdn.DHCPSubnet { return nil }
func (g *graph) DHCPHostsOf(sdn.BridgeID) []sdn.DHCPHost     { return nil }
