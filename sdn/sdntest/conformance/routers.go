package conformance

import (
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/wire"
)

var routerResource = resource{
	prefix: "3.1.router", media: "Router-v3", puts: true,
	prepare: func(w *Wire) setting { return setting{collection: "/routers", least: w.named()} },
}

func routerCases() []Case {
	all := routerResource.cases(
		idField(true), nameField(), tenantField(),
		field{name: "adminStateUp", unset: true, good: []any{false, true}, bad: []bad{{value: "maybe", status: 400, plain: true}}},
		chainReference("inboundFilterId"), chainReference("outboundFilterId"),
		chainReference("localRedirectChainId"), chainReference("forwardChainId"),
		nullOnly("loadBalancerId"),
		field{name: "asNumber", unset: 0, good: []any{64512, 65536}, bad: []bad{{value: -1, status: 400}}},
		emptyList("inboundMirrorIds"), emptyList("outboundMirrorIds"),
		chainLink("inboundFilter", "inboundFilterId"), chainLink("outboundFilter", "outboundFilterId"),
		chainLink("localRedirectChain", "localRedirectChainId"), chainLink("forwardChain", "forwardChainId"),
		field{name: "loadBalancer", fixed: func(*Wire, setting, dto) any { return nil }},
		field{name: "ports", link: "/ports"}, field{name: "peerPorts", link: "/peer_ports"}, field{name: "routes", link: "/routes"},
		field{name: "bgpNetworks", link: "/bgp_networks"}, field{name: "bgpPeers", link: "/bgp_peers"},
		ownURI(func(o dto) string { return "/routers/" + o.text("id") }),
	)
	only5(all, "asNumber", "localRedirectChainId", "forwardChainId", "localRedirectChain", "forwardChain", "inboundMirrorIds", "outboundMirrorIds",
		"bgpNetworks", "bgpPeers", "name", "tenantId")
	all = append(all, collectionCases("3.1.router.uri.", "/routers", "Router-v3", func(w *Wire) dto { return w.named() })...)
	return append(all, routerRules()...)
}

// only5 limits the cases of fields to 5.x.
func only5(cases []Case, fields ...string) {
	for i, c := range cases {
		for _, f := range fields {
			if hasSuffix(c.Cells[0], ".field."+f) {
				cases[i] = c.in(wire.V5)
			}
		}
	}
}

func routerRules() []Case {
	return append([]Case{
		proves("3.1.router.uri.put", func(w *Wire) {
			r := w.router()
			for _, media := range []string{"Router-v3", plainJSON} {
				w.put(r.text("uri"), media, r.with("name", media))
				require.Equal(w.t, media, w.get(r.text("uri"), media)["name"])
			}
			w.errorBody(404, w.typed("PUT", "/routers/"+uuid.NewString(), "Router-v3", w.json(w.named())))
		}),
		proves("3.1.router.uri.ports.get 3.1.router.uri.ports.post", func(w *Wire) {
			r, other := w.router(), w.router()
			first, second := w.routerPort(r, "10.0.0.1/24"), w.routerPort(r, "10.0.1.1/24")
			w.routerPort(other, "10.0.2.1/24")
			require.ElementsMatch(w.t, []string{first.text("id"), second.text("id")}, ids(w.list(r.text("ports"), "Port-v3")))
			w.missing("/routers/" + uuid.NewString() + "/ports")
		}),
		proves("3.1.router.uri.peerPorts", func(w *Wire) {
			r, b := w.router(), w.bridge()
			p, peer := w.routerPort(r, "10.0.0.1/24"), w.bridgePort(b)
			w.routerPort(r, "10.0.1.1/24")
			w.link(p, peer)
			require.Equal(w.t, []string{peer.text("id")}, ids(w.list(r.text("peerPorts"), "Port-v3")))
		}),
		proves("3.1.router.uri.routes.get 3.1.router.uri.routes.post", func(w *Wire) {
			r := w.router()
			made := w.create(r.text("routes"), "Route-v1", blackHole("10.0.0.0", 8))
			require.Equal(w.t, []string{made.text("id")}, ids(w.list(r.text("routes"), "Route-v1")))
		}),
		proves("3.1.router.uri.bgpNetworks", func(w *Wire) { w.unserved("/routers/" + uuid.NewString() + "/bgp_networks") }).differs("serves BGP"),
		proves("3.1.router.uri.bgpPeers", func(w *Wire) { w.unserved("/routers/" + uuid.NewString() + "/bgp_peers") }).differs("serves BGP"),
		proves("3.1.router.uri.peeringTable", func(w *Wire) {
			w.unserved("/routers/" + uuid.NewString() + "/ports/" + uuid.NewString() + "/peering_table")
		}).differs("serves it"),
		proves("3.1.router.uri.peeringTable.entry", func(w *Wire) {
			w.unserved("/routers/" + uuid.NewString() + "/ports/" + uuid.NewString() + "/peering_table/10.0.0.1_aa-bb-cc-dd-ee-ff")
		}).differs("serves it"),
	}, routerCascades()...)
}

func routerCascades() []Case {
	return []Case{
		proves("3.1.router.rule.kept", func(w *Wire) {
			r := w.router()
			p := w.routerPort(r, "10.0.0.1/24")
			routes := ids(w.list(r.text("routes"), "Route-v1"))
			require.NotEmpty(w.t, routes)
			w.put(r.text("uri"), "Router-v3", w.named().with("ports", nil).with("routes", "http://192.0.2.1/"))
			require.Equal(w.t, []string{p.text("id")}, ids(w.list(r.text("ports"), "Port-v3")))
			require.Equal(w.t, routes, ids(w.list(r.text("routes"), "Route-v1")))
		}),
		proves("3.1.router.rule.delete.cascade", func(w *Wire) {
			r, b := w.router(), w.bridge()
			p, peer := w.routerPort(r, "10.0.0.1/24"), w.bridgePort(b)
			w.link(p, peer)
			route := w.create(r.text("routes"), "Route-v1", blackHole("10.0.0.0", 8))
			local := w.list(r.text("routes"), "Route-v1")
			require.Len(w.t, local, 2)
			w.remove(r.text("uri"))
			for _, o := range append(local, p, route) {
				w.missing(o.text("uri"))
			}
			require.Nil(w.t, w.port(peer)["peerId"])
		}),
		proves("3.1.router.rule.delete.missing 2.http.deleteMissing.routers", deleteMissing("/routers/", 204)),
	}
}

// deleteMissing deletes what is not there, never was or was just deleted.
func deleteMissing(collection string, status int) func(*Wire) {
	return func(w *Wire) {
		id := uuid.NewString()
		for range 2 {
			a := w.call("DELETE", collection+id, "")
			require.Equal(w.t, status, a.status, a.body)
			if status == 404 {
				require.Contains(w.t, w.errorBody(404, a), " with ID "+id+".")
			}
		}
	}
}
