package plan

// ForwardKey is the setting that makes a namespace forward IPv4.
const ForwardKey = "net/ipv4/ip_forward"

// StackKeys are the settings that a plan makes in a namespace of Moat's.
func StackKeys() []string { return keys(stackSysctls(true)) }

// HostKeys are those that it makes on the host, for the uplink dev.
func HostKeys(dev string) []string { return keys(hostSysctls(dev)) }

func keys(settings []Sysctl) []string {
	out := make([]string, len(settings))
	for i, s := range settings {
		out[i] = s.Key
	}
	return out
}

func hostSysctls(dev string) []Sysctl {
	return []Sysctl{
		{Key: ForwardKey, Value: "1"},
		{Key: "net/ipv4/conf/" + dev + "/rp_filter", Value: "0", Dev: dev},
		{Key: "net/ipv6/conf/" + dev + "/disable_ipv6", Value: "1", Dev: dev, Optional: true},
	}
}

// stackSysctls are the settings of a namespace's IP stack. ip_forward comes
// first: writing it resets the redirect settings.
func stackSysctls(router bool) []Sysctl {
	forward := "0"
	if router {
		forward = "1"
	}
	s := []Sysctl{
		{Key: ForwardKey, Value: forward},
		// A router's routes need not be symmetric, and its chains decide on spoofing.
		{Key: "net/ipv4/conf/all/rp_filter", Value: "0"},
		{Key: "net/ipv4/conf/default/rp_filter", Value: "0"},
		// Nor is it looked up whether a packet's source could be reached: with rules
		// by source the kernel would, and drop what only a refusing route leads to.
		{Key: "net/ipv4/conf/all/accept_local", Value: "1"},
		// A port answers ARP for its own address only, and only to its own subnet.
		{Key: "net/ipv4/conf/all/arp_ignore", Value: "2"},
		// It asks with its own address too, whatever the packet's source is: the
		// router at the other end of a link would not answer otherwise.
		{Key: "net/ipv4/conf/all/arp_announce", Value: "2"},
		{Key: "net/ipv4/conf/all/send_redirects", Value: "0"},
		{Key: "net/ipv4/conf/default/send_redirects", Value: "0"},
		{Key: "net/ipv4/conf/all/accept_redirects", Value: "0"},
		{Key: "net/ipv4/conf/default/accept_redirects", Value: "0"},
		{Key: "net/ipv4/conf/all/accept_source_route", Value: "0"},
		// Nothing but ARP is taken from an Ethernet broadcast.
		{Key: "net/ipv4/conf/all/drop_unicast_in_l2_multicast", Value: "1"},
		// ICMP errors carry the address of the port that the packet came in by.
		{Key: "net/ipv4/icmp_errors_use_inbound_ifaddr", Value: "1"},
		// Routes of equal weight share flows by addresses, protocol and ports, and
		// by these alone: what a sender's kernel on this machine calls a flow may
		// change within a connection.
		{Key: "net/ipv4/fib_multipath_hash_fields", Value: "55", Optional: true},
		{Key: "net/ipv4/fib_multipath_hash_policy", Value: "3", Optional: true},
		{Key: "net/ipv6/conf/all/disable_ipv6", Value: "1", Optional: true},
		{Key: "net/ipv6/conf/default/disable_ipv6", Value: "1", Optional: true},
	}
	// A new namespace has these at 1: bridged frames would pass the router's chains.
	for _, f := range []string{"iptables", "ip6tables", "arptables"} {
		s = append(s, Sysctl{Key: "net/bridge/bridge-nf-call-" + f, Value: "0", Optional: true})
	}
	return s
}
