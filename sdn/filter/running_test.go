package filter_test

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/nft"
)

// traffic sends pairs of packets, one that must never pass and one that always
// must, and waits for the second, until it is stopped.
type traffic struct {
	l                 *lab
	from, to          string
	forbidden, always func(n int) packet
	arrives           func(p packet) bool // whether what arrived is the second
	stop              atomic.Bool
	rounds            int
	result            chan error
}

func (f *traffic) start() {
	f.result = make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: its processors are not those of others
		var all unix.CPUSet
		for i := range runtime.NumCPU() {
			all.Set(i)
		}
		err := unix.SchedSetaffinity(0, &all)
		for ; err == nil && !f.stop.Load(); f.rounds++ {
			err = f.round()
		}
		f.result <- err
	}()
}

func (f *traffic) round() error {
	for _, p := range []packet{f.forbidden(f.rounds), f.always(f.rounds)} {
		if err := unix.Sendto(f.l.hosts[f.from].send, p.bytes(), 0, &unix.SockaddrInet4{Addr: p.dst.As4()}); err != nil {
			return err
		}
	}
	b := make([]byte, 2048)
	for {
		n, from, err := unix.Recvfrom(f.l.hosts[f.to].listen, b, 0)
		if err != nil {
			return fmt.Errorf("round %d: the packet that always passes: %w", f.rounds, err)
		}
		if ll := from.(*unix.SockaddrLinklayer); ll.Pkttype == unix.PACKET_OUTGOING || ll.Protocol != bigEndian(unix.ETH_P_IP) {
			continue
		}
		p, ok := parse(b[:n])
		switch {
		case !ok || p.proto == igmp:
		case p.dport == forbiddenPort || p.sport == forbiddenPort:
			return fmt.Errorf("round %d: %s passed", f.rounds, p)
		case f.arrives(p):
			return nil
		}
	}
}

// under applies tables in turn while the traffic runs.
func (f *traffic) under(t *testing.T, changes int, tables ...[]nft.Table) {
	t.Helper()
	f.l.apply(tables[0])
	f.start()
	for i := range changes {
		f.l.apply(tables[i%len(tables)])
	}
	f.stop.Store(true)
	require.NoError(t, <-f.result)
	require.Greater(t, f.rounds, changes/10, "hardly any traffic ran")
	t.Logf("%d rounds under %d changes", f.rounds, changes)
}

const forbiddenPort = 81

// Chains go, come and are called otherwise under running traffic: what a filter
// drops before and after never passes, what passes before and after always does,
// with its translation: the rule that translates stays the first of its chain,
// for a packet on its way meets the rule at one hook and its translation at the next.
func TestChainsOfARouterChangeUnderRunningTraffic(t *testing.T) {
	l := newLab(t)
	bad := when(sdn.Condition{Proto: number(udp), TPDst: &sdn.PortRange{Start: forbiddenPort, End: forbiddenPort}}, drop())
	idle := when(sdn.Condition{Src: prefix("10.9.0.0/16")}, accept())
	out := snatOut(sdn.FlowAccept)
	deep := func(top *topology) {
		top.chain(3, jump(4), idle)
		top.chain(4, idle, bad)
	}
	onPorts := func(top *topology) {
		withPort(pods, func(p *sdn.Port) { p.InboundFilter = top.chain(5, idle, accept()) })(top)
		withPort(uplink, func(p *sdn.Port) { p.OutboundFilter = top.chain(6, idle, accept()) })(top)
	}
	around := func(top *topology) {
		withRouter(func(r *sdn.Router) { r.LocalRedirect, r.Forward = top.chain(7, idle), top.chain(8, idle, ret()) })(top)
	}
	group := func(top *topology) {
		top.addrGroups[addrGroupID(1)] = append(top.addrGroups[addrGroupID(1)], addr("10.9.0.1"))
	}
	f := &traffic{
		l: l, from: "pods", to: "uplink",
		forbidden: func(n int) packet { return udpPacket("10.1.0.5", "8.8.8.8", uint16(2000+n%5000), forbiddenPort) },
		always:    func(n int) packet { return udpPacket("10.1.0.5", "8.8.8.8", uint16(2000+n%5000), 80) },
		arrives:   func(p packet) bool { return p.dport == 80 && p.src == addr("10.2.0.100") },
	}
	f.under(t, 200,
		translate(t, labTopology([]sdn.Rule{jump(3)}, []sdn.Rule{out}, deep)),
		translate(t, labTopology([]sdn.Rule{idle, bad}, []sdn.Rule{out})),
		translate(t, labTopology([]sdn.Rule{bad}, []sdn.Rule{out, idle}, onPorts)),
		translate(t, labTopology([]sdn.Rule{jump(99), jump(3)}, []sdn.Rule{out}, deep, around)),
		translate(t, labTopology([]sdn.Rule{when(sdn.Condition{SrcGroup: addrGroupID(1)}, drop()), jump(3)}, []sdn.Rule{out}, deep)),
		translate(t, labTopology([]sdn.Rule{when(sdn.Condition{SrcGroup: addrGroupID(1)}, drop()), jump(3)}, []sdn.Rule{out}, deep, group)))
}

// So do those of a bridge, and answers to earlier packets go on to pass.
func TestChainsOfABridgeChangeUnderRunningTraffic(t *testing.T) {
	l := newBridgeLab(t)
	answers := when(sdn.Condition{MatchReturnFlow: true, InPorts: []sdn.PortID{portA}}, accept())
	rest := when(sdn.Condition{InPorts: []sdn.PortID{portA}, DLType: number(0x0800)}, drop())
	idle := when(sdn.Condition{Src: prefix("10.9.0.0/16")}, accept())
	onPort := func(top *topology) { withPort(portA, func(p *sdn.Port) { p.InboundFilter = top.chain(5, idle) })(top) }
	deep := func(top *topology) { top.chain(3, jump(4)); top.chain(4, answers, rest) }
	tables := [][]nft.Table{
		translate(t, bridgeTopology([]sdn.Rule{answers, rest}, nil)),
		translate(t, bridgeTopology([]sdn.Rule{jump(3), idle}, nil, deep)),
		translate(t, bridgeTopology([]sdn.Rule{idle, jump(4)}, nil, onPort, deep)),
		translate(t, bridgeTopology([]sdn.Rule{idle, answers, rest}, []sdn.Rule{answers, idle})),
	}
	question := udpPacket("10.1.0.12", "10.1.0.11", 4001, 80)
	l.apply(tables[0])
	l.send("b", question)
	f := &traffic{
		l: l, from: "a", to: "b",
		forbidden: func(int) packet { return udpPacket("10.1.0.11", "10.1.0.12", forbiddenPort, 4001) },
		always:    func(int) packet { return question.answer() },
		arrives:   func(p packet) bool { return p.sport == 80 },
	}
	f.under(t, 200, tables...)
}
