package conformance

import (
	"strings"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func newZone() dto {
	return dto{"id": uuid.NewString(), "name": uuid.NewString(), "type": "vxlan"}
}

const (
	zoneMedia   = "TunnelZone-v1"
	memberMedia = "TunnelZoneHost-v1"
)

var zoneResource = resource{
	prefix: "3.11.tunnelZone", media: zoneMedia, puts: true,
	prepare: func(*Wire) setting {
		return setting{collection: "/tunnel_zones", vary: func(dto) dto { return newZone() }}
	},
}

func zoneCases() []Case {
	all := zoneResource.cases(
		idField(true), field{name: "hosts", link: "/hosts"},
		ownURI(func(o dto) string { return "/tunnel_zones/" + o.text("id") }),
	)
	for _, c := range collectionCases("3.11.tunnelZone.uri.", "/tunnel_zones", zoneMedia, func(*Wire) dto { return newZone() }) {
		if !hasSuffix(c.Cells[0], ".tenant") {
			all = append(all, c)
		}
	}
	return append(append(append(all, zoneRules()...), memberCases()...), memberRules()...)
}

func zoneRules() []Case {
	return []Case{
		proves("3.11.tunnelZone.field.name", func(w *Wire) {
			for _, name := range []any{nil, "", strings.Repeat("x", 256)} {
				w.violates("name", "/tunnel_zones", zoneMedia, newZone().with("name", name))
			}
			long := w.tenant + strings.Repeat("ü", 255-len(w.tenant))
			require.Equal(w.t, long, w.create("/tunnel_zones", zoneMedia, newZone().with("name", long))["name"])
		}),
		proves("3.11.tunnelZone.field.type", func(w *Wire) {
			for _, kind := range []string{"gre", "vxlan", "vtep"} {
				require.Equal(w.t, kind, w.create("/tunnel_zones", zoneMedia, newZone().with("type", kind))["type"])
			}
			for _, kind := range []any{nil, "", "VXLAN", "nonsense"} {
				body := newZone().with("type", kind)
				w.refuse(400, "/tunnel_zones", zoneMedia, body)
				w.missing("/tunnel_zones/" + body.text("id"))
			}
		}),
		proves("3.11.tunnelZone.uri.put 3.11.tunnelZone.rule.ownName", func(w *Wire) {
			z := w.zone()
			w.put(z.text("uri"), zoneMedia, z)
			require.Equal(w.t, z, w.get(z.text("uri"), zoneMedia))
			name := uuid.NewString()
			w.put(z.text("uri"), plainJSON, z.with("name", name))
			require.Equal(w.t, name, w.get(z.text("uri"), zoneMedia)["name"])
			w.errorBody(404, w.typed("PUT", "/tunnel_zones/"+uuid.NewString(), zoneMedia, w.json(newZone())))
		}).differs("answers 409 for the zone's own name (MNA-1293)"),
		proves("3.11.tunnelZone.rule.nameTaken", func(w *Wire) {
			first, second := w.zone(), w.zone()
			const taken = "Tunnel zone name already exists."
			require.Equal(w.t, taken, w.refuse(409, "/tunnel_zones", zoneMedia, newZone().with("name", first["name"])))
			a := w.typed("PUT", second.text("uri"), zoneMedia, w.json(second.with("name", first["name"])))
			require.Equal(w.t, taken, w.errorBody(409, a))
			require.Equal(w.t, second, w.get(second.text("uri"), zoneMedia))
		}),
		proves("3.11.tunnelZone.rule.delete.members", func(w *Wire) {
			z, h := w.zone(), w.host()
			m := w.member(z, h)
			w.remove(z.text("uri"))
			w.missing(m.text("uri"))
			p := w.bridgePort(w.bridge())
			require.GreaterOrEqual(w.t, w.typed("POST", h.text("ports"), bindingMedia, w.json(binding(p, "eth1"))).status, 400, "in no zone any more")
		}),
		proves("3.11.tunnelZone.rule.delete.missing 2.http.deleteMissing.tunnel_zones", deleteMissing("/tunnel_zones/", 204)),
	}
}

func memberCases() []Case {
	var all []Case
	for _, f := range []struct {
		name string
		want func(z, h dto) any
	}{
		{"tunnelZoneId", func(z, _ dto) any { return z["id"] }},
		{"uri", func(z, h dto) any { return z.text("hosts") + "/" + h.text("id") }},
		{"host", func(_, h dto) any { return h["uri"] }},
		{"tunnelZone", func(z, _ dto) any { return z["uri"] }},
	} {
		all = append(all, proves("3.11.tunnelZoneHost.field."+f.name, func(w *Wire) {
			z, h := w.zone(), w.host()
			lie := dto{"hostId": h["id"], "ipAddress": "192.0.2.1", f.name: "22222222-2222-4222-8222-222222222222"}
			w.same(f.want(z, h), w.create(z.text("hosts"), memberMedia, lie)[f.name])
		}))
	}
	for cell, media := range map[string]string{"plain": memberMedia, "gre": "GreTunnelZoneHost-v1"} {
		all = append(all, proves("3.11.tunnelZoneHost.uri.media."+cell, func(w *Wire) {
			z := w.zone()
			m := w.create(z.text("hosts"), media, dto{"hostId": w.host()["id"], "ipAddress": "192.0.2.1"})
			require.Equal(w.t, []dto{m}, w.list(z.text("hosts"), media))
		}))
	}
	return append(all,
		proves("3.11.tunnelZoneHost.uri.list 3.11.tunnelZoneHost.uri.post", func(w *Wire) {
			z, other := w.zone(), w.zone()
			first, second := w.member(z, w.host()), w.member(z, w.host())
			w.member(other, w.host())
			require.ElementsMatch(w.t, []dto{first, second}, w.list(z.text("hosts"), memberMedia))
			w.missing("/tunnel_zones/" + uuid.NewString() + "/hosts")
		}),
		proves("3.11.tunnelZoneHost.uri.get", func(w *Wire) {
			m := w.member(w.zone(), w.host())
			require.Equal(w.t, m, w.get(m.text("uri"), memberMedia))
		}),
		proves("3.11.tunnelZoneHost.uri.delete", func(w *Wire) {
			z := w.zone()
			m := w.member(z, w.host())
			w.remove(m.text("uri"))
			require.Empty(w.t, w.list(z.text("hosts"), memberMedia))
		}),
		proves("3.11.tunnelZoneHost.uri.media.noJSON", func(w *Wire) {
			z := w.zone()
			body := w.json(dto{"hostId": w.host()["id"], "ipAddress": "192.0.2.1"})
			w.errorBody(415, w.typed("POST", z.text("hosts"), plainJSON, body))
			w.errorBody(406, w.call("GET", z.text("hosts"), "", "Accept: "+plainJSON))
			require.Empty(w.t, w.list(z.text("hosts"), memberMedia))
		}),
	)
}

// bare checks an answer without a body, as MidoNet gives in a few places.
func (w *Wire) bare(status int, a answer) {
	w.t.Helper()
	require.Equal(w.t, status, a.status, a.body)
	require.Empty(w.t, a.body)
}

func memberRules() []Case {
	return []Case{
		proves("3.11.tunnelZoneHost.field.hostId", func(w *Wire) {
			z := w.zone()
			w.violates("hostId", z.text("hosts"), memberMedia, dto{"ipAddress": "192.0.2.1"})
			w.refuse(404, z.text("hosts"), memberMedia, dto{"hostId": uuid.NewString(), "ipAddress": "192.0.2.1"})
			require.Empty(w.t, w.list(z.text("hosts"), memberMedia))
		}),
		proves("3.11.tunnelZoneHost.field.ipAddress", func(w *Wire) {
			z, h := w.zone(), w.host()
			for _, ip := range []any{nil, "", "::1", "10.0.0", "nonsense"} {
				w.violates("ipAddress", z.text("hosts"), memberMedia, dto{"hostId": h["id"], "ipAddress": ip})
			}
			require.Equal(w.t, "192.0.2.1", w.member(z, h)["ipAddress"])
		}),
		proves("3.11.tunnelZoneHost.rule.twice", func(w *Wire) {
			z, h := w.zone(), w.host()
			m := w.member(z, h)
			w.bare(409, w.typed("POST", z.text("hosts"), memberMedia, w.json(dto{"hostId": h["id"], "ipAddress": "192.0.2.2"})))
			require.Equal(w.t, []dto{m}, w.list(z.text("hosts"), memberMedia))
		}),
		proves("3.11.tunnelZoneHost.rule.absent.get", func(w *Wire) {
			w.missing(w.zone().text("hosts") + "/" + w.host().text("id"))
		}),
		proves("3.11.tunnelZoneHost.rule.absent.delete", func(w *Wire) {
			w.bare(404, w.call("DELETE", w.zone().text("hosts")+"/"+w.host().text("id"), ""))
		}),
	}
}
