package filter_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/filter"
	"github.com/moatnet/moat/sdn/nft"
)

func translate(t *testing.T, top *topology) []nft.Table {
	t.Helper()
	var tables []nft.Table
	var err error
	if len(top.bridges) > 0 {
		tables, err = filter.Bridge(top, "test", bridgeID(1))
	} else {
		tables, err = filter.Router(top, "test", routerID(1))
	}
	require.NoError(t, err)
	return tables
}

// groupRules names each kind of group once, plainly and inverted.
func groupRules() []sdn.Rule {
	a, p := addrGroupID(1), portGroupID(1)
	return []sdn.Rule{
		when(sdn.Condition{SrcGroup: a}, accept()), when(sdn.Condition{DstGroup: a, InvDstGroup: true}, accept()),
		when(sdn.Condition{InPortGroup: p}, accept()), when(sdn.Condition{OutPortGroup: p, InvOutPortGroup: true}, accept()),
		when(sdn.Condition{PortGroup: p, Invert: true}, accept()),
	}
}

// What changes with the members of a group, or with the group's end, is the
// elements of sets: no chain, no rule, no other set.
func TestMembersOfGroupsAreElementsOnly(t *testing.T) {
	for name, top := range map[string]*topology{"router": labTopology(groupRules(), groupRules()), "bridge": bridgeTopology(groupRules(), groupRules())} {
		t.Run(name, func(t *testing.T) {
			port := uplink
			if name == "bridge" {
				port = portB
			}
			gone := translate(t, top)
			for n := range 1000 {
				top.addrGroups[addrGroupID(1)] = append(top.addrGroups[addrGroupID(1)], netip.AddrFrom4([4]byte{10, 9, byte(n >> 8), byte(n)}))
			}
			top.addrGroups[addrGroupID(1)] = append(top.addrGroups[addrGroupID(1)], addr("fd00::1"), addr("::ffff:10.8.0.1"), addr("fe80::1%eth0"))
			top.portGroups[portGroupID(1)] = []sdn.PortID{port}
			full := translate(t, top)
			require.Equal(t, gone[0].Chains, full[0].Chains)
			require.Len(t, full[0].Sets, len(gone[0].Sets))
			elements := map[string]int{}
			for i, s := range full[0].Sets {
				if d := len(s.Elements) - len(gone[0].Sets[i].Elements); d != 0 {
					elements[s.Name] = d
				}
			}
			want := map[string]int{"g-80000001000": 1001, "pg-70000001000": 1, "entry-70000001000": 1}
			if name == "bridge" {
				want["g6-80000001000"] = 2
			}
			require.Equal(t, want, elements)
		})
	}
}

// To the kernel a member more is one message, however many rules name the group.
func TestAMemberMoreIsOneMessage(t *testing.T) {
	l := newLab(t)
	top := labTopology(append(groupRules(), groupRules()...), groupRules())
	for n := range 1000 {
		top.addrGroups[addrGroupID(1)] = append(top.addrGroups[addrGroupID(1)], netip.AddrFrom4([4]byte{10, 9, byte(n >> 8), byte(n)}))
	}
	l.apply(translate(t, top))
	for _, c := range []struct {
		name     string
		change   func()
		messages int
	}{
		{"one more", func() {
			top.addrGroups[addrGroupID(1)] = append(top.addrGroups[addrGroupID(1)], addr("10.8.0.1"))
		}, 1},
		{"one less", func() { top.addrGroups[addrGroupID(1)] = top.addrGroups[addrGroupID(1)][1:] }, 1},
		{"a port, of which rules ask in two ways", func() { top.portGroups[portGroupID(1)] = []sdn.PortID{pods} }, 2},
		{"of a group that no rule names", func() { top.addrGroups[addrGroupID(2)] = []netip.Addr{addr("10.8.0.2")} }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.t = t
			have, err := l.nft.Tables(t.Context(), "moat/")
			require.NoError(t, err)
			c.change()
			n, err := l.nft.Apply(t.Context(), have, translate(t, top))
			require.NoError(t, err)
			require.Equal(t, c.messages, n)
			l.apply(translate(t, top))
		})
	}
}

func TestGroupsOnARouter(t *testing.T) {
	l := newLab(t)
	fromPods, fromThird := udpPacket("10.1.0.5", "10.2.0.9", 2001, 53), udpPacket("10.3.0.7", "10.2.0.9", 2002, 53)
	fromUplink := udpPacket("10.2.0.9", "10.1.0.5", 2003, 53)
	passPods, passThird, passUplink := sends("pods", fromPods, "at uplink: "+fromPods.String()), sends("third", fromThird, "at uplink: "+fromThird.String()), sends("uplink", fromUplink, "at pods: "+fromUplink.String())
	losePods, loseThird, loseUplink := sends("pods", fromPods), sends("third", fromThird), sends("uplink", fromUplink)
	a, p := addrGroupID(1), portGroupID(1)
	for _, c := range []struct {
		name    string
		in, out sdn.Condition
		addrs   []netip.Addr
		ports   []sdn.PortID
		steps   []step
	}{
		{"no such address group", sdn.Condition{SrcGroup: a}, sdn.Condition{DstGroup: a}, nil, nil, []step{passPods, passUplink}},
		{"all but no such address group", sdn.Condition{SrcGroup: a, InvSrcGroup: true}, sdn.Condition{Proto: number(gre)}, nil, nil, []step{losePods, loseUplink}},
		{"source", sdn.Condition{SrcGroup: a}, sdn.Condition{Proto: number(gre)}, []netip.Addr{addr("10.1.0.5"), addr("fd00::1")}, nil, []step{losePods, passThird, passUplink}},
		{"not the source", sdn.Condition{SrcGroup: a, InvSrcGroup: true}, sdn.Condition{Proto: number(gre)}, []netip.Addr{addr("10.1.0.5")}, nil, []step{passPods, loseThird, loseUplink}},
		{"destination", sdn.Condition{Proto: number(gre)}, sdn.Condition{DstGroup: a}, []netip.Addr{addr("10.1.0.5"), addr("10.1.0.6")}, nil, []step{passPods, passThird, loseUplink}},
		{"inverted whole", sdn.Condition{Proto: number(gre)}, sdn.Condition{Invert: true, SrcGroup: a, DstGroup: a, InvDstGroup: true}, []netip.Addr{addr("10.1.0.5")}, nil, []step{passPods, loseThird, loseUplink}},
		{"no such port group", sdn.Condition{InPortGroup: p}, sdn.Condition{OutPortGroup: p}, nil, nil, []step{passPods, passUplink}},
		{"all but no such port group", sdn.Condition{InPortGroup: p, InvInPortGroup: true}, sdn.Condition{}, nil, nil, []step{losePods, loseUplink}},
		{"in", sdn.Condition{InPortGroup: p}, sdn.Condition{Proto: number(gre)}, nil, []sdn.PortID{pods, third, portA}, []step{losePods, loseThird, passUplink}},
		{"not in", sdn.Condition{InPortGroup: p, InvInPortGroup: true}, sdn.Condition{Proto: number(gre)}, nil, []sdn.PortID{pods}, []step{passPods, loseThird, loseUplink}},
		{"out is not known inbound", sdn.Condition{OutPortGroup: p}, sdn.Condition{Proto: number(gre)}, nil, []sdn.PortID{pods, uplink}, []step{passPods, passUplink}},
		{"out", sdn.Condition{Proto: number(gre)}, sdn.Condition{OutPortGroup: p}, nil, []sdn.PortID{pods}, []step{passPods, loseUplink}},
		{"entry", sdn.Condition{PortGroup: p}, sdn.Condition{Proto: number(gre)}, nil, []sdn.PortID{pods}, []step{losePods, passThird, passUplink}},
		{"another entry", sdn.Condition{Proto: number(gre)}, sdn.Condition{PortGroup: p, InvPortGroup: true}, nil, []sdn.PortID{pods}, []step{passPods, loseThird, loseUplink}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.t = t
			top := labTopology([]sdn.Rule{when(c.in, drop())}, []sdn.Rule{when(c.out, drop())})
			top.addrGroups[a], top.portGroups[p] = c.addrs, c.ports
			runIn(t, l, top, c.steps...)
		})
	}
}

func TestGroupsOnABridge(t *testing.T) {
	l := newBridgeLab(t)
	aToB, bToA := udpPacket("10.1.0.11", "10.1.0.12", 2001, 80), udpPacket("10.1.0.12", "10.1.0.11", 2001, 80)
	pass, passBack := sends("a", aToB, "at b: "+aToB.String()), sends("b", bToA, "at a: "+bToA.String())
	lose, loseBack := sends("a", aToB), sends("b", bToA)
	ping := sends("a", echo("10.1.0.11", "10.1.0.1", 7), "at a: icmp 0/0 id 7 10.1.0.1 > 10.1.0.11")
	noPing := sends("a", echo("10.1.0.11", "10.1.0.1", 7))
	a, p := addrGroupID(1), portGroupID(1)
	for _, c := range []struct {
		name    string
		in, out sdn.Condition
		ports   []sdn.PortID
		steps   []step
	}{
		{"source", sdn.Condition{SrcGroup: a}, sdn.Condition{DLType: number(1536)}, nil, []step{lose, passBack}},
		{"not the destination", sdn.Condition{DstGroup: a, InvDstGroup: true}, sdn.Condition{DLType: number(1536)}, nil, []step{lose, passBack}},
		{"in", sdn.Condition{InPortGroup: p}, sdn.Condition{DLType: number(1536)}, []sdn.PortID{portA}, []step{lose, passBack, noPing}},
		{"not out", sdn.Condition{DLType: number(1536)}, sdn.Condition{OutPortGroup: p, InvOutPortGroup: true}, []sdn.PortID{portB}, []step{pass, loseBack, noPing}},
		{"out by the router's", sdn.Condition{DLType: number(1536)}, sdn.Condition{OutPortGroup: p}, []sdn.PortID{bridgeOwn}, []step{pass, passBack, noPing}},
		{"in by the router's", sdn.Condition{InPortGroup: p}, sdn.Condition{DLType: number(1536)}, []sdn.PortID{bridgeOwn}, []step{pass, passBack, noPing}},
		{"entry", sdn.Condition{PortGroup: p}, sdn.Condition{DLType: number(1536)}, []sdn.PortID{portB, bridgeOwn}, []step{pass, loseBack, ping}},
		{"no such port group", sdn.Condition{InPortGroup: portGroupID(9)}, sdn.Condition{Invert: true, PortGroup: portGroupID(9), InvPortGroup: true}, nil, []step{pass, passBack, ping}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.t = t
			top := bridgeTopology([]sdn.Rule{when(c.in, drop())}, []sdn.Rule{when(c.out, drop())})
			top.addrGroups[a], top.portGroups[p] = []netip.Addr{addr("10.1.0.11"), addr("fd00::11")}, c.ports
			runBridge(t, l, top, c.steps...)
		})
	}
}
