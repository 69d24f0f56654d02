package dataplane_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/moatnet/moat/sdn"
)

func (l *lab) bridge(name string) sdn.BridgeID {
	b, err := l.topo.CreateBridge(l.t.Context(), sdn.Bridge{TenantID: "t", Name: name, AdminStateUp: true})
	require.NoError(l.t, err)
	return b.ID
}

// attach links a router to a bridge by new ports and returns the router's.
func (l *lab) attach(r sdn.RouterID, b sdn.BridgeID, address string) sdn.PortID {
	t, ctx := l.t, l.t.Context()
	rp, err := l.topo.CreatePort(ctx, sdn.Port{Kind: sdn.RouterPort, Device: sdn.DeviceID(r), AdminStateUp: true, Address: netip.MustParsePrefix(address)})
	require.NoError(t, err)
	bp, err := l.topo.CreatePort(ctx, sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(b), AdminStateUp: true})
	require.NoError(t, err)
	require.NoError(t, l.topo.Link(ctx, rp.ID, bp.ID))
	l.route(r, netip.MustParsePrefix(address).Masked().String(), rp.ID, "")
	return rp.ID
}

func eventually(t *testing.T, f func() bool) {
	t.Helper()
	require.Eventually(t, f, 30*time.Second, 10*time.Millisecond)
}

func TestBridgeThatIsBoundBeforeItIsLinkedHasAHomeOfItsOwn(t *testing.T) {
	l := newLab(t)
	e, _ := l.run(l.config)
	b := l.bridge("alone")
	p := pod{ns: openNamespace(t), port: sdn.NewID[sdn.PortID](), address: netip.MustParsePrefix("10.3.0.2/24")}
	n := network{bridge: b, gateway: netip.MustParsePrefix("10.3.0.1/24")}
	l.bind(n, p.port, sdn.InterfaceName(p.port))
	w, err := e.Wiring(l.soon(), b, p.port)
	require.NoError(t, err)
	require.Equal(t, netnsDir+"/"+sdn.NamespaceName(sdn.DeviceID(b)), w.Namespace)
	l.wire(w, p, n.gateway.Addr())
	require.NoError(t, e.WaitActive(l.soon(), p.port))
	q := l.pod(e, n, "10.3.0.3/24")
	reaches(t, p.ns, q.address.Addr())

	r, err := l.topo.CreateRouter(t.Context(), sdn.Router{TenantID: "t", Name: "later", AdminStateUp: true})
	require.NoError(t, err)
	l.attach(r.ID, b, "10.3.0.1/24")
	eventually(t, func() bool { return echo(t, p.ns, n.gateway.Addr(), time.Second) })
	l.settled(e)

	require.NoError(t, l.topo.DeleteBridge(t.Context(), b))
	eventually(t, func() bool { _, err := ns.GetNS(w.Namespace); return err != nil })
}

func TestTwoRoutersOnOneBridge(t *testing.T) {
	l := newLab(t)
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	r, err := l.topo.CreateRouter(t.Context(), sdn.Router{TenantID: "t", Name: "second", AdminStateUp: true})
	require.NoError(t, err)
	l.attach(r.ID, red.bridge, "10.1.0.254/24")
	second := l.bridge("behind the second")
	l.attach(r.ID, second, "10.4.0.1/24")
	l.route(red.router, "10.4.0.0/24", red.port, "10.1.0.254")
	p := l.pod(e, red, "10.1.0.2/24")
	q := l.pod(e, network{bridge: second, gateway: netip.MustParsePrefix("10.4.0.1/24")}, "10.4.0.2/24")
	eventually(t, func() bool { return echo(t, p.ns, netip.MustParseAddr("10.1.0.254"), time.Second) })
	eventually(t, func() bool { return echo(t, p.ns, q.address.Addr(), time.Second) })
	l.settled(e)
}

func TestTwoBridgesLinkedToOneAnother(t *testing.T) {
	l := newLab(t)
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	other := l.bridge("other")
	p := l.pod(e, red, "10.1.0.2/24")
	n := network{bridge: other, gateway: red.gateway}
	q := pod{ns: openNamespace(t), port: sdn.NewID[sdn.PortID](), address: netip.MustParsePrefix("10.1.0.3/24")}
	l.bind(n, q.port, sdn.InterfaceName(q.port))
	w, err := e.Wiring(l.soon(), other, q.port)
	require.NoError(t, err)
	l.wire(w, q, n.gateway.Addr())
	var ends [2]sdn.PortID
	for i, b := range []sdn.BridgeID{red.bridge, other} {
		bp, err := l.topo.CreatePort(t.Context(), sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(b), AdminStateUp: true})
		require.NoError(t, err)
		ends[i] = bp.ID
	}
	unreached(t, p.ns, q.address.Addr())
	require.NoError(t, l.topo.Link(t.Context(), ends[0], ends[1]))
	eventually(t, func() bool { return echo(t, p.ns, q.address.Addr(), time.Second) })
	reaches(t, q.ns, red.gateway.Addr())
	require.NoError(t, l.topo.Unlink(t.Context(), ends[0]))
	eventually(t, func() bool { return !echo(t, p.ns, q.address.Addr(), 100*time.Millisecond) })
	l.settled(e)
}

func TestInterfaceOnTheHostIsMovedWhenItIsBoundAndGivenBackAfterwards(t *testing.T) {
	l := newLab(t)
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	p := pod{ns: openNamespace(t), address: netip.MustParsePrefix("10.1.0.2/24")}
	port := sdn.NewID[sdn.PortID]()
	l.bind(red, port, "tap0")
	require.NoError(t, l.host.Do(func(ns.NetNS) error { // the interface comes after the binding
		return netlink.LinkAdd(&netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: "tap0"}, PeerName: "eth0", PeerNamespace: netlink.NsFd(int(p.ns.Fd())),
		})
	}))
	configure(t, p, red.gateway.Addr())
	require.NoError(t, e.WaitActive(l.soon(), port))
	eventually(t, func() bool { return echo(t, p.ns, red.gateway.Addr(), 200*time.Millisecond) })
	l.settled(e)

	require.NoError(t, l.topo.DeletePort(t.Context(), port))
	onHost := func() (found bool) {
		require.NoError(t, l.host.Do(func(ns.NetNS) error {
			link, err := netlink.LinkByName("tap0")
			found = err == nil && link.Attrs().Alias == ""
			return nil
		}))
		return found
	}
	eventually(t, onHost)
	l.settled(e)
	require.True(t, onHost())
}

func TestInterfacesOfStrangersAreLeftAlone(t *testing.T) {
	l := newLab(t)
	require.NoError(t, l.host.Do(func(ns.NetNS) error {
		err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "moat00000000000"}, PeerName: "other"})
		if err != nil {
			return err
		}
		link, err := netlink.LinkByName("moat00000000000")
		if err != nil {
			return err
		}
		return netlink.LinkSetAlias(link, sdn.Stamp("another", "uplink", "x"))
	}))
	l.config.Grace = time.Nanosecond
	e := l.engine(l.config)
	defer e.Close()
	for range 3 {
		r, err := e.Pass(t.Context())
		require.NoError(t, err)
		require.Zero(t, r.Writes())
	}
	require.NoError(t, e.TakeDown(t.Context()))
	require.NoError(t, l.host.Do(func(ns.NetNS) error {
		_, err := netlink.LinkByName("moat00000000000")
		return err
	}))
}

func TestTwoInstallationsShareTheFolderOfNamespaces(t *testing.T) {
	one, two := newLab(t), newLab(t)
	e1, _ := one.run(one.config)
	e2, stop := two.run(two.config)
	red, blue := one.tenant("red", "10.1.0.1/24"), two.tenant("blue", "10.1.0.1/24")
	p, q := one.pod(e1, red, "10.1.0.2/24"), two.pod(e2, blue, "10.1.0.2/24")
	one.settled(e1)
	two.settled(e2)
	stop()
	third := two.engine(two.config)
	defer third.Close()
	require.NoError(t, third.TakeDown(t.Context()))
	reaches(t, p.ns, red.gateway.Addr())
	eventually(t, func() bool { return !echo(t, q.ns, blue.gateway.Addr(), 50*time.Millisecond) })
}

func TestBlackHoleRejectAndSharedRoutesReachTheKernel(t *testing.T) {
	l := newLab(t)
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	for dst, kind := range map[string]sdn.RouteType{"198.51.100.0/25": sdn.RouteBlackHole, "198.51.100.128/25": sdn.RouteReject} {
		_, err := l.topo.CreateRoute(t.Context(), sdn.Route{
			Router: red.router, Type: kind, Src: netip.MustParsePrefix("0.0.0.0/0"), Dst: netip.MustParsePrefix(dst), Weight: 7,
		})
		require.NoError(t, err)
	}
	_, err := l.topo.CreateRoute(t.Context(), sdn.Route{
		Router: red.router, Type: sdn.RouteLocal, Src: netip.MustParsePrefix("0.0.0.0/0"), Dst: netip.MustParsePrefix("203.0.113.7/32"), NextHopPort: red.port,
	})
	require.NoError(t, err)
	l.route(red.router, "192.0.2.0/24", red.port, "10.1.0.8")
	l.route(red.router, "192.0.2.0/24", red.port, "10.1.0.9")
	p := l.pod(e, red, "10.1.0.2/24")
	eventually(t, func() bool { return echo(t, p.ns, netip.MustParseAddr("203.0.113.7"), time.Second) })
	l.settled(e)

	seen, err := e.Observe(t.Context())
	require.NoError(t, err)
	var text string
	for _, n := range seen {
		if n.Name == l.home(red) {
			text = n.String()
		}
	}
	require.Contains(t, text, "route add blackhole 198.51.100.0/25 proto 77 metric 7\n")
	require.Contains(t, text, "route add prohibit 198.51.100.128/25 proto 77 metric 7\n")
	require.Contains(t, text, "route add local 203.0.113.7/32 dev "+sdn.InterfaceName(red.bridge)+" proto 77 metric 0\n")
	require.Contains(t, text, "route add 192.0.2.0/24 proto 77 metric 0 nexthop via 10.1.0.8")
}
