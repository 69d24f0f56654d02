package conformance

import (
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/wire"
)

const (
	portGroupMedia = "PortGroup-v1"
	groupPortMedia = "PortGroupPort-v1"
)

var portGroupResource = resource{
	prefix: "3.7.portGroup", media: portGroupMedia, puts: true,
	prepare: func(w *Wire) setting { return setting{collection: "/port_groups", least: w.named()} },
}

func (w *Wire) portGroup() dto {
	w.t.Helper()
	return w.create("/port_groups", portGroupMedia, w.named())
}

func (w *Wire) groupPort(group, port dto) dto {
	w.t.Helper()
	return w.create(group.text("ports"), groupPortMedia, dto{"portId": port["id"]})
}

func portGroupCases() []Case {
	all := portGroupResource.cases(
		idField(true), nameField(), tenantField(),
		field{name: "stateful", unset: false, good: []any{true, false}, bad: []bad{{value: "maybe", status: 400, plain: true}}},
		field{name: "ports", link: "/ports"},
		ownURI(func(o dto) string { return "/port_groups/" + o.text("id") }),
	)
	only5(all, "name", "tenantId")
	return append(append(append(all, portGroupURIs()...), groupPortFields()...), groupPortRules()...)
}

func portGroupURIs() []Case {
	return append([]Case{
		proves("3.7.portGroup.uri.list", func(w *Wire) {
			g := w.portGroup()
			require.Contains(w.t, w.list("/port_groups", portGroupMedia), g)
			require.Contains(w.t, w.list("/port_groups", plainJSON), g)
		}),
		proves("3.7.portGroup.uri.post", func(w *Wire) {
			a := w.typed("POST", "/port_groups", plainJSON, w.json(w.named()))
			require.Equal(w.t, 201, a.status, a.body)
			w.removeLater(a.header.Get("Location"))
			require.Equal(w.t, w.tenant, w.get(a.header.Get("Location"), portGroupMedia)["tenantId"])
		}),
		proves("3.7.portGroup.uri.get 3.7.portGroup.rule.get.noJSON 2.http.noJSON.port_group", func(w *Wire) {
			g := w.portGroup()
			require.Equal(w.t, g, w.get(g.text("uri"), portGroupMedia))
			w.errorBody(406, w.call("GET", g.text("uri"), "", "Accept: "+plainJSON))
			w.missing("/port_groups/" + uuid.NewString())
		}),
		proves("3.7.portGroup.uri.put", func(w *Wire) {
			g := w.portGroup()
			for _, media := range []string{portGroupMedia, plainJSON} {
				w.put(g.text("uri"), media, g.with("name", media).with("stateful", true))
				require.Equal(w.t, g.with("name", media).with("stateful", true), w.get(g.text("uri"), portGroupMedia))
			}
			w.errorBody(404, w.typed("PUT", "/port_groups/"+uuid.NewString(), portGroupMedia, w.json(w.named())))
		}),
		proves("3.7.portGroup.uri.delete", func(w *Wire) {
			g := w.portGroup()
			w.remove(g.text("uri"))
			w.missing(g.text("uri"))
			require.NotContains(w.t, ids(w.list("/port_groups", portGroupMedia)), g["id"])
		}),
	}, portGroupLists()...)
}

func portGroupLists() []Case {
	return []Case{
		proves("3.7.portGroup.uri.list.tenant", func(w *Wire) {
			g := w.portGroup()
			w.create("/port_groups", portGroupMedia, w.named().with("tenantId", "other-"+w.tenant))
			require.Equal(w.t, []dto{g}, w.list("/port_groups?tenant_id="+w.tenant, portGroupMedia))
		}),
		proves("3.7.portGroup.uri.list.port 3.7.portGroup.uri.list.both", func(w *Wire) {
			first, second := w.portGroup(), w.create("/port_groups", portGroupMedia, w.named().with("tenantId", "other-"+w.tenant))
			w.portGroup()
			p := w.bridgePort(w.bridge())
			w.groupPort(first, p)
			w.groupPort(second, p)
			byPort := "/port_groups?port_id=" + p.text("id")
			require.ElementsMatch(w.t, []dto{first, second}, w.list(byPort, portGroupMedia))
			require.Equal(w.t, []dto{first}, w.list(byPort+"&tenant_id="+w.tenant, portGroupMedia))
			require.Empty(w.t, w.list("/port_groups?port_id="+uuid.NewString(), portGroupMedia))
		}),
		proves("3.7.portGroup.rule.delete.members 2.http.deleteMissing.port_groups", func(w *Wire) {
			g, p := w.portGroup(), w.bridgePort(w.bridge())
			w.groupPort(g, p)
			w.remove(g.text("uri"))
			require.Empty(w.t, w.list(p.text("portGroups"), groupPortMedia))
			require.Equal(w.t, p, w.port(p))
			deleteMissing("/port_groups/", 204)(w)
		}),
		proves("3.7.portGroup.rule.delete.rules", func(w *Wire) {
			g := w.portGroup()
			o := w.rule(w.chain(), dto{"type": "drop", "portGroup": g["id"]})
			w.remove(g.text("uri"))
			require.Equal(w.t, g["id"], w.get(o.text("uri"), "Rule-v2")["portGroup"])
		}),
	}
}

func groupPortFields() []Case {
	var all []Case
	for _, f := range []struct {
		name string
		want func(g, p dto) any
	}{
		{"portGroupId", func(g, _ dto) any { return g["id"] }},
		{"uri", func(g, p dto) any { return g.text("ports") + "/" + p.text("id") }},
		{"port", func(_, p dto) any { return p["uri"] }},
		{"portGroup", func(g, _ dto) any { return g["uri"] }},
	} {
		all = append(all, proves("3.7.portGroupPort.field."+f.name, func(w *Wire) {
			g, p := w.portGroup(), w.bridgePort(w.bridge())
			lie := dto{"portId": p["id"], f.name: "22222222-2222-4222-8222-222222222222"}
			w.same(f.want(g, p), w.create(g.text("ports"), groupPortMedia, lie)[f.name])
		}))
	}
	return append(all, proves("3.7.portGroupPort.field.portId", func(w *Wire) {
		g, p := w.portGroup(), w.bridgePort(w.bridge())
		w.violates("portId", g.text("ports"), groupPortMedia, dto{})
		w.violates("portId", g.text("ports"), groupPortMedia, dto{"portId": "no-uuid"})
		require.Equal(w.t, p["id"], w.groupPort(g, p)["portId"])
	}))
}

func groupPortRules() []Case {
	return []Case{
		proves("3.7.portGroupPort.uri.list 3.7.portGroupPort.uri.post", func(w *Wire) {
			g, b := w.portGroup(), w.bridge()
			require.Empty(w.t, w.list(g.text("ports"), groupPortMedia))
			first, second := w.groupPort(g, w.bridgePort(b)), w.groupPort(g, w.bridgePort(b))
			w.groupPort(w.portGroup(), w.bridgePort(b))
			require.ElementsMatch(w.t, []dto{first, second}, w.list(g.text("ports"), groupPortMedia))
			w.missing("/port_groups/" + uuid.NewString() + "/ports")
		}),
		proves("3.7.portGroupPort.uri.get", func(w *Wire) {
			m := w.groupPort(w.portGroup(), w.bridgePort(w.bridge()))
			require.Equal(w.t, m, w.get(m.text("uri"), groupPortMedia))
		}),
		proves("3.7.portGroupPort.uri.delete", func(w *Wire) {
			g := w.portGroup()
			m := w.groupPort(g, w.bridgePort(w.bridge()))
			w.remove(m.text("uri"))
			require.Empty(w.t, w.list(g.text("ports"), groupPortMedia))
		}),
		proves("3.7.portGroupPort.rule.twice 2.error.emptyBodies", func(w *Wire) {
			g, p := w.portGroup(), w.bridgePort(w.bridge())
			m := w.groupPort(g, p)
			w.bare(409, w.typed("POST", g.text("ports"), groupPortMedia, w.json(dto{"portId": p["id"]})))
			require.Equal(w.t, []dto{m}, w.list(g.text("ports"), groupPortMedia))
		}),
		proves("3.7.portGroupPort.rule.unknownPort", func(w *Wire) {
			g := w.portGroup()
			a := w.typed("POST", g.text("ports"), groupPortMedia, w.json(dto{"portId": uuid.NewString()}))
			require.Equal(w.t, 404, a.status, a.body)
			require.Empty(w.t, w.list(g.text("ports"), groupPortMedia))
			a = w.typed("POST", "/port_groups/"+uuid.NewString()+"/ports", groupPortMedia, w.json(dto{"portId": w.bridgePort(w.bridge())["id"]}))
			require.Equal(w.t, 404, a.status, a.body)
		}),
		proves("3.7.portGroupPort.rule.notMember", func(w *Wire) {
			g, p := w.portGroup(), w.bridgePort(w.bridge())
			w.bare(404, w.call("DELETE", g.text("ports")+"/"+p.text("id"), ""))
		}),
		proves("3.7.portGroupPort.rule.portDeleted", func(w *Wire) {
			g, b := w.portGroup(), w.bridge()
			p := w.bridgePort(b)
			stays := w.groupPort(g, w.bridgePort(b))
			w.groupPort(g, p)
			w.remove(p.text("uri"))
			require.Equal(w.t, []dto{stays}, w.list(g.text("ports"), groupPortMedia))
			w.remove(b.text("uri"))
			require.Empty(w.t, w.list(g.text("ports"), groupPortMedia))
		}),
		proves("3.3.port.uri.portGroups", func(w *Wire) {
			p := w.bridgePort(w.bridge())
			require.Empty(w.t, w.list(p.text("portGroups"), groupPortMedia))
			first, second := w.groupPort(w.portGroup(), p), w.groupPort(w.portGroup(), p)
			require.ElementsMatch(w.t, []dto{first, second}, w.list(p.text("portGroups"), groupPortMedia))
			w.errorBody(406, w.call("GET", p.text("portGroups"), "", "Accept: "+plainJSON))
			w.missing("/ports/" + uuid.NewString() + "/port_groups")
		}),
	}
}

// groupConditions are the properties of rules that name groups.
func groupConditions() []Case {
	var all []Case
	for name, group := range map[string]func(*Wire) dto{
		"portGroup": (*Wire).portGroup, "inPortGroup": (*Wire).portGroup, "outPortGroup": (*Wire).portGroup,
		"ipAddrGroupSrc": (*Wire).addrGroup, "ipAddrGroupDst": (*Wire).addrGroup,
	} {
		c := condition{name: name, inv: "inv" + capital(name), bad: []any{"no-uuid"}, maybe: true,
			good: []any{func(w *Wire, _ setting) any { return group(w)["id"] }}}
		field, flag := proves("3.5.condition.field."+name, func(w *Wire) {
			c.prove(w)
			chain := w.chain()
			w.refuse(404, chain.text("rules"), "Rule-v2", dto{"type": "drop", name: uuid.NewString()})
			require.Empty(w.t, w.list(chain.text("rules"), "Rule-v2"))
		}), proves("3.5.condition.field."+c.inv, c.proveInverse)
		if name == "inPortGroup" || name == "outPortGroup" {
			field, flag = field.in(wire.V5), flag.in(wire.V5)
		}
		all = append(all, field, flag)
	}
	return all
}
