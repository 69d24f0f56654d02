package filter_test

import (
	"testing"

	"github.com/moatnet/moat/sdn"
)

// Both chains come before the router's filters, and accepting in one does not
// pass by the other.
func TestLocalRedirectAndForwardChains(t *testing.T) {
	l := newLab(t)
	at := func(port uint16) packet { return udpPacket("10.1.0.5", "10.3.0.7", 2001, port) }
	pass := func(p packet) step { return sends("pods", p, "at third: "+p.String()) }
	lost := func(p packet) step { return sends("pods", p) }
	prohibited := func(p packet) step { return sends("pods", p, "at pods: icmp 3/13 id 0 0.0.0.0 > 10.1.0.5") }
	to := func(port uint16, r sdn.Rule) sdn.Rule {
		return when(sdn.Condition{TPDst: &sdn.PortRange{Start: port, End: port}, Proto: number(udp)}, r)
	}
	ping := sends("pods", echo("10.1.0.5", "10.1.0.1", 7), "at pods: icmp 0/0 id 7 10.1.0.1 > 10.1.0.5")
	noPing := sends("pods", echo("10.1.0.5", "10.1.0.1", 7))
	toPods := sdn.Condition{OutPorts: []sdn.PortID{pods}}
	for _, c := range []struct {
		name              string
		redirect, forward []sdn.Rule
		in, out           []sdn.Rule
		steps             []step
	}{
		{"drop", []sdn.Rule{to(80, drop())}, []sdn.Rule{to(81, drop())}, nil, nil, []step{lost(at(80)), lost(at(81)), pass(at(82)), ping}},
		{"reject", []sdn.Rule{to(80, reject())}, []sdn.Rule{to(81, reject())}, nil, nil, []step{prohibited(at(80)), prohibited(at(81)), ping}},
		{"accept ends no other chain", []sdn.Rule{accept(), drop()}, []sdn.Rule{accept(), drop()}, []sdn.Rule{to(80, drop())}, []sdn.Rule{to(81, drop())},
			[]step{lost(at(80)), lost(at(81)), pass(at(82))}},
		{"first", []sdn.Rule{to(80, drop())}, []sdn.Rule{to(81, drop())}, []sdn.Rule{reject()}, []sdn.Rule{reject()}, []step{lost(at(80)), prohibited(at(81))}},
		{"forward sees the router's answers", nil, []sdn.Rule{when(toPods, drop())}, nil, nil, []step{pass(at(80)), noPing}},
		{"and knows them as answers", nil, []sdn.Rule{when(sdn.Condition{MatchForwardFlow: true}, drop())}, nil, nil, []step{lost(at(80)), ping}},
		{"local redirect sees what is for the router", []sdn.Rule{when(sdn.Condition{Proto: number(icmp)}, drop())}, nil, nil, nil, []step{pass(at(80)), noPing}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.t = t
			runIn(t, l, labTopology(c.in, c.out, func(top *topology) {
				withRouter(func(r *sdn.Router) {
					if c.redirect != nil {
						r.LocalRedirect = top.chain(3, c.redirect...)
					}
					if c.forward != nil {
						r.Forward = top.chain(4, c.forward...)
					}
				})(top)
			}), c.steps...)
		})
	}
}

func TestTranslatedDestination(t *testing.T) {
	l := newLab(t)
	rewritten := sdn.Condition{DstRewritten: true}
	not := sdn.Condition{DstRewritten: true, Invert: true}
	dnat := when(sdn.Condition{Dst: prefix("10.2.0.100/32")}, nat(sdn.RuleDNAT, sdn.FlowContinue, target("10.1.0.5", "10.1.0.5", 0, 0)))
	revSNAT := when(fromUplink, rev(sdn.RuleRevSNAT, sdn.FlowContinue))
	public := udpPacket("10.2.0.9", "10.2.0.100", 2001, 53)
	direct := udpPacket("10.2.0.9", "10.1.0.6", 2002, 53)
	question := udpPacket("10.1.0.5", "10.2.0.9", 2003, 53)
	answer := udpPacket("10.2.0.9", "10.2.0.100", 53, 2003)
	arrives := sends("uplink", public, "at pods: udp 10.2.0.9:2001 > 10.1.0.5:53")
	passes := sends("uplink", direct, "at pods: "+direct.String())
	invalid := tcpSYN("10.2.0.9", "10.1.0.6", 2001, 80)
	invalid.tcpFlags = 0x14
	for _, c := range []struct {
		name    string
		in, out []sdn.Rule
		steps   []step
	}{
		{"dnat, outbound", []sdn.Rule{dnat}, []sdn.Rule{when(rewritten, drop())}, []step{sends("uplink", public), passes}},
		{"all but that", []sdn.Rule{dnat}, []sdn.Rule{when(not, drop())}, []step{arrives, sends("uplink", direct), sends("uplink", invalid)}},
		{"behind the dnat rule", []sdn.Rule{dnat, when(rewritten, drop())}, nil, []step{sends("uplink", public), passes}},
		{"before it", []sdn.Rule{when(rewritten, drop()), dnat}, nil, []step{arrives, arrives, passes}},
		{"an answer", []sdn.Rule{revSNAT}, []sdn.Rule{when(rewritten, drop()), snatOut(sdn.FlowAccept)},
			[]step{sends("pods", question, "at uplink: udp 10.2.0.100:2003 > 10.2.0.9:53"), sends("uplink", answer)}},
		{"the router's own answer", nil, []sdn.Rule{when(rewritten, drop())}, []step{sends("pods", echo("10.1.0.5", "10.1.0.1", 7), "at pods: icmp 0/0 id 7 10.1.0.1 > 10.1.0.5")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.t = t
			runIn(t, l, labTopology(c.in, c.out), c.steps...)
		})
	}
}

// The addresses that an ICMP error quotes; what quotes none never matches, and
// always matches the inverse.
func TestQuotedAddresses(t *testing.T) {
	fromPods := quoting("10.1.0.5", udpPacket("10.2.0.9", "10.3.0.8", 1, 2))
	short := fromPods
	short.payload = short.payload[:12]
	plain := udpPacket("10.1.0.5", "10.2.0.9", 2001, 53)
	ping := echo("10.1.0.5", "10.2.0.9", 9)
	arrives := func(p packet) step { return sends("pods", p, text(map[string][]packet{"uplink": {p}})...) }
	lost := func(p packet) step { return sends("pods", p) }
	quoted := prefix("10.2.0.9/32")
	cases := []struct {
		name  string
		c     sdn.Condition
		steps []step
	}{
		{"source", sdn.Condition{ICMPDataSrc: quoted}, []step{lost(fromPods), arrives(short), arrives(plain), arrives(ping)}},
		{"another source", sdn.Condition{ICMPDataSrc: prefix("10.3.0.0/16")}, []step{arrives(fromPods)}},
		{"destination", sdn.Condition{ICMPDataDst: prefix("10.3.0.0/16")}, []step{lost(fromPods), arrives(plain)}},
		{"any", sdn.Condition{ICMPDataDst: prefix("0.0.0.0/0")}, []step{lost(fromPods), arrives(short), arrives(plain)}},
		{"not the source", sdn.Condition{ICMPDataSrc: quoted, InvICMPDataSrc: true}, []step{arrives(fromPods), lost(short), lost(plain), lost(ping)}},
		{"not the destination", sdn.Condition{ICMPDataDst: quoted, InvICMPDataDst: true, Proto: number(icmp)}, []step{lost(fromPods), lost(short), arrives(plain)}},
	}
	t.Run("router", func(t *testing.T) {
		l := newLab(t)
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				l.t = t
				runIn(t, l, labTopology([]sdn.Rule{when(c.c, drop())}, nil), c.steps...)
			})
		}
	})
	t.Run("bridge", func(t *testing.T) {
		l := newBridgeLab(t)
		local := fromPods
		local.src, local.dst = addr("10.1.0.11"), addr("10.1.0.12")
		later := fragmented("10.1.0.11", "10.1.0.12", 2, 80)[1]
		aToB := udpPacket("10.1.0.11", "10.1.0.12", 2001, 80)
		for name, c := range map[string]struct {
			c     sdn.Condition
			steps []step
		}{
			"source":     {sdn.Condition{ICMPDataSrc: quoted}, []step{sends("a", local), sends("a", aToB, "at b: "+aToB.String()), sends("a", later, "at b: "+later.String())}},
			"not source": {sdn.Condition{ICMPDataSrc: quoted, InvICMPDataSrc: true, DLType: number(0x0800)}, []step{sends("a", local, text(map[string][]packet{"b": {local}})...), sends("a", aToB), sends("a", later)}},
		} {
			t.Run(name, func(t *testing.T) {
				l.t = t
				runBridge(t, l, bridgeTopology([]sdn.Rule{when(c.c, drop())}, nil), c.steps...)
			})
		}
	})
}
