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
)

const stationMAC = "02:00:00:00:00:99"

// comesTo waits until frames to a MAC come to that wire and not to the other.
func comesTo(t *testing.T, from wire, mac string, to, not wire) {
	t.Helper()
	dst, err := net.ParseMAC(mac)
	require.NoError(t, err)
	eventually(t, func() bool {
		text := fmt.Sprint("to ", time.Now().UnixNano())
		from.send(ether(dst, from.mac, text))
		return to.sees(100*time.Millisecond, holds(text)) && !not.sees(20*time.Millisecond, holds(text))
	})
}

func TestFixedMACIsBehindItsPortWhoeverClaimsIt(t *testing.T) {
	l := newLab(t)
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	p, q, r := l.pod(e, red, "10.1.0.2/24"), l.pod(e, red, "10.1.0.3/24"), l.pod(e, red, "10.1.0.4/24")
	a, b, c := tap(t, p.ns), tap(t, q.ns), tap(t, r.ns)
	mac, err := net.ParseMAC(stationMAC)
	require.NoError(t, err)
	a.send(ether(mac, a.mac, "nobody knows"))
	require.True(t, b.sees(5*time.Second, holds("nobody knows")))
	require.True(t, c.sees(5*time.Second, holds("nobody knows")))

	entry := sdn.MACPort{Bridge: red.bridge, MAC: stationMAC, Port: q.port}
	require.NoError(t, l.topo.AddMACPort(t.Context(), entry))
	comesTo(t, a, stationMAC, b, c)
	c.send(ether(a.mac, mac, "claimed"))
	comesTo(t, a, stationMAC, b, c)
	l.settled(e)

	l.within(red, func() error { // someone else deletes it
		link, err := netlink.LinkByName(sdn.InterfaceName(q.port))
		if err != nil {
			return err
		}
		return netlink.NeighDel(&netlink.Neigh{
			Family: unix.AF_BRIDGE, LinkIndex: link.Attrs().Index, Flags: netlink.NTF_MASTER, HardwareAddr: mac, State: netlink.NUD_NOARP,
		})
	})
	comesTo(t, a, stationMAC, b, c)

	require.NoError(t, l.topo.RemoveMACPort(t.Context(), entry))
	eventually(t, func() bool {
		c.send(ether(a.mac, mac, "claimed again"))
		text := fmt.Sprint("to ", time.Now().UnixNano())
		a.send(ether(mac, a.mac, text))
		return c.sees(100*time.Millisecond, holds(text)) && !b.sees(20*time.Millisecond, holds(text))
	})
	l.settled(e)
}

func TestFixedMACWaitsForItsInterfaceAndGoesWithIt(t *testing.T) {
	l := newLab(t)
	e, stop := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	p, q := l.pod(e, red, "10.1.0.2/24"), l.pod(e, red, "10.1.0.3/24")
	late := pod{ns: openNamespace(t), port: sdn.NewID[sdn.PortID](), address: netip.MustParsePrefix("10.1.0.4/24")}
	l.bind(red, late.port, sdn.InterfaceName(late.port))
	require.NoError(t, l.topo.AddMACPort(t.Context(), sdn.MACPort{Bridge: red.bridge, MAC: stationMAC, Port: late.port}))
	w, err := e.Wiring(l.soon(), red.bridge, late.port)
	require.NoError(t, err)
	l.wire(w, late, red.gateway.Addr())
	comesTo(t, tap(t, p.ns), stationMAC, tap(t, late.ns), tap(t, q.ns))

	stop()
	e = l.engine(l.config)
	defer e.Close()
	r, err := e.Pass(t.Context())
	require.NoError(t, err)
	require.Zero(t, r.Writes(), "a second engine changes nothing: %s", r)
	seen, err := e.Observe(t.Context())
	require.NoError(t, err)
	require.Contains(t, fmt.Sprint(seen), "fdb add "+stationMAC+" dev "+w.Interface+" master static sticky")

	require.NoError(t, l.topo.DeletePort(t.Context(), late.port))
	_, err = e.Pass(t.Context())
	require.NoError(t, err)
	r, err = e.Pass(t.Context())
	require.NoError(t, err)
	require.Zero(t, r.Writes(), "%s", r)
}

func TestMACOfTheRoutersOwnPortIsTakenIn(t *testing.T) {
	l := newLab(t)
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	p, q := l.pod(e, red, "10.1.0.2/24"), l.pod(e, red, "10.1.0.3/24")
	router, err := l.topo.Port(t.Context(), red.port)
	require.NoError(t, err)
	require.NoError(t, l.topo.AddMACPort(t.Context(), sdn.MACPort{Bridge: red.bridge, MAC: stationMAC, Port: router.Peer}))
	a, b := tap(t, p.ns), tap(t, q.ns)
	mac, err := net.ParseMAC(stationMAC)
	require.NoError(t, err)
	eventually(t, func() bool {
		text := fmt.Sprint("to ", time.Now().UnixNano())
		a.send(ether(mac, a.mac, text))
		return !b.sees(50*time.Millisecond, holds(text))
	})
	l.settled(e)
	require.NoError(t, l.topo.RemoveMACPort(t.Context(), sdn.MACPort{Bridge: red.bridge, MAC: stationMAC, Port: router.Peer}))
	eventually(t, func() bool {
		text := fmt.Sprint("to ", time.Now().UnixNano())
		a.send(ether(mac, a.mac, text))
		return b.sees(50*time.Millisecond, holds(text))
	})
	l.settled(e)
}

func TestBridgeAnswersARPForItsEntriesAndAsksNobody(t *testing.T) {
	l := newLab(t)
	e, _ := l.run(l.config)
	for name, n := range map[string]network{
		"bridge of a router": l.tenant("red", "10.1.0.1/24"),
		"bridge alone":       {bridge: l.bridge("alone"), gateway: netip.MustParsePrefix("10.1.0.1/24")},
	} {
		t.Run(name, func(t *testing.T) {
			if n.router == "" { // a bridge's home is decided by its first port
				l.bind(n, sdn.NewID[sdn.PortID](), "none")
			}
			p, q, r := l.pod(e, n, "10.1.0.2/24"), l.pod(e, n, "10.1.0.3/24"), l.pod(e, n, "10.1.0.4/24")
			a, b, c := tap(t, p.ns), tap(t, q.ns), tap(t, r.ns)
			addr := netip.MustParseAddr("10.1.0.77")
			entry := sdn.IP4MAC{Bridge: n.bridge, Addr: addr, MAC: stationMAC}
			require.NoError(t, l.topo.AddMACPort(t.Context(), sdn.MACPort{Bridge: n.bridge, MAC: stationMAC, Port: q.port}))
			require.NoError(t, l.topo.AddIP4MAC(t.Context(), entry))
			eventually(t, func() bool {
				a.ask(p.address.Addr(), addr)
				return a.sees(100*time.Millisecond, answered(addr, stationMAC))
			})
			l.settled(e)
			for c.sees(20*time.Millisecond, asked(addr)) { // what came before the entry was there
			}
			a.ask(p.address.Addr(), addr)
			require.True(t, a.sees(5*time.Second, answered(addr, stationMAC)))
			require.False(t, c.sees(50*time.Millisecond, asked(addr)), "others are not asked")
			require.False(t, b.sees(50*time.Millisecond, answered(addr, stationMAC)), "only the asker is answered")

			a.ask(p.address.Addr(), r.address.Addr())
			require.True(t, c.sees(5*time.Second, asked(r.address.Addr())), "others are asked for themselves")

			require.NoError(t, l.topo.RemoveIP4MAC(t.Context(), entry))
			eventually(t, func() bool {
				a.ask(p.address.Addr(), addr)
				return c.sees(50*time.Millisecond, asked(addr)) && !a.sees(50*time.Millisecond, answered(addr, stationMAC))
			})
			l.settled(e)
		})
	}
}

func TestRouterNeedNotAskForARPEntriesOfItsBridge(t *testing.T) {
	l := newLab(t)
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	q := l.pod(e, red, "10.1.0.3/24")
	other := network{bridge: l.bridge("other"), gateway: netip.MustParsePrefix("10.4.0.1/24")}
	l.attach(red.router, other.bridge, "10.4.0.1/24")
	p := l.pod(e, other, "10.4.0.2/24")
	require.NoError(t, l.topo.AddIP4MAC(t.Context(), sdn.IP4MAC{Bridge: red.bridge, Addr: netip.MustParseAddr("10.1.0.77"), MAC: stationMAC}))
	b := tap(t, q.ns)
	eventually(t, func() bool {
		require.NoError(t, p.ns.Do(func(ns.NetNS) error {
			c, err := net.Dial("udp4", "10.1.0.77:9")
			if err != nil {
				return err
			}
			defer c.Close()
			_, err = c.Write([]byte("x"))
			return err
		}))
		return b.sees(100*time.Millisecond, func(frame []byte) bool {
			return net.HardwareAddr(frame[:6]).String() == stationMAC && frame[12] == 0x08 && frame[13] == 0
		})
	})
	l.settled(e)
}
