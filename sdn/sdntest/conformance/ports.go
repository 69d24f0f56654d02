package conformance

import (
	"strings"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

var bridgePortResource = resource{
	prefix: "3.3.port", media: "Port-v3", puts: true,
	prepare: func(w *Wire) setting {
		b := w.bridge()
		return setting{collection: b.text("ports"), least: dto{"type": bridgeKind}, around: map[string]dto{"bridge": b}}
	},
}

func portCases() []Case {
	all := bridgePortResource.cases(
		idField(true),
		field{name: "adminStateUp", unset: true, good: []any{false, true}},
		chainReference("inboundFilterId"), chainReference("outboundFilterId"),
		field{name: "vifId", good: []any{noSuchID}, bad: []bad{{value: "no-uuid", status: 400}}},
		emptyList("inboundMirrorIds"), emptyList("outboundMirrorIds"), emptyList("postInFilterMirrorIds"), emptyList("preOutFilterMirrorIds"),
		field{name: "insertionIds", unset: []any{}, kept: []any{}},
		nullOnly("qosPolicyId"),
		field{name: "deviceId", lie: "22222222-2222-4222-8222-222222222222", fixed: func(_ *Wire, s setting, _ dto) any { return s.around["bridge"]["id"] }},
		field{name: "device", fixed: func(_ *Wire, s setting, _ dto) any { return s.around["bridge"]["uri"] }},
		field{name: "link", link: "/link"}, field{name: "portGroups", link: "/port_groups"},
		chainLink("inboundFilter", "inboundFilterId"), chainLink("outboundFilter", "outboundFilterId"),
		ownURI(func(o dto) string { return "/ports/" + o.text("id") }),
	)
	only5(all, "inboundMirrorIds", "outboundMirrorIds", "postInFilterMirrorIds", "preOutFilterMirrorIds", "insertionIds", "qosPolicyId")
	return append(append(all, portBindingFields()...), portRules()...)
}

// portBindingFields are those that links and bindings set.
func portBindingFields() []Case {
	return append([]Case{
		proves("3.3.port.field.type", func(w *Wire) {
			b := w.bridge()
			for _, kind := range []any{nil, "", "Nonsense", "bridge", 7} {
				w.refuse(400, b.text("ports"), "Port-v3", dto{"type": kind})
			}
			w.refuse(400, b.text("ports"), "Port-v3", dto{})
			p := w.bridgePort(b)
			require.Equal(w.t, bridgeKind, p["type"])
			w.errorBody(400, w.typed("PUT", p.text("uri"), "Port-v3", w.json(p.without("type"))))
			w.errorBody(400, w.typed("PUT", p.text("uri"), "Port-v3", w.json(p.with("type", "Nonsense"))))
			require.Equal(w.t, p, w.port(p))
		}),
		proves("3.3.port.field.tunnelKey", func(w *Wire) {
			b := w.bridge()
			first := w.create(b.text("ports"), "Port-v3", dto{"type": bridgeKind, "tunnelKey": 77777777})
			second := w.bridgePort(b)
			require.NotEqual(w.t, first["tunnelKey"], second["tunnelKey"])
			require.NotEqualValues(w.t, 77777777, first["tunnelKey"], "the server chooses")
			require.NotZero(w.t, second["tunnelKey"])
			w.put(first.text("uri"), "Port-v3", first.with("tunnelKey", 77777777))
			require.Equal(w.t, first["tunnelKey"], w.port(first)["tunnelKey"])
		}),
		proves("3.3.port.field.hostId 3.3.port.field.interfaceName", func(w *Wire) {
			h, p := w.bindable(), w.bridgePort(w.bridge())
			require.Nil(w.t, p["hostId"])
			require.Nil(w.t, p["interfaceName"])
			w.put(p.text("uri"), "Port-v3", p.with("hostId", h["id"]).with("interfaceName", "eth1"))
			bound := w.port(p)
			require.Equal(w.t, h["id"], bound["hostId"])
			require.Equal(w.t, "eth1", bound["interfaceName"])
			w.put(p.text("uri"), "Port-v3", bound.with("hostId", nil).with("interfaceName", "eth2"))
			require.Equal(w.t, bound, w.port(p), "kept once set")
		}),
		proves("3.3.port.field.peerId", func(w *Wire) {
			b := w.bridge()
			p, peer, other := w.bridgePort(b), w.bridgePort(b), w.bridgePort(b)
			require.Nil(w.t, p["peerId"])
			w.put(p.text("uri"), "Port-v3", p.with("peerId", peer["id"]))
			require.Equal(w.t, peer["id"], w.port(p)["peerId"])
			require.Equal(w.t, p["id"], w.port(peer)["peerId"])
			w.put(p.text("uri"), "Port-v3", p.with("peerId", other["id"]))
			require.Equal(w.t, peer["id"], w.port(p)["peerId"], "kept once set")
		}),
	}, portStateFields()...)
}

func portStateFields() []Case {
	return []Case{
		proves("3.3.port.field.active", func(w *Wire) {
			p := w.bridgePort(w.bridge())
			require.Equal(w.t, false, p["active"])
			w.put(p.text("uri"), "Port-v3", p.with("active", true))
			require.Equal(w.t, false, w.port(p)["active"])
			w.bind(w.bindable(), p, "eth1")
			id := sdn.PortID(p.text("id"))
			w.Own.Topology.SetActive(id, true)
			require.Equal(w.t, true, w.port(p)["active"])
			w.Own.Topology.SetActive(id, false)
			require.Equal(w.t, false, w.port(p)["active"])
		}).beside(),
		proves("3.3.port.field.host 3.3.port.field.hostInterfacePort", func(w *Wire) {
			h, p := w.bindable(), w.bridgePort(w.bridge())
			require.Nil(w.t, p["host"])
			require.Nil(w.t, p["hostInterfacePort"])
			bound := w.bind(h, p, "eth1")
			require.Equal(w.t, h["uri"], w.port(p)["host"])
			require.Equal(w.t, bound["uri"], w.port(p)["hostInterfacePort"])
		}),
		proves("3.3.port.field.peer", func(w *Wire) {
			b := w.bridge()
			p, peer := w.bridgePort(b), w.bridgePort(b)
			require.Nil(w.t, p["peer"])
			w.link(p, peer)
			require.Equal(w.t, peer["uri"], w.port(p)["peer"])
		}),
	}
}

func portRules() []Case {
	return append([]Case{
		proves("3.3.port.uri.list", func(w *Wire) {
			p, q := w.bridgePort(w.bridge()), w.routerPort(w.router(), "10.0.0.1/24")
			all := w.list("/ports", "Port-v3")
			require.Contains(w.t, all, p)
			require.Contains(w.t, all, q)
		}),
		proves("3.3.port.uri.get 3.3.port.uri.json", func(w *Wire) {
			p := w.create(w.bridge().text("ports"), plainJSON, dto{"type": bridgeKind})
			require.Equal(w.t, p, w.get(p.text("uri"), "Port-v3"))
			require.Contains(w.t, w.list("/ports", plainJSON), p)
			w.put(p.text("uri"), plainJSON, p)
		}),
		proves("3.3.port.uri.put", func(w *Wire) {
			p := w.bridgePort(w.bridge())
			w.put(p.text("uri"), "Port-v3", p.with("adminStateUp", false))
			require.Equal(w.t, p.with("adminStateUp", false), w.port(p))
			w.errorBody(404, w.typed("PUT", "/ports/"+uuid.NewString(), "Port-v3", w.json(p)))
		}),
		proves("3.3.port.uri.delete", func(w *Wire) {
			p := w.bridgePort(w.bridge())
			w.remove(p.text("uri"))
			w.missing(p.text("uri"))
		}),
		proves("3.3.port.uri.v4", func(w *Wire) {
			p := w.create(w.bridge().text("ports"), "Port-v4", dto{"type": bridgeKind})
			require.Equal(w.t, p, w.get(p.text("uri"), "Port-v3"))
			w.put(p.text("uri"), "Port-v4", p.with("adminStateUp", false))
			require.Equal(w.t, false, w.get(p.text("uri"), "Port-v4")["adminStateUp"])
			require.Contains(w.t, ids(w.list("/ports", "Port-v4")), p.text("id"))
		}).in(wire.V5),
	}, portChanges()...)
}

func portChanges() []Case {
	return []Case{
		proves("3.3.port.rule.put.kept", func(w *Wire) {
			b := w.bridge()
			h, p, peer := w.bindable(), w.bridgePort(b), w.bridgePort(b)
			w.bind(h, p, "eth1")
			w.link(p, peer)
			before := w.port(p)
			w.put(p.text("uri"), "Port-v3", dto{"type": bridgeKind})
			require.Equal(w.t, before, w.port(p))
		}),
		proves("3.3.port.rule.put.device", func(w *Wire) {
			p, other := w.bridgePort(w.bridge()), w.bridge()
			w.put(p.text("uri"), "Port-v3", p.with("deviceId", other["id"]))
			require.Equal(w.t, p, w.port(p))
			require.Empty(w.t, w.list(other.text("ports"), "Port-v3"))
		}),
		proves("3.3.port.rule.parentMissing", func(w *Wire) {
			id := uuid.NewString()
			require.Equal(w.t, "There is no Bridge with ID "+id+".", w.refuse(404, "/bridges/"+id+"/ports", "Port-v3", dto{"type": bridgeKind}))
			require.Equal(w.t, "There is no Router with ID "+id+".", w.refuse(404, "/routers/"+id+"/ports", "Port-v3", w.routerPortBody("10.0.0.1/24")))
		}),
		proves("3.3.port.rule.wrongParent.bridge", func(w *Wire) {
			require.Equal(w.t, "Not a bridge port.", w.refuse(400, w.bridge().text("ports"), "Port-v3", w.routerPortBody("10.0.0.1/24")))
		}),
		proves("3.3.port.rule.wrongParent.router", func(w *Wire) {
			w.refuse(400, w.router().text("ports"), "Port-v3", dto{"type": bridgeKind})
			w.refuse(404, "/routers/"+w.bridge().text("id")+"/ports", "Port-v3", w.routerPortBody("10.0.0.1/24"))
		}),
		proves("3.3.port.rule.delete.linked", func(w *Wire) {
			b := w.bridge()
			p, peer := w.bridgePort(b), w.bridgePort(b)
			w.link(p, peer)
			w.remove(p.text("uri"))
			require.Nil(w.t, w.port(peer)["peerId"])
			w.link(peer, w.bridgePort(b))
		}),
		proves("3.3.port.rule.delete.bound", func(w *Wire) {
			b, h := w.bridge(), w.bindable()
			p := w.bridgePort(b)
			w.bind(h, p, "eth1")
			w.remove(p.text("uri"))
			require.Empty(w.t, w.list(h.text("ports"), "HostInterfacePort-v1"))
			w.bind(h, w.bridgePort(b), "eth1")
		}),
		proves("3.3.port.rule.delete.missing 2.http.deleteMissing.ports 1.diff.port.deleteMissing.v5", deleteMissing("/ports/", 404)).in(wire.V5),
		proves("3.3.vxlanPort.rule.post", func(w *Wire) {
			w.refuse(400, w.bridge().text("ports"), "Port-v3", dto{"type": "Vxlan", "vtepId": uuid.NewString()})
		}),
		proves("1.diff.port.legacyNames", func(w *Wire) {
			b, r := w.bridge(), w.router()
			for _, old := range []string{"ExteriorBridge", "InteriorBridge"} {
				require.Equal(w.t, bridgeKind, w.create(b.text("ports"), "Port-v3", dto{"type": old})["type"])
			}
			for _, old := range []string{"ExteriorRouter", "InteriorRouter"} {
				require.Equal(w.t, routerKind, w.create(r.text("ports"), "Port-v3", w.routerPortBody("10.0.0.1/24").with("type", old))["type"])
			}
		}).in(wire.V5),
	}
}

func bridgePortVLAN() []Case {
	return []Case{
		proves("3.3.bridgePort.field.vlanId", func(w *Wire) {
			b := w.bridge()
			require.EqualValues(w.t, 0, w.bridgePort(b)["vlanId"])
			for _, v := range []any{nil, 0, "0"} {
				require.EqualValues(w.t, 0, w.create(b.text("ports"), "Port-v3", dto{"type": bridgeKind, "vlanId": v})["vlanId"])
			}
			w.violates("vlanId", b.text("ports"), "Port-v3", dto{"type": bridgeKind, "vlanId": 5000})
			w.violates("vlanId", b.text("ports"), "Port-v3", dto{"type": bridgeKind, "vlanId": -1})
		}),
		proves("3.3.bridgePort.rule.vlanAware 3.3.bridgePort.rule.duplicateVlan", func(w *Wire) {
			b := w.bridge()
			for range 2 {
				a := w.typed("POST", b.text("ports"), "Port-v3", w.json(dto{"type": bridgeKind, "vlanId": 7}))
				if a.status == 501 {
					require.Contains(w.t, strings.ToLower(w.errorBody(501, a)), "vlan")
					require.Empty(w.t, w.list(b.text("ports"), "Port-v3"))
					continue
				}
				require.Equal(w.t, 201, a.status, a.body)
				require.EqualValues(w.t, 7, w.get(a.header.Get("Location"), "Port-v3")["vlanId"])
			}
		}),
	}
}
