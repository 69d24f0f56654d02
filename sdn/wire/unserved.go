package wire

// Sub-collections that links point to and this API does not serve.
const (
	bgpNetworks = "bgp_networks"
	bgpPeers    = "bgp_peers"
)

// PeeringTable lies below a router's port, HostCommands below a host of 1.9. Both
// are not served either.
const (
	PeeringTable = "peering_table"
	HostCommands = "commands"
)

// UnservedBelow lists, for each collection, the segments below an object of it
// that belong to the dialect and are not served.
func UnservedBelow() map[string][]string {
	return map[string][]string{
		Routers: {bgpNetworks, bgpPeers},
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
