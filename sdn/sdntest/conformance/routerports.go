package conformance

import (
	"strings"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/wire"
)

var routerPortResource = resource{
	prefix: "3.3.routerPort", media: "Port-v3", puts: true,
	prepare: func(w *Wire) setting {
		r := w.router()
		return setting{collection: r.text("ports"), least: w.routerPortBody("10.0.0.1/24"), around: map[string]dto{"router": r}}
	},
}

func routerPortCases() []Case {
	null := func(*Wire, setting, dto) any { return nil }
	all := routerPortResource.cases(
		field{name: "networkLength", unset: anything, less: []string{"portSubnet"}, good: []any{0, 32, 24}, bad: []bad{{value: 33, status: 400}, {value: -1, status: 400}}},
		field{name: "portAddress", unset: anything, less: []string{"portSubnet"}, good: []any{"10.0.0.9", "192.0.2.255"},
			bad: []bad{{value: "::1", status: 400}, {value: "1.2.3", status: 400}, {value: "nonsense", status: 400}}},
		field{name: "rtrPortVni", good: []any{nil}, bad: []bad{{value: 7, status: 501}}},
		field{name: "offRampVxlan", unset: anything, bad: []bad{{value: true, status: 501}}},
		field{name: "serviceContainerId", fixed: null, lie: uuid.NewString()},
		field{name: "bgpStatus", fixed: null, lie: "up"},
		field{name: "serviceContainer", fixed: null},
		field{name: "peeringTable", fixed: func(_ *Wire, s setting, o dto) any {
			return s.around["router"].text("uri") + "/ports/" + o.text("id") + "/peering_table"
		}},
	)
	only5(all, "rtrPortVni", "offRampVxlan", "serviceContainerId", "serviceContainer", "bgpStatus", "peeringTable")
	all = append(all, bridgePortVLAN()...)
	return append(all, routerPortRules()...)
}

func routerPortRules() []Case {
	return append([]Case{
		proves("3.3.routerPort.field.networkAddress", func(w *Wire) {
			r := w.router()
			p := w.create(r.text("ports"), "Port-v3", w.routerPortBody("10.0.0.9/24").with("networkAddress", "172.16.0.0"))
			require.Equal(w.t, "10.0.0.0", p["networkAddress"])
			w.violates("networkAddress", r.text("ports"), "Port-v3", w.routerPortBody("10.0.0.9/24").with("networkAddress", "1.2.3"))
		}),
		proves("3.3.routerPort.field.portSubnet", func(w *Wire) {
			r := w.router()
			p := w.create(r.text("ports"), "Port-v3", dto{"type": routerKind, "portSubnet": []any{"10.1.2.3/20"}})
			w.same([]any{"10.1.2.3/20"}, p["portSubnet"])
			require.Equal(w.t, "10.1.2.3", p["portAddress"])
			require.Equal(w.t, "10.1.0.0", p["networkAddress"])
			require.EqualValues(w.t, 20, p["networkLength"])
			w.violates("portSubnet", r.text("ports"), "Port-v3", dto{"type": routerKind, "portSubnet": []any{"10.1.2.3"}})
			w.violates("portSubnet", r.text("ports"), "Port-v3", dto{"type": routerKind, "portSubnet": []any{"nonsense"}})
		}).in(wire.V5),
		proves("3.3.routerPort.field.portMac", func(w *Wire) {
			r := w.router()
			first, second := w.routerPort(r, "10.0.0.1/24"), w.routerPort(r, "10.0.1.1/24")
			require.Regexp(w.t, `^ac:ca:ba(:[0-9a-f]{2}){3}$`, first["portMac"])
			require.NotEqual(w.t, first["portMac"], second["portMac"])
			p := w.create(r.text("ports"), "Port-v3", w.routerPortBody("10.0.2.1/24").with("portMac", "02:00:00:00:00:0A"))
			require.Equal(w.t, "02:00:00:00:00:0a", strings.ToLower(p.text("portMac")))
			w.violates("portMac", r.text("ports"), "Port-v3", w.routerPortBody("10.0.3.1/24").with("portMac", "02:00"))
		}),
		proves("3.3.routerPort.rule.fromAddress", func(w *Wire) {
			w.same([]any{"10.0.0.1/24"}, w.routerPort(w.router(), "10.0.0.1/24")["portSubnet"])
		}).in(wire.V5),
	}, routerPortAddresses()...)
}

func routerPortAddresses() []Case {
	return []Case{
		proves("3.3.routerPort.rule.neither", func(w *Wire) {
			r := w.router()
			w.refuse(400, r.text("ports"), "Port-v3", dto{"type": routerKind})
			require.Empty(w.t, w.list(r.text("ports"), "Port-v3"))
		}).differs("answers 500"),
		proves("3.3.routerPort.rule.severalAddresses", func(w *Wire) {
			r := w.router()
			a := w.typed("POST", r.text("ports"), "Port-v3", w.json(dto{"type": routerKind, "portSubnet": []any{"10.0.0.1/24", "10.1.0.1/16"}}))
			if a.status == 501 {
				require.Contains(w.t, w.errorBody(501, a), "portSubnet")
				require.Empty(w.t, w.list(r.text("ports"), "Port-v3"))
				return
			}
			require.Equal(w.t, 201, a.status, a.body)
			var to []string
			for _, route := range w.list(r.text("routes"), "Route-v1") {
				to = append(to, route.text("dstNetworkAddr"))
			}
			require.ElementsMatch(w.t, []string{"10.0.0.1", "10.1.0.1"}, to)
		}).in(wire.V5),
		proves("3.3.routerPort.rule.macOnPut", func(w *Wire) {
			p := w.routerPort(w.router(), "10.0.0.1/24")
			w.put(p.text("uri"), "Port-v3", p.without("portMac"))
			require.Equal(w.t, p["portMac"], w.port(p)["portMac"])
			w.put(p.text("uri"), "Port-v3", p.with("portMac", "02:00:00:00:00:01"))
			require.Equal(w.t, "02:00:00:00:00:01", w.port(p)["portMac"])
		}).differs("clears it (MNA-1251)"),
		proves("3.3.routerPort.rule.localRoute 3.3.routerPort.rule.noSubnetRoute", func(w *Wire) {
			r := w.router()
			p := w.routerPort(r, "10.0.0.9/24")
			routes := w.list(r.text("routes"), "Route-v1")
			require.Len(w.t, routes, 1, "none to the subnet")
			for key, want := range (dto{
				"type": "Local", "srcNetworkAddr": "0.0.0.0", "srcNetworkLength": 0, "dstNetworkAddr": "10.0.0.9", "dstNetworkLength": 32,
				"nextHopPort": p["id"], "nextHopGateway": nil, "weight": 0, "learned": false, "routerId": r["id"],
			}) {
				if _, shown := routes[0][key]; shown || !w.isV1() {
					w.same(want, routes[0][key], key)
				}
			}
		}),
		proves("3.3.routerPort.rule.putRoutes", func(w *Wire) {
			r := w.router()
			p := w.routerPort(r, "10.0.0.9/24")
			before := w.list(r.text("routes"), "Route-v1")
			body := p.with("portAddress", "10.0.0.10").with("portSubnet", []any{"10.0.0.10/24"})
			w.put(p.text("uri"), "Port-v3", body)
			require.Equal(w.t, "10.0.0.10", w.port(p)["portAddress"])
			require.Equal(w.t, before, w.list(r.text("routes"), "Route-v1"))
		}),
	}
}
