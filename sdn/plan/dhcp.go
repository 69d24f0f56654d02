package plan

import (
	"net"
	"slices"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/nft"
)

// addDHCP plans what a bridge answers to DHCP clients, and that nobody else is
// asked: their broadcasts end at the bridge. A bridge without hosts in enabled
// subnets answers nothing, and clients that are no hosts ask whom they like.
func (n *Namespace) addDHCP(v sdn.View, c Config, b sdn.Bridge) {
	subnets := slices.DeleteFunc(slices.Clone(v.DHCPSubnetsOf(b.ID)), func(s sdn.DHCPSubnet) bool { return !s.Enabled })
	if len(subnets) == 0 {
		return
	}
	hosts := slices.DeleteFunc(slices.Clone(v.DHCPHostsOf(b.ID)), func(h sdn.DHCPHost) bool {
		return !slices.ContainsFunc(subnets, func(s sdn.DHCPSubnet) bool { return s.Prefix == h.Subnet })
	})
	if len(hosts) == 0 {
		return
	}
	dev := sdn.InterfaceName(b.ID)
	l, _ := n.Link(dev)
	n.DHCP = append(n.DHCP, DHCPServer{Dev: dev, MAC: l.MAC, MTU: c.MTU, Subnets: subnets, Hosts: hosts})
	n.Tables = append(n.Tables, n.dhcpTable(c, b, hosts))
}

// Numbers of a DHCP client's broadcast.
const (
	etherIPv4   = 0x0800
	protocolUDP = 17
	dhcpServer  = 67
)

// prioDHCP comes before the filters of bridges.
const prioDHCP = -400

// dhcpTable drops what the bridge's clients ask all others.
func (n *Namespace) dhcpTable(c Config, b sdn.Bridge, hosts []sdn.DHCPHost) nft.Table {
	clients := nft.Set{Name: "clients", Key: nft.TypeEther}
	seen := make(map[nft.Value]bool)
	for _, h := range hosts {
		mac, err := net.ParseMAC(h.MAC)
		if key := nft.MAC(mac); err == nil && !seen[key] {
			seen[key] = true
			clients.Elements = append(clients.Elements, nft.Element{Key: key})
		}
	}
	ports := nft.Set{Name: "ports", Key: nft.TypeIfname}
	for _, l := range n.Links {
		if l.Master == sdn.InterfaceName(b.ID) {
			ports.Elements = append(ports.Elements, nft.Element{Key: nft.Iface(l.Name)})
		}
	}
	everyone := net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	drop := nft.NewRule(
		nft.Match{Field: nft.EtherDst, Value: nft.MAC(everyone)},
		nft.Match{Field: nft.EtherType, Value: nft.Uint16(etherIPv4)},
		nft.Match{Field: nft.IPProto, Value: nft.Uint8(protocolUDP)},
		nft.Match{Field: nft.DstPort, Value: nft.Uint16(dhcpServer)},
		nft.Match{Field: nft.IIfName, Set: "ports"},
		nft.Match{Field: nft.EtherSrc, Set: "clients"},
		nft.Drop(),
	).WithComment("the bridge answers")
	t := nft.Table{Family: nft.Bridge, Name: c.TablePrefix() + "dhcp-" + string(b.ID), Sets: []nft.Set{clients, ports}, Chains: []nft.Chain{
		{Name: "forward", Base: &nft.Base{Type: nft.FilterChain, Hook: nft.Forward, Priority: prioDHCP, Policy: nft.PolicyAccept}, Rules: []nft.Rule{drop}},
	}}
	return t.Normal()
}
