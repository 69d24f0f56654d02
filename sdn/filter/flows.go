package filter

import (
	"time"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/nft"
)

// The kernel's bridge family has no connection tracking, so a bridge with rules
// about flows keeps sets of its own, as MidoNet does: a forward packet that
// leaves the bridge adds what its answers will look like, and a packet that
// arrives as one of those is return flow, which a bit of its mark says from then
// on. Only IPv4 TCP, UDP and ICMP are known; all else is forward flow.
const (
	setFlows       = "flows"       // of any protocol
	setConnections = "connections" // of TCP, while they are open
	setParts       = "parts"       // datagrams of return flow whose first fragment was seen

	flowRoom = 1 << 16 // elements of each set; without room answers are forward flow
)

// How long a flow is known after its last packet: the kernel's times for
// connection tracking, but that ends of connections are not followed closely.
const (
	flowTime       = 2 * time.Minute
	udpTime        = 3 * time.Minute
	icmpTime       = 30 * time.Second
	partTime       = 30 * time.Second // as long as the kernel waits for the rest
	connectionTime = 5 * 24 * time.Hour
)

// Priorities around those of the filters.
const (
	prioFlowsKnown = -220
	prioFlowsKept  = -170
)

// markReturn is the bit of the mark, on a bridge, of return flow.
const markReturn uint32 = 1

// Bits of the TCP header's flags.
const (
	tcpFIN = 0x01
	tcpSYN = 0x02
	tcpRST = 0x04
	tcpACK = 0x10
)

func isReturn() nft.Match {
	return nft.Match{Field: nft.Mark, Mask: nft.Uint32(markReturn), Value: nft.Uint32(0), Not: true}
}

func way(sport, dport nft.Field) nft.Tuple {
	return nft.Tuple{nft.IPSrc, nft.IPDst, nft.IPProto, sport, dport}
}

func wayBack(sport, dport nft.Field) nft.Tuple {
	return nft.Tuple{nft.IPDst, nft.IPSrc, nft.IPProto, dport, sport}
}

// wayBackQuoted is the way back of what an ICMP error quotes. Its receiver has to
// be who sent that; to others anyone could send errors about flows of his own.
func wayBackQuoted(sport, dport nft.Field) nft.Tuple {
	return nft.Tuple{nft.QuotedDst, nft.IPDst, nft.QuotedProto, sport, dport}
}

// keepFlows adds the sets and the chains that fill and ask them.
func (d *device) keepFlows(b sdn.Bridge, inStages, outStages []bridgeStage) {
	for _, s := range []nft.Set{{Name: setFlows, Key: nft.TypeFlow}, {Name: setConnections, Key: nft.TypeFlow}, {Name: setParts, Key: nft.TypeFragment}} {
		s.Room = flowRoom
		d.addSet(s)
	}
	d.addSet(nft.Set{Name: "quoting", Key: nft.TypeICMPType, Elements: quoting()})
	members := d.members(b)
	for _, s := range inStages {
		rules := []nft.Rule{nft.NewRule(nft.Match{Field: s.match, Set: members}, nft.Jump("flow-known"))}
		if s.hook == nft.Output {
			rules = append([]nft.Rule{nft.NewRule(nft.Match{Field: s.match, Set: members}, generatedHere(), nft.SetMark{Value: markReturn}, nft.Accept())}, rules...)
		}
		d.filter("flows-"+s.name, s.hook, prioFlowsKnown, nft.PolicyAccept, rules...)
	}
	for _, s := range outStages {
		d.filter("flows-kept-"+s.name, s.hook, prioFlowsKept, nft.PolicyAccept, nft.NewRule(nft.Match{Field: s.match, Set: members}, nft.Jump("flow-kept")))
	}
	d.table.Chains = append(d.table.Chains,
		nft.Chain{Name: "flow-known", Rules: flowKnown()},
		nft.Chain{Name: "flow-kept", Rules: flowKept()},
		nft.Chain{Name: "flow-forward", Rules: flowUpdates(wayBack)},
		nft.Chain{Name: "flow-return", Rules: append([]nft.Rule{opened()}, flowUpdates(way)...)})
}

// flowKnown is the chain that tells return flow on arrival.
func flowKnown() []nft.Rule {
	ip := match(nft.EtherType, nft.Uint16(etherIPv4))
	proto := func(n uint8) nft.Match { return match(nft.IPProto, nft.Uint8(n)) }
	mark := nft.SetMark{Value: markReturn}
	later := nft.Match{Field: nft.IPFragment, Mask: nft.Uint16(fragmentOffset), Value: nft.Uint16(0), Not: true}
	more := nft.Match{Field: nft.IPFragment, Mask: nft.Uint16(fragmentMore), Value: nft.Uint16(0), Not: true}
	part := nft.Tuple{nft.IPSrc, nft.IPDst, nft.IPProto, nft.IPID}
	quotes := []nft.Statement{ip, proto(protoICMP), nft.Match{Field: nft.ICMPType, Set: "quoting"}, match(nft.QuotedStart, nft.Uint8(0x45))}
	rules := []nft.Rule{
		nft.NewRule(nft.SetMark{}),
		nft.NewRule(ip, later, nft.Lookup{Key: part, Set: setParts}, mark),
	}
	for _, n := range []uint8{protoTCP, protoUDP} {
		rules = append(rules, nft.NewRule(ip, proto(n), nft.Lookup{Key: way(nft.SrcPort, nft.DstPort), Set: setFlows}, mark))
	}
	rules = append(rules,
		nft.NewRule(ip, proto(protoTCP), nft.Lookup{Key: way(nft.SrcPort, nft.DstPort), Set: setConnections}, mark),
		nft.NewRule(ip, proto(protoICMP), match(nft.ICMPType, nft.Uint8(icmpEchoReply)), nft.Lookup{Key: way(nft.ICMPID, nft.ICMPID), Set: setFlows}, mark))
	for _, set := range []string{setFlows, setConnections} {
		rules = append(rules, nft.NewRule(append(quotes[:len(quotes):len(quotes)],
			nft.Lookup{Key: wayBackQuoted(nft.QuotedDstPort, nft.QuotedSrcPort), Set: set}, mark)...))
	}
	rules = append(rules, nft.NewRule(append(quotes[:len(quotes):len(quotes)], match(nft.QuotedProto, nft.Uint8(protoICMP)),
		nft.Lookup{Key: wayBackQuoted(nft.QuotedICMPID, nft.QuotedICMPID), Set: setFlows}, mark)...))
	return append(rules, nft.NewRule(isReturn(), ip, more, nft.Update{Key: part, Set: setParts, Timeout: partTime}))
}

// flowKept is the chain of what leaves the bridge.
func flowKept() []nft.Rule {
	return []nft.Rule{
		nft.NewRule(nft.Match{Field: nft.EtherType, Not: true, Value: nft.Uint16(etherIPv4)}, nft.Return()),
		nft.NewRule(isReturn(), nft.Goto("flow-return")),
		nft.NewRule(nft.Goto("flow-forward")),
	}
}

// opened makes a flow of TCP a connection when it is answered.
func opened() nft.Rule {
	answer := nft.Match{Field: nft.TCPFlags, Mask: nft.Uint8(tcpSYN | tcpACK | tcpFIN | tcpRST), Value: nft.Uint8(tcpSYN | tcpACK)}
	return nft.NewRule(match(nft.IPProto, nft.Uint8(protoTCP)), answer, nft.Update{Key: way(nft.SrcPort, nft.DstPort), Set: setConnections, Timeout: connectionTime})
}

// flowUpdates begin the time of a flow anew. A connection that one side closes
// is a flow again, which lasts as long as packets come.
func flowUpdates(key func(sport, dport nft.Field) nft.Tuple) []nft.Rule {
	ports, echoes := key(nft.SrcPort, nft.DstPort), key(nft.ICMPID, nft.ICMPID)
	isTCP := match(nft.IPProto, nft.Uint8(protoTCP))
	ends := nft.Match{Field: nft.TCPFlags, Mask: nft.Uint8(tcpFIN | tcpRST), Value: nft.Uint8(0), Not: true}
	echo := func(kind uint8) nft.Rule {
		return nft.NewRule(match(nft.IPProto, nft.Uint8(protoICMP)), match(nft.ICMPType, nft.Uint8(kind)), nft.Update{Key: echoes, Set: setFlows, Timeout: icmpTime})
	}
	return []nft.Rule{
		nft.NewRule(isTCP, ends, nft.Remove{Key: ports, Set: setConnections}),
		nft.NewRule(isTCP, nft.Lookup{Key: ports, Set: setConnections}, nft.Update{Key: ports, Set: setConnections, Timeout: connectionTime}),
		nft.NewRule(isTCP, nft.Update{Key: ports, Set: setFlows, Timeout: flowTime}),
		nft.NewRule(match(nft.IPProto, nft.Uint8(protoUDP)), nft.Update{Key: ports, Set: setFlows, Timeout: udpTime}),
		echo(icmpEchoRequest), echo(icmpEchoReply),
	}
}
