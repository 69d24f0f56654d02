package filter_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/filter"
)

// step is packets that a host sends at once, and what arrives.
type step struct {
	from string
	send []packet
	want []string
}

func sends(from string, p packet, want ...string) step { return step{from, []packet{p}, want} }

// run applies the lab router's translation and takes the steps.
func run(t *testing.T, top *topology, steps ...step) {
	t.Helper()
	runIn(t, newLab(t), top, steps...)
}

// runIn does so in a lab that is there.
func runIn(t *testing.T, l *lab, top *topology, steps ...step) {
	t.Helper()
	tables, err := filter.Router(top, "test", routerID(1))
	require.NoError(t, err)
	l.apply(tables)
	l.forget()
	for i, s := range steps {
		if s.want == nil {
			s.want = []string{}
		}
		require.Equal(t, s.want, text(l.send(s.from, s.send...)), "step %d", i+1)
	}
}

func withPort(id sdn.PortID, change func(*sdn.Port)) func(*topology) {
	return func(t *topology) {
		p := t.ports[id]
		change(&p)
		t.ports[id] = p
	}
}

var (
	toUplink   = sdn.Condition{OutPorts: []sdn.PortID{uplink}}
	fromUplink = sdn.Condition{InPorts: []sdn.PortID{uplink}}
)

func snatOut(a sdn.FlowAction) sdn.Rule {
	return when(toUplink, nat(sdn.RuleSNAT, a, target("10.2.0.100", "10.2.0.100", 1024, 65535)))
}

func TestAnswerOfATranslatedFlowIsLostWithoutRevSNAT(t *testing.T) {
	run(t, labTopology(nil, []sdn.Rule{snatOut(sdn.FlowAccept)}),
		sends("pods", udpPacket("10.1.0.5", "8.8.8.8", 2001, 53), "at uplink: udp 10.2.0.100:2001 > 8.8.8.8:53"),
		sends("uplink", udpPacket("8.8.8.8", "10.2.0.100", 53, 2001)))
}

func TestAnswerOfATranslatedFlowComesBackWithRevSNAT(t *testing.T) {
	run(t, labTopology([]sdn.Rule{when(fromUplink, rev(sdn.RuleRevSNAT, sdn.FlowContinue)), when(sdn.Condition{MatchReturnFlow: true}, accept()), when(fromUplink, drop())},
		[]sdn.Rule{snatOut(sdn.FlowAccept)}),
		sends("pods", udpPacket("10.1.0.5", "8.8.8.8", 2001, 53), "at uplink: udp 10.2.0.100:2001 > 8.8.8.8:53"),
		sends("uplink", udpPacket("8.8.8.8", "10.2.0.100", 53, 2001), "at pods: udp 8.8.8.8:53 > 10.1.0.5:2001"),
		sends("uplink", udpPacket("8.8.4.4", "10.2.0.100", 53, 2001)),
		sends("uplink", udpPacket("8.8.8.8", "10.1.0.5", 53, 2001)))
}

func TestRevSNATOfAnotherPortDoesNotAct(t *testing.T) {
	fromThird := sdn.Condition{InPorts: []sdn.PortID{third}}
	run(t, labTopology([]sdn.Rule{when(fromThird, rev(sdn.RuleRevSNAT, sdn.FlowAccept))}, []sdn.Rule{snatOut(sdn.FlowAccept)}),
		sends("pods", echo("10.1.0.5", "8.8.8.8", 2001), "at uplink: icmp 8/0 id 2001 10.2.0.100 > 8.8.8.8"),
		sends("uplink", echo("10.2.0.100", "8.8.8.8", 2001).answer()))
}

func TestICMPErrorOfATranslatedFlowReachesThePod(t *testing.T) {
	inner := udpPacket("10.2.0.100", "8.8.8.8", 2001, 53)
	unreachable := packet{src: addr("9.9.9.9"), dst: addr("10.2.0.100"), proto: icmp, icmpType: 3, icmpCode: 3, payload: string(inner.bytes())}
	got := unreachable
	got.dst = addr("10.1.0.5")
	run(t, labTopology([]sdn.Rule{when(fromUplink, rev(sdn.RuleRevSNAT, sdn.FlowAccept)), when(fromUplink, drop())}, []sdn.Rule{snatOut(sdn.FlowAccept)}),
		sends("pods", udpPacket("10.1.0.5", "8.8.8.8", 2001, 53), "at uplink: udp 10.2.0.100:2001 > 8.8.8.8:53"),
		sends("uplink", unreachable, "at pods: icmp 3/3 id 0 0.0.0.0 > 10.1.0.5"))
}

func TestNothingLeavesUntranslatedThatMetAnSNATRule(t *testing.T) {
	stray := tcpSYN("10.1.0.5", "8.8.8.8", 2001, 80)
	stray.tcpFlags = 0x14 // RST, ACK: connection tracking knows no such connection
	run(t, labTopology(nil, []sdn.Rule{snatOut(sdn.FlowAccept)}),
		sends("pods", stray),
		sends("pods", packet{src: addr("10.1.0.5"), dst: addr("8.8.8.8"), proto: gre}),
		sends("uplink", udpPacket("8.8.8.8", "10.1.0.5", 53, 2003), "at pods: udp 8.8.8.8:53 > 10.1.0.5:2003"),
		sends("pods", udpPacket("10.1.0.5", "8.8.8.8", 2003, 53)))
}

func TestSNATToARange(t *testing.T) {
	l := newLab(t)
	tables, err := filter.Router(labTopology(nil, []sdn.Rule{when(toUplink, nat(sdn.RuleSNAT, sdn.FlowAccept, target("10.2.0.100", "10.2.0.103", 5000, 5001)))}), "test", routerID(1))
	require.NoError(t, err)
	l.apply(tables)
	for i := range uint16(16) {
		for _, p := range l.send("pods", udpPacket("10.1.0.5", "8.8.8.8", 2000+i, 53))["uplink"] {
			require.True(t, prefix("10.2.0.100/30").Contains(p.src), p)
			require.Contains(t, []uint16{5000, 5001}, p.sport)
		}
	}
}

func TestDNATThenDropOnTheRewrittenHeader(t *testing.T) {
	public := sdn.Condition{Dst: prefix("10.2.0.100/32"), Proto: number(udp), TPDst: &sdn.PortRange{Start: 53, End: 80}}
	dnat := when(public, nat(sdn.RuleDNAT, sdn.FlowContinue, target("10.1.0.5", "10.1.0.5", 8080, 8080)))
	out := []sdn.Rule{rev(sdn.RuleRevDNAT, sdn.FlowAccept)}
	run(t, labTopology([]sdn.Rule{dnat, when(public, drop())}, out),
		sends("uplink", udpPacket("8.8.8.8", "10.2.0.100", 2001, 53), "at pods: udp 8.8.8.8:2001 > 10.1.0.5:8080"),
		sends("pods", udpPacket("10.1.0.5", "8.8.8.8", 8080, 2001), "at uplink: udp 10.2.0.100:53 > 8.8.8.8:2001"))
	run(t, labTopology([]sdn.Rule{dnat, when(sdn.Condition{TPDst: &sdn.PortRange{Start: 8080, End: 8080}}, drop())}, out),
		sends("uplink", udpPacket("8.8.8.8", "10.2.0.100", 2001, 53)))
}

// fragmented is a UDP datagram of 8 + 1200 bytes in two fragments.
func fragmented(src, dst string, sport, dport uint16) []packet {
	first := udpPacket(src, dst, sport, dport)
	first.payload, first.fragment, first.id, first.udpLength = string(make([]byte, 800)), moreFragments, 4711, 1208
	second := packet{src: first.src, dst: first.dst, proto: udp, payload: string(make([]byte, 400)), fragment: 808 / 8, id: 4711}
	return []packet{first, second}
}

func TestFragmentPolicies(t *testing.T) {
	whole := udpPacket("10.1.0.5", "10.3.0.7", 2001, 53)
	parts := fragmented("10.1.0.5", "10.3.0.7", 2002, 53)
	arrived := []string{"at third: udp 10.1.0.5:0 > 10.3.0.7:0 fragment 0x65", "at third: udp 10.1.0.5:2002 > 10.3.0.7:53 fragment 0x2000"}
	for policy, passes := range map[sdn.FragmentPolicy]bool{sdn.FragmentUnfragmented: false, sdn.FragmentHeader: true, sdn.FragmentAny: true} {
		want := arrived
		if !passes {
			want = nil
		}
		for _, side := range []string{"inbound", "outbound"} {
			t.Run(string(policy)+" "+side, func(t *testing.T) {
				rules := []sdn.Rule{when(sdn.Condition{Fragment: policy}, accept()), drop()}
				top := labTopology(rules, nil)
				if side == "outbound" {
					top = labTopology(nil, rules)
				}
				run(t, top, sends("pods", whole, "at third: "+whole.String()), step{"pods", parts, want})
			})
		}
	}
}

func TestFragmentPolicyIsNotInverted(t *testing.T) {
	run(t, labTopology([]sdn.Rule{when(sdn.Condition{Invert: true, Src: prefix("10.9.0.0/16"), Fragment: sdn.FragmentUnfragmented}, accept()), drop()}, nil),
		sends("pods", udpPacket("10.1.0.5", "10.3.0.7", 2001, 53), "at third: udp 10.1.0.5:2001 > 10.3.0.7:53"),
		step{"pods", fragmented("10.1.0.5", "10.3.0.7", 2002, 53), nil})
}

func TestFragmentsAreTranslatedAsAWhole(t *testing.T) {
	run(t, labTopology(nil, []sdn.Rule{snatOut(sdn.FlowAccept)}), step{"pods", fragmented("10.1.0.5", "8.8.8.8", 2002, 53),
		[]string{"at uplink: udp 10.2.0.100:0 > 8.8.8.8:0 fragment 0x65", "at uplink: udp 10.2.0.100:2002 > 8.8.8.8:53 fragment 0x2000"}})
}

func TestInvertedConditionOfSeveralFields(t *testing.T) {
	c := sdn.Condition{Invert: true, Src: prefix("10.1.0.5/32"), Proto: number(udp), TPDst: &sdn.PortRange{Start: 53, End: 53}}
	run(t, labTopology([]sdn.Rule{when(c, drop())}, nil),
		sends("pods", udpPacket("10.1.0.5", "10.3.0.7", 2001, 53), "at third: udp 10.1.0.5:2001 > 10.3.0.7:53"),
		sends("pods", udpPacket("10.1.0.5", "10.3.0.7", 2001, 54)),
		sends("pods", udpPacket("10.1.0.6", "10.3.0.7", 2001, 53)),
		sends("pods", tcpSYN("10.1.0.5", "10.3.0.7", 2001, 53)))
}

func TestPortFilters(t *testing.T) {
	odd := sdn.Condition{TPDst: &sdn.PortRange{Start: 81, End: 81}}
	in := func(top *topology) {
		withPort(pods, func(p *sdn.Port) { p.InboundFilter = top.chain(3, when(odd, drop()), jump(4), drop()) })(top)
		top.chain(4, accept())
	}
	top := labTopology([]sdn.Rule{when(sdn.Condition{TPDst: &sdn.PortRange{Start: 82, End: 82}}, drop())}, nil, in)
	run(t, top,
		sends("pods", udpPacket("10.1.0.5", "10.3.0.7", 2001, 80), "at third: udp 10.1.0.5:2001 > 10.3.0.7:80"),
		sends("pods", udpPacket("10.1.0.5", "10.3.0.7", 2001, 81)),
		sends("pods", udpPacket("10.1.0.5", "10.3.0.7", 2001, 82)),
		sends("third", udpPacket("10.3.0.7", "10.1.0.5", 2001, 81), "at pods: udp 10.3.0.7:2001 > 10.1.0.5:81"))
}

// A port's outbound filter sees the packet as the router's own filter left it.
func TestPortOutboundFilterBehindSourceTranslation(t *testing.T) {
	out := func(top *topology) {
		withPort(uplink, func(p *sdn.Port) {
			p.OutboundFilter = top.chain(3, when(sdn.Condition{Src: prefix("10.2.0.100/32")}, accept()), drop())
		})(top)
	}
	run(t, labTopology(nil, []sdn.Rule{when(sdn.Condition{Proto: number(udp)}, snatOut(sdn.FlowAccept))}, out),
		sends("pods", udpPacket("10.1.0.5", "8.8.8.8", 2001, 80), "at uplink: udp 10.2.0.100:2001 > 8.8.8.8:80"),
		sends("third", tcpSYN("10.3.0.7", "8.8.8.8", 2001, 80)))
}

func TestPortOutboundFilterPassesTheRoutersOwnErrorsAsReturnFlow(t *testing.T) {
	for _, outbound := range [][]sdn.Rule{nil, {snatOut(sdn.FlowAccept)}} {
		out := func(top *topology) {
			withPort(pods, func(p *sdn.Port) {
				p.OutboundFilter = top.chain(3, when(sdn.Condition{MatchReturnFlow: true}, accept()), drop())
			})(top)
		}
		run(t, labTopology([]sdn.Rule{when(sdn.Condition{Proto: number(tcp)}, reject())}, outbound, out),
			sends("pods", tcpSYN("10.1.0.5", "10.3.0.7", 2001, 80), "at pods: icmp 3/13 id 0 0.0.0.0 > 10.1.0.5"),
			sends("pods", echo("10.1.0.5", "10.1.0.1", 7), "at pods: icmp 0/0 id 7 10.1.0.1 > 10.1.0.5"),
			sends("third", udpPacket("10.3.0.7", "10.1.0.5", 2001, 80)))
	}
}

func TestPortThatIsDown(t *testing.T) {
	prohibited := "at pods: icmp 3/13 id 0 0.0.0.0 > 10.1.0.5"
	run(t, labTopology(nil, nil, withPort(third, func(p *sdn.Port) { p.AdminStateUp = false })),
		sends("pods", udpPacket("10.1.0.5", "10.3.0.7", 2001, 80), prohibited),
		sends("pods", echo("10.1.0.5", "10.3.0.1", 8)),
		sends("third", udpPacket("10.3.0.7", "10.1.0.5", 2001, 80), "at third: icmp 3/13 id 0 0.0.0.0 > 10.3.0.7"),
		sends("pods", udpPacket("10.1.0.5", "10.2.0.9", 2001, 80), "at uplink: udp 10.1.0.5:2001 > 10.2.0.9:80"))
}

func TestRouterThatIsDown(t *testing.T) {
	down := func(top *topology) { top.routers[routerID(1)] = sdn.Router{ID: routerID(1)} }
	top := labTopology(nil, nil)
	down(top)
	run(t, top,
		sends("pods", udpPacket("10.1.0.5", "10.3.0.7", 2001, 80), "at pods: icmp 3/13 id 0 0.0.0.0 > 10.1.0.5"),
		sends("pods", echo("10.1.0.5", "10.1.0.1", 8), "at pods: icmp 3/13 id 0 0.0.0.0 > 10.1.0.5"))
}

func TestInterfaceThatIsNoPortOfTheRouter(t *testing.T) {
	top := labTopology(nil, nil)
	delete(top.ports, third)
	run(t, top,
		sends("third", udpPacket("10.3.0.7", "10.1.0.5", 2001, 80)),
		sends("pods", udpPacket("10.1.0.5", "10.3.0.7", 2001, 80)))
}

func TestPacketsToTheRouter(t *testing.T) {
	run(t, labTopology(nil, nil),
		sends("pods", echo("10.1.0.5", "10.2.0.1", 9), "at pods: icmp 0/0 id 9 10.2.0.1 > 10.1.0.5"),
		sends("pods", udpPacket("10.1.0.5", "10.1.0.1", 2001, 53)),
		sends("pods", tcpSYN("10.1.0.5", "10.1.0.1", 2001, 22)))
}

// IDs are shortened in names; clients may choose IDs that begin alike.
func TestIDsThatBeginAlike(t *testing.T) {
	top := labTopology([]sdn.Rule{jump(3), jump(4), jump(5)}, nil)
	for n, rules := range [][]sdn.Rule{{when(sdn.Condition{Proto: number(tcp)}, drop())}, {when(sdn.Condition{Proto: number(icmp)}, drop())},
		{when(sdn.Condition{InPorts: []sdn.PortID{pods, uplink}, TOS: number(1)}, drop()), when(sdn.Condition{InPorts: []sdn.PortID{third, uplink}}, drop())}} {
		c := sdn.ChainID(fmt.Sprintf("00000000-0000-4000-8000-%012d", n))
		top.chains[c] = sdn.Chain{ID: c}
		for i := range rules {
			rules[i].ID = sdn.RuleID(fmt.Sprintf("00000000-0000-4000-8000-1%011d", 10*n+i))
		}
		top.rules[c] = rules
		top.rules[chainID(1)][n].JumpChain = c
	}
	run(t, top,
		sends("pods", udpPacket("10.1.0.5", "10.3.0.7", 2001, 80), "at third: udp 10.1.0.5:2001 > 10.3.0.7:80"),
		sends("pods", tcpSYN("10.1.0.5", "10.3.0.7", 2001, 80)),
		sends("pods", echo("10.1.0.5", "10.3.0.7", 2001)),
		sends("third", udpPacket("10.3.0.7", "10.1.0.5", 2001, 80)))
}

func TestHardwareAddresses(t *testing.T) {
	drops := sends("pods", udpPacket("10.1.0.5", "10.3.0.7", 2001, 80))
	passes := sends("third", udpPacket("10.3.0.7", "10.1.0.5", 2001, 80), "at pods: udp 10.3.0.7:2001 > 10.1.0.5:80")
	for _, c := range []sdn.Condition{
		{DLSrc: "02:00:00:00:01:01"}, {DLDst: "02:00:00:00:00:01"},
		{DLSrc: "ff:ff:ff:ff:ff:01", DLSrcMask: "0000.0000.00ff"}, {DLSrc: "02:00:00:00:01:03", InvDLSrc: true},
		{DLType: number(0x0800), InPorts: []sdn.PortID{pods}},
	} {
		run(t, labTopology([]sdn.Rule{when(c, drop())}, nil), drops, passes)
	}
}
