package conformance

import (
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/server"
	"github.com/moatnet/moat/sdn/wire"
)

func releaseCases() []Case {
	return slices.Concat(mediaOfReleases(), rootOf19(), portsOf19(), rulesOf19(), rulesOf5(), clientsOfReleases())
}

// family is one resource in all the media types that a release has for it.
type family struct {
	cell   string // behind "1.diff."
	media  string // short names, parted by spaces
	noPOST bool
	at     func(w *Wire) (uri string, body dto)
}

func families(routers, bridges, ports, tenants, rules, hosts, subnets, dhcpHosts string) []family {
	return []family{
		{"router", routers, false, func(w *Wire) (string, dto) { return "/routers", w.named() }},
		{"bridge", bridges, false, func(w *Wire) (string, dto) { return "/bridges", w.named() }},
		{"port", ports, false, func(w *Wire) (string, dto) { return w.bridge().text("ports"), dto{"type": "ExteriorBridge"} }},
		{"tenant", tenants, true, func(*Wire) (string, dto) { return "/tenants", nil }},
		{"rule", rules, false, func(w *Wire) (string, dto) { return w.chain().text("rules"), dto{"type": "accept"} }},
		{"host", hosts, false, func(*Wire) (string, dto) { return "/hosts", newHost() }},
		{"dhcp", subnets, false, func(w *Wire) (string, dto) {
			return w.bridge().text("dhcpSubnets"), dto{"subnetPrefix": "10.9.0.0", "subnetLength": 24}
		}},
		{"dhcp host", dhcpHosts, false, func(w *Wire) (string, dto) {
			return w.subnet(w.bridge()).text("hosts"), dto{"macAddr": aMAC, "ipAddr": "10.9.0.9", "name": "h"}
		}},
	}
}

// mediaOfReleases post in each type of a family and get in each.
func mediaOfReleases() []Case {
	var all []Case
	for _, of := range []struct {
		release wire.Release
		suffix  string
		list    []family
	}{
		{wire.V1, ".v1", families("Router-v1 Router-v2", "Bridge-v1 Bridge-v2 Bridge-v3", "Port-v1 Port-v2", "Tenant-v1", "Rule-v1 Rule-v2",
			"Host-v2 Host-v3", "DhcpSubnet-v1 DhcpSubnet-v2", "DhcpHost-v1 DhcpHost-v2")},
		{wire.V5, ".v5", families("Router-v3", "Bridge-v4 Bridge-v5", "Port-v3 Port-v4", "Tenant-v2", "Rule-v2",
			"Host-v3", "DhcpSubnet-v2", "DhcpHost-v2")},
	} {
		byCell := map[string][]family{}
		for _, f := range of.list {
			cell, _, _ := strings.Cut(f.cell, " ")
			byCell[cell] = append(byCell[cell], f)
		}
		for cell, list := range byCell {
			all = append(all, proves("1.diff."+cell+of.suffix, func(w *Wire) {
				for _, f := range list {
					f.prove(w)
				}
			}).in(of.release))
		}
	}
	return all
}

func (f family) prove(w *Wire) {
	w.t.Helper()
	media := strings.Fields(f.media)
	for _, posted := range media {
		uri, body := f.at(w)
		if f.noPOST {
			w.chain()
			w.list(uri, posted)
			require.Equal(w.t, w.tenant, w.get(uri+"/"+w.tenant, posted)["id"])
			continue
		}
		made := w.create(uri, posted, body)
		for _, got := range media {
			o := w.get(made.text("uri"), got)
			for _, key := range []string{"id", "uri", "name", "subnetPrefix", "macAddr"} {
				require.Equal(w.t, made[key], o[key], "%s as %s", posted, got)
			}
			require.Contains(w.t, w.list(uri, got), o)
		}
	}
}

func rootOf19() []Case {
	all := []Case{
		proves("1.diff.application.v4 1.release.v1.9", func(w *Wire) {
			for _, media := range []string{vendor + "Application-v4+json", vendor + "Application-v5+json", plainJSON} {
				root := w.get("", media)
				require.Equal(w.t, "v1.9", root["version"])
				require.Equal(w.t, w.URL+"/routers", root["routers"])
			}
		}),
		proves("1.diff.systemState.v1", func(w *Wire) {
			for _, media := range []string{"SystemState-v1", "SystemState-v2"} {
				require.NotEmpty(w.t, w.get("/system_state", media)["state"])
			}
		}),
		proves("1.diff.systemState.put", func(w *Wire) {
			for _, media := range []string{"SystemState-v1", "SystemState-v2"} {
				w.put("/system_state", media, dto{"state": "ACTIVE", "availability": "READWRITE"})
			}
		}),
	}
	for key, path := range map[string]string{
		"writeVersion": "/write_version", "hostVersions": "/versions", "adRouteTemplate": "/ad_routes/{id}",
		"bgpTemplate": "/bgps/{id}", "traceRequests": "/traces",
	} {
		all = append(all, proves("1.root.v1key."+key, func(w *Wire) {
			require.Equal(w.t, w.URL+path, w.get("", "Application-v4")[key])
		}))
	}
	for _, key := range []string{"licenses", "licenseTemplate", "licenseStatus"} {
		all = append(all, proves("1.root.v1key."+key, func(w *Wire) {
			root := w.get("", vendor+"Application-v5+json")
			require.Contains(w.t, root, key)
			require.Nil(w.t, root[key])
			require.NotContains(w.t, w.get("", "Application-v4"), key)
		}))
	}
	return in19(all)
}

func in19(cases []Case) []Case {
	for i := range cases {
		cases[i] = cases[i].in(wire.V1)
	}
	return cases
}

func portsOf19() []Case {
	pair := func(w *Wire) (dto, dto) {
		b := w.bridge()
		return w.bridgePort(b), w.routerPort(w.router(), "10.0.0.1/24")
	}
	return in19([]Case{
		proves("1.diff.router.v2.loadBalancer", func(w *Wire) {
			r := w.router()
			for _, key := range []string{"loadBalancerId", "loadBalancer"} {
				require.Contains(w.t, w.get(r.text("uri"), "Router-v2"), key)
				require.NotContains(w.t, w.get(r.text("uri"), "Router-v1"), key)
			}
		}),
		proves("1.diff.port.v1.types", func(w *Wire) {
			b, r := w.bridge(), w.router()
			for _, kind := range []string{"ExteriorBridge", "InteriorBridge"} {
				require.Equal(w.t, "ExteriorBridge", w.create(b.text("ports"), "Port-v1", dto{"type": kind})["type"])
			}
			for _, kind := range []string{"ExteriorRouter", "InteriorRouter"} {
				require.Equal(w.t, "ExteriorRouter", w.create(r.text("ports"), "Port-v1", w.routerPortBody("10.0.0.1/24").with("type", kind))["type"])
			}
			w.refuse(400, b.text("ports"), "Port-v1", dto{"type": "Vxlan"})
			w.refuse(400, b.text("ports"), "Port-v1", dto{"type": "Nonsense"})
		}),
		proves("1.diff.port.v1.state", func(w *Wire) {
			p, peer := pair(w)
			w.link(p, peer)
			require.Equal(w.t, "InteriorBridge", w.get(p.text("uri"), "Port-v1")["type"])
			require.Equal(w.t, "InteriorRouter", w.get(peer.text("uri"), "Port-v1")["type"])
			w.remove(p.text("link"))
			require.Equal(w.t, "ExteriorBridge", w.get(p.text("uri"), "Port-v1")["type"])
			require.Equal(w.t, "ExteriorRouter", w.get(peer.text("uri"), "Port-v1")["type"])
		}),
		proves("1.diff.port.v2.types", func(w *Wire) {
			p, peer := pair(w)
			w.link(p, peer)
			require.Equal(w.t, bridgeKind, w.get(p.text("uri"), "Port-v2")["type"])
			require.Equal(w.t, routerKind, w.get(peer.text("uri"), "Port-v2")["type"])
		}),
		proves("1.diff.port.v2.binding", func(w *Wire) {
			p, _ := pair(w)
			w.bind(w.bindable(), p, "eth1")
			for _, key := range []string{"hostId", "interfaceName", "host"} {
				require.NotEmpty(w.t, w.get(p.text("uri"), "Port-v2")[key], key)
				require.NotContains(w.t, w.get(p.text("uri"), "Port-v1"), key)
			}
			old := w.get(p.text("uri"), "Port-v1")
			w.put(p.text("uri"), "Port-v1", old.with("adminStateUp", false))
			require.Equal(w.t, "eth1", w.get(p.text("uri"), "Port-v2")["interfaceName"], "what the type lacks stays")
		}),
		proves("3.10.binding.rule.v1.zone", func(w *Wire) {
			p := w.bridgePort(w.bridge())
			a := w.typed("POST", w.host().text("ports"), bindingMedia, w.json(binding(p, "eth1")))
			w.errorBody(400, a)
			require.NotEmpty(w.t, w.violations(a))
			require.Nil(w.t, w.port(p)["hostId"])
		}),
	})
}

// namedResources need a name and a tenant in 1.9.
var namedResources = map[string]string{"/routers": "Router-v3", "/bridges": "Bridge-v4", "/chains": "Chain-v1", "/port_groups": portGroupMedia}

func rulesOf19() []Case {
	return in19([]Case{
		proves("1.diff.names.v1", func(w *Wire) {
			for uri, media := range namedResources {
				w.violates("name", uri, media, dto{"tenantId": w.tenant})
				w.violates("tenantId", uri, media, dto{"name": "n"})
				require.Empty(w.t, w.list(uri+"?tenant_id="+w.tenant, media))
				o := w.create(uri, media, w.named())
				if media != "Chain-v1" {
					w.errorBody(400, w.typed("PUT", o.text("uri"), media, w.json(o.with("name", nil))))
					require.Equal(w.t, o, w.get(o.text("uri"), media))
				}
			}
		}),
		proves("1.diff.route.types.v1", func(w *Wire) {
			r := w.router()
			p := w.routerPort(r, "10.0.0.1/24")
			for _, kind := range []string{"Local", "Fip64"} {
				w.refuse(400, r.text("routes"), "Route-v1", blackHole("10.1.0.0", 16).with("type", kind).with("nextHopPort", p["id"]))
			}
			for _, kind := range []string{"Normal", "BlackHole", "Reject"} {
				body := blackHole("10.1.0.0", 16).with("type", kind)
				if kind == "Normal" {
					body["nextHopPort"] = p["id"]
				}
				require.Equal(w.t, kind, w.create(r.text("routes"), "Route-v1", body)["type"])
			}
		}),
		proves("1.diff.port.deleteMissing.v1", deleteMissing("/ports/", 204)),
		proves("1.diff.host.delete.v1", func(w *Wire) {
			h := w.host()
			w.remove(h.text("uri"))
			w.missing(h.text("uri"))
		}),
		proves("1.diff.put.v1", func(w *Wire) {
			r, h, b := w.router(), w.host(), w.bridge()
			w.put(r.text("uri"), "Router-v3", r)
			w.put(b.text("uri"), "Bridge-v4", b)
			w.put(h.text("uri"), "Host-v3", h.with("floodingProxyWeight", 7))
			require.EqualValues(w.t, 7, w.get(h.text("uri"), "Host-v3")["floodingProxyWeight"])
		}),
	})
}

func rulesOf5() []Case {
	return []Case{
		proves("1.diff.names.v5", func(w *Wire) {
			for uri, media := range namedResources {
				first := w.create(uri, media, dto{"name": "same"})
				second := w.create(uri, media, dto{"name": "same"})
				require.NotEqual(w.t, first["id"], second["id"])
				none := w.create(uri, media, dto{})
				require.Nil(w.t, none["name"])
				require.Nil(w.t, none["tenantId"])
			}
		}).in(wire.V5),
		proves("1.base.default", func(w *Wire) {
			w.URL = w.Own.Serve(w.t, server.Options{})
			require.True(w.t, strings.HasSuffix(w.URL, "/midonet-api"))
			w.token = w.login()
			require.Equal(w.t, 200, w.call("GET", "/routers", "", "Accept: */*").status)
			w.URL = strings.TrimSuffix(w.URL, "/midonet-api")
			require.Equal(w.t, 404, w.call("GET", "/routers", "", "Accept: */*").status, "nothing lies beside it")
		}).beside(),
	}
}
