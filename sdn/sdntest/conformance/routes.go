package conformance

import (
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/wire"
)

func blackHole(network string, bits int) dto {
	return dto{"type": "BlackHole", "srcNetworkAddr": "0.0.0.0", "srcNetworkLength": 0, "dstNetworkAddr": network, "dstNetworkLength": bits}
}

var routeResource = resource{
	prefix: "3.6.route", media: "Route-v1",
	prepare: func(w *Wire) setting {
		r := w.router()
		return setting{collection: r.text("routes"), least: blackHole("10.0.0.0", 8), around: map[string]dto{"router": r, "port": w.routerPort(r, "10.0.0.1/24")}}
	},
}

func routeCases() []Case {
	length := func(name string) field {
		return field{name: name, unset: anything, good: []any{0, 8, 32}, bad: []bad{{value: 33, status: 400}, {value: -1, status: 400}}}
	}
	address := func(name string) field {
		return field{name: name, unset: anything, good: []any{"10.1.0.0", "0.0.0.0"},
			bad: []bad{{value: nil, status: 400}, {value: "::", status: 400}, {value: "10.0.0", status: 400}}}
	}
	all := routeResource.cases(
		idField(false), address("srcNetworkAddr"), address("dstNetworkAddr"), length("srcNetworkLength"), length("dstNetworkLength"),
		field{name: "nextHopGateway", good: []any{"10.0.0.254"}, bad: []bad{{value: "nonsense", status: 400}, {value: "::1", status: 400}}},
		field{name: "weight", unset: 0, good: []any{1, 100, 65535}, bad: []bad{{value: -1, status: 400}}},
		field{name: "attributes", good: []any{"opaque"}},
		field{name: "learned", lie: true, fixed: func(*Wire, setting, dto) any { return false }},
		field{name: "routerId", lie: uuid.NewString(), fixed: func(_ *Wire, s setting, _ dto) any { return s.around["router"]["id"] }},
		field{name: "router", fixed: func(_ *Wire, s setting, _ dto) any { return s.around["router"]["uri"] }},
		ownURI(func(o dto) string { return "/routes/" + o.text("id") }),
	)
	only5(all, "learned", "routerId")
	return append(append(all, routeRules()...), nextHopRules()...)
}

func routeRules() []Case {
	return append([]Case{
		proves("3.6.route.field.type", func(w *Wire) {
			r := w.router()
			for _, kind := range []any{nil, "", "normal", "Nonsense"} {
				require.Equal(w.t, badRouteType, w.refuse(400, r.text("routes"), "Route-v1", blackHole("10.0.0.0", 8).with("type", kind)))
			}
		}),
		proves("3.6.route.uri.list", func(w *Wire) {
			r, other := w.router(), w.router()
			first := w.create(r.text("routes"), "Route-v1", blackHole("10.0.0.0", 8))
			w.create(other.text("routes"), "Route-v1", blackHole("10.0.0.0", 8))
			require.Equal(w.t, []dto{first}, w.list(r.text("routes"), "Route-v1"))
			w.missing("/routers/" + uuid.NewString() + "/routes")
		}),
		proves("3.6.route.uri.post 3.6.route.uri.get", func(w *Wire) {
			o := w.create(w.router().text("routes"), "Route-v1", blackHole("10.0.0.0", 8))
			require.Equal(w.t, o, w.get(w.URL+"/routes/"+o.text("id"), "Route-v1"))
			require.Equal(w.t, 404, w.typed("POST", "/routers/"+uuid.NewString()+"/routes", "Route-v1", w.json(blackHole("10.0.0.0", 8))).status)
		}),
		proves("3.6.route.uri.delete 2.http.deleteMissing.routes", func(w *Wire) {
			r := w.router()
			o := w.create(r.text("routes"), "Route-v1", blackHole("10.0.0.0", 8))
			w.remove(o.text("uri"))
			w.missing(o.text("uri"))
			w.remove(o.text("uri"))
			require.Empty(w.t, w.list(r.text("routes"), "Route-v1"))
		}),
		proves("1.diff.route.delete", func(w *Wire) {
			r := w.router()
			o := w.create(r.text("routes"), "Route-v1", blackHole("10.0.0.0", 8))
			w.errorBody(404, w.call("DELETE", r.text("uri")+"/routes/"+o.text("id"), "{}"))
			w.get(o.text("uri"), "Route-v1")
		}),
		proves("3.6.route.uri.put", func(w *Wire) {
			o := w.create(w.router().text("routes"), "Route-v1", blackHole("10.0.0.0", 8))
			w.errorBody(405, w.typed("PUT", o.text("uri"), "Route-v1", w.json(o.with("weight", 7))))
			require.Equal(w.t, o, w.get(o.text("uri"), "Route-v1"))
		}),
		proves("3.6.route.uri.media", func(w *Wire) {
			r := w.router()
			o := w.create(r.text("routes"), plainJSON, blackHole("10.0.0.0", 8))
			require.Equal(w.t, o, w.get(o.text("uri"), "Route-v1"))
			require.Equal(w.t, []dto{o}, w.list(r.text("routes"), plainJSON))
			w.errorBody(406, w.call("GET", o.text("uri"), "", "Accept: "+vendor+"Route-v2+json"))
		}),
	}, routeTypes()...)
}

// routeTypes prove the types of route.
func routeTypes() []Case {
	all := []Case{
		proves("3.6.route.rule.type.Fip64", func(w *Wire) {
			r := w.router()
			w.refuse(501, r.text("routes"), "Route-v1", blackHole("10.0.0.0", 8).with("type", "Fip64"))
			require.Empty(w.t, w.list(r.text("routes"), "Route-v1"))
		}).differs("serves them").in(wire.V5),
		proves("3.6.route.rule.duplicate", func(w *Wire) {
			r := w.router()
			for range 2 {
				w.create(r.text("routes"), "Route-v1", blackHole("10.0.0.0", 8))
			}
			require.Len(w.t, w.list(r.text("routes"), "Route-v1"), 2)
		}),
		proves("1.diff.route.types.v5", func(w *Wire) {
			r := w.router()
			p := w.routerPort(r, "10.0.0.1/24")
			w.create(r.text("routes"), "Route-v1", blackHole("10.0.0.7", 32).with("type", "Local").with("nextHopPort", p["id"]))
			a := w.typed("POST", r.text("routes"), "Route-v1", w.json(blackHole("10.0.0.0", 8).with("type", "Fip64")))
			require.NotEqual(w.t, 400, a.status, "the type is known")
		}).in(wire.V5),
	}
	for _, kind := range []string{"Normal", "BlackHole", "Reject", "Local"} {
		c := proves("3.6.route.rule.type."+kind, func(w *Wire) {
			r := w.router()
			body := blackHole("10.1.0.0", 16).with("type", kind)
			if kind == "Normal" || kind == "Local" {
				body["nextHopPort"] = w.routerPort(r, "10.0.0.1/24")["id"]
			}
			o := w.create(r.text("routes"), "Route-v1", body)
			require.Equal(w.t, kind, o["type"])
			require.Contains(w.t, w.list(r.text("routes"), "Route-v1"), o)
		})
		if kind == "Local" {
			c = c.in(wire.V5)
		}
		all = append(all, c)
	}
	return all
}

func nextHopRules() []Case {
	refuse := func(w *Wire, r dto, hop any) {
		w.t.Helper()
		message := w.refuse(400, r.text("routes"), "Route-v1", blackHole("10.1.0.0", 16).with("type", "Normal").with("nextHopPort", hop))
		require.Equal(w.t, badNextHop, message)
	}
	return []Case{
		proves("3.6.route.field.nextHopPort", func(w *Wire) {
			r := w.router()
			p := w.routerPort(r, "10.0.0.1/24")
			o := w.create(r.text("routes"), "Route-v1", blackHole("10.1.0.0", 16).with("type", "Normal").with("nextHopPort", p["id"]))
			require.Equal(w.t, p["id"], o["nextHopPort"])
			require.Nil(w.t, w.create(r.text("routes"), "Route-v1", blackHole("10.2.0.0", 16))["nextHopPort"])
		}),
		proves("3.6.route.rule.nextHop.missing", func(w *Wire) { refuse(w, w.router(), nil) }),
		proves("3.6.route.rule.nextHop.unknown", func(w *Wire) { refuse(w, w.router(), uuid.NewString()) }),
		proves("3.6.route.rule.nextHop.foreign", func(w *Wire) {
			refuse(w, w.router(), w.routerPort(w.router(), "10.0.0.1/24")["id"])
			refuse(w, w.router(), w.bridgePort(w.bridge())["id"])
		}),
		proves("3.6.route.rule.withPort", func(w *Wire) {
			r := w.router()
			p := w.routerPort(r, "10.0.0.1/24")
			o := w.create(r.text("routes"), "Route-v1", blackHole("10.1.0.0", 16).with("type", "Normal").with("nextHopPort", p["id"]))
			w.remove(p.text("uri"))
			w.missing(o.text("uri"))
			require.Empty(w.t, w.list(r.text("routes"), "Route-v1"))
		}),
		proves("3.6.route.rule.listAll", func(w *Wire) {
			r := w.router()
			p := w.routerPort(r, "10.0.0.1/24")
			with := w.create(r.text("routes"), "Route-v1", blackHole("10.1.0.0", 16).with("type", "Normal").with("nextHopPort", p["id"]))
			alone := w.create(r.text("routes"), "Route-v1", blackHole("10.2.0.0", 16))
			all := w.list(r.text("routes"), "Route-v1")
			require.Len(w.t, all, 3, "and the Local route of the port")
			require.Contains(w.t, all, with)
			require.Contains(w.t, all, alone)
		}),
	}
}
