package filter_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

// reject tells the sender, by ICMP 3/13 from the port that the packet came in
// by, about the packet as it was sent, of every protocol but ICMP's own errors.
func TestRejectTellsTheSender(t *testing.T) {
	l := newLab(t)
	l.sysctl("net/ipv4/icmp_errors_use_inbound_ifaddr", "1")
	dnat := when(sdn.Condition{Dst: prefix("10.2.0.100/32")}, nat(sdn.RuleDNAT, sdn.FlowAccept, target("10.1.0.5", "10.1.0.5", 8080, 8080)))
	atPort := func(p sdn.PortID, in bool) func(*topology) {
		return func(top *topology) {
			withPort(p, func(p *sdn.Port) {
				if in {
					p.InboundFilter = top.chain(3, reject())
				} else {
					p.OutboundFilter = top.chain(3, reject())
				}
			})(top)
		}
	}
	fromPods := []packet{udpPacket("10.1.0.5", "10.2.0.9", 2001, 53), tcpSYN("10.1.0.5", "10.2.0.9", 2002, 80), echo("10.1.0.5", "10.2.0.9", 7),
		{src: addr("10.1.0.5"), dst: addr("10.2.0.9"), proto: gre}}
	for _, c := range []struct {
		name  string
		top   *topology
		from  string
		sent  []packet
		error string // the ICMP error's source: where the destination was translated, the address that was sent to
	}{
		{"router inbound", labTopology([]sdn.Rule{reject()}, nil), "pods", fromPods, "10.1.0.1"},
		{"router outbound", labTopology(nil, []sdn.Rule{reject()}), "pods", fromPods, "10.1.0.1"},
		{"port inbound", labTopology(nil, nil, atPort(pods, true)), "pods", fromPods, "10.1.0.1"},
		{"port outbound", labTopology(nil, nil, atPort(uplink, false)), "pods", fromPods, "10.1.0.1"},
		{"before translation of the source", labTopology(nil, []sdn.Rule{reject(), snatOut(sdn.FlowAccept)}), "pods", fromPods, "10.1.0.1"},
		{"behind translation of the destination", labTopology([]sdn.Rule{dnat}, []sdn.Rule{reject()}), "uplink",
			[]packet{udpPacket("10.2.0.9", "10.2.0.100", 2001, 53), tcpSYN("10.2.0.9", "10.2.0.100", 2002, 80)}, "10.2.0.100"},
		{"errors", labTopology([]sdn.Rule{reject()}, []sdn.Rule{reject()}), "pods", []packet{quoting("10.1.0.5", udpPacket("10.2.0.9", "10.1.0.5", 1, 2))}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.t = t
			l.apply(translate(t, c.top))
			l.forget()
			for _, p := range c.sent {
				got := l.send(c.from, p)
				if c.error == "" {
					require.Empty(t, text(got))
					continue
				}
				require.Len(t, text(got), 1, p)
				e := got[c.from][0]
				e.tos = 0 // the kernel gives errors a precedence of their own
				require.Equal(t, "icmp 3/13 id 0 "+c.error+" > "+p.src.String(), e.String())
				quoted, ok := parse([]byte(e.payload))
				require.True(t, ok)
				require.Equal(t, p.String(), quoted.String())
			}
		})
	}
}
