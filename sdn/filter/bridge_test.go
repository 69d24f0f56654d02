package filter_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/filter"
)

func TestBridgeWithoutFiltersHasNoTable(t *testing.T) {
	tables, err := filter.Bridge(bridgeTopology(nil, nil), "test", bridgeID(1))
	require.NoError(t, err)
	require.Empty(t, tables)
}

func TestBridgeTables(t *testing.T) {
	spoofed := sdn.Condition{Invert: true, DLSrc: "02:00:00:00:01:01", Src: prefix("10.1.0.11/32")}
	top := bridgeTopology([]sdn.Rule{when(sdn.Condition{Proto: number(udp), TPDst: &sdn.PortRange{Start: 67, End: 68}}, drop())},
		[]sdn.Rule{when(sdn.Condition{OutPorts: []sdn.PortID{bridgeOwn}}, accept()), when(sdn.Condition{InPorts: []sdn.PortID{portA}, OutPorts: []sdn.PortID{portB, portC}}, drop())},
		func(top *topology) {
			withPort(portA, func(p *sdn.Port) { p.InboundFilter = top.chain(3, when(spoofed, drop())) })(top)
		})
	tables, err := filter.Bridge(top, "default", bridgeID(1))
	require.NoError(t, err)
	golden(t, "bridge", tables)
}

func TestBridgeFilters(t *testing.T) {
	l := newBridgeLab(t)
	aToB := udpPacket("10.1.0.11", "10.1.0.12", 2001, 80)
	bToA := udpPacket("10.1.0.12", "10.1.0.11", 2001, 80)
	aToC := udpPacket("10.1.0.11", "10.1.0.13", 2001, 80)
	arrivesB, arrivesA, arrivesC := "at b: "+aToB.String(), "at a: "+bToA.String(), "at c: "+aToC.String()
	ping := sends("a", echo("10.1.0.11", "10.1.0.1", 7), "at a: icmp 0/0 id 7 10.1.0.1 > 10.1.0.11")
	noPing := sends("a", echo("10.1.0.11", "10.1.0.1", 7))
	in := func(ps ...sdn.PortID) sdn.Condition { return sdn.Condition{InPorts: ps} }
	out := func(ps ...sdn.PortID) sdn.Condition { return sdn.Condition{OutPorts: ps} }
	portFilter := func(p sdn.PortID, inbound bool, rules ...sdn.Rule) func(*topology) {
		return func(top *topology) {
			withPort(p, func(p *sdn.Port) {
				if c := top.chain(3, rules...); inbound {
					p.InboundFilter = c
				} else {
					p.OutboundFilter = c
				}
			})(top)
		}
	}
	for _, c := range []struct {
		name  string
		top   *topology
		steps []step
	}{
		{"no filter", bridgeTopology(nil, nil), []step{sends("a", aToB, arrivesB), ping}},
		{"inbound drop", bridgeTopology([]sdn.Rule{drop()}, nil), []step{sends("a", aToB), noPing}},
		{"inbound reject is a drop", bridgeTopology([]sdn.Rule{reject()}, nil), []step{sends("a", aToB)}},
		{"inbound from a port", bridgeTopology([]sdn.Rule{when(in(portA), drop())}, nil), []step{sends("a", aToB), sends("b", bToA, arrivesA)}},
		{"inbound from the router", bridgeTopology([]sdn.Rule{when(in(bridgeOwn), drop())}, nil), []step{sends("a", aToB, arrivesB), noPing}},
		{"inbound knows no out port", bridgeTopology([]sdn.Rule{when(out(portB), drop())}, nil), []step{sends("a", aToB, arrivesB)}},
		{"outbound to a port", bridgeTopology(nil, []sdn.Rule{when(out(portB), drop())}), []step{sends("a", aToB), sends("a", aToC, arrivesC), ping}},
		{"outbound to all but a port", bridgeTopology(nil, []sdn.Rule{when(sdn.Condition{OutPorts: []sdn.PortID{portB}, InvOutPorts: true}, drop())}),
			[]step{sends("a", aToB, arrivesB), sends("a", aToC), noPing}},
		{"outbound to the router", bridgeTopology(nil, []sdn.Rule{when(out(bridgeOwn), drop())}), []step{sends("a", aToB, arrivesB), noPing}},
		{"outbound from the router", bridgeTopology(nil, []sdn.Rule{when(in(bridgeOwn), drop())}), []step{sends("a", aToB, arrivesB), noPing}},
		{"jump", bridgeTopology([]sdn.Rule{jump(3), drop()}, nil, func(t *topology) {
			t.chain(3, when(sdn.Condition{Proto: number(icmp)}, accept()), when(sdn.Condition{Dst: prefix("10.1.0.13/32")}, accept()))
		}), []step{sends("a", aToB), sends("a", aToC, arrivesC), ping}},
		{"port inbound", bridgeTopology(nil, nil, portFilter(portA, true, when(sdn.Condition{Dst: prefix("10.1.0.12/32")}, drop()))),
			[]step{sends("a", aToB), sends("a", aToC, arrivesC), sends("b", bToA, arrivesA)}},
		{"port outbound", bridgeTopology(nil, nil, portFilter(portB, false, drop())), []step{sends("a", aToB), sends("a", aToC, arrivesC), sends("b", bToA, arrivesA)}},
		{"router's port inbound", bridgeTopology(nil, nil, portFilter(bridgeOwn, true, drop())), []step{sends("a", aToB, arrivesB), noPing}},
		{"router's port outbound", bridgeTopology(nil, nil, portFilter(bridgeOwn, false, drop())), []step{sends("a", aToB, arrivesB), noPing}},
		{"MAC", bridgeTopology([]sdn.Rule{when(sdn.Condition{DLDst: "02:00:00:00:01:02"}, drop())}, nil), []step{sends("a", aToB), sends("a", aToC, arrivesC)}},
		{"EtherType", bridgeTopology([]sdn.Rule{when(sdn.Condition{DLType: number(0x0800), InvDLType: true}, drop())}, nil), []step{sends("a", aToB, arrivesB)}},
		{"ports", bridgeTopology([]sdn.Rule{when(sdn.Condition{TPDst: &sdn.PortRange{Start: 79, End: 81}, InvTPDst: true}, drop())}, nil),
			[]step{sends("a", aToB, arrivesB), sends("a", udpPacket("10.1.0.11", "10.1.0.12", 2001, 82)), noPing}},
		{"nonheader", bridgeTopology([]sdn.Rule{when(sdn.Condition{Fragment: sdn.FragmentNonHeader}, drop())}, nil),
			[]step{sends("a", aToB, arrivesB), {"a", fragmented("10.1.0.11", "10.1.0.12", 2, 80), []string{"at b: udp 10.1.0.11:2 > 10.1.0.12:80 fragment 0x2000"}}}},
		{"header", bridgeTopology([]sdn.Rule{when(sdn.Condition{Fragment: sdn.FragmentHeader}, drop())}, nil),
			[]step{sends("a", aToB), {"a", fragmented("10.1.0.11", "10.1.0.12", 2, 80), []string{"at b: udp 10.1.0.11:0 > 10.1.0.12:0 fragment 0x65"}}}},
		{"unfragmented", bridgeTopology([]sdn.Rule{when(sdn.Condition{Fragment: sdn.FragmentUnfragmented}, accept()), drop()}, nil),
			[]step{sends("a", aToB, arrivesB), {"a", fragmented("10.1.0.11", "10.1.0.12", 2, 80), nil}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.t = t
			runBridge(t, l, c.top, c.steps...)
		})
	}
}

func TestTablesOfABridgeThatKnowsFlows(t *testing.T) {
	tables, err := filter.Bridge(bridgeTopology(onlyAnswers(), nil), "default", bridgeID(1))
	require.NoError(t, err)
	golden(t, "flows", tables)
}
