package conformance

import (
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/wire"
)

// condition describes a property that selects packets.
type condition struct {
	name   string
	unset  any
	good   []any
	bad    []any // violations of the property
	along  dto   // properties that it needs beside it
	maybe  bool  // a server may refuse it with 501 that names it
	since5 bool  // 1.9 has no such property
	inv    string
}

// conditions are the properties that stand for themselves. Values are those of
// a rule in a chain that no device uses.
func conditions() []condition {
	ipv4 := []any{"10.1.2.3", "0.0.0.0", "255.255.255.255"}
	notIPv4 := []any{"::1", "10.0.0", "nonsense"}
	bits, notBits := []any{0, 24, 32}, []any{-1, 33}
	macs, notMACs := []any{"02:00:00:00:00:0a"}, []any{"02:00", "zz:00:00:00:00:00", "nonsense"}
	masks, notMasks := []any{"ffff.ffff.0000"}, []any{"ff:ff:ff:ff:ff:ff", "ffff.ffff", "gggg.0000.0000"}
	return []condition{
		{name: "condInvert", unset: false, good: []any{true, false}},
		{name: "matchForwardFlow", unset: false, good: []any{true}},
		{name: "matchReturnFlow", unset: false, good: []any{true}},
		{name: "dlType", good: []any{0x0600, 0x0800, 0x86dd, 0xffff}, bad: []any{0, 0x5ff, 0x10000, -1}, inv: "invDlType"},
		{name: "dlSrc", good: macs, bad: notMACs, inv: "invDlSrc"},
		{name: "dlDst", good: macs, bad: notMACs, inv: "invDlDst"},
		{name: "dlSrcMask", good: masks, bad: notMasks, along: dto{"dlSrc": "02:00:00:00:00:00"}},
		{name: "dlDstMask", good: masks, bad: notMasks, along: dto{"dlDst": "02:00:00:00:00:00"}},
		{name: "nwTos", unset: unsetNumber, good: []any{0, 16, 255}, inv: "invNwTos"},
		{name: "nwProto", unset: unsetNumber, good: []any{1, 6, 17, 255}, inv: "invNwProto"},
		{name: "nwSrcAddress", good: ipv4, bad: notIPv4, along: dto{"nwSrcLength": 32}, inv: "invNwSrc"},
		{name: "nwSrcLength", unset: 0, good: bits, bad: notBits, along: dto{"nwSrcAddress": "10.0.0.0"}},
		{name: "nwDstAddress", good: ipv4, bad: notIPv4, along: dto{"nwDstLength": 32}, inv: "invNwDst"},
		{name: "nwDstLength", unset: 0, good: bits, bad: notBits, along: dto{"nwDstAddress": "10.0.0.0"}},
		{name: "tpSrc", good: ports(), bad: notPorts(), along: dto{"nwProto": 6}, inv: "invTpSrc"},
		{name: "tpDst", good: ports(), bad: notPorts(), along: dto{"nwProto": 17}, inv: "invTpDst"},
		{name: "traversedDevice", good: []any{noSuchID}, bad: []any{"no-uuid"}, maybe: true, since5: true, inv: "invTraversedDevice"},
		{name: "noVlan", unset: false, good: []any{true}, maybe: true, since5: true},
		{name: "vlan", unset: anything, good: []any{7}, maybe: true, since5: true},
		{name: "matchNwDstRewritten", unset: false, good: []any{true}, maybe: true, since5: true},
		{name: "icmpDataSrcIpAddress", good: ipv4[:1], bad: notIPv4, along: dto{"icmpDataSrcIpLength": 32}, maybe: true, since5: true, inv: "invIcmpDataSrcIp"},
		{name: "icmpDataSrcIpLength", unset: 0, good: bits[1:], bad: notBits, along: dto{"icmpDataSrcIpAddress": "10.0.0.0"}, maybe: true, since5: true},
		{name: "icmpDataDstIpAddress", good: ipv4[:1], bad: notIPv4, along: dto{"icmpDataDstIpLength": 32}, maybe: true, since5: true, inv: "invIcmpDataDstIp"},
		{name: "icmpDataDstIpLength", unset: 0, good: bits[1:], bad: notBits, along: dto{"icmpDataDstIpAddress": "10.0.0.0"}, maybe: true, since5: true},
	}
}

func ports() []any {
	return []any{dto{"start": 1, "end": 1}, dto{"start": 80, "end": 443}, dto{"start": 1, "end": 65535}}
}

func notPorts() []any {
	return []any{dto{"start": 443, "end": 80}, dto{"start": 1, "end": 65536}, dto{"start": -1, "end": 5}}
}

func conditionCases() []Case {
	var all []Case
	for _, c := range conditions() {
		these := []Case{proves("3.5.condition.field."+c.name, c.prove)}
		if c.inv != "" {
			these = append(these, proves("3.5.condition.field."+c.inv, c.proveInverse))
		}
		if c.since5 {
			only5(these, c.name, c.inv)
		}
		all = append(all, these...)
	}
	for _, name := range []string{"inPorts", "outPorts"} {
		all = append(all, proves("3.5.condition.field."+name+" 3.5.condition.field.inv"+capital(name), portList(name)))
	}
	return append(append(all, fragmentCases()...),
		proves("3.5.condition.rule.noLength", func(w *Wire) {
			o := w.rule(w.chain(), dto{"type": "drop", "nwSrcAddress": "10.1.2.3", "nwDstAddress": "10.4.5.6"})
			require.EqualValues(w.t, 0, o["nwSrcLength"])
			require.EqualValues(w.t, 0, o["nwDstLength"])
			require.Equal(w.t, "10.1.2.3", o["nwSrcAddress"])
		}),
		proves("3.5.condition.rule.unsupportedNamed", func(w *Wire) {
			c, id := w.chain(), uuid.NewString()
			message := w.refuse(501, c.text("rules"), "Rule-v2", dto{"id": id, "type": "drop", "traversedDevice": uuid.NewString()})
			require.Contains(w.t, message, id)
			require.Contains(w.t, message, "traversedDevice")
			require.Empty(w.t, w.list(c.text("rules"), "Rule-v2"))
			w.missing("/rules/" + id)
		}).differs("realises it").in(wire.V5),
	)
}

// unsetNumber is how a number that nobody set is shown: 0 in 1.9.
func unsetNumber(w *Wire) any {
	if w.isV1() {
		return 0
	}
	return nil
}

func capital(s string) string { return string(s[0]-'a'+'A') + s[1:] }

func (c condition) body(name string, v any) dto {
	b := dto{"type": "drop"}
	for k, v := range c.along {
		b[k] = v
	}
	return b.with(name, v)
}

// post makes a rule, or returns nil where a 501 says that it cannot be done.
func (c condition) post(w *Wire, chain dto, body dto) dto {
	w.t.Helper()
	a := w.typed("POST", chain.text("rules"), "Rule-v2", w.json(body))
	if c.maybe && a.status == 501 {
		message := w.errorBody(501, a)
		named := false
		for key := range body {
			named = named || key != "type" && contains(message, key)
		}
		require.True(w.t, named, "%q names the property", message)
		require.Empty(w.t, w.list(chain.text("rules"), "Rule-v2"), "nothing was stored")
		return nil
	}
	require.Equal(w.t, 201, a.status, "%v: %s", body, a.body)
	o := w.get(a.header.Get("Location"), "Rule-v2")
	w.remove(o.text("uri"))
	return o
}

func (c condition) prove(w *Wire) {
	chain := w.chain()
	plain := w.rule(chain, dto{"type": "drop"})
	require.Contains(w.t, plain, c.name)
	null := w.rule(chain, dto{"type": "drop", c.name: nil})
	if unset, is := c.unset.(func(*Wire) any); is {
		c.unset = unset(w)
	}
	if c.unset != anything {
		w.same(c.unset, plain[c.name], "unset")
		w.same(c.unset, null[c.name], "null")
	}
	w.remove(plain.text("uri"))
	w.remove(null.text("uri"))
	for _, v := range c.good {
		v = value(w, setting{}, v)
		if o := c.post(w, chain, c.body(c.name, v)); o != nil {
			w.same(v, o[c.name])
		}
	}
	for _, v := range c.bad {
		a := w.typed("POST", chain.text("rules"), "Rule-v2", w.json(c.body(c.name, v)))
		require.Equal(w.t, "Validation error(s) found", w.errorBody(400, a), "%v", v)
		require.Contains(w.t, w.violations(a), c.name)
	}
	require.Empty(w.t, w.list(chain.text("rules"), "Rule-v2"))
}

// proveInverse sends the flag with and without the property that it negates.
func (c condition) proveInverse(w *Wire) {
	chain := w.chain()
	v := value(w, setting{}, c.good[0])
	for _, flag := range []bool{true, false} {
		if o := c.post(w, chain, c.body(c.name, v).with(c.inv, flag)); o != nil {
			w.same(flag, o[c.inv])
			w.same(v, o[c.name])
		}
	}
	o := w.rule(chain, dto{"type": "drop"})
	w.same(false, o[c.inv])
}

// portList proves inPorts or outPorts and its flag.
func portList(name string) func(*Wire) {
	return func(w *Wire) {
		inv := "inv" + capital(name)
		c, b := w.chain(), w.bridge()
		p, q := w.bridgePort(b)["id"], w.bridgePort(b)["id"]
		for _, none := range []any{nil, []any{}} {
			require.Empty(w.t, w.rule(c, dto{"type": "drop", name: none})[name])
		}
		for _, flag := range []bool{true, false} {
			o := w.rule(c, dto{"type": "drop", name: []any{p, q}, inv: flag})
			require.ElementsMatch(w.t, []any{p, q}, o[name])
			w.same(flag, o[inv])
		}
		w.violates(name, c.text("rules"), "Rule-v2", dto{"type": "drop", name: []any{"no-uuid"}})
	}
}

// fragmentCases prove the policy on fragments and its defaults.
func fragmentCases() []Case {
	tcp := func(body dto) dto { return body.with("nwProto", 6).with("tpDst", dto{"start": 80, "end": 80}) }
	plain, floating := dto{"type": "drop"}, natBody("dnat", target("10.0.0.1", "10.0.0.1", 0, 0))
	dynamic := natBody("snat", target("10.0.0.1", "10.0.0.1", 1024, 65535))
	shows := func(cell, want string, bodies ...dto) Case {
		return proves("3.5.condition.rule.fragment.default."+cell, func(w *Wire) {
			c := w.chain()
			for _, b := range bodies {
				require.Equal(w.t, want, w.rule(c, b)["fragmentPolicy"], "%v", b)
			}
		})
	}
	refuses := func(cell string, body dto, policies ...string) Case {
		return proves("3.5.condition.rule.fragment."+cell, func(w *Wire) {
			c := w.chain()
			for _, p := range policies {
				w.refuse(400, c.text("rules"), "Rule-v2", body.with("fragmentPolicy", p))
			}
			require.Empty(w.t, w.list(c.text("rules"), "Rule-v2"))
		})
	}
	return []Case{
		shows("plain", "any", plain, dto{"type": "rev_snat", "flowAction": "accept"}, plain.with("nwProto", 6)),
		shows("ports", "header", tcp(plain), plain.with("nwProto", 6).with("tpSrc", dto{"start": 1, "end": 2})),
		shows("floating", "any", floating),
		shows("nat", "unfragmented", dynamic, tcp(floating), natBody("dnat", target("10.0.0.1", "10.0.0.2", 0, 0)),
			natBody("dnat", target("10.0.0.1", "10.0.0.1", 0, 0), target("10.0.0.2", "10.0.0.2", 0, 0))),
		refuses("ports", tcp(plain), "any", "nonheader"),
		refuses("nat", dynamic, "any", "nonheader", "header"),
		proves("3.5.condition.field.fragmentPolicy", func(w *Wire) {
			c := w.chain()
			for _, p := range []string{"any", "nonheader", "header", "unfragmented"} {
				require.Equal(w.t, p, w.rule(c, plain.with("fragmentPolicy", p))["fragmentPolicy"])
			}
			for _, p := range []any{"sometimes", 1} {
				w.refuse(400, c.text("rules"), "Rule-v2", plain.with("fragmentPolicy", p))
			}
			require.Len(w.t, w.list(c.text("rules"), "Rule-v2"), 4)
		}),
	}
}
