package conformance

import (
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

const notLinkable = "Ports are not linkable."

// twoPorts makes two ports of one bridge.
func (w *Wire) twoPorts() (port, peer dto) {
	w.t.Helper()
	b := w.bridge()
	return w.bridgePort(b), w.bridgePort(b)
}

// linked links two ports and looks at both ends.
func (w *Wire) linked(port, peer dto) {
	w.t.Helper()
	w.link(port, peer)
	require.Equal(w.t, peer["id"], w.port(port)["peerId"])
	require.Equal(w.t, port["id"], w.port(peer)["peerId"])
}

func linkCases() []Case {
	return append([]Case{
		proves("3.3.port.uri.link.post 3.3.link.rule.symmetric", func(w *Wire) {
			p, peer := w.twoPorts()
			w.linked(p, peer)
		}),
		proves("3.3.link.field.peerId", func(w *Wire) {
			p, _ := w.twoPorts()
			w.violates("peerId", p.text("link"), "PortLink-v1", dto{})
			w.violates("peerId", p.text("link"), "PortLink-v1", dto{"peerId": "no-uuid"})
			require.Nil(w.t, w.port(p)["peerId"])
		}),
		proves("3.3.link.rule.media", func(w *Wire) {
			for _, media := range []string{"PortLink-v1", plainJSON} {
				p, peer := w.twoPorts()
				a := w.typed("POST", p.text("link"), media, w.json(dto{"peerId": peer["id"]}))
				require.Equal(w.t, 201, a.status, a.body)
			}
		}),
		proves("3.3.link.rule.post", func(w *Wire) {
			p, peer := w.twoPorts()
			a := w.typed("POST", p.text("link"), "PortLink-v1", w.json(dto{"peerId": peer["id"]}))
			require.Equal(w.t, 201, a.status, a.body)
			require.Empty(w.t, a.body)
			if location := a.header.Get("Location"); location != "" {
				require.Equal(w.t, p["link"], location)
				w.remove(location)
				require.Nil(w.t, w.port(p)["peerId"])
			}
		}),
		proves("3.3.link.rule.portId", func(w *Wire) {
			p, peer := w.twoPorts()
			a := w.typed("POST", p.text("link"), "PortLink-v1", w.json(dto{"peerId": peer["id"], "portId": p["id"]}))
			require.Equal(w.t, 201, a.status, a.body)
			require.Equal(w.t, peer["id"], w.port(p)["peerId"])
		}).differs("answers 500 (MNA-1249)"),
		proves("3.3.link.rule.taken", func(w *Wire) {
			b := w.bridge()
			p, peer, third := w.bridgePort(b), w.bridgePort(b), w.bridgePort(b)
			w.link(p, peer)
			for _, ends := range [][2]dto{{p, third}, {third, p}, {peer, third}, {p, peer}} {
				a := w.typed("POST", ends[0].text("link"), "PortLink-v1", w.json(dto{"peerId": ends[1]["id"]}))
				require.Equal(w.t, notLinkable, w.errorBody(409, a))
			}
			require.Nil(w.t, w.port(third)["peerId"])
		}),
	}, linkEnds()...)
}

func linkEnds() []Case {
	return []Case{
		proves("3.3.link.rule.missing", func(w *Wire) {
			p, _ := w.twoPorts()
			id := uuid.NewString()
			w.errorBody(404, w.typed("POST", p.text("link"), "PortLink-v1", w.json(dto{"peerId": id})))
			w.errorBody(404, w.typed("POST", "/ports/"+id+"/link", "PortLink-v1", w.json(dto{"peerId": p["id"]})))
			w.errorBody(404, w.call("DELETE", "/ports/"+id+"/link", ""))
			require.Nil(w.t, w.port(p)["peerId"])
		}),
		proves("3.3.link.rule.routerRouter", func(w *Wire) {
			w.linked(w.routerPort(w.router(), "10.0.0.1/24"), w.routerPort(w.router(), "10.0.0.2/24"))
		}),
		proves("3.3.link.rule.bridgeBridge", func(w *Wire) {
			w.linked(w.bridgePort(w.bridge()), w.bridgePort(w.bridge()))
		}),
		proves("3.3.link.rule.sameDevice", func(w *Wire) {
			r := w.router()
			w.linked(w.routerPort(r, "10.0.0.1/24"), w.routerPort(r, "10.0.0.2/24"))
			p, peer := w.twoPorts()
			w.linked(p, peer)
		}),
		proves("3.3.port.uri.link.delete 3.3.link.rule.delete", func(w *Wire) {
			p, peer := w.twoPorts()
			for _, end := range []dto{p, peer} {
				w.link(p, peer)
				w.remove(end.text("link"))
				require.Nil(w.t, w.port(p)["peerId"])
				require.Nil(w.t, w.port(peer)["peerId"])
			}
		}),
		proves("3.3.link.rule.deleteUnlinked", func(w *Wire) {
			p, _ := w.twoPorts()
			w.remove(p.text("link"))
		}),
	}
}
