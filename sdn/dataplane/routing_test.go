package dataplane_test

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/dataplane"
)

// couple links two routers and returns the ports, the first router's first.
func (l *lab) couple(a, b sdn.RouterID, near, far string) (sdn.PortID, sdn.PortID) {
	t, ctx := l.t, l.t.Context()
	var ends [2]sdn.PortID
	for i, r := range []sdn.RouterID{a, b} {
		p, err := l.topo.CreatePort(ctx, sdn.Port{
			Kind: sdn.RouterPort, Device: sdn.DeviceID(r), AdminStateUp: true, Address: netip.MustParsePrefix([]string{near, far}[i]),
		})
		require.NoError(t, err)
		ends[i] = p.ID
	}
	require.NoError(t, l.topo.Link(ctx, ends[0], ends[1]))
	return ends[0], ends[1]
}

// weighted makes a route with a source and a weight.
func (l *lab) weighted(r sdn.RouterID, src, dst string, port sdn.PortID, gateway string, weight int) sdn.RouteID {
	out, err := l.topo.CreateRoute(l.t.Context(), sdn.Route{
		Router: r, Type: sdn.RouteNormal, Src: netip.MustParsePrefix(src), Dst: netip.MustParsePrefix(dst),
		NextHopPort: port, Gateway: netip.MustParseAddr(gateway), Weight: weight,
	})
	require.NoError(l.t, err)
	return out.ID
}

// sink is a server behind a router. All have one address, so that who was sent a
// datagram tells which way it took.
type sink struct {
	network
	conn net.PacketConn
}

const sinkAddress = "198.51.100.9"

func (l *lab) sink(e *dataplane.Engine, name string) sink {
	s := sink{network: l.tenant(name, "198.51.100.1/24")}
	p := l.pod(e, s.network, sinkAddress+"/24")
	require.NoError(l.t, p.ns.Do(func(ns.NetNS) (err error) {
		s.conn, err = net.ListenPacket("udp4", sinkAddress+":9000")
		return err
	}))
	l.t.Cleanup(func() { s.conn.Close() })
	return s
}

// send sends one datagram from each of the ports to the sinks' address.
func send(t *testing.T, from pod, ports []int, text string) {
	t.Helper()
	require.NoError(t, from.ns.Do(func(ns.NetNS) error {
		for _, port := range ports {
			c, err := net.DialUDP("udp4", &net.UDPAddr{IP: from.address.Addr().AsSlice(), Port: port}, &net.UDPAddr{IP: net.ParseIP(sinkAddress), Port: 9000})
			if err != nil {
				return err
			}
			_, err = c.Write([]byte(text))
			c.Close()
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

// taken reads until n datagrams with the text have come to any of the sinks, and
// says which source ports came to which.
func taken(t *testing.T, sinks []sink, text string, n int) []map[int]bool {
	t.Helper()
	out := make([]map[int]bool, len(sinks))
	for i := range out {
		out[i] = make(map[int]bool)
	}
	deadline := time.Now().Add(10 * time.Second)
	buf := make([]byte, 64)
	for got := 0; got < n; {
		require.True(t, time.Now().Before(deadline), "%d of %d came", got, n)
		for i, s := range sinks {
			require.NoError(t, s.conn.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
			size, from, err := s.conn.ReadFrom(buf)
			if err == nil && string(buf[:size]) == text {
				out[i][from.(*net.UDPAddr).Port] = true
				got++
			}
		}
	}
	return out
}

func numbers(from, n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = from + i
	}
	return out
}

// passes waits until datagrams from a pod come to that sink and no other.
func (l *lab) passes(from pod, sinks []sink, to int) {
	l.t.Helper()
	eventually(l.t, func() bool {
		text := fmt.Sprint("by ", to, " ", time.Now().UnixNano())
		send(l.t, from, numbers(30000, 4), text)
		deadline := time.Now().Add(200 * time.Millisecond)
		buf, got := make([]byte, 64), 0
		for time.Now().Before(deadline) && got < 4 {
			for i, s := range sinks {
				_ = s.conn.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
				size, _, err := s.conn.ReadFrom(buf)
				if err != nil || string(buf[:size]) != text {
					continue
				}
				if i != to {
					return false
				}
				got++
			}
		}
		return got == 4
	})
}

func TestFlowsShareRoutesOfEqualWeightAndStick(t *testing.T) {
	l := newLab(t)
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	p := l.pod(e, red, "10.1.0.2/24")
	sinks := []sink{l.sink(e, "left"), l.sink(e, "right"), l.sink(e, "last")}
	var ways []sdn.PortID
	for i, s := range sinks {
		near, _ := l.couple(red.router, s.router, fmt.Sprintf("100.64.%d.0/31", i), fmt.Sprintf("100.64.%d.1/31", i))
		weight := 100
		if i == 2 {
			weight = 200
		}
		l.weighted(red.router, "0.0.0.0/0", "198.51.100.0/24", near, fmt.Sprintf("100.64.%d.1", i), weight)
		ways = append(ways, near)
	}
	l.settled(e)

	const flows = 128
	send(t, p, numbers(20000, flows), "first")
	first := taken(t, sinks, "first", flows)
	require.Greater(t, len(first[0]), flows/4, "flows to the left")
	require.Greater(t, len(first[1]), flows/4, "flows to the right")
	require.Empty(t, first[2], "a route of a higher weight")
	for range 3 {
		send(t, p, numbers(20000, flows), "again")
		require.Equal(t, first, taken(t, sinks, "again", flows), "each flow keeps to its way")
	}

	down := func(port sdn.PortID) {
		at, err := l.topo.Port(t.Context(), port)
		require.NoError(t, err)
		at.AdminStateUp = false
		require.NoError(t, l.topo.UpdatePort(t.Context(), at))
	}
	down(ways[0])
	l.passes(p, sinks, 1)
	down(ways[1])
	l.passes(p, sinks, 2)
}

func TestRoutesBySourceLeadEachPodItsOwnWay(t *testing.T) {
	l := newLab(t)
	e, stop := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	low, high, top := l.pod(e, red, "10.1.0.2/24"), l.pod(e, red, "10.1.0.130/24"), l.pod(e, red, "10.1.0.250/24")
	sinks := []sink{l.sink(e, "left"), l.sink(e, "right")}
	var ways []sdn.PortID
	for i, s := range sinks {
		near, _ := l.couple(red.router, s.router, fmt.Sprintf("100.64.%d.0/31", i), fmt.Sprintf("100.64.%d.1/31", i))
		ways = append(ways, near)
	}
	l.weighted(red.router, "0.0.0.0/0", "0.0.0.0/0", ways[0], "100.64.0.1", 100)
	bySource := l.weighted(red.router, "10.1.0.128/25", "0.0.0.0/0", ways[1], "100.64.1.1", 0)
	l.passes(low, sinks, 0)
	l.passes(high, sinks, 1)
	reaches(t, high.ns, low.address.Addr())
	reaches(t, high.ns, red.gateway.Addr())

	// A longer destination for any source comes before a source, and a route of a
	// longer source before it again.
	any := l.weighted(red.router, "0.0.0.0/0", "198.51.100.0/24", ways[0], "100.64.0.1", 0)
	l.passes(high, sinks, 0)
	l.weighted(red.router, "10.1.0.250/32", "198.51.100.0/25", ways[1], "100.64.1.1", 0)
	l.passes(top, sinks, 1)
	l.passes(high, sinks, 0)
	require.NoError(t, l.topo.DeleteRoute(t.Context(), any))
	l.passes(high, sinks, 1)

	// That a router with rules could not answer is no reason to drop.
	for _, r := range []sdn.RouterID{sinks[0].router, sinks[1].router} {
		_, err := l.topo.CreateRoute(t.Context(), sdn.Route{Router: r, Type: sdn.RouteReject, Src: netip.MustParsePrefix("192.0.2.0/24"), Dst: netip.MustParsePrefix("0.0.0.0/0")})
		require.NoError(t, err)
		_, err = l.topo.CreateRoute(t.Context(), sdn.Route{Router: r, Type: sdn.RouteBlackHole, Src: netip.MustParsePrefix("0.0.0.0/0"), Dst: netip.MustParsePrefix("10.0.0.0/8")})
		require.NoError(t, err)
	}
	l.settled(e)
	l.passes(low, sinks, 0)
	l.passes(high, sinks, 1)

	stop()
	e = l.engine(l.config)
	defer e.Close()
	r, err := e.Pass(t.Context())
	require.NoError(t, err)
	require.Zero(t, r.Writes(), "a second engine changes nothing: %s", r)

	require.Len(t, l.policy(red), 2)
	require.NoError(t, l.topo.DeleteRoute(t.Context(), bySource))
	_, err = e.Pass(t.Context())
	require.NoError(t, err)
	require.Len(t, l.policy(red), 1, "the rule of the source that is left")
	l.passes(high, sinks, 0)
}

// policy lists the sources for which a network's router has rules.
func (l *lab) policy(n network) (out []string) {
	l.within(n, func() error {
		rules, err := netlink.RuleList(unix.AF_INET)
		for _, r := range rules {
			if r.Src != nil {
				out = append(out, r.Src.String())
			}
		}
		return err
	})
	return out
}

func TestPolicyRulesOfOthersStayAndMoatsOwnComeBack(t *testing.T) {
	l := newLab(t)
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	_, err := e.Wiring(l.soon(), red.bridge, "x")
	require.NoError(t, err)
	_, err = l.topo.CreateRoute(t.Context(), sdn.Route{
		Router: red.router, Type: sdn.RouteBlackHole, Src: netip.MustParsePrefix("10.1.0.0/25"), Dst: netip.MustParsePrefix("192.0.2.0/24"),
	})
	require.NoError(t, err)
	eventually(t, func() bool { return len(l.policy(red)) == 1 })
	l.settled(e)
	l.within(red, func() error {
		rules, err := netlink.RuleList(unix.AF_INET)
		if err != nil {
			return err
		}
		for _, r := range rules {
			if r.Src != nil {
				if err := netlink.RuleDel(&r); err != nil {
					return err
				}
			}
		}
		mine := netlink.NewRule()
		mine.Src, mine.Table, mine.Priority = &net.IPNet{IP: net.IPv4(192, 0, 2, 0), Mask: net.CIDRMask(24, 32)}, 100, 500
		return netlink.RuleAdd(mine)
	})
	eventually(t, func() bool { return len(l.policy(red)) == 2 })
	l.settled(e)
	require.ElementsMatch(t, []string{"10.1.0.0/25", "192.0.2.0/24"}, l.policy(red))
}
