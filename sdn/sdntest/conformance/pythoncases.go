package conformance

import (
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// pythonCase is a case in the voice of the Python client.
func pythonCase(cells string, run func(*python)) Case {
	return proves(cells, func(w *Wire) { run(newPython(w)) })
}

func pythonCases() []Case {
	return slices.Concat(pythonCalls(), pythonChanges(), pythonMembers(), pythonKeys())
}

func pythonCalls() []Case {
	return append([]Case{
		proves("5.call.login", func(w *Wire) {
			q := w.request(w.t.Context(), "POST", "/login", "{}", []string{"X-Auth-Project: admin"})
			q.Header.Del("X-Auth-Token")
			q.SetBasicAuth(w.User, w.Password)
			a := w.send(q)
			require.Equal(w.t, 200, a.status, a.body)
			head, _, _ := strings.Cut(a.header.Get("set-cookie"), ";")
			_, w.token, _ = strings.Cut(head, "=")
			w.get("", "Application-v5")
		}),
		proves("5.call.loginRepeat", func(w *Wire) {
			w.token = "expired"
			require.Equal(w.t, 401, w.call("GET", "/routers", "{}", "Accept: */*").status)
			w.token = w.login()
			require.Equal(w.t, 200, w.call("GET", "/routers", "{}", "Accept: */*").status)
		}).differs("with its mock provider takes any token"),
		proves("5.call.anonymous", func(w *Wire) {
			w.token = ""
			w.errorBody(401, w.call("GET", "", "{}", "Accept: "+w.type5("Application-v5")))
		}).differs("with its mock provider lets everybody in"),
		pythonCase("5.call.root 5.media.Application-v5", func(p *python) {
			require.Equal(p.t, p.URL+"/", p.root["uri"])
			require.NotEmpty(p.t, p.root["routers"])
		}),
		pythonCase("5.call.bodies", func(p *python) {
			r := p.router()
			require.Equal(p.t, r, p.read(r.text("uri"), "Router-v3"))
			a := p.call("GET", r.text("uri"), "{}", "Accept: "+p.type5("Router-v3"))
			require.Equal(p.t, 200, a.status, "without a Content-Type")
			p.delete(r.text("uri"))
		}),
		pythonCase("5.call.create", func(p *python) {
			r := p.make(p.root.text("routers"), "Router-v3", dto{"name": "r", "tenantId": p.tenant})
			require.Equal(p.t, "r", r["name"])
		}),
		pythonCase("5.call.createAgain", func(p *python) {
			for media, o := range map[string]dto{"Router-v3": p.router(), "Bridge-v4": p.bridge(), "Chain-v1": p.chain()} {
				uri := strings.TrimSuffix(o.text("uri"), "/"+o.text("id"))
				again := p.make(uri, media, o.with("id", uuid.NewString()))
				require.NotEqual(p.t, o["id"], again["id"])
				require.NotEqual(p.t, o["uri"], again["uri"])
				require.Equal(p.t, o["name"], again["name"])
			}
		}),
		pythonCase("5.call.get", func(p *python) {
			c := p.chain()
			require.Equal(p.t, c, p.read(c.text("uri"), "Chain-v1"))
		}),
	}, pythonLists()...)
}

func pythonLists() []Case {
	return append([]Case{
		pythonCase("5.call.list", func(p *python) {
			r, b, c := p.router(), p.bridge(), p.chain()
			port := p.make(r.text("ports"), "Port-v3", p.routerPortBody("10.0.0.1/24"))
			require.Contains(p.t, p.all(p.root.text("routers"), "Router-v3", nil), r)
			require.Contains(p.t, p.all(p.root.text("bridges"), "Bridge-v4", nil), b)
			require.Equal(p.t, []dto{port}, p.all(r.text("ports"), "Port-v3", nil))
			require.Len(p.t, p.all(r.text("routes"), "Route-v1", nil), 1)
			require.Empty(p.t, p.all(r.text("peerPorts"), "Port-v3", nil))
			require.Empty(p.t, p.all(c.text("rules"), "Rule-v2", nil))
		}),
		pythonCase("5.call.list.query", func(p *python) {
			odd := p.make(p.root.text("chains"), "Chain-v1", dto{"name": "c", "tenantId": "a b&c=ü " + p.tenant})
			require.Equal(p.t, []dto{odd}, p.all(p.root.text("chains"), "Chain-v1", url.Values{"tenant_id": {odd.text("tenantId")}}))
		}),
		pythonCase("5.call.list.empty", func(p *python) {
			a := p.call("GET", p.bridge().text("ports"), "{}", "Accept: "+p.type5("collection.Port-v3"))
			require.Equal(p.t, "[]", strings.TrimSpace(a.body))
		}),
		pythonCase("5.call.template", func(p *python) {
			b := p.bridge()
			require.Equal(p.t, b, p.read(p.template("bridgeTemplate", b.text("id")), "Bridge-v4"))
		}),
		pythonCase("5.call.template.delete", func(p *python) {
			b := p.bridge()
			p.delete(p.template("bridgeTemplate", b.text("id")))
			require.NotContains(p.t, ids(p.all(p.root.text("bridges"), "Bridge-v4", nil)), b["id"])
		}),
	}, pythonStatuses()...)
}

func pythonStatuses() []Case {
	return []Case{
		pythonCase("5.call.statuses", func(p *python) {
			known := []int{400, 401, 403, 404, 405, 406, 409, 411, 413, 414, 415, 500, 501, 502, 503, 504}
			id := uuid.NewString()
			for _, c := range []struct{ method, uri, body string }{
				{"GET", "/routers/" + id, "{}"}, {"POST", "/routers", "{}"}, {"PUT", "/chains/" + id, "{}"}, {"GET", "/vips", "{}"},
				{"POST", "/ports/" + id + "/link", "{}"}, {"POST", "/chains", strings.Repeat("x", 2<<20)}, {"DELETE", "/routers", "{}"},
			} {
				a := p.call(c.method, c.uri, c.body, "Content-Type: "+plainJSON, "Accept: "+plainJSON)
				if a.status > 300 {
					require.Contains(p.t, known, a.status, "%s %s", c.method, c.uri)
				} else {
					p.removeLater(a.header.Get("Location"))
				}
			}
		}),
		pythonCase("5.call.statusMessage", func(p *python) {
			a := p.call("GET", "/routers/"+uuid.NewString(), "{}", "Accept: "+p.type5("Router-v3"))
			require.Empty(p.t, a.header.Get("Content-Encoding"))
			require.Contains(p.t, a.body, "There is no Router with ID")
		}),
	}
}

func pythonChanges() []Case {
	return []Case{
		pythonCase("5.call.update", func(p *python) {
			r, c := p.router(), p.chain()
			r["inboundFilterId"] = c["id"]
			got := p.update(r, "Router-v3")
			require.Equal(p.t, c["uri"], got["inboundFilter"])
			got["inboundFilterId"] = nil
			require.Nil(p.t, p.update(got, "Router-v3")["inboundFilter"])
			b := p.bridge()
			port := p.make(b.text("ports"), "Port-v3", dto{"type": bridgeKind})
			port["adminStateUp"] = false
			require.Equal(p.t, port, p.update(port, "Port-v3"))
			b["name"] = "renamed"
			require.Equal(p.t, b, p.update(b, "Bridge-v4"))
			z := p.make(p.root.text("tunnelZones"), zoneMedia, dto{"name": uuid.NewString(), "type": "gre"})
			z["name"] = uuid.NewString()
			require.Equal(p.t, z, p.update(z, zoneMedia))
		}),
		pythonCase("5.call.delete", func(p *python) {
			r := p.router()
			route := p.make(r.text("routes"), "Route-v1", blackHole("10.0.0.0", 8))
			p.delete(route.text("uri"))
			require.Empty(p.t, p.all(r.text("routes"), "Route-v1", nil))
			p.delete(r.text("uri"))
		}),
		pythonCase("5.call.link", func(p *python) {
			port := p.make(p.router().text("ports"), "Port-v3", p.routerPortBody("10.0.0.1/24"))
			peer := p.make(p.bridge().text("ports"), "Port-v3", dto{"type": bridgeKind})
			p.linkWhole(port, peer)
			require.Equal(p.t, peer["id"], p.read(port.text("uri"), "Port-v3")["peerId"])
		}),
		pythonCase("5.call.unlink", func(p *python) {
			b := p.bridge()
			port, peer := p.make(b.text("ports"), "Port-v3", dto{"type": bridgeKind}), p.make(b.text("ports"), "Port-v3", dto{"type": bridgeKind})
			p.linkWhole(port, peer)
			p.delete(peer.text("link"))
			require.Equal(p.t, port, p.read(port.text("uri"), "Port-v3"))
			p.delete(port.text("link"))
		}),
	}
}

func pythonMembers() []Case {
	return append([]Case{
		pythonCase("5.call.binding", func(p *python) {
			host := p.make(p.root.text("hosts"), "Host-v3", newHost())
			zone := p.make(p.root.text("tunnelZones"), zoneMedia, dto{"name": uuid.NewString(), "type": "vxlan"})
			p.make(zone.text("hosts"), memberMedia, dto{"hostId": host["id"], "ipAddress": "192.0.2.1"})
			port := p.make(p.bridge().text("ports"), "Port-v3", dto{"type": bridgeKind})
			bound := p.make(host.text("ports"), bindingMedia, dto{"portId": port["id"], "interfaceName": "eth1"})
			require.Equal(p.t, []dto{bound}, p.all(host.text("ports"), bindingMedia, nil))
			p.delete(bound.text("uri"))
			require.Equal(p.t, port, p.read(port.text("uri"), "Port-v3"))
		}),
		pythonCase("5.call.addrGroup", func(p *python) {
			group := p.make(p.root.text("ipAddrGroups"), addrGroupMedia, dto{"name": "g"})
			addr := p.make(group.text("addrs"), addrMedia, dto{"version": 4, "addr": "10.0.0.1"})
			require.Equal(p.t, []dto{addr}, p.all(group.text("addrs"), addrMedia, nil))
			p.delete(addr.text("uri"))
		}),
		pythonCase("5.call.portGroup", func(p *python) {
			group := p.make(p.root.text("portGroups"), portGroupMedia, dto{"name": "g", "tenantId": p.tenant, "stateful": true})
			port := p.make(p.bridge().text("ports"), "Port-v3", dto{"type": bridgeKind})
			member := p.make(group.text("ports"), groupPortMedia, dto{"portId": port["id"]})
			require.Equal(p.t, []dto{member}, p.all(port.text("portGroups"), groupPortMedia, nil))
			require.Equal(p.t, []dto{group}, p.all(p.root.text("portGroups"), portGroupMedia, url.Values{"port_id": {port.text("id")}}))
			group["stateful"] = false
			require.Equal(p.t, group, p.update(group, portGroupMedia))
			p.delete(member.text("uri"))
		}),
	}, pythonLookups()...)
}

func pythonLookups() []Case {
	return []Case{
		pythonCase("5.call.dhcpLookup 5.media.DhcpSubnet-v2 5.media.DhcpHost-v2", func(p *python) {
			bridge := p.bridge()
			for _, prefix := range []string{"10.1.0.0", "10.2.0.0"} {
				p.make(bridge.text("dhcpSubnets"), subnetMedia, dto{"subnetPrefix": prefix, "subnetLength": 24, "opt121Routes": nil, "dnsServerAddrs": nil})
			}
			found := 0
			for _, s := range p.all(bridge.text("dhcpSubnets"), subnetMedia, nil) {
				if s["subnetPrefix"] == "10.2.0.0" && s["subnetLength"] == 24.0 {
					found++
					host := p.make(s.text("hosts"), dhcpHostMedia, dto{"macAddr": aMAC, "ipAddr": "10.2.0.9", "name": "h", "extraDhcpOpts": nil})
					host["name"] = "other"
					require.Equal(p.t, host, p.update(host, dhcpHostMedia))
					s["defaultGateway"] = "10.2.0.1"
					require.Equal(p.t, s, p.update(s, subnetMedia))
				}
			}
			require.Equal(p.t, 1, found)
		}),
		pythonCase("5.media.v1", func(p *python) {
			for _, c := range [][2]string{
				{"chains", "Chain-v1"}, {"portGroups", portGroupMedia}, {"ipAddrGroups", addrGroupMedia}, {"tunnelZones", zoneMedia},
			} {
				p.all(p.root.text(c[0]), c[1], nil)
			}
			p.all(p.router().text("routes"), "Route-v1", nil)
		}),
		pythonCase("5.call.zoneHost", func(p *python) {
			for kind, media := range map[string]string{"gre": "GreTunnelZoneHost-v1", "vxlan": memberMedia} {
				host := p.make(p.root.text("hosts"), "Host-v3", newHost())
				zone := p.make(p.root.text("tunnelZones"), zoneMedia, dto{"name": uuid.NewString(), "type": kind})
				member := p.make(zone.text("hosts"), media, dto{"hostId": host["id"], "ipAddress": "192.0.2.1"})
				require.Equal(p.t, []dto{member}, p.all(zone.text("hosts"), media, nil))
				p.delete(member.text("uri"))
			}
		}),
	}
}
