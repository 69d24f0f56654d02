package wire

import "github.com/moatnet/moat/sdn"

// rootEntry is one row of the application root. An empty name or template is
// not shown.
type rootEntry struct {
	name, path, template string
	served               bool
}

// rootEntries is the table of section 1 of the API's contract.
var rootEntries = []rootEntry{
	{"", "bgp_networks", "bgpNetworkTemplate", false},
	{"", "bgp_peers", "bgpPeerTemplate", false},
	{"bridges", Bridges, "bridgeTemplate", true},
	{"chains", Chains, "chainTemplate", true},
	{"", "conf", "", false},
	{"healthMonitors", "health_monitors", "healthMonitorTemplate", false},
	{"hosts", Hosts, "hostTemplate", true},
	{"ipAddrGroups", IPAddrGroups, "ipAddrGroupTemplate", true},
	{"l2insertions", "l2insertions", "l2InsertionTemplate", false},
	{"loadBalancers", "load_balancers", "loadBalancerTemplate", false},
	{"mirrors", "mirrors", "mirrorTemplate", false},
	{"neutron", "neutron", "", false},
	{"poolMembers", "pool_members", "poolMemberTemplate", false},
	{"pools", "pools", "poolTemplate", false},
	{"portGroups", PortGroups, "portGroupTemplate", true},
	{"ports", Ports, "portTemplate", true},
	{"", "qos_bw_limit_rules", "qosBwLimitRuleTemplate", false},
	{"", "qos_dscp_rules", "qosDscpRuleTemplate", false},
	{"qosPolicies", "qos_policies", "qosPolicyTemplate", false},
	{"routers", Routers, "routerTemplate", true},
	{"", Routes, "routeTemplate", true},
	{"", Rules, "ruleTemplate", true},
	{"serviceContainerGroups", "service_container_groups", "serviceContainerGroupTemplate", false},
	{"serviceContainers", "service_containers", "serviceContainerTemplate", false},
	{"systemState", SystemState, "", true},
	{"tenants", Tenants, "tenantTemplate", true},
	{"traceRequests", "traces", "traceRequestTemplate", false},
	{"tunnelZones", TunnelZones, "tunnelZoneTemplate", true},
	{"vips", "vips", "vipTemplate", false},
	{"vteps", "vteps", "vtepTemplate", false},
}

// Application is the application root: every key of the dialect, the ones that
// are not served included, as clients look them up without a default.
func (u URIs) Application() map[string]string {
	root := map[string]string{"uri": u.base + "/", "version": "v5.0"}
	for _, e := range rootEntries {
		if e.name != "" {
			root[e.name] = u.At(e.path)
		}
		if e.template != "" {
			root[e.template] = u.At(e.path) + "/{id}"
		}
	}
	return root
}

// State is resource SystemState-v2.
type State struct {
	State        string `json:"state"`
	Availability string `json:"availability"`
	Version      string `json:"version"`
	Information  Text   `json:"information"`
}

// ParseState reads the state in the body of a PUT, which 1.9 has.
func ParseState(body []byte) (string, error) {
	var d struct {
		State Text `json:"state"`
	}
	if err := Decode(body, &d); err != nil {
		return "", err
	}
	if d.State != "ACTIVE" && d.State != "UPGRADE" {
		return "", &sdn.ValidationError{Violations: []sdn.Violation{{Property: "state", Message: "is not ACTIVE or UPGRADE"}}}
	}
	return string(d.State), nil
}

// NewState is what a server that serves answers.
func NewState() State {
	return State{State: "ACTIVE", Availability: "READWRITE", Version: "5.0.0"}
}
