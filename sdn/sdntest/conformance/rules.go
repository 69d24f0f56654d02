package conformance

import (
	"strings"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

var ruleResource = resource{
	prefix: "3.5.rule", media: "Rule-v2",
	prepare: func(w *Wire) setting {
		c := w.chain()
		return setting{collection: c.text("rules"), least: dto{"type": "accept"}, around: map[string]dto{"chain": c}}
	},
}

func target(from, to string, low, high int) dto {
	return dto{"addressFrom": from, "addressTo": to, "portFrom": low, "portTo": high}
}

func natBody(kind string, targets ...any) dto {
	return dto{"type": kind, "flowAction": "accept", "natTargets": targets}
}

func ruleCases() []Case {
	all := ruleResource.cases(
		idField(false),
		field{name: "chainId", lie: uuid.NewString(), fixed: func(_ *Wire, s setting, _ dto) any { return s.around["chain"]["id"] }},
		field{name: "meterName", unset: anything, good: []any{pair{"a meter", nil}}},
		ownURI(func(o dto) string { return "/rules/" + o.text("id") }),
	)
	all = append(all, ruleRules()...)
	all = append(all, positionRules()...)
	all = append(all, ruleTypes()...)
	return append(all, natRules()...)
}

func ruleRules() []Case {
	return append([]Case{
		proves("3.5.rule.uri.list", func(w *Wire) {
			c := w.chain()
			first, second := w.rule(c, dto{"type": "accept", "position": 1}), w.rule(c, dto{"type": "drop", "position": 2})
			w.rule(w.chain(), dto{"type": "drop"})
			require.Equal(w.t, []dto{first, second}, w.list(c.text("rules"), "Rule-v2"))
			w.missing("/chains/" + uuid.NewString() + "/rules")
		}),
		proves("3.5.rule.uri.post 3.5.rule.uri.get", func(w *Wire) {
			o := w.rule(w.chain(), dto{"type": "accept"})
			require.Equal(w.t, o, w.get(w.URL+"/rules/"+o.text("id"), "Rule-v2"))
			w.errorBody(404, w.typed("POST", "/chains/"+uuid.NewString()+"/rules", "Rule-v2", `{"type":"accept"}`))
		}),
		proves("3.5.rule.uri.delete 2.http.deleteMissing.rules", func(w *Wire) {
			c := w.chain()
			o := w.rule(c, dto{"type": "accept"})
			w.remove(o.text("uri"))
			w.missing(o.text("uri"))
			w.errorBody(404, w.call("DELETE", o.text("uri"), ""))
			require.Empty(w.t, w.list(c.text("rules"), "Rule-v2"))
		}),
		proves("3.5.rule.uri.put", func(w *Wire) {
			o := w.rule(w.chain(), dto{"type": "accept"})
			w.errorBody(405, w.typed("PUT", o.text("uri"), "Rule-v2", w.json(o.with("type", "drop"))))
			require.Equal(w.t, o, w.get(o.text("uri"), "Rule-v2"))
		}),
		proves("3.5.rule.uri.media", func(w *Wire) {
			c := w.chain()
			o := w.create(c.text("rules"), plainJSON, dto{"type": "accept"})
			require.Equal(w.t, o, w.get(o.text("uri"), "Rule-v2"))
			require.Equal(w.t, []dto{o}, w.list(c.text("rules"), plainJSON))
			w.errorBody(406, w.call("GET", o.text("uri"), "", "Accept: "+vendor+"Rule-v3+json"))
		}),
	}, ruleBodies()...)
}

func ruleBodies() []Case {
	return []Case{
		proves("3.5.rule.field.type", func(w *Wire) {
			c := w.chain()
			for _, kind := range []any{nil, "", "Accept", "nonsense", 1} {
				w.refuse(400, c.text("rules"), "Rule-v2", dto{"type": kind})
			}
			require.Empty(w.t, w.list(c.text("rules"), "Rule-v2"))
			require.Equal(w.t, "accept", w.rule(c, dto{"type": "accept"})["type"])
		}),
		proves("3.5.rule.rule.foreignProperties 5.call.ruleNulls", func(w *Wire) {
			o := w.rule(w.chain(), dto{
				"type": "accept", "position": nil, "natTargets": nil, "flowAction": nil, "jumpChainId": nil, "jumpChainName": nil,
				"tpSrc": nil, "tpDst": nil, "nwSrcAddress": nil, "nwSrcLength": nil, "invNwSrc": nil, "dlType": nil, "nwProto": nil,
				"condInvert": nil, "inPorts": nil, "outPorts": nil, "matchForwardFlow": nil, "fragmentPolicy": nil, "portGroup": nil,
				"ipAddrGroupSrc": nil, "vlan": nil, "noVlan": nil, "properties": dto{"x": []any{}}, "id": nil, "uri": nil, "meterName": nil,
			})
			require.EqualValues(w.t, 1, o["position"])
			require.Equal(w.t, "any", o["fragmentPolicy"])
			require.NotContains(w.t, o, "properties")
			if !w.isV1() {
				require.Nil(w.t, o["nwProto"])
			}
			for _, key := range []string{"tpSrc", "tpDst", "nwSrcAddress", "dlType", "portGroup"} {
				require.Nil(w.t, o[key], key)
			}
			for _, key := range []string{"condInvert", "matchForwardFlow", "invNwSrc"} {
				require.Equal(w.t, false, o[key], key)
			}
		}),
	}
}

// order posts rules and compares the order of the list and their positions.
func order(w *Wire, c dto, want ...dto) {
	w.t.Helper()
	got := w.list(c.text("rules"), "Rule-v2")
	require.Equal(w.t, ids(want), ids(got))
	for i, o := range got {
		require.EqualValues(w.t, i+1, o["position"])
		require.EqualValues(w.t, i+1, w.get(o.text("uri"), "Rule-v2")["position"])
	}
}

func positionRules() []Case {
	at := func(w *Wire, c dto, position any) dto { return w.rule(c, dto{"type": "accept", "position": position}) }
	return []Case{
		proves("3.5.rule.field.position", func(w *Wire) {
			c := w.chain()
			first := at(w, c, 1)
			require.EqualValues(w.t, 1, first["position"])
			second := at(w, c, 2)
			require.EqualValues(w.t, 2, second["position"])
			order(w, c, first, second)
		}),
		proves("3.5.rule.rule.position.default", func(w *Wire) {
			c := w.chain()
			first := w.rule(c, dto{"type": "accept"})
			second := w.rule(c, dto{"type": "drop"})
			order(w, c, second, first)
		}),
		proves("3.5.rule.rule.position.null", func(w *Wire) {
			c := w.chain()
			first := at(w, c, nil)
			second := at(w, c, 0)
			order(w, c, second, first)
		}),
		proves("3.5.rule.rule.position.negative", func(w *Wire) {
			c := w.chain()
			w.violates("position", c.text("rules"), "Rule-v2", dto{"type": "accept", "position": -1})
			require.Empty(w.t, w.list(c.text("rules"), "Rule-v2"))
		}),
		proves("3.5.rule.rule.position.beyond", func(w *Wire) {
			c := w.chain()
			const beyond = "Position exceeds number of rules in chain"
			require.Contains(w.t, w.refuse(400, c.text("rules"), "Rule-v2", dto{"type": "accept", "position": 2}), beyond)
			first := at(w, c, 1)
			require.Contains(w.t, w.refuse(400, c.text("rules"), "Rule-v2", dto{"type": "accept", "position": 3}), beyond)
			order(w, c, first, at(w, c, 2))
		}),
		proves("3.5.rule.rule.position.shift 3.5.rule.rule.position.computed", func(w *Wire) {
			c := w.chain()
			first, second := at(w, c, 1), at(w, c, 2)
			middle := at(w, c, 2)
			order(w, c, first, middle, second)
			w.remove(first.text("uri"))
			order(w, c, middle, second)
		}),
	}
}

func ruleTypes() []Case {
	var all []Case
	for _, kind := range []string{"accept", "drop", "reject", "return", "jump", "dnat", "snat", "rev_dnat", "rev_snat"} {
		all = append(all, proves("3.5.type."+kind, func(w *Wire) {
			body := dto{"type": kind}
			switch {
			case kind == "jump":
				body["jumpChainId"] = w.chain()["id"]
			case strings.HasPrefix(kind, "rev_"):
				body["flowAction"] = "return"
			case strings.HasSuffix(kind, "nat"):
				body = natBody(kind, target("10.0.0.1", "10.0.0.9", 1024, 65535))
			}
			c := w.chain()
			o := w.rule(c, body)
			for key, want := range body {
				w.same(want, o[key], key)
			}
			require.Equal(w.t, []dto{o}, w.list(c.text("rules"), "Rule-v2"))
		}))
	}
	for _, kind := range []string{"trace", "l2_transform"} {
		all = append(all, proves("3.5.type."+kind, func(w *Wire) {
			c := w.chain()
			body := dto{"type": kind, "requestId": uuid.NewString(), "limit": 5, "flowAction": "accept", "popVlan": true, "targetPortId": uuid.NewString()}
			require.Contains(w.t, w.refuse(501, c.text("rules"), "Rule-v2", body), kind)
			require.Empty(w.t, w.list(c.text("rules"), "Rule-v2"))
		}).differs("makes them"))
	}
	return all
}

func natRules() []Case {
	all := []Case{
		proves("3.5.jump.field.jumpChainId", func(w *Wire) {
			c, to := w.chain(), w.chain()
			w.violates("jumpChainId", c.text("rules"), "Rule-v2", dto{"type": "jump"})
			w.violates("jumpChainId", c.text("rules"), "Rule-v2", dto{"type": "jump", "jumpChainId": "no-uuid"})
			id := uuid.NewString()
			require.Equal(w.t, "There is no Chain with ID "+id+".", w.refuse(404, c.text("rules"), "Rule-v2", dto{"type": "jump", "jumpChainId": id}))
			require.Equal(w.t, to["id"], w.rule(c, dto{"type": "jump", "jumpChainId": to["id"]})["jumpChainId"])
			require.Len(w.t, w.list(c.text("rules"), "Rule-v2"), 1)
		}),
		proves("3.5.jump.field.jumpChainName", func(w *Wire) {
			c, to := w.chain(), w.chain()
			require.Equal(w.t, "free text", w.rule(c, dto{"type": "jump", "jumpChainId": to["id"], "jumpChainName": "free text"})["jumpChainName"])
			require.Nil(w.t, w.rule(c, dto{"type": "jump", "jumpChainId": to["id"]})["jumpChainName"])
		}),
		proves("3.5.nat.field.flowAction", func(w *Wire) { flowActions(w, natBody("snat", target("10.0.0.1", "10.0.0.1", 1, 2))) }),
		proves("3.5.reverseNat.field.flowAction", func(w *Wire) {
			flowActions(w, dto{"type": "rev_snat"})
			flowActions(w, dto{"type": "rev_dnat"})
		}),
		proves("3.5.nat.field.natTargets", func(w *Wire) {
			c := w.chain()
			for _, kind := range []string{"snat", "dnat"} {
				w.violates("natTargets", c.text("rules"), "Rule-v2", natBody(kind))
				w.violates("natTargets", c.text("rules"), "Rule-v2", dto{"type": kind, "flowAction": "accept"})
				w.violates("natTargets", c.text("rules"), "Rule-v2", dto{"type": kind, "flowAction": "accept", "natTargets": nil})
				one := target("10.0.0.1", "10.0.0.1", 1024, 65535)
				w.same([]any{one}, w.rule(c, natBody(kind, one))["natTargets"])
			}
		}),
	}
	for _, f := range []struct {
		name string
		good []any
		bad  []any
	}{
		{"addressFrom", []any{"10.0.0.1", "10.0.0.9"}, []any{nil, "", "::1", "10.0.0", "10.0.0.10"}},
		{"addressTo", []any{"10.0.0.9", "10.0.0.200"}, []any{nil, "::1", "x", "10.0.0.0"}},
		{"portFrom", []any{1, 2000}, []any{-1, 65536, 3001}},
		{"portTo", []any{1000, 65535}, []any{-1, 65536, 999}},
	} {
		all = append(all, proves("3.5.nat.field.natTargets."+f.name, func(w *Wire) {
			c := w.chain()
			least := target("10.0.0.1", "10.0.0.9", 1000, 3000)
			for _, v := range f.good {
				w.same([]any{least.with(f.name, v)}, w.rule(c, natBody("snat", least.with(f.name, v)))["natTargets"])
			}
			for _, v := range f.bad {
				w.violates("natTargets", c.text("rules"), "Rule-v2", natBody("snat", least.with(f.name, v)))
			}
			require.Len(w.t, w.list(c.text("rules"), "Rule-v2"), len(f.good))
		}))
	}
	return all
}

func flowActions(w *Wire, body dto) {
	w.t.Helper()
	c := w.chain()
	for _, v := range []any{nil, "", "ACCEPT", "drop", "redirect"} {
		w.violates("flowAction", c.text("rules"), "Rule-v2", body.with("flowAction", v))
	}
	for _, v := range []string{"accept", "continue", "return"} {
		require.Equal(w.t, v, w.rule(c, body.with("flowAction", v))["flowAction"])
	}
	require.Len(w.t, w.list(c.text("rules"), "Rule-v2"), 3)
}
