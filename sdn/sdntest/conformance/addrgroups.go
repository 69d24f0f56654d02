package conformance

import (
	"strings"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

const (
	addrGroupMedia = "IpAddrGroup-v1"
	addrMedia      = "IpAddrGroupAddr-v1"
)

var addrGroupResource = resource{
	prefix: "3.8.ipAddrGroup", media: addrGroupMedia,
	prepare: func(*Wire) setting { return setting{collection: "/ip_addr_groups", least: dto{"name": "group"}} },
}

func (w *Wire) addrGroup() dto {
	w.t.Helper()
	return w.create("/ip_addr_groups", addrGroupMedia, dto{"name": "group"})
}

func (w *Wire) addr(group dto, version int, addr string) dto {
	w.t.Helper()
	return w.create(group.text("addrs"), addrMedia, dto{"version": version, "addr": addr})
}

func addrGroupCases() []Case {
	null := func(*Wire, setting, dto) any { return nil }
	all := addrGroupResource.cases(
		idField(false), field{name: "addrs", link: "/ip_addrs"},
		ownURI(func(o dto) string { return "/ip_addr_groups/" + o.text("id") }),
		field{name: "inboundChainId", fixed: null, lie: uuid.NewString()},
		field{name: "outboundChainId", fixed: null, lie: uuid.NewString()},
	)
	for _, name := range []string{"ipAddrPorts", "ruleIds"} {
		all = append(all, proves("3.8.ipAddrGroup.field."+name, func(w *Wire) {
			g := w.addrGroup()
			require.Contains(w.t, g, name)
			require.Empty(w.t, g[name])
		}))
	}
	return append(append(append(all, addrGroupURIs()...), addrFields()...), addrRules()...)
}

func addrGroupURIs() []Case {
	return []Case{
		proves("3.8.ipAddrGroup.field.name", func(w *Wire) {
			for _, name := range []any{nil, "", strings.Repeat("x", 256)} {
				w.violates("name", "/ip_addr_groups", addrGroupMedia, dto{"name": name})
			}
			long := strings.Repeat("ü", 255)
			require.Equal(w.t, long, w.create("/ip_addr_groups", addrGroupMedia, dto{"name": long})["name"])
		}),
		proves("3.8.ipAddrGroup.uri.list", func(w *Wire) {
			g := w.addrGroup()
			require.Contains(w.t, w.list("/ip_addr_groups", addrGroupMedia), g)
		}),
		proves("3.8.ipAddrGroup.uri.post 3.8.ipAddrGroup.uri.get", func(w *Wire) {
			g := w.addrGroup()
			require.Equal(w.t, g, w.get(w.URL+"/ip_addr_groups/"+g.text("id"), addrGroupMedia))
			w.missing("/ip_addr_groups/" + uuid.NewString())
			w.refuse(409, "/ip_addr_groups", addrGroupMedia, dto{"id": g["id"], "name": "again"})
		}),
		proves("3.8.ipAddrGroup.uri.delete 2.http.deleteMissing.ip_addr_groups", func(w *Wire) {
			g := w.addrGroup()
			w.remove(g.text("uri"))
			w.missing(g.text("uri"))
			deleteMissing("/ip_addr_groups/", 204)(w)
		}),
		proves("3.8.ipAddrGroup.uri.put", func(w *Wire) {
			g := w.addrGroup()
			w.errorBody(405, w.typed("PUT", g.text("uri"), addrGroupMedia, w.json(g)))
		}),
		proves("3.8.ipAddrGroup.uri.media 2.http.noJSON.ip_addr_groups", func(w *Wire) {
			g := w.addrGroup()
			w.errorBody(406, w.call("GET", "/ip_addr_groups", "", "Accept: "+plainJSON))
			w.errorBody(406, w.call("GET", g.text("uri"), "", "Accept: "+plainJSON))
			w.errorBody(406, w.typed("POST", "/ip_addr_groups", plainJSON, `{"name":"n"}`))
		}),
		proves("3.8.ipAddrGroup.rule.delete.addrs", func(w *Wire) {
			g := w.addrGroup()
			a := w.addr(g, 4, "10.0.0.1")
			w.remove(g.text("uri"))
			w.missing(a.text("uri"))
			w.missing(g.text("addrs"))
			again := w.create("/ip_addr_groups", addrGroupMedia, dto{"id": g["id"], "name": "again"})
			require.Empty(w.t, w.list(again.text("addrs"), addrMedia), "a new group of the ID is empty")
		}),
		proves("3.8.ipAddrGroup.rule.delete.rules", func(w *Wire) {
			g := w.addrGroup()
			o := w.rule(w.chain(), dto{"type": "drop", "ipAddrGroupSrc": g["id"]})
			w.remove(g.text("uri"))
			require.Equal(w.t, g["id"], w.get(o.text("uri"), "Rule-v2")["ipAddrGroupSrc"])
		}),
		proves("3.8.ipAddrGroup.rule.noTenant", func(w *Wire) {
			g := w.create("/ip_addr_groups", addrGroupMedia, dto{"name": "g", "tenantId": w.tenant})
			require.NotContains(w.t, g, "tenantId")
		}),
	}
}

func addrFields() []Case {
	return []Case{
		proves("3.8.ipAddrGroupAddr.field.version 3.8.ipAddrGroupAddr.rule.badVersion", func(w *Wire) {
			g := w.addrGroup()
			for _, v := range []any{nil, 5, "x", 46} {
				w.refuse(400, g.text("addrs"), addrMedia, dto{"version": v, "addr": "10.0.0.1"})
			}
			w.violates("addr", g.text("addrs"), addrMedia, dto{"version": 6, "addr": "10.0.0.1"})
			require.EqualValues(w.t, 4, w.addr(g, 4, "10.0.0.1")["version"])
			require.EqualValues(w.t, 6, w.addr(g, 6, "2001:db8::1")["version"])
			for _, method := range []string{"GET", "DELETE"} {
				w.errorBody(400, w.call(method, g.text("uri")+"/versions/5/ip_addrs/10.0.0.1", "", "Accept: */*"))
				w.errorBody(400, w.call(method, g.text("uri")+"/versions/x/ip_addrs/10.0.0.1", "", "Accept: */*"))
			}
		}),
		proves("3.8.ipAddrGroupAddr.field.addr 3.8.ipAddrGroupAddr.rule.badAddress", func(w *Wire) {
			g := w.addrGroup()
			for _, addr := range []any{nil, "", "10.0.0", "10.0.0.1/32", "nonsense", "fe80::1%eth0"} {
				w.violates("addr", g.text("addrs"), addrMedia, dto{"version": 4, "addr": addr})
			}
			require.Empty(w.t, w.list(g.text("addrs"), addrMedia))
			require.Equal(w.t, "10.0.0.1", w.addr(g, 4, "10.0.0.1")["addr"])
		}),
		proves("3.8.ipAddrGroupAddr.field.ipAddrGroupId", func(w *Wire) {
			g := w.addrGroup()
			a := w.create(g.text("addrs"), addrMedia, dto{"version": 4, "addr": "10.0.0.1", "ipAddrGroupId": uuid.NewString()})
			require.Equal(w.t, g["id"], a["ipAddrGroupId"])
		}),
		proves("3.8.ipAddrGroupAddr.field.uri", func(w *Wire) {
			g := w.addrGroup()
			require.Equal(w.t, g.text("uri")+"/versions/4/ip_addrs/10.0.0.1", w.addr(g, 4, "10.0.0.1")["uri"])
			require.Equal(w.t, g.text("uri")+"/versions/6/ip_addrs/2001:db8::1", w.addr(g, 6, "2001:db8::1")["uri"])
		}),
	}
}

func addrRules() []Case {
	return []Case{
		proves("3.8.ipAddrGroupAddr.uri.list 3.8.ipAddrGroupAddr.uri.post 2.http.noJSON.ip_addrs", func(w *Wire) {
			g := w.addrGroup()
			require.Empty(w.t, w.list(g.text("addrs"), addrMedia))
			first, second := w.addr(g, 4, "10.0.0.1"), w.addr(g, 4, "10.0.0.2")
			w.addr(w.addrGroup(), 4, "10.0.0.3")
			require.ElementsMatch(w.t, []dto{first, second}, w.list(g.text("addrs"), addrMedia))
			w.errorBody(406, w.call("GET", g.text("addrs"), "", "Accept: "+plainJSON))
			w.missing("/ip_addr_groups/" + uuid.NewString() + "/ip_addrs")
			a := w.typed("POST", "/ip_addr_groups/"+uuid.NewString()+"/ip_addrs", addrMedia, `{"version":4,"addr":"10.0.0.1"}`)
			w.errorBody(404, a)
		}),
		proves("3.8.ipAddrGroupAddr.uri.get", func(w *Wire) {
			g := w.addrGroup()
			a := w.addr(g, 4, "10.0.0.1")
			require.Equal(w.t, a, w.get(a.text("uri"), addrMedia))
			w.missing(g.text("uri") + "/versions/4/ip_addrs/10.0.0.2")
		}),
		proves("3.8.ipAddrGroupAddr.uri.delete", func(w *Wire) {
			g := w.addrGroup()
			a := w.addr(g, 4, "10.0.0.1")
			for range 2 {
				w.remove(a.text("uri"))
			}
			require.Empty(w.t, w.list(g.text("addrs"), addrMedia))
		}),
		proves("3.8.ipAddrGroupAddr.rule.duplicate", func(w *Wire) {
			g := w.addrGroup()
			a := w.addr(g, 4, "10.0.0.1")
			w.refuse(409, g.text("addrs"), addrMedia, dto{"version": 4, "addr": "10.0.0.1"})
			require.Equal(w.t, []dto{a}, w.list(g.text("addrs"), addrMedia))
			w.addr(w.addrGroup(), 4, "10.0.0.1")
		}),
		proves("3.8.ipAddrGroupAddr.rule.v6", func(w *Wire) {
			g := w.addrGroup()
			a := w.addr(g, 6, "2001:DB8:0:0:0:0:0:1")
			require.Equal(w.t, "2001:db8::1", a["addr"])
			w.refuse(409, g.text("addrs"), addrMedia, dto{"version": 6, "addr": "2001:db8::1"})
			require.Equal(w.t, a, w.get(g.text("uri")+"/versions/6/ip_addrs/2001:db8:0::1", addrMedia), "however it is written")
			w.remove(g.text("uri") + "/versions/6/ip_addrs/2001:DB8::1")
			require.Empty(w.t, w.list(g.text("addrs"), addrMedia))
		}),
	}
}
