package filter_test

import (
	"net"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/filter"
	"github.com/moatnet/moat/sdn/nft"
)

// onlyAnswers lets b open flows to a, and a answer; a opens none.
func onlyAnswers() []sdn.Rule {
	return []sdn.Rule{
		when(sdn.Condition{MatchReturnFlow: true}, accept()),
		when(sdn.Condition{InPorts: []sdn.PortID{portA}, DLType: number(0x0800)}, drop()),
	}
}

func tcpFlags(p packet, flags uint8) packet {
	p.tcpFlags = flags
	return p
}

func back(p packet, flags uint8) packet { return tcpFlags(p.answer(), flags) }

// quoting is an ICMP error about a packet.
func quoting(src string, about packet) packet {
	return packet{src: addr(src), dst: about.src, proto: icmp, icmpType: 3, icmpCode: 3, payload: string(about.bytes())}
}

// errorTo is an ICMP error about a packet to whoever that is.
func errorTo(dst string, about packet) packet {
	p := quoting("10.1.0.11", about)
	p.dst = addr(dst)
	return p
}

const (
	synFlag = 0x02
	ackFlag = 0x10
	finFlag = 0x01
	rstFlag = 0x04
)

func TestReturnFlowOnABridge(t *testing.T) {
	l := newBridgeLab(t)
	toB := func(p packet) step { return sends("a", p, text(map[string][]packet{"b": {p}})...) }
	toA := func(p packet) step { return sends("b", p, "at a: "+p.String()) }
	lost := func(p packet) step { return sends("a", p) }
	question := udpPacket("10.1.0.12", "10.1.0.11", 4001, 53)
	ping := echo("10.1.0.12", "10.1.0.11", 77)
	syn := tcpSYN("10.1.0.12", "10.1.0.11", 4002, 80)
	stray := question.answer()
	stray.dport++
	other := question.answer()
	other.dst = addr("10.1.0.13")
	parts := func(p packet) []packet { return fragmented(p.src.String(), p.dst.String(), p.sport, p.dport) }
	answers := parts(question.answer())
	for _, c := range []struct {
		name  string
		steps []step
	}{
		{"nothing was asked", []step{lost(question.answer()), lost(ping.answer()), lost(back(syn, synFlag|ackFlag)), lost(back(syn, ackFlag))}},
		{"UDP", []step{toA(question), toB(question.answer()), lost(stray), lost(other), toB(question.answer())}},
		{"the one that asks is not answered for", []step{lost(question.answer()), toA(question), lost(stray)}},
		{"echo", []step{toA(ping), toB(ping.answer()), lost(echo("10.1.0.11", "10.1.0.12", 78)), lost(echo("10.1.0.11", "10.1.0.13", 77).answer())}},
		{"TCP", []step{toA(syn), toB(back(syn, synFlag|ackFlag)), toA(tcpFlags(syn, ackFlag)), toB(back(syn, ackFlag)),
			toA(tcpFlags(syn, ackFlag|finFlag)), toB(back(syn, ackFlag)), toB(back(syn, ackFlag|finFlag)), toA(tcpFlags(syn, ackFlag)),
			lost(tcpSYN("10.1.0.11", "10.1.0.12", 80, 4003))}},
		{"TCP that is reset", []step{toA(syn), toB(back(syn, synFlag|ackFlag)), toB(back(syn, rstFlag)), toA(syn), toB(back(syn, synFlag|ackFlag))}},
		{"errors about what was sent", []step{lost(quoting("10.1.0.11", question)), toA(question), toB(quoting("10.1.0.11", question)),
			lost(quoting("10.1.0.11", stray.answer())), toA(ping), toB(quoting("10.1.0.11", ping)), toA(syn), toB(quoting("10.1.0.11", syn))}},
		{"errors about the flow of another", []step{toA(question), sends("a", errorTo("10.1.0.13", question)), toB(errorTo("10.1.0.12", question))}},
		{"who is asked for an echo asks nothing", []step{toA(ping), lost(echo("10.1.0.11", "10.1.0.12", 77)),
			lost(packet{src: addr("10.1.0.11"), dst: addr("10.1.0.12"), proto: icmp, icmpType: 13, sport: 77}), toB(ping.answer())}},
		{"fragments", []step{{"a", answers, nil}, {"a", answers[1:], nil}, toA(question), {"a", answers, text(map[string][]packet{"b": answers})}}},
		{"protocols without ports", []step{toA(packet{src: addr("10.1.0.12"), dst: addr("10.1.0.11"), proto: gre}),
			lost(packet{src: addr("10.1.0.11"), dst: addr("10.1.0.12"), proto: gre})}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.t = t
			l.apply(nil) // forgets the flows
			runBridge(t, l, bridgeTopology(onlyAnswers(), nil), c.steps...)
		})
	}
}

// held are the elements of a set of the bridge's table, and how long the kernel
// keeps each after its last packet.
func (l *lab) held(set string) []time.Duration {
	l.t.Helper()
	c, err := nftables.New(nftables.WithNetNSFd(int(l.router)))
	require.NoError(l.t, err)
	table := &nftables.Table{Family: nftables.TableFamilyBridge, Name: filter.TablePrefix("test") + "bridge-" + string(bridgeID(1))}
	s, err := c.GetSetByName(table, set)
	require.NoError(l.t, err)
	elements, err := c.GetSetElements(s)
	require.NoError(l.t, err)
	out := []time.Duration{}
	for _, e := range elements {
		out = append(out, e.Timeout)
	}
	return out
}

// A connection of TCP is known for long once it is answered, and no longer than
// other flows once a side ends it; one that is never answered never is.
func TestHowLongFlowsAreKnown(t *testing.T) {
	l := newBridgeLab(t)
	runBridge(t, l, bridgeTopology(onlyAnswers(), nil))
	const day = 24 * time.Hour
	syn := tcpSYN("10.1.0.12", "10.1.0.11", 4002, 80)
	for i, s := range []struct {
		from               string
		p                  packet
		connections, flows []time.Duration
	}{
		{"b", udpPacket("10.1.0.12", "10.1.0.11", 4001, 53), nil, []time.Duration{3 * time.Minute}},
		{"b", echo("10.1.0.12", "10.1.0.11", 7), nil, []time.Duration{30 * time.Second, 3 * time.Minute}},
		{"b", syn, nil, []time.Duration{30 * time.Second, 2 * time.Minute, 3 * time.Minute}},
		{"b", tcpFlags(syn, ackFlag), nil, []time.Duration{30 * time.Second, 2 * time.Minute, 3 * time.Minute}},
		{"a", back(syn, synFlag|ackFlag), []time.Duration{5 * day}, nil},
		{"b", tcpFlags(syn, ackFlag), []time.Duration{5 * day}, nil},
		{"b", tcpFlags(syn, ackFlag|finFlag), nil, nil},
		{"a", back(syn, ackFlag), nil, []time.Duration{30 * time.Second, 2 * time.Minute, 3 * time.Minute}},
		{"a", back(syn, synFlag|ackFlag), []time.Duration{5 * day}, nil},
		{"a", back(syn, rstFlag), nil, nil},
	} {
		require.NotEmpty(t, text(l.send(s.from, s.p)), "step %d", i+1)
		require.ElementsMatch(t, s.connections, l.held("connections"), "step %d", i+1)
		if s.flows != nil {
			require.ElementsMatch(t, s.flows, l.held("flows"), "step %d", i+1)
		}
	}
}

// Filters of ports know flows too, and so do those towards the router.
func TestReturnFlowInFiltersOfPorts(t *testing.T) {
	l := newBridgeLab(t)
	question := udpPacket("10.1.0.12", "10.1.0.11", 4001, 53)
	answer := question.answer()
	forward := sdn.Condition{MatchForwardFlow: true, DLType: number(0x0800)}
	for _, c := range []struct {
		name string
		port sdn.PortID
		in   bool
	}{{"inbound", portA, true}, {"outbound", portB, false}} {
		t.Run(c.name, func(t *testing.T) {
			l.t = t
			l.apply(nil)
			runBridge(t, l, bridgeTopology(nil, nil, func(top *topology) {
				withPort(c.port, func(p *sdn.Port) {
					if f := top.chain(3, when(forward, drop())); c.in {
						p.InboundFilter = f
					} else {
						p.OutboundFilter = f
					}
				})(top)
			}), sends("a", answer), sends("b", question, "at a: "+question.String()), sends("a", answer, "at b: "+answer.String()))
		})
	}
}

// The router's own answers count as return flow, also those to a port that lets
// nothing else in.
func TestTheRoutersAnswersAreReturnFlow(t *testing.T) {
	l := newBridgeLab(t)
	top := bridgeTopology(nil, []sdn.Rule{when(sdn.Condition{MatchReturnFlow: true}, accept()), when(sdn.Condition{InPorts: []sdn.PortID{bridgeOwn}, DLType: number(0x0800)}, drop())})
	runBridge(t, l, top, sends("a", echo("10.1.0.11", "10.1.0.1", 7), "at a: icmp 0/0 id 7 10.1.0.1 > 10.1.0.11"))
}

// What the router forwards to the bridge is a flow like others; its marks mean
// nothing but that it made a packet itself.
func TestFlowsFromTheRouter(t *testing.T) {
	l := newBridgeLab(t)
	l.sysctl("net/ipv4/ip_forward", "1")
	l.sysctl("net/ipv4/conf/all/send_redirects", "0")
	l.sysctl("net/ipv4/conf/"+sdn.InterfaceName(bridgeID(1))+"/send_redirects", "0")
	l.sysctl("net/ipv4/conf/all/rp_filter", "0")
	top := bridgeTopology(nil, []sdn.Rule{when(sdn.Condition{MatchReturnFlow: true}, accept()), when(sdn.Condition{InPorts: []sdn.PortID{bridgeOwn}, DLType: number(0x0800)}, drop())})
	question := udpPacket("10.1.0.12", "10.1.0.11", 4001, 53)
	by := func(mark uint32) []nft.Table {
		router := nft.Table{Family: nft.IP, Name: filter.TablePrefix("test") + "router", Chains: []nft.Chain{{
			Name: "marks", Base: &nft.Base{Type: nft.FilterChain, Hook: nft.Forward, Policy: nft.PolicyAccept}, Rules: []nft.Rule{nft.NewRule(nft.SetMark{Value: mark})}}}}
		return append(translate(t, top), router)
	}
	through := func(p packet) []string { return text(l.sendFrames(net.HardwareAddr{2, 0, 0, 0, 0, 1}, nil, p)) }
	arrives := []string{"at b: " + question.answer().String()}
	for mark, want := range map[uint32][]string{0: {}, 1: {}, 0x3fffffff: {}, 0x40000000: arrives, 0x40000001: arrives} {
		l.apply(nil)
		l.apply(by(mark))
		require.Equal(t, want, through(question.answer()), "mark %#x", mark)
	}
	l.apply(nil)
	l.apply(by(0))
	require.NotEmpty(t, text(l.send("b", question)))
	require.Equal(t, arrives, through(question.answer()))
}

// What the kernel learned stays when rules change, and is no part of what is
// compared.
func TestFlowsStayWhenRulesChange(t *testing.T) {
	l := newBridgeLab(t)
	question := udpPacket("10.1.0.12", "10.1.0.11", 4001, 53)
	answer := question.answer()
	runBridge(t, l, bridgeTopology(onlyAnswers(), nil), sends("b", question, "at a: "+question.String()))
	changed := bridgeTopology(append([]sdn.Rule{when(sdn.Condition{Src: prefix("10.9.0.0/16")}, drop())}, onlyAnswers()...), nil)
	runBridge(t, l, changed, sends("a", answer, "at b: "+answer.String()))
	have, err := l.nft.Tables(t.Context(), "moat/")
	require.NoError(t, err)
	n, err := l.nft.Apply(t.Context(), have, translate(t, changed))
	require.NoError(t, err)
	require.Zero(t, n)

	runBridge(t, l, bridgeTopology([]sdn.Rule{when(sdn.Condition{Src: prefix("10.9.0.0/16")}, drop())}, nil), sends("a", answer, "at b: "+answer.String()))
	runBridge(t, l, changed, sends("a", answer), sends("b", question, "at a: "+question.String()), sends("a", answer, "at b: "+answer.String()))
}

func TestDownPortThatTheBridgeItselfPlays(t *testing.T) {
	l := newBridgeLab(t)
	aToB := udpPacket("10.1.0.11", "10.1.0.12", 2001, 80)
	ping := echo("10.1.0.11", "10.1.0.1", 7)
	down := bridgeTopology(nil, nil, withPort(bridgeOwn, func(p *sdn.Port) { p.AdminStateUp = false }))
	runBridge(t, l, down, sends("a", aToB, "at b: "+aToB.String()), sends("a", ping))
	input, _ := translate(t, down)[0].Chain("down-input")
	require.Equal(t, "ether type 0x0800 ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 ip protocol udp th dport 67 accept", input.Rules[0].String())
	runBridge(t, l, bridgeTopology(nil, nil), sends("a", aToB, "at b: "+aToB.String()), sends("a", ping, "at a: icmp 0/0 id 7 10.1.0.1 > 10.1.0.11"))
}

// Where there is no room for another flow its answers are not known; those of
// the flows that are there still are.
func TestFlowsWithoutRoom(t *testing.T) {
	l := newBridgeLab(t)
	flow := func(n int) packet {
		return udpPacket("10.1.0.12", "10.1.0.11", uint16(n), uint16(100+n>>16))
	}
	first, last := flow(1).answer(), flow(1<<16+1).answer()
	runBridge(t, l, bridgeTopology(onlyAnswers(), nil))
	const atOnce = 64
	for n := 1; n < 1<<16+1; n += atOnce {
		var some []packet
		for i := range atOnce {
			some = append(some, flow(n+i))
		}
		require.Len(t, l.send("b", some...)["a"], atOnce)
	}
	require.Equal(t, []string{"at b: " + first.String()}, text(l.send("a", first)))
	question := flow(1<<16 + 1)
	require.Equal(t, []string{"at a: " + question.String()}, text(l.send("b", question)))
	require.Empty(t, text(l.send("a", last)))
}
