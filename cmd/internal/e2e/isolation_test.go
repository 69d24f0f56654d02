package e2e

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

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
// router; nothing may arrive.
func TestNoMACOnTheBridgeIsAWayIntoAnotherTenant(t *testing.T) {
	n := newNode(t)
	red, other, blue := n.pod("red", "one"), n.pod("red", "two"), n.pod("blue", "one")
	wire, err := red.Tap("eth0")
	require.NoError(t, err)
	defer wire.Close()
	listener, err := blue.Tap("eth0")
	require.NoError(t, err)
	defer listener.Close()

	nextHops := [][]byte{
		mac(t, red.Result.Interfaces[0].Mac), // host end of red's own pair
		mac(t, other.Result.Interfaces[0].Mac),
		neighbour(t, wire, red, red.Gateway),
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	}
	for _, hop := range nextHops {
		for _, dst := range []netip.Addr{blue.Address, blue.Gateway} {
			require.NoError(t, wire.Send(echoFrame(t, podMAC(t, red), hop, red.Address, dst)))
		}
	}
	frames, err := listener.Collect(unanswered)
	require.NoError(t, err)
	for _, f := range frames {
		require.False(t, carries(f, red.Address), "blue received a packet of red: %x", f)
	}
	n.reaches(red.Namespace, outsideAddr.Addr())
}

func TestARPIsAnsweredForTheOwnBridgeAlone(t *testing.T) {
	n := newNode(t)
	red, second, blue := n.pod("red", "one"), n.pod("red", "two"), n.pod("blue", "one")
	wire, err := red.Tap("eth0")
	require.NoError(t, err)
	defer wire.Close()

	require.NotNil(t, neighbour(t, wire, red, red.Gateway))
	require.NotNil(t, neighbour(t, wire, red, second.Address))
	for _, foreign := range []netip.Addr{
		blue.Address, blue.Gateway, hostAddr.Addr(), outsideAddr.Addr(),
		netip.MustParseAddr("100.64.0.1"), netip.MustParseAddr("100.64.0.2"),
		netip.MustParseAddr("100.64.0.4"), netip.MustParseAddr("100.64.0.5"),
		netip.MustParseAddr("100.64.0.6"), netip.MustParseAddr("100.64.0.7"),
		netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("169.254.169.254"),
	} {
		require.Nil(t, neighbour(t, wire, red, foreign), "somebody answered ARP for %s", foreign)
	}
}

func TestLinkLocalIPv6EndsAtTheBridge(t *testing.T) {
	n := newNode(t)
	red, blue := n.pod("red", "one"), n.pod("blue", "one")
	wire, err := red.Tap("eth0")
	require.NoError(t, err)
	defer wire.Close()
	listener, err := blue.Tap("eth0")
	require.NoError(t, err)
	defer listener.Close()

	require.NoError(t, wire.Send(allNodesFrame(t, podMAC(t, red))))
	heard, err := wire.Collect(unanswered)
	require.NoError(t, err)
	for _, f := range heard {
		require.NotEqual(t, uint16(0x86dd), binary.BigEndian.Uint16(f[12:14]), "the router's side answered IPv6: %x", f)
	}
	heard, err = listener.Collect(10 * time.Millisecond)
	require.NoError(t, err)
	for _, f := range heard {
		require.NotEqual(t, podMAC(t, red), f[6:12], "a frame of red reached blue: %x", f)
	}
}

func mac(t *testing.T, s string) []byte {
	t.Helper()
	m, err := net.ParseMAC(s)
	require.NoError(t, err)
	return m
}

func podMAC(t *testing.T, p *lab.Pod) []byte { return mac(t, p.Result.Interfaces[1].Mac) }

func carries(frame []byte, src netip.Addr) bool {
	return len(frame) >= 34 && binary.BigEndian.Uint16(frame[12:14]) == 0x0800 && bytes.Equal(frame[26:30], src.AsSlice())
}

// neighbour asks ARP (RFC 826) for an address and returns the MAC of whoever
// answers, or nil.
func neighbour(t *testing.T, wire *lab.Wire, p *lab.Pod, ask netip.Addr) []byte {
	t.Helper()
	own := podMAC(t, p)
	frame := bytes.Join([][]byte{
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, own, {0x08, 0x06},
		{0, 1, 8, 0, 6, 4, 0, 1}, own, p.Address.AsSlice(), make([]byte, 6), ask.AsSlice(),
	}, nil)
	require.NoError(t, wire.Send(frame))
	answers, err := wire.Collect(100 * time.Millisecond)
	require.NoError(t, err)
	for _, a := range answers {
		if len(a) >= 42 && binary.BigEndian.Uint16(a[12:14]) == 0x0806 && a[21] == 2 && bytes.Equal(a[28:32], ask.AsSlice()) {
			return a[22:28]
		}
	}
	return nil
}

func echoFrame(t *testing.T, src, dst []byte, from, to netip.Addr) []byte {
	t.Helper()
	echo := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: 7, Seq: 7, Data: []byte("forged")}}
	body, err := echo.Marshal(nil)
	require.NoError(t, err)
	h := ipv4.Header{Version: 4, Len: 20, TotalLen: 20 + len(body), TTL: 64, Protocol: 1, Src: from.AsSlice(), Dst: to.AsSlice()}
	head, err := h.Marshal()
	require.NoError(t, err)
	binary.BigEndian.PutUint16(head[2:4], uint16(h.TotalLen))
	binary.BigEndian.PutUint16(head[10:12], checksum(head))
	return bytes.Join([][]byte{dst, src, {0x08, 0x00}, head, body}, nil)
}

// checksum is the internet checksum, RFC 1071.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// allNodesFrame is an ICMPv6 echo request to ff02::1 from a link-local address.
func allNodesFrame(t *testing.T, src []byte) []byte {
	t.Helper()
	from := net.IP{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0xff, 0xfe, 0, 0, 1}
	to := net.ParseIP("ff02::1")
	echo := icmp.Message{Type: ipv6.ICMPTypeEchoRequest, Body: &icmp.Echo{ID: 7, Seq: 7, Data: []byte("hello")}}
	body, err := echo.Marshal(icmp.IPv6PseudoHeader(from, to))
	require.NoError(t, err)
	head := []byte{0x60, 0, 0, 0, 0, byte(len(body)), 58, 255}
	return bytes.Join([][]byte{{0x33, 0x33, 0, 0, 0, 1}, src, {0x86, 0xdd}, head, from, to, body}, nil)
}
