package conformance

import (
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

var bridgeResource = resource{
	prefix: "3.2.bridge", media: "Bridge-v4", puts: true,
	prepare: func(w *Wire) setting { return setting{collection: "/bridges", least: w.named()} },
}

func bridgeCases() []Case {
	all := bridgeResource.cases(
		idField(true), nameField(), tenantField(),
		field{name: "adminStateUp", unset: true, good: []any{false, true}, bad: []bad{{value: "maybe", status: 400, plain: true}}},
		chainReference("inboundFilterId"), chainReference("outboundFilterId"),
		emptyList("inboundMirrorIds"), emptyList("outboundMirrorIds"), nullOnly("qosPolicyId"),
		field{name: "vxLanPortIds", unset: []any{}, bad: []bad{{value: func(*Wire, setting) any { return []any{uuid.NewString()} }, status: 400}}},
		chainLink("inboundFilter", "inboundFilterId"), chainLink("outboundFilter", "outboundFilterId"),
		field{name: "ports", link: "/ports"}, field{name: "peerPorts", link: "/peer_ports"}, field{name: "vxLanPorts", link: "/vxlan_ports"},
		field{name: "macTable", link: "/mac_table"}, field{name: "arpTable", link: "/arp_table"},
		field{name: "dhcpSubnets", link: "/dhcp"}, field{name: "dhcpSubnet6s", link: "/dhcpV6"},
		field{name: "vlanMacTableTemplate", link: "/vlans/{vlanId}/mac_table"},
		field{name: "macPortTemplate", link: "/mac_table/{macAddress}_{portId}"},
		field{name: "vlanMacPortTemplate", link: "/vlans/{vlanId}/mac_table/{macAddress}_{portId}"},
		ownURI(func(o dto) string { return "/bridges/" + o.text("id") }),
	)
	only5(all, "name", "tenantId", "inboundMirrorIds", "outboundMirrorIds", "qosPolicyId", "vxLanPortIds")
	all = append(all, collectionCases("3.2.bridge.uri.", "/bridges", "Bridge-v4", func(w *Wire) dto { return w.named() })...)
	return append(all, bridgeRules()...)
}

func bridgeRules() []Case {
	return []Case{
		proves("3.2.bridge.uri.put", func(w *Wire) {
			b := w.bridge()
			for _, media := range []string{"Bridge-v4", plainJSON} {
				w.put(b.text("uri"), media, b.with("name", media))
				require.Equal(w.t, media, w.get(b.text("uri"), media)["name"])
			}
			w.errorBody(404, w.typed("PUT", "/bridges/"+uuid.NewString(), "Bridge-v4", w.json(w.named())))
			a := w.typed("PUT", b.text("uri"), "Bridge-v4", w.json(b.with("vxLanPortIds", []any{uuid.NewString()})))
			if !w.isV1() {
				w.errorBody(400, a)
			}
		}),
		proves("3.2.bridge.uri.v5", func(w *Wire) {
			b := w.create("/bridges", "Bridge-v5", w.named())
			require.Equal(w.t, b, w.get(b.text("uri"), "Bridge-v4"))
			w.put(b.text("uri"), "Bridge-v5", b.with("name", "five"))
			require.Equal(w.t, "five", w.get(b.text("uri"), "Bridge-v5")["name"])
			require.Equal(w.t, []string{b.text("id")}, ids(w.list("/bridges?tenant_id="+w.tenant, "Bridge-v5")))
		}),
		proves("3.2.bridge.uri.ports.get 3.2.bridge.uri.ports.post", func(w *Wire) {
			b, other := w.bridge(), w.bridge()
			first, second := w.bridgePort(b), w.bridgePort(b)
			w.bridgePort(other)
			require.ElementsMatch(w.t, []string{first.text("id"), second.text("id")}, ids(w.list(b.text("ports"), "Port-v3")))
			w.missing("/bridges/" + uuid.NewString() + "/ports")
		}),
		proves("3.2.bridge.uri.peerPorts", func(w *Wire) {
			b, r := w.bridge(), w.router()
			p, peer := w.bridgePort(b), w.routerPort(r, "10.0.0.1/24")
			w.bridgePort(b)
			w.link(p, peer)
			require.Equal(w.t, []string{peer.text("id")}, ids(w.list(b.text("peerPorts"), "Port-v3")))
		}),
		proves("3.2.bridge.rule.delete.missing 2.http.deleteMissing.bridges", deleteMissing("/bridges/", 404)),
	}
}
