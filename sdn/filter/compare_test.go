package filter_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/filter"
	"github.com/moatnet/moat/sdn/nft"
)

// probe is a packet that a host sends.
type probe struct {
	from string
	p    packet
}

func probes() []probe {
	tos := udpPacket("10.1.0.5", "10.2.0.9", 2009, 53)
	tos.tos = 0x10
	return []probe{
		{"pods", udpPacket("10.1.0.5", "10.2.0.9", 2001, 53)},
		{"pods", udpPacket("10.1.0.6", "10.3.0.7", 2002, 80)},
		{"pods", tcpSYN("10.1.0.6", "10.2.0.9", 2003, 80)},
		{"pods", echo("10.1.0.5", "10.2.0.9", 2004)},
		{"uplink", udpPacket("10.2.0.9", "10.1.0.5", 2005, 80)},
		{"uplink", udpPacket("10.2.0.9", "10.2.0.100", 2006, 80)},
		{"pods", echo("10.1.0.5", "10.1.0.1", 2007)},
		{"pods", packet{src: addr("10.1.0.5"), dst: addr("10.2.0.9"), proto: gre}},
		{"pods", tos},
		{"third", udpPacket("10.3.0.7", "10.1.0.6", 2010, 53)},
		{"uplink", quoting("10.2.0.9", udpPacket("10.1.0.5", "10.9.0.1", 2011, 53))},
	}
}

func text(got map[string][]packet) []string {
	out := []string{}
	for host, ps := range got {
		for _, p := range ps {
			if p.proto == icmp && p.icmpType == 3 {
				p.src, p.tos = addr("0.0.0.0"), 0 // which of its addresses the router uses is not the filters' matter
			}
			out = append(out, fmt.Sprintf("at %s: %s", host, p))
		}
	}
	slices.Sort(out)
	return out
}

// compare sends a packet through the router and through the model.
func compare(t *testing.T, l *lab, m *model, s probe, about func() string) (string, packet) {
	t.Helper()
	host, p, v := m.send(s.from, s.p, false)
	want := []string{}
	switch v {
	case verdictAccept:
		want = text(map[string][]packet{host: {p}})
	case verdictReject:
		if s.p.quotes() {
			break // nobody is told about an error
		}
		want = text(map[string][]packet{s.from: {{src: addr("0.0.0.0"), dst: s.p.src, proto: icmp, icmpType: 3, icmpCode: 13}}})
	}
	require.Equal(t, want, text(l.send(s.from, s.p)), "packet at %s: %s\n%s", s.from, s.p, about())
	return host, p
}

// compareAll sends every probe, the answer to what arrived, and the probe again.
func compareAll(t *testing.T, l *lab, top *topology) bool {
	t.Helper()
	tables, err := filter.Router(top, "test", routerID(1))
	if errors.Is(err, sdn.ErrUnsupported) {
		return false
	}
	require.NoError(t, err)
	about := func() string { return fmt.Sprintf("%s\n%s", describe(top), nft.Print(tables)) }
	l.apply(tables)
	l.forget()
	m := &model{top: top}
	for _, s := range probes() {
		host, p := compare(t, l, m, s, about)
		if host == "" || s.p.dst == addr("10.1.0.1") || s.p.proto == gre || s.p.quotes() {
			continue
		}
		if a := p.answer(); p.proto != tcp {
			compare(t, l, m, probe{host, a}, about)
			compare(t, l, m, s, about)
		}
	}
	return true
}

func describe(top *topology) string {
	var s string
	for _, c := range keys(top.chains) {
		s += string(c) + "\n"
		for _, r := range top.rules[c] {
			s += fmt.Sprintf("  %s %s %s %v when", r.Type, r.FlowAction, r.JumpChain, r.NATTargets)
			c := reflect.ValueOf(r.Condition)
			for i := range c.NumField() {
				if f := c.Field(i); !f.IsZero() {
					s += fmt.Sprintf(" %s=%v", c.Type().Field(i).Name, reflect.Indirect(f))
				}
			}
			s += "\n"
		}
	}
	return s
}

// chains is a case of TestEveryRuleAtEveryDepth: the rules of both filters, and
// which of the top chains, 1 or 2, is to be sunk below jumps.
type chains struct {
	in, out []sdn.Rule
	deep    int
}

// filterCases has each rule that does not translate alone and behind a drop,
// inbound and outbound, under half of the conditions: depth says which.
func filterCases(depth int) []chains {
	conditions := []sdn.Condition{{}, fromUplink, toUplink, {Dst: prefix("10.2.0.100/32")}, {MatchReturnFlow: true}, {MatchForwardFlow: true}}
	var out []chains
	for n, r := range []sdn.Rule{accept(), drop(), reject(), ret()} {
		for i := range 3 {
			c := conditions[(2*i+n+depth)%len(conditions)]
			out = append(out,
				chains{in: []sdn.Rule{when(c, r), drop()}, deep: 1},
				chains{out: []sdn.Rule{when(c, r), drop()}, deep: 2},
				chains{out: []sdn.Rule{when(c, drop()), when(c, r)}, deep: 2})
		}
	}
	return out
}

// natCases has each NAT rule with each flow action, before and behind a drop of
// the packet as it was and as it becomes, with reverse rules of all kinds.
func natCases(depth int) []chains {
	public := sdn.Condition{Dst: prefix("10.2.0.100/32")}
	ports := uint16(depth % 2) // static at even depths
	asPublic := target("10.2.0.100", "10.2.0.100", 1024*ports, 65535*ports)
	toPod := target("10.1.0.5", "10.1.0.5", 8080*ports, 8080*ports)
	rewritten := when(sdn.Condition{Src: prefix("10.2.0.100/32")}, drop())
	original := when(sdn.Condition{Src: prefix("10.1.0.0/16"), OutPorts: []sdn.PortID{uplink}}, drop())
	redirected := when(sdn.Condition{Dst: prefix("10.1.0.5/32"), InPorts: []sdn.PortID{uplink}}, drop())
	var out []chains
	for n, a := range []sdn.FlowAction{sdn.FlowAccept, sdn.FlowContinue, sdn.FlowReturn} {
		snat := when(toUplink, nat(sdn.RuleSNAT, a, asPublic))
		back := [][]sdn.Rule{nil, {rev(sdn.RuleRevSNAT, sdn.FlowAccept), drop()}, {rev(sdn.RuleRevSNAT, sdn.FlowContinue), redirected},
			{redirected, rev(sdn.RuleRevSNAT, sdn.FlowReturn), drop()}}
		for i, rules := range [][]sdn.Rule{{snat}, {snat, drop()}, {snat, rewritten}, {snat, original}, {original, snat}, {rewritten, snat}} {
			in := back[(i+n+depth)%len(back)]
			out = append(out, chains{in: in, out: rules, deep: 2})
			if in != nil {
				out = append(out, chains{in: in, out: rules, deep: 1})
			}
		}
		dnat := when(public, nat(sdn.RuleDNAT, a, toPod))
		back = [][]sdn.Rule{nil, {rev(sdn.RuleRevDNAT, sdn.FlowAccept), drop()}, {rev(sdn.RuleRevDNAT, sdn.FlowContinue), rewritten},
			{original, rev(sdn.RuleRevDNAT, sdn.FlowReturn), drop()}}
		for i, rules := range [][]sdn.Rule{{dnat}, {dnat, drop()}, {dnat, redirected}, {redirected, dnat}, {dnat, when(public, drop())}} {
			answers := back[(i+n+depth)%len(back)]
			out = append(out, chains{in: rules, out: answers, deep: 1})
			if answers != nil {
				out = append(out, chains{in: rules, out: answers, deep: 2})
			}
		}
	}
	return out
}

// Each rule type, with each flow action, before and behind a drop, and 0 to 3
// jumps deep: what the router does is what the model does.
func TestEveryRuleAtEveryDepth(t *testing.T) {
	l := newLab(t)
	for depth := range 4 {
		for i, c := range append(filterCases(depth), natCases(depth)...) {
			top := labTopology(c.in, c.out, func(top *topology) { sink(top, c.deep, depth) })
			require.True(t, compareAll(t, l, top), "case %d at depth %d is refused", i, depth)
		}
	}
}

// sink moves the rules of chain n behind so many jumps; a rule that accepts all
// follows the first jump and one that changes nothing the others.
func sink(top *topology, n, depth int) {
	rules := slices.Clone(top.rules[chainID(n)])
	if depth == 0 {
		return
	}
	first := 10
	top.chain(n, jump(first), accept())
	for d := 1; d < depth; d++ {
		top.chain(first, jump(first+1), when(sdn.Condition{TOS: number(0xfc)}, drop()))
		first++
	}
	top.chain(first, rules...)
}

func TestGeneratedChainsDoWhatTheModelDoes(t *testing.T) {
	l := newLab(t)
	rnd := rand.New(rand.NewPCG(20261121, 2))
	const rounds = 300
	refused := 0
	for range rounds {
		if !compareAll(t, l, randomTopology(rnd)) {
			refused++
		}
	}
	require.Less(t, refused, rounds/3, "too many are refused to prove anything")
	t.Logf("%d of %d were refused", refused, rounds)
}
