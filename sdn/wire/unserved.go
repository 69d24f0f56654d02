package wire

// Sub-collections that links point to and this API does not serve yet.
const (
	bgpNetworks = "bgp_networks"
	bgpPeers    = "bgp_peers"
	vxlanPorts  = "vxlan_ports"
	dhcp        = "dhcp"
	dhcpV6      = "dhcpV6"
	macTable    = "mac_table"
	arpTable    = "arp_table"
	vlans       = "vlans"
	portGroups  = "port_groups"
)

// PeeringTable lies below a router's port and is not served either.
const PeeringTable = "peering_table"

// UnservedBelow lists, for each collection, the segments below an object of it
// that belong to the dialect and are not served.
func UnservedBelow() map[string][]string {
	return map[string][]string{
		Routers: {bgpNetworks, bgpPeers},
		Bridges: {vxlanPorts, dhcp, dhcpV6, macTable, arpTable, vlans},
		Ports:   {portGroups},
	}
}

// UnservedCollections lists the collections that the application root names
// and that are not served.
func UnservedCollections() []string {
	var names []string
	for _, e := range rootEntries {
		if !e.served {
			names = append(names, e.path)
		}
	}
	return names
}
