package e2e

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/lab"
)

func TestTenantsAreIsolated(t *testing.T) {
	n := newNode(t)
	red1, red2, blue := n.pod("red", "one"), n.pod("red", "two"), n.pod("blue", "one")

	n.reaches(red1.Namespace, red2.Address)
	n.reaches(red1.Namespace, red1.Gateway)
	n.reaches(red1.Namespace, outsideAddr.Addr())
	n.reaches(n.host, blue.Address)
	seen, err := lab.Connect(t.Context(), red1.Namespace, netip.AddrPortFrom(outsideAddr.Addr(), tcpPort), answered)
	require.NoError(t, err)
	require.Equal(t, hostAddr.Addr(), seen, "the outside sees the node's address")

	n.reachesNot(red1.Namespace, blue.Address)
	n.reachesNot(red1.Namespace, blue.Gateway)
	n.reachesNot(n.outside, blue.Address)
	n.reachesNot(n.outside, blue.Gateway)
}

// A Service whose backend is another tenant's pod must not be a way into it,
// and the host's translation must not meet packets on a tenant's bridge.
func TestServiceOnTheHostIsNoWayIntoAnotherTenant(t *testing.T) {
	n := newNode(t)
	red, blue := n.pod("red", "one"), n.pod("blue", "one")
	virtual := netip.MustParseAddrPort("10.96.0.10:80")
	outside := netip.MustParseAddrPort("10.96.0.11:80")
	t.Cleanup(func() { require.NoError(t, n.host.EndServices()) })
	require.NoError(t, n.host.Service(virtual, netip.AddrPortFrom(blue.Address, tcpPort)))
	require.NoError(t, n.host.Service(outside, netip.AddrPortFrom(outsideAddr.Addr(), tcpPort)))

	_, err := lab.Connect(t.Context(), red.Namespace, outside, answered)
	require.NoError(t, err, "the Service itself works: its backend outside is reached")
	_, err = lab.Connect(t.Context(), red.Namespace, virtual, unanswered)
	require.ErrorIs(t, err, lab.ErrNoAnswer)
}

// red sends frames for blue's pod to every MAC it can see as if each were a
// router; nothing may arrive. That such frames are good ones is shown by those
// that do arrive: within the tenant, and through the router once both sides
// let it through.
func TestNoMACOnTheBridgeIsAWayIntoAnotherTenant(t *testing.T) {
	n := newNode(t)
	red, other, blue := n.pod("red", "one"), n.pod("red", "two"), n.pod("blue", "one")
	wire, otherWire, blueWire := n.tap(red), n.tap(other), n.tap(blue)
	router := neighbour(t, wire, red, red.Gateway)
	require.NotNil(t, router)

	require.NoError(t, wire.Send(echoFrame(t, podMAC(t, red), podMAC(t, other), red.Address, other.Address, "within red")))
	require.True(t, arrives(t, otherWire, "within red"), "a forged frame reaches a pod of the same tenant")

	nextHops := [][]byte{
		mac(t, red.Result.Interfaces[0].Mac), // host end of red's own pair
		mac(t, other.Result.Interfaces[0].Mac),
		podMAC(t, other),
		router,
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	}
	for _, hop := range nextHops {
		for _, dst := range []netip.Addr{blue.Address, blue.Gateway} {
			require.NoError(t, wire.Send(echoFrame(t, podMAC(t, red), hop, red.Address, dst, "into blue")))
		}
	}
	require.False(t, hears(t, blueWire, "into blue"), "blue received a packet of red")
	require.False(t, hears(t, wire, "into blue"), "blue's gateway answered red")

	n.letOut("red", towards(red.Address, blue.Address))
	n.letIn("blue", map[string]any{"nwSrcAddress": red.Address.String(), "nwSrcLength": 32})
	require.Eventually(t, func() bool {
		require.NoError(t, wire.Send(echoFrame(t, podMAC(t, red), router, red.Address, blue.Address, "let in")))
		return hears(t, blueWire, "let in")
	}, 10*time.Second, 10*time.Millisecond, "through the router, when both chains say so, the frame arrives")
}

// One burst of questions for everything that there is; only red's own bridge
// answers, and with the MACs that are right.
func TestARPIsAnsweredForTheOwnBridgeAlone(t *testing.T) {
	n := newNode(t)
	red, second, blue := n.pod("red", "one"), n.pod("red", "two"), n.pod("blue", "one")
	wire := n.tap(red)
	questions := []netip.Addr{
		red.Gateway, second.Address, hostAddr.Addr(), outsideAddr.Addr(),
		netip.MustParseAddr("100.64.0.1"), netip.MustParseAddr("100.64.0.2"),
		netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("169.254.169.254"),
	}
	for _, tenant := range []string{"red", "blue"} {
		own := n.show(tenant).Transit
		questions = append(questions, own, own.Prev()) // the pair is a /31, the provider's end comes first
	}
	subnet := netip.PrefixFrom(blue.Address, 22).Masked()
	for a := range 64 {
		questions = append(questions, nth(subnet.Addr(), a))
	}
	require.Contains(t, questions, blue.Address)
	require.Contains(t, questions, blue.Gateway)

	require.Equal(t, map[netip.Addr]string{
		red.Gateway:    net.HardwareAddr(neighbour(t, wire, red, red.Gateway)).String(),
		second.Address: second.Result.Interfaces[1].Mac,
	}, neighbours(t, wire, red, questions...))
}

func TestLinkLocalIPv6EndsAtTheBridge(t *testing.T) {
	n := newNode(t)
	red, second, blue := n.pod("red", "one"), n.pod("red", "two"), n.pod("blue", "one")
	wire, secondWire, blueWire := n.tap(red), n.tap(second), n.tap(blue)

	require.NoError(t, wire.Send(allNodesFrame(t, podMAC(t, red), "to all nodes")))
	require.True(t, arrives(t, secondWire, "to all nodes"), "a pod on the same bridge hears it")
	require.False(t, hears(t, blueWire, "to all nodes"), "a frame of red reached blue")
	heard, err := wire.Collect(unanswered)
	require.NoError(t, err)
	for _, f := range heard {
		if binary.BigEndian.Uint16(f[12:14]) == 0x86dd {
			require.Equal(t, podMAC(t, second), f[6:12], "the router's side sent IPv6: %x", f)
		}
	}
}
