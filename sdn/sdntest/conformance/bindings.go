package conformance

import (
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/server"
	"github.com/moatnet/moat/sdn/topology"
	"github.com/moatnet/moat/sdn/wire"
)

const bindingMedia = "HostInterfacePort-v1"

func bindingCases() []Case {
	var all []Case
	for _, f := range []struct {
		name string
		want func(h, p dto) any
	}{
		{"hostId", func(h, _ dto) any { return h["id"] }},
		{"uri", func(h, p dto) any { return h.text("ports") + "/" + p.text("id") }},
		{"host", func(h, _ dto) any { return h["uri"] }},
		{"port", func(_, p dto) any { return p["uri"] }},
	} {
		all = append(all, proves("3.10.binding.field."+f.name, func(w *Wire) {
			h, p := w.bindable(), w.bridgePort(w.bridge())
			lie := dto{"portId": p["id"], "interfaceName": "eth1", f.name: "22222222-2222-4222-8222-222222222222"}
			w.same(f.want(h, p), w.create(h.text("ports"), bindingMedia, lie)[f.name])
		}))
	}
	return append(append(append(all, bindingURIs()...), bindingOrder()...), bindingRules()...)
}

func binding(port dto, name string) dto { return dto{"portId": port["id"], "interfaceName": name} }

func bindingURIs() []Case {
	return []Case{
		proves("3.10.binding.uri.list", func(w *Wire) {
			h, b := w.bindable(), w.bridge()
			require.Empty(w.t, w.list(h.text("ports"), bindingMedia))
			first, second := w.bind(h, w.bridgePort(b), "eth1"), w.bind(h, w.bridgePort(b), "eth2")
			w.bind(w.bindable(), w.bridgePort(b), "eth1")
			require.ElementsMatch(w.t, []dto{first, second}, w.list(h.text("ports"), bindingMedia))
			w.missing("/hosts/" + uuid.NewString() + "/ports")
		}),
		proves("3.10.binding.uri.post", func(w *Wire) {
			h, b := w.bindable(), w.bridge()
			for i, media := range []string{bindingMedia, plainJSON} {
				p := w.bridgePort(b)
				name := []string{"eth1", "eth2"}[i]
				o := w.create(h.text("ports"), media, binding(p, name))
				require.Equal(w.t, name, o["interfaceName"])
				require.Equal(w.t, name, w.port(p)["interfaceName"])
				require.Equal(w.t, h["id"], w.port(p)["hostId"])
			}
		}),
		proves("3.10.binding.uri.get", func(w *Wire) {
			h, b := w.bindable(), w.bridge()
			o := w.bind(h, w.bridgePort(b), "eth1")
			require.Equal(w.t, o, w.get(o.text("uri"), bindingMedia))
			w.missing(h.text("ports") + "/" + w.bridgePort(b).text("id"))
			w.missing(h.text("ports") + "/" + uuid.NewString())
		}),
		proves("3.10.binding.uri.delete", func(w *Wire) {
			p := w.bridgePort(w.bridge())
			o := w.bind(w.bindable(), p, "eth1")
			w.remove(o.text("uri"))
			w.missing(o.text("uri"))
			require.Equal(w.t, p, w.port(p))
		}),
	}
}

// bindingOrder proves which check comes first where several fail.
func bindingOrder() []Case {
	return []Case{
		proves("3.10.binding.field.portId", func(w *Wire) {
			w.violates("portId", w.bindable().text("ports"), bindingMedia, dto{"interfaceName": "eth1"})
		}),
		proves("3.10.binding.field.interfaceName", func(w *Wire) {
			w.violates("interfaceName", w.bindable().text("ports"), bindingMedia, binding(w.bridgePort(w.bridge()), "eth1").without("interfaceName"))
		}),
		proves("3.10.binding.rule.order.host", func(w *Wire) {
			id := uuid.NewString()
			message := w.refuse(404, "/hosts/"+id+"/ports", bindingMedia, dto{"portId": uuid.NewString(), "interfaceName": "eth1"})
			require.Equal(w.t, "There is no Host with ID "+id+".", message)
		}),
		proves("3.10.binding.rule.order.zone", func(w *Wire) {
			message := w.refuse(409, w.host().text("ports"), bindingMedia, dto{"portId": uuid.NewString(), "interfaceName": "eth1"})
			require.Equal(w.t, "The specified host is not in any tunnel zone.", message)
		}).in(wire.V5),
		proves("3.10.binding.rule.order.port", func(w *Wire) {
			id := uuid.NewString()
			h := w.bindable()
			w.bind(h, w.bridgePort(w.bridge()), "eth1")
			message := w.refuse(404, h.text("ports"), bindingMedia, dto{"portId": id, "interfaceName": "eth1"})
			require.Equal(w.t, "There is no Port with ID "+id+".", message)
		}).in(wire.V5),
		proves("3.10.binding.rule.order.bound", func(w *Wire) {
			h, other, p := w.bindable(), w.bindable(), w.bridgePort(w.bridge())
			first := w.bind(h, p, "eth1")
			w.refuse(409, h.text("ports"), bindingMedia, binding(p, "eth2"))
			w.refuse(409, other.text("ports"), bindingMedia, binding(p, "eth1"))
			require.Equal(w.t, []dto{first}, w.list(h.text("ports"), bindingMedia))
		}).in(wire.V5),
		proves("3.10.binding.rule.order.interface", func(w *Wire) {
			h, b := w.bindable(), w.bridge()
			w.bind(h, w.bridgePort(b), "eth1")
			free := w.bridgePort(b)
			w.refuse(409, h.text("ports"), bindingMedia, binding(free, "eth1"))
			require.Nil(w.t, w.port(free)["hostId"])
			w.bind(w.bindable(), free, "eth1")
		}).in(wire.V5),
	}
}

func bindingRules() []Case {
	return []Case{
		proves("3.10.binding.rule.notAlive", func(w *Wire) {
			top := topology.NewMemory(topology.Options{})
			w.t.Cleanup(func() { require.NoError(w.t, top.Close()) })
			w.URL = w.Own.Serve(w.t, server.Options{API: top})
			w.token = w.login()
			w.refuse(409, w.bindable().text("ports"), bindingMedia, binding(w.bridgePort(w.bridge()), "eth1"))
		}).beside(),
		proves("3.10.binding.rule.interfaceLater", func(w *Wire) {
			h := w.bindable()
			require.Empty(w.t, w.list(h.text("interfaces"), "Interface-v1"))
			w.bind(h, w.bridgePort(w.bridge()), "later0")
		}),
		proves("3.10.binding.rule.linked", func(w *Wire) {
			b := w.bridge()
			p, peer := w.bridgePort(b), w.bridgePort(b)
			w.link(p, peer)
			w.bind(w.bindable(), p, "eth1")
			require.Equal(w.t, peer["id"], w.port(p)["peerId"])
		}),
		proves("3.10.binding.rule.noUpdate", func(w *Wire) {
			p := w.bridgePort(w.bridge())
			o := w.bind(w.bindable(), p, "eth1")
			w.errorBody(405, w.typed("PUT", o.text("uri"), bindingMedia, w.json(binding(p, "eth2"))))
			require.Equal(w.t, "eth1", w.port(p)["interfaceName"])
		}),
		proves("3.10.binding.rule.delete.anyHost", func(w *Wire) {
			p := w.bridgePort(w.bridge())
			w.bind(w.bindable(), p, "eth1")
			w.remove(w.host().text("ports") + "/" + p.text("id"))
			require.Nil(w.t, w.port(p)["hostId"])
		}),
		proves("3.10.binding.rule.delete.unknownPort", func(w *Wire) {
			w.errorBody(404, w.call("DELETE", w.host().text("ports")+"/"+uuid.NewString(), ""))
		}),
		proves("3.10.binding.rule.delete.notBound", func(w *Wire) {
			w.remove(w.host().text("ports") + "/" + w.bridgePort(w.bridge()).text("id"))
		}),
	}
}
