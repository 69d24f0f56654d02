package conformance

import (
	"net/netip"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

func newHost() dto { return dto{"id": uuid.NewString(), "name": "host"} }

// fourWeights are what PUT of a host changes.
var fourWeights = dto{"floodingProxyWeight": 2, "containerWeight": 3, "containerLimit": 4, "enforceContainerLimit": true}

var hostResource = resource{
	prefix: "3.9.host", media: "Host-v3",
	prepare: func(*Wire) setting { return setting{collection: "/hosts", least: newHost()} },
}

func hostCases() []Case {
	numbers := func(name string, unset any, good []any, low any) field {
		return field{name: name, unset: unset, good: good, bad: []bad{{value: low, status: 400}}}
	}
	all := hostResource.cases(
		field{name: "name", good: []any{"n", "日本"}},
		field{name: "addresses", lie: []any{"192.0.2.9"}, fixed: func(*Wire, setting, dto) any { return []any{} }},
		field{name: "hostInterfaces", lie: []any{dto{"name": "eth0"}}, fixed: func(*Wire, setting, dto) any { return []any{} }},
		field{name: "alive", lie: true, fixed: func(*Wire, setting, dto) any { return false }},
		numbers("floodingProxyWeight", 1, []any{0, 1, 65535}, 65536),
		numbers("containerWeight", 1, []any{0, 7}, -1),
		numbers("containerLimit", -1, []any{-1, 0, 7}, -2),
		field{name: "enforceContainerLimit", unset: false, good: []any{true, false}},
		field{name: "interfaces", link: "/interfaces"}, field{name: "ports", link: "/ports"},
		ownURI(func(o dto) string { return "/hosts/" + o.text("id") }),
	)
	only5(all, "containerWeight", "containerLimit", "enforceContainerLimit")
	for _, c := range collectionCases("3.9.host.uri.", "/hosts", "Host-v3", func(*Wire) dto { return newHost() }) {
		if hasSuffix(c.Cells[0], ".list") || hasSuffix(c.Cells[0], ".get") || hasSuffix(c.Cells[0], ".post") {
			all = append(all, c)
		}
	}
	return append(append(all, hostRules()...), interfaceCases()...)
}

func hostRules() []Case {
	return append([]Case{
		proves("3.9.host.field.id", func(w *Wire) {
			w.violates("id", "/hosts", "Host-v3", dto{"name": "h"})
			w.violates("id", "/hosts", "Host-v3", dto{"name": "h", "id": "no-uuid"})
			h := w.host()
			w.refuse(409, "/hosts", "Host-v3", dto{"name": "h", "id": h["id"]})
		}),
		proves("3.9.host.uri.put 3.9.host.rule.put.status 1.diff.put.v5", func(w *Wire) {
			h := w.host()
			a := w.typed("PUT", h.text("uri"), "Host-v3", w.json(fourWeights))
			require.Equal(w.t, 200, a.status, a.body)
			require.Empty(w.t, a.body)
			for key, want := range fourWeights {
				w.same(want, w.get(h.text("uri"), "Host-v3")[key], key)
			}
			w.errorBody(404, w.typed("PUT", "/hosts/"+uuid.NewString(), "Host-v3", w.json(fourWeights)))
			r := w.router()
			require.Equal(w.t, 204, w.typed("PUT", r.text("uri"), "Router-v3", w.json(r)).status)
		}).in(wire.V5),
		proves("3.9.host.rule.put.only", func(w *Wire) {
			h := w.host()
			body := h.with("id", uuid.NewString()).with("name", "other").with("alive", true).with("addresses", []any{"192.0.2.1"})
			for k, v := range fourWeights {
				body[k] = v
			}
			w.typed("PUT", h.text("uri"), "Host-v3", w.json(body))
			for k, v := range fourWeights {
				if _, shown := h[k]; shown {
					h[k] = v
				}
			}
			w.same(h, w.get(h.text("uri"), "Host-v3"))
		}),
		proves("3.9.host.rule.put.null", func(w *Wire) {
			h := w.host()
			for key := range fourWeights {
				for _, body := range []dto{fourWeights.with(key, nil), fourWeights.without(key)} {
					a := w.typed("PUT", h.text("uri"), "Host-v3", w.json(body))
					w.errorBody(400, a)
					require.Contains(w.t, w.violations(a), key)
				}
			}
			require.Equal(w.t, h, w.get(h.text("uri"), "Host-v3"))
		}).in(wire.V5),
	}, hostDeletions()...)
}

func hostDeletions() []Case {
	return []Case{
		proves("3.9.host.uri.delete 3.9.host.rule.delete.status 1.diff.host.delete.v5", func(w *Wire) {
			h := w.host()
			a := w.call("DELETE", h.text("uri"), "")
			require.Equal(w.t, 200, a.status, a.body)
			require.Empty(w.t, a.body)
			w.missing(h.text("uri"))
		}).in(wire.V5),
		proves("3.9.host.rule.delete.alive", func(w *Wire) {
			h := w.host()
			id := sdn.HostID(h.text("id"))
			w.Own.Topology.SetAlive(id, true)
			defer w.Own.Topology.SetAlive(id, false)
			require.Equal(w.t, true, w.get(h.text("uri"), "Host-v3")["alive"])
			w.errorBody(403, w.call("DELETE", h.text("uri"), ""))
			w.get(h.text("uri"), "Host-v3")
		}).beside(),
		proves("3.9.host.rule.delete.bound", func(w *Wire) {
			h := w.bindable()
			bound := w.bind(h, w.bridgePort(w.bridge()), "eth1")
			w.errorBody(403, w.call("DELETE", h.text("uri"), ""))
			w.remove(bound.text("uri"))
			require.Less(w.t, w.call("DELETE", h.text("uri"), "").status, 300)
		}),
		proves("3.9.host.rule.delete.zones", func(w *Wire) {
			z, h := w.zone(), w.host()
			m := w.member(z, h)
			require.Less(w.t, w.call("DELETE", h.text("uri"), "").status, 300)
			require.Empty(w.t, w.list(z.text("hosts"), "TunnelZoneHost-v1"))
			w.missing(m.text("uri"))
		}),
		proves("3.9.host.rule.delete.missing 2.http.deleteMissing.hosts", deleteMissing("/hosts/", 404)).in(wire.V5),
	}
}

// interfaceCases need an engine's report, which the topology stands in for.
func interfaceCases() []Case {
	report := sdn.HostInterface{
		Name: "eth0", MAC: "02:00:00:00:00:0a", MTU: 1450, Type: "Physical", Endpoint: "PHYSICAL", PortType: "NetDev",
		Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::1")}, Status: 3,
	}
	reported := func(w *Wire) (dto, dto) {
		h := w.host()
		odd := report
		odd.Name, odd.Status, odd.PortType, odd.Type, odd.Endpoint = "a/b c", 1, "", "Virtual", "UNKNOWN"
		w.Own.Topology.SetInterfaces(sdn.HostID(h.text("id")), report.Addresses[:1], []sdn.HostInterface{report, odd})
		return h, w.get(h.text("interfaces")+"/eth0", "Interface-v1")
	}
	var all []Case
	for _, f := range []struct {
		name string
		want func(h dto) any
	}{
		{"hostId", func(h dto) any { return h["id"] }}, {"name", func(dto) any { return "eth0" }},
		{"mac", func(dto) any { return "02:00:00:00:00:0a" }}, {"mtu", func(dto) any { return 1450 }},
		{"type", func(dto) any { return "Physical" }}, {"endpoint", func(dto) any { return "PHYSICAL" }},
		{"portType", func(dto) any { return "NetDev" }}, {"status", func(dto) any { return 3 }},
		{"addresses", func(dto) any { return []any{"192.0.2.7", "2001:db8::1"} }},
		{"uri", func(h dto) any { return h.text("uri") + "/interfaces/eth0" }},
	} {
		all = append(all, proves("3.9.interface.field."+f.name, func(w *Wire) {
			h, o := reported(w)
			w.same(f.want(h), o[f.name])
		}).beside())
	}
	return append(all,
		proves("3.9.interface.uri.list", func(w *Wire) {
			h, o := reported(w)
			for _, media := range []string{"Interface-v1", plainJSON} {
				list := w.list(h.text("interfaces"), media)
				require.Len(w.t, list, 2)
				require.Contains(w.t, list, o)
			}
			w.same(w.list(h.text("interfaces"), "Interface-v1"), w.get(h.text("uri"), "Host-v3")["hostInterfaces"])
			w.same([]any{"192.0.2.7"}, w.get(h.text("uri"), "Host-v3")["addresses"])
			w.missing("/hosts/" + uuid.NewString() + "/interfaces")
		}).beside(),
		proves("3.9.interface.uri.get", func(w *Wire) {
			h, o := reported(w)
			require.Equal(w.t, o, w.get(o.text("uri"), plainJSON))
			for _, other := range w.list(h.text("interfaces"), "Interface-v1") {
				require.Equal(w.t, other, w.get(other.text("uri"), "Interface-v1"), "whatever its name")
			}
			w.missing(h.text("interfaces") + "/eth9")
		}).beside(),
		proves("3.9.interface.rule.readOnly", func(w *Wire) {
			h, o := reported(w)
			for _, method := range []string{"POST", "PUT", "DELETE"} {
				w.errorBody(405, w.typed(method, h.text("interfaces"), "Interface-v1", "{}"))
				w.errorBody(405, w.typed(method, o.text("uri"), "Interface-v1", "{}"))
			}
		}).beside(),
	)
}
