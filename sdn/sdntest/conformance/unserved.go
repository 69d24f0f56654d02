package conformance

import (
	"strings"

	"github.com/google/uuid"

	"github.com/moatnet/moat/sdn/wire"
)

// unservedPaths are the resources of section 3.13 that answer 501 as a whole;
// ID stands for a UUID.
var unservedPaths = []struct{ cell, paths string }{
	{"loadBalancer", "/load_balancers /load_balancers/ID /load_balancers/ID/pools /load_balancers/ID/vips"},
	{"pool", "/pools /pools/ID /pools/ID/vips /pools/ID/pool_members"},
	{"poolMember", "/pool_members /pool_members/ID"},
	{"vip", "/vips /vips/ID"},
	{"healthMonitor", "/health_monitors /health_monitors/ID /health_monitors/ID/pools"},
	{"bgpPeer", "/bgp_peers/ID /routers/ID/bgp_peers"},
	{"bgpNetwork", "/bgp_networks/ID /routers/ID/bgp_networks"},
	{"mirror", "/mirrors /mirrors/ID"},
	{"qosPolicy", "/qos_policies /qos_policies/ID /qos_policies/ID/qos_bw_limit_rules /qos_policies/ID/qos_dscp_rules"},
	{"qosBwLimitRule", "/qos_bw_limit_rules/ID"},
	{"qosDscpRule", "/qos_dscp_rules/ID"},
	{"serviceContainer", "/service_containers /service_containers/ID"},
	{"serviceContainerGroup", "/service_container_groups /service_container_groups/ID /service_container_groups/ID/service_containers"},
	{"l2insertion", "/l2insertions /l2insertions/ID"},
	{"traceRequest", "/traces /traces/ID"},
	{"vtep", "/vteps /vteps/ID /vteps/ID/bindings /vteps/ID/bindings/eth0/7 /vteps/ID/ports"},
	{"conf", "/conf/nodes/ID /conf/runtime/ID /conf/templates/default /conf/template-mappings /conf/template-mappings/ID /conf/schemas"},
	{"neutron", "/neutron /neutron/networks /neutron/ports/ID"},
}

func unservedCases() []Case {
	var all []Case
	for _, u := range unservedPaths {
		all = append(all, proves("3.13."+u.cell+".unserved", func(w *Wire) {
			for path := range strings.FieldsSeq(strings.ReplaceAll(u.paths, "ID", uuid.NewString())) {
				w.unserved(path)
			}
		}).differs("serves them"))
	}
	return append(all,
		proves("1.diff.vtep", func(w *Wire) {
			w.unserved("/vteps")
			w.unserved("/vteps/192.0.2.1")
		}).differs("serves them"),
		proves("1.diff.bgp", func(w *Wire) {
			w.unserved("/routers/" + uuid.NewString() + "/bgp_peers")
			w.unserved("/bgp_peers/" + uuid.NewString())
			w.unserved("/ports/" + uuid.NewString() + "/bgps")
			w.unserved("/ad_routes/" + uuid.NewString())
		}).differs("serves BGP").in(wire.V1),
		proves("3.13.noReplicatedMap", func(w *Wire) {
			b, r := w.bridge(), w.router()
			for _, path := range []string{"/maps", "/replicated_maps", b.text("uri") + "/ip4_mac_map", b.text("uri") + "/maps", r.text("uri") + "/arp_table", "/mac_table"} {
				w.missing(path)
			}
		}),
	)
}

func contains(s, part string) bool { return strings.Contains(s, part) }
