package nftnl_test

import (
	"context"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn/nft"
	"github.com/moatnet/moat/sdn/nftnl"
)

const prefix = "moat/test/"

// newNamespace returns a descriptor of a network namespace that has no name
// and lives as long as the test.
func newNamespace(t *testing.T) int {
	t.Helper()
	result := make(chan int)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			result <- -1
			return
		}
		fd, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			fd = -1
		}
		result <- fd
	}()
	fd := <-result
	require.GreaterOrEqual(t, fd, 0, "network namespace")
	t.Cleanup(func() { require.NoError(t, unix.Close(fd)) })
	return fd
}

func dial(t *testing.T) *nftnl.Conn {
	t.Helper()
	c, err := nftnl.Dial(newNamespace(t))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// hold asserts that the kernel holds exactly these tables and nothing is left
// to send.
func hold(t *testing.T, c *nftnl.Conn, want ...nft.Table) {
	t.Helper()
	var normal []nft.Table
	for _, w := range want {
		normal = append(normal, w.Normal())
	}
	got, err := c.Tables(context.Background(), prefix)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(nft.Print(normal), nft.Print(got)))
	require.Equal(t, normal, got)
	n, err := c.Apply(context.Background(), got, want)
	require.NoError(t, err)
	require.Zero(t, n, "messages for what is in place")
}

// become applies the tables over what the kernel holds and returns the messages.
func become(t *testing.T, c *nftnl.Conn, want ...nft.Table) int {
	t.Helper()
	have, err := c.Tables(context.Background(), prefix)
	require.NoError(t, err)
	n, err := c.Apply(context.Background(), have, want)
	require.NoError(t, err)
	hold(t, c, want...)
	return n
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func everyStatement() nft.Table {
	prefix := netip.MustParsePrefix("10.1.128.0/17")
	mac := func(s string) nft.Value {
		a, err := net.ParseMAC(s)
		if err != nil {
			panic(err)
		}
		return nft.MAC(a)
	}
	eq := func(f nft.Field, v nft.Value) nft.Match { return nft.Match{Field: f, Value: v} }
	ne := func(f nft.Field, v nft.Value) nft.Match { return nft.Match{Field: f, Value: v, Not: true} }
	rule := func(s ...nft.Statement) nft.Rule { return nft.NewRule(s...) }
	return nft.Table{
		Family: nft.IP, Name: prefixed("every"),
		Sets: []nft.Set{
			{Name: "ports", Key: nft.TypeIfname, Elements: []nft.Element{{Key: nft.Iface("moat1")}, {Key: nft.Iface("fifteen-bytes-x")}}},
			{Name: "nets", Key: nft.TypeIPv4, Elements: []nft.Element{{Key: nft.Addr(addr("10.0.0.1"))}}},
			{Name: "protos", Key: nft.TypeProto, Elements: []nft.Element{{Key: nft.Uint8(6)}, {Key: nft.Uint8(17)}}},
			{Name: "services", Key: nft.TypeService, Elements: []nft.Element{{Key: nft.Uint16(80)}}},
			{Name: "macs", Key: nft.TypeEther, Elements: []nft.Element{{Key: mac("02:00:00:00:00:01")}}},
			{Name: "types", Key: nft.TypeICMPType, Elements: []nft.Element{{Key: nft.Uint8(8)}}},
			{Name: "empty", Key: nft.TypeIPv4},
			{Name: "dispatch", Key: nft.TypeMark, Data: nft.TypeVerdict, Elements: []nft.Element{
				{Key: nft.Uint32(1), Verdict: nft.Jump("sub")}, {Key: nft.Uint32(2), Verdict: nft.Goto("sub")},
				{Key: nft.Uint32(3), Verdict: nft.Drop()}, {Key: nft.Uint32(4), Verdict: nft.Accept()}, {Key: nft.Uint32(5), Verdict: nft.Return()}}},
			{Name: "by-port", Key: nft.TypeIfname, Data: nft.TypeVerdict, Elements: []nft.Element{{Key: nft.Iface("a"), Verdict: nft.Jump("sub")}}},
			{Name: "one-to-one", Key: nft.TypeIPv4, Data: nft.TypeIPv4, Elements: []nft.Element{{Key: nft.Addr(addr("10.0.0.1")), Data: nft.Addr(addr("10.9.0.1"))}}},
		},
		Chains: []nft.Chain{
			{Name: "pre", Base: &nft.Base{Type: nft.FilterChain, Hook: nft.Prerouting, Priority: -150, Policy: nft.PolicyAccept}, Rules: []nft.Rule{
				rule(nft.Match{Field: nft.IIfName, Set: "ports", Not: true}, nft.Drop()).WithComment("foreign interface"),
				rule(eq(nft.IIfName, nft.Iface("moat1")), ne(nft.IIfName, nft.Iface("moat2")), nft.Counter{}, nft.Accept()),
				rule(eq(nft.IPSrc, nft.Addr(addr("10.0.0.7"))), nft.Match{Field: nft.IPDst, Mask: nft.PrefixMask(prefix), Value: nft.Addr(prefix.Addr()), Not: true}, nft.Return()),
				rule(eq(nft.IPProto, nft.Uint8(6)), nft.Match{Field: nft.DstPort, Value: nft.Uint16(80), To: nft.Uint16(90)}, nft.Jump("sub")),
				rule(eq(nft.IPProto, nft.Uint8(17)), nft.Match{Field: nft.SrcPort, Value: nft.Uint16(80), To: nft.Uint16(90), Not: true}, nft.Jump("sub")),
				rule(nft.Match{Field: nft.IPProto, Set: "protos"}, eq(nft.DstPort, nft.Uint16(443)), nft.Drop()),
				rule(eq(nft.IPProto, nft.Uint8(1)), eq(nft.ICMPType, nft.Uint8(8)), ne(nft.ICMPCode, nft.Uint8(1)), nft.Reject{Code: nft.CodeAdminProhibited}),
				rule(eq(nft.IPTOS, nft.Uint8(0x10)), nft.Match{Field: nft.IPFragment, Mask: nft.Uint16(0x1fff), Value: nft.Uint16(0), Not: true}, nft.Drop()),
				rule(eq(nft.CTState, nft.Uint32(nft.StateInvalid|nft.StateUntracked)), eq(nft.CTDirection, nft.Uint8(nft.DirReply)), nft.Drop()),
				rule(eq(nft.CTStatus, nft.Uint32(nft.StatusSNAT)), ne(nft.CTStatus, nft.Uint32(nft.StatusDNAT)), eq(nft.CTMark, nft.Uint32(7)), nft.Drop()),
				rule(eq(nft.EtherSrc, mac("02:00:00:00:00:01")), nft.Match{Field: nft.EtherDst, Mask: mac("ff:ff:00:00:00:00"), Value: mac("02:00:00:00:00:00")}, nft.Drop()),
				rule(eq(nft.PktType, nft.Uint8(0)), nft.SetMark{Value: 0x1234}),
				rule(nft.SetMark{Keep: 0x80000000, Value: 0x1234}),
				rule(nft.Match{Field: nft.Mark, Mask: nft.Uint32(0x80000000), Value: nft.Uint32(0), Not: true}, nft.Accept()),
				rule(nft.Vmap{Field: nft.Mark, Mask: nft.Uint32(0x3fffffff), Map: "dispatch"}),
				rule(nft.Vmap{Field: nft.IIfName, Map: "by-port"}),
				rule(nft.Goto("sub")),
			}},
			{Name: "sub"},
			{Name: "translate-dst", Base: &nft.Base{Type: nft.NATChain, Hook: nft.Prerouting, Priority: -100, Policy: nft.PolicyAccept}, Rules: []nft.Rule{
				rule(eq(nft.IPProto, nft.Uint8(6)), nft.NAT{Kind: nft.DNAT, From: addr("10.2.0.1"), To: addr("10.2.0.9"), PortFrom: 8080, PortTo: 8080}),
				rule(nft.NATMap{Kind: nft.DNAT, Field: nft.IPDst, Map: "one-to-one"}),
			}},
			{Name: "forwarding", Base: &nft.Base{Type: nft.FilterChain, Hook: nft.Forward, Priority: 0, Policy: nft.PolicyDrop}, Rules: []nft.Rule{
				rule(eq(nft.OIfName, nft.Iface("moat2")), nft.Reject{Code: 0}), rule(nft.Accept())}},
			{Name: "incoming", Base: &nft.Base{Type: nft.FilterChain, Hook: nft.Input, Priority: 5, Policy: nft.PolicyDrop}},
			{Name: "outgoing", Base: &nft.Base{Type: nft.FilterChain, Hook: nft.Output, Priority: 0, Policy: nft.PolicyAccept}},
			{Name: "translate-src", Base: &nft.Base{Type: nft.NATChain, Hook: nft.Postrouting, Priority: 100, Policy: nft.PolicyAccept}, Rules: []nft.Rule{
				rule(eq(nft.IPProto, nft.Uint8(17)), nft.NAT{Kind: nft.SNAT, From: addr("10.3.0.1"), To: addr("10.3.0.1"), PortFrom: 1024, PortTo: 65535}),
				rule(nft.NAT{Kind: nft.SNAT, From: addr("10.3.0.1"), To: addr("10.3.0.4")}),
				rule(nft.NATMap{Kind: nft.SNAT, Field: nft.IPSrc, Map: "one-to-one"}),
				rule(nft.Masquerade{}),
			}},
		},
	}
}

func bridgeTable() nft.Table {
	eq := func(f nft.Field, v nft.Value) nft.Match { return nft.Match{Field: f, Value: v} }
	net8 := netip.MustParsePrefix("10.0.0.0/8")
	flow := nft.Tuple{nft.IPSrc, nft.IPDst, nft.IPProto, nft.SrcPort, nft.DstPort}
	echo := nft.Tuple{nft.QuotedDst, nft.QuotedSrc, nft.QuotedProto, nft.QuotedICMPID, nft.QuotedICMPID}
	part := nft.Tuple{nft.IPSrc, nft.IPDst, nft.IPProto, nft.IPID}
	sets := []nft.Set{{Name: "flows", Key: nft.TypeFlow, Room: 100}, {Name: "parts", Key: nft.TypeFragment, Room: 1 << 16}}
	return nft.Table{Family: nft.Bridge, Name: prefixed("bridge"), Sets: sets, Chains: []nft.Chain{
		{Name: "flows", Rules: []nft.Rule{
			nft.NewRule(eq(nft.EtherType, nft.Uint16(0x8100)), nft.Match{Field: nft.VLANTag, Mask: "\x0f\xff", Value: nft.Uint16(5)}, eq(nft.VLANType, nft.Uint16(0x0800)), nft.Drop()),
			nft.NewRule(eq(nft.IPProto, nft.Uint8(6)), nft.Lookup{Key: flow, Set: "flows"}, nft.Update{Key: flow, Set: "flows", Timeout: 90 * time.Second}, nft.Accept()),
			nft.NewRule(nft.Match{Field: nft.TCPFlags, Mask: nft.Uint8(5), Value: nft.Uint8(0), Not: true}, nft.Remove{Key: flow, Set: "flows"}),
			nft.NewRule(nft.Match{Field: nft.IPLength, Value: nft.Uint16(48), To: nft.Uint16(65535)}, eq(nft.QuotedStart, nft.Uint8(0x45)), nft.Lookup{Key: echo, Set: "flows"}),
			nft.NewRule(nft.Update{Key: part, Set: "parts", Timeout: 120 * time.Hour}, nft.SetMark{Value: 1}, eq(nft.ICMPID, nft.Uint16(7)), eq(nft.QuotedSrcPort, nft.Uint16(7)), eq(nft.QuotedDstPort, nft.Uint16(7))),
		}},
		{Name: "forwarding", Base: &nft.Base{Type: nft.FilterChain, Hook: nft.Forward, Priority: -200, Policy: nft.PolicyAccept}, Rules: []nft.Rule{
			nft.NewRule(eq(nft.EtherType, nft.Uint16(0x0806)), eq(nft.ARPOperation, nft.Uint16(1)), eq(nft.ARPSrcIP, nft.Addr(addr("10.0.0.1"))), nft.Drop()),
			nft.NewRule(eq(nft.EtherType, nft.Uint16(0x0806)), nft.Match{Field: nft.ARPDstIP, Mask: nft.PrefixMask(net8), Value: nft.Addr(net8.Addr())}, nft.Drop()),
			nft.NewRule(eq(nft.EtherType, nft.Uint16(0x0800)), nft.Match{Field: nft.IPFragment, Mask: nft.Uint16(0x3fff), Value: nft.Uint16(0)}, nft.Drop()),
		}}}}
}

func ip6Table() nft.Table {
	a := addr("fd00::1")
	return nft.Table{Family: nft.IP6, Name: prefixed("six"),
		Sets: []nft.Set{{Name: "six", Key: nft.TypeIPv6, Elements: []nft.Element{{Key: nft.Addr(a)}}}},
		Chains: []nft.Chain{{Name: "pre", Base: &nft.Base{Type: nft.FilterChain, Hook: nft.Prerouting, Priority: -500, Policy: nft.PolicyDrop}, Rules: []nft.Rule{
			nft.NewRule(nft.Match{Field: nft.IP6Src, Value: nft.Addr(a)}, nft.Match{Field: nft.IP6Dst, Set: "six", Not: true}, nft.Accept())}}}}
}

func prefixed(name string) string { return prefix + name }

func TestTablesOfAnEmptyNamespace(t *testing.T) {
	hold(t, dial(t))
}

func TestEveryStatementComesBackAsItWasWritten(t *testing.T) {
	c := dial(t)
	require.NotZero(t, become(t, c, bridgeTable(), everyStatement(), ip6Table()))
	require.Positive(t, become(t, c))
}
