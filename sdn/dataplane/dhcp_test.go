package dataplane_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/moatnet/moat/sdn"
)

// leased asks until there is a lease.
func leased(t *testing.T, c *dhcpClient) (a answer) {
	t.Helper()
	eventually(t, func() (ok bool) {
		a, ok = c.lease()
		return ok
	})
	return a
}

func unanswered(t *testing.T, c *dhcpClient) {
	t.Helper()
	_, ok := c.lease()
	require.False(t, ok)
}

// known makes a DHCP subnet on a bridge, with a pod as its host.
func (l *lab) known(n network, p pod, c *dhcpClient) sdn.DHCPSubnet {
	t, ctx := l.t, l.t.Context()
	s := sdn.DHCPSubnet{
		Bridge: n.bridge, Prefix: n.gateway.Masked(), Gateway: n.gateway.Addr(), Enabled: true,
		DNS:    []netip.Addr{netip.MustParseAddr("192.0.2.53")},
		Routes: []sdn.DHCPRoute{{Dst: netip.MustParsePrefix("198.51.100.0/24"), Gateway: netip.MustParseAddr("10.1.0.9")}},
	}
	require.NoError(t, l.topo.CreateDHCPSubnet(ctx, s))
	require.NoError(t, l.topo.CreateDHCPHost(ctx, sdn.DHCPHost{
		Bridge: n.bridge, Subnet: s.Prefix, MAC: c.mac.String(), Addr: p.address.Addr(), Name: "p",
		Options: []sdn.DHCPOption{{Name: "domain-name", Value: "red.example"}},
	}))
	return s
}

// toServer suits a DHCP client's message.
func toServer(mac net.HardwareAddr) func([]byte) bool {
	return func(frame []byte) bool {
		return len(frame) > 42 && net.HardwareAddr(frame[6:12]).String() == mac.String() && frame[23] == 17 && frame[36] == 0 && frame[37] == 67
	}
}

func TestClientGetsItsLeaseAndKeepsItOverARestart(t *testing.T) {
	l := newLab(t)
	e, stop := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	p, q := l.pod(e, red, "10.1.0.2/24"), l.pod(e, red, "10.1.0.3/24")
	c, other, ear := newDHCPClient(t, p), newDHCPClient(t, q), tap(t, q.ns)
	unanswered(t, c)
	l.known(red, p, c)

	a := leased(t, c)
	require.Equal(t, c.mac.String(), a.dst.String())
	require.Equal(t, p.address.Addr(), a.to, "only the client hears of it")
	require.Equal(t, p.address.Addr(), a.your)
	require.Equal(t, map[byte][]byte{
		53: {dhcpACK}, 54: {10, 1, 0, 1}, 1: {255, 255, 255, 0}, 3: {10, 1, 0, 1}, 6: {192, 0, 2, 53}, 26: {5, 220},
		15: []byte("red.example"), 51: a.options[51], 58: a.options[58], 59: a.options[59],
		121: {24, 198, 51, 100, 10, 1, 0, 9, 0, 10, 1, 0, 1},
	}, a.options)
	require.GreaterOrEqual(t, a.seconds(51), time.Hour)
	unanswered(t, other)
	l.settled(e)

	for ear.sees(20*time.Millisecond, toServer(c.mac)) { // what came before the host was known
	}
	leased(t, c)
	require.False(t, ear.sees(50*time.Millisecond, toServer(c.mac)), "nobody else is asked")
	var wrong answer
	eventually(t, func() (ok bool) {
		wrong, ok = c.say(dhcpRequest, netip.Addr{}, 50, 4, 10, 1, 0, 99)
		return ok
	})
	require.EqualValues(t, dhcpNAK, wrong.kind())

	stop()
	unanswered(t, c)
	_, stop = l.run(l.config)
	eventually(t, func() bool {
		again, ok := c.say(dhcpRequest, p.address.Addr())
		return ok && again.kind() == dhcpACK && again.your == p.address.Addr()
	})
	stop()
}

func TestDHCPFollowsTheTopology(t *testing.T) {
	l := newLab(t)
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	p := l.pod(e, red, "10.1.0.2/24")
	c := newDHCPClient(t, p)
	s := l.known(red, p, c)
	leased(t, c)
	update := func(change func(*sdn.DHCPSubnet)) {
		change(&s)
		require.NoError(t, l.topo.UpdateDHCPSubnet(t.Context(), s.Prefix, s))
	}
	silent := func() bool {
		_, ok := c.lease()
		return !ok
	}
	update(func(s *sdn.DHCPSubnet) { s.Enabled = false })
	eventually(t, silent)
	update(func(s *sdn.DHCPSubnet) { s.Enabled, s.MTU = true, 1280 })
	require.Equal(t, []byte{5, 0}, leased(t, c).options[26])

	b, err := l.topo.Bridge(t.Context(), red.bridge)
	require.NoError(t, err)
	b.AdminStateUp = false
	require.NoError(t, l.topo.UpdateBridge(t.Context(), b))
	eventually(t, silent)
	b.AdminStateUp = true
	require.NoError(t, l.topo.UpdateBridge(t.Context(), b))
	leased(t, c)

	require.NoError(t, l.topo.DeleteDHCPHost(t.Context(), red.bridge, s.Prefix, c.mac.String()))
	eventually(t, silent)
	l.settled(e)
}

func TestDHCPOnABridgeThatIsMadeAnew(t *testing.T) {
	l := newLab(t)
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	p := l.pod(e, red, "10.1.0.2/24")
	c := newDHCPClient(t, p)
	l.known(red, p, c)
	leased(t, c)
	l.within(red, func() error {
		link, err := netlink.LinkByName(sdn.InterfaceName(red.bridge))
		if err != nil {
			return err
		}
		return netlink.LinkDel(link)
	})
	leased(t, c)
	l.settled(e)
}

func TestFilterOfAPortComesBeforeDHCP(t *testing.T) {
	l := newLab(t)
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	p := l.pod(e, red, "10.1.0.2/24")
	c := newDHCPClient(t, p)
	l.known(red, p, c)
	leased(t, c)
	chain, err := l.topo.CreateChain(t.Context(), sdn.Chain{TenantID: "red", Name: "quarantine"})
	require.NoError(t, err)
	_, err = l.topo.CreateRule(t.Context(), sdn.Rule{Chain: chain.ID, Type: sdn.RuleDrop})
	require.NoError(t, err)
	filter := func(in, out sdn.ChainID) {
		at, err := l.topo.Port(t.Context(), p.port)
		require.NoError(t, err)
		at.InboundFilter, at.OutboundFilter = in, out
		require.NoError(t, l.topo.UpdatePort(t.Context(), at))
		l.settled(e)
	}
	filter(chain.ID, "")
	unanswered(t, c)
	filter("", chain.ID)
	leased(t, c) // the answer is the bridge's own
}

func TestHostileFramesDoNotEndTheServer(t *testing.T) {
	l := newLab(t)
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	p := l.pod(e, red, "10.1.0.2/24")
	c := newDHCPClient(t, p)
	l.known(red, p, c)
	leased(t, c)
	whole := c.frame(dhcpDiscover, netip.Addr{}, []byte{57, 2, 0, 1, 12, 200, 'x'})
	for n := 14; n < len(whole); n += 7 {
		c.send(whole[:n])
	}
	leased(t, c)
}

func TestDHCPAcrossLinkedBridges(t *testing.T) {
	l := newLab(t)
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	p := l.pod(e, red, "10.1.0.2/24")
	far := network{bridge: l.bridge("far"), gateway: red.gateway}
	l.bind(far, sdn.NewID[sdn.PortID](), "none") // a bridge's home is decided by its first port
	q := l.pod(e, far, "10.1.0.3/24")
	var ends [2]sdn.PortID
	for i, b := range []sdn.BridgeID{red.bridge, far.bridge} {
		bp, err := l.topo.CreatePort(t.Context(), sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(b), AdminStateUp: true})
		require.NoError(t, err)
		ends[i] = bp.ID
	}
	require.NoError(t, l.topo.Link(t.Context(), ends[0], ends[1]))
	near, c := newDHCPClient(t, p), newDHCPClient(t, q)
	l.known(red, q, c)
	require.Equal(t, q.address.Addr(), leased(t, c).your)
	unanswered(t, near)
}
