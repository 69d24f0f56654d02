package filter_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/filter"
	"github.com/moatnet/moat/sdn/nft"
)

// bridgeModel walks the chains of the lab's bridge as MidoNet's API reference
// tells it. It knows flows by the tuples that answers to them have.
type bridgeModel struct {
	top   *topology
	flows map[string]bool
}

// tracked is the tuple of a packet of which flows are known, or of the packet's
// answer; of an ICMP error the tuple of what it quotes, the other way round.
func tracked(p packet, back bool) (string, bool) {
	if p.quotes() {
		quoted, _ := parse([]byte(p.payload))
		quoted.src = p.dst
		return tracked(quoted, true)
	}
	if p.proto == gre {
		return "", false
	}
	sport, dport := p.sport, p.dport
	if p.proto == icmp {
		dport = sport
	}
	if back {
		p.src, p.dst, sport, dport = p.dst, p.src, dport, sport
	}
	return fmt.Sprint(p.proto, p.src, sport, p.dst, dport), true
}

// send says which host gets a packet, "" for none, and as what.
func (m *bridgeModel) send(from sdn.PortID, p packet) (string, packet) {
	to, ok := map[string]sdn.PortID{"10.1.0.1": bridgeOwn, "10.1.0.11": portA, "10.1.0.12": portB, "10.1.0.13": portC}[p.dst.String()]
	key, known := tracked(p, false)
	w := &walk{m: &model{top: m.top}, p: p, in: from, entry: from, isReturn: known && m.flows[key] && (p.proto != icmp || p.icmpType != 8)}
	if from == bridgeOwn {
		w.entry, w.isReturn = "", true
	}
	if !ok || to == from || !m.passes(w, to) {
		return "", packet{}
	}
	if key, ok := tracked(p, !w.isReturn); ok && !p.quotes() {
		m.flows[key] = true
	}
	if to != bridgeOwn {
		return m.top.ports[to].Interface, p
	}
	if p.proto != icmp || p.icmpType != 8 {
		return "", packet{}
	}
	return m.send(bridgeOwn, p.answer())
}

// passes runs the four filters in turn.
func (m *bridgeModel) passes(w *walk, to sdn.PortID) bool {
	b := m.top.bridges[bridgeID(1)]
	for i, c := range []sdn.ChainID{m.top.ports[w.in].InboundFilter, b.InboundFilter, b.OutboundFilter, m.top.ports[to].OutboundFilter} {
		if i == 2 {
			w.out = to
		}
		if w.top(c) != verdictAccept {
			return false
		}
	}
	return true
}

func bridgeProbes() []probe {
	asked := udpPacket("10.1.0.12", "10.1.0.11", 2001, 53)
	return []probe{
		{"a", udpPacket("10.1.0.11", "10.1.0.12", 2001, 53)},
		{"b", asked},
		{"a", asked.answer()},
		{"a", quoting("10.1.0.11", asked)},
		{"a", errorTo("10.1.0.13", asked)},
		{"c", tcpSYN("10.1.0.13", "10.1.0.11", 2003, 80)},
		{"a", back(tcpSYN("10.1.0.13", "10.1.0.11", 2003, 80), synFlag|ackFlag)},
		{"b", echo("10.1.0.12", "10.1.0.13", 2004)},
		{"c", echo("10.1.0.12", "10.1.0.13", 2004).answer()},
		{"c", echo("10.1.0.13", "10.1.0.12", 2004)},
		{"a", echo("10.1.0.11", "10.1.0.1", 2005)},
		{"c", packet{src: addr("10.1.0.13"), dst: addr("10.1.0.12"), proto: gre}},
		{"b", udpPacket("10.1.0.12", "10.1.0.13", 2006, 80)},
	}
}

func TestGeneratedChainsOfABridgeDoWhatTheModelDoes(t *testing.T) {
	l := newBridgeLab(t)
	rnd := rand.New(rand.NewPCG(20261121, 3))
	for range 300 {
		top := randomBridge(rnd)
		tables, err := filter.Bridge(top, "test", bridgeID(1))
		require.NoError(t, err)
		l.apply(nil)
		l.apply(tables)
		m := &bridgeModel{top: top, flows: map[string]bool{}}
		ports := map[string]sdn.PortID{"a": portA, "b": portB, "c": portC}
		for _, s := range append(bridgeProbes(), bridgeProbes()[:4]...) { // the first again, now that flows are known
			host, p := m.send(ports[s.from], s.p)
			want := []string{}
			if host != "" {
				want = text(map[string][]packet{host: {p}})
			}
			require.Equal(t, want, text(l.send(s.from, s.p)), "packet at %s: %s\n%s\n%s", s.from, s.p, describe(top), nft.Print(tables))
		}
	}
}

func randomBridge(rnd *rand.Rand) *topology {
	rules := func() []sdn.Rule {
		var out []sdn.Rule
		for range 1 + rnd.IntN(4) {
			r := when(randomBridgeCondition(rnd), jump(3+rnd.IntN(4)))
			if rnd.IntN(3) > 0 {
				r = when(r.Condition, []sdn.Rule{accept(), drop(), ret(), reject()}[rnd.IntN(4)])
			}
			out = append(out, r)
		}
		return out
	}
	return bridgeTopology(rules(), rules(), func(t *topology) {
		for n := 3; n < 7; n++ {
			t.chain(n, rules()...)
		}
		t.addrGroups[addrGroupID(1)] = []netip.Addr{addr("10.1.0.11"), addr("fd00::5")}
		t.addrGroups[addrGroupID(2)] = []netip.Addr{addr("10.1.0.12"), addr("10.1.0.1")}
		t.portGroups[portGroupID(1)] = []sdn.PortID{portA, bridgeOwn}
		t.portGroups[portGroupID(2)] = []sdn.PortID{portB, portC}
		for _, p := range []sdn.PortID{portA, portB, bridgeOwn} {
			if rnd.IntN(3) == 0 {
				withPort(p, func(p *sdn.Port) { p.InboundFilter, p.OutboundFilter = chainID(3+rnd.IntN(4)), chainID(3+rnd.IntN(4)) })(t)
			}
		}
	})
}

func randomBridgeCondition(rnd *rand.Rand) sdn.Condition {
	var c sdn.Condition
	flip := func() bool { return rnd.IntN(4) == 0 }
	c.Invert = flip()
	for range 1 + rnd.IntN(2) {
		switch rnd.IntN(9) {
		case 0:
			c.MatchReturnFlow = true
		case 1:
			c.MatchForwardFlow = true
		case 2:
			c.InPorts, c.InvInPorts = [][]sdn.PortID{{portA}, {portB, bridgeOwn}}[rnd.IntN(2)], flip()
		case 3:
			c.OutPorts, c.InvOutPorts = [][]sdn.PortID{{portC}, {portA, bridgeOwn}}[rnd.IntN(2)], flip()
		case 4:
			c.Src, c.InvSrc = prefix([]string{"10.1.0.12/31", "10.1.0.11/32"}[rnd.IntN(2)]), flip()
		case 5:
			c.Proto, c.InvProto = number([]int{udp, tcp, icmp}[rnd.IntN(3)]), flip()
		case 6:
			c.TPDst, c.InvTPDst = &sdn.PortRange{Start: uint16(rnd.IntN(60)), End: 80}, flip()
		case 7:
			randomGroup(rnd, &c, flip())
		case 8:
			randomField(rnd, &c, flip())
		}
	}
	return c
}
