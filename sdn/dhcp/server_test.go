package dhcp

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

const clientMAC = "02:00:00:00:00:05"

func mac(t testing.TB, s string) net.HardwareAddr {
	t.Helper()
	m, err := net.ParseMAC(s)
	require.NoError(t, err)
	return m
}

func subnet() sdn.DHCPSubnet {
	return sdn.DHCPSubnet{
		Bridge: "b", Prefix: netip.MustParsePrefix("10.0.0.0/24"), Gateway: netip.MustParseAddr("10.0.0.1"), Enabled: true,
		DNS: []netip.Addr{netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("192.0.2.54")},
	}
}

func host() sdn.DHCPHost {
	return sdn.DHCPHost{Bridge: "b", Subnet: subnet().Prefix, MAC: clientMAC, Addr: netip.MustParseAddr("10.0.0.5"), Name: "web"}
}

func server(t testing.TB, n sdn.DHCPSubnet, h ...sdn.DHCPHost) *Server {
	return New(mac(t, "02:00:00:00:00:01"), 1400, []sdn.DHCPSubnet{n}, h)
}

// request is what a client sends, as a frame.
func request(t testing.TB, kind byte, change ...func(*message)) []byte {
	t.Helper()
	none := netip.IPv4Unspecified()
	m := &message{
		op: opRequest, hardware: hardwareEthernet, mac: mac(t, clientMAC), id: [4]byte{1, 2, 3, 4},
		client: none, your: none, next: none, relay: none, options: map[uint8][]byte{},
	}
	if kind != 0 {
		m.options[optKind] = []byte{kind}
	}
	for _, f := range change {
		f(m)
	}
	return wrap(t, clientMAC, "255.255.255.255", m.encode())
}

func wrap(t testing.TB, src, dst string, payload []byte) []byte {
	t.Helper()
	out := append(mac(t, "ff:ff:ff:ff:ff:ff"), mac(t, src)...)
	out = append(out, 8, 0)
	ip := make([]byte, 20)
	ip[0], ip[8], ip[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(ip[2:], uint16(28+len(payload)))
	copy(ip[16:], netip.MustParseAddr(dst).AsSlice())
	udp := make([]byte, 8)
	binary.BigEndian.PutUint16(udp, 68)
	binary.BigEndian.PutUint16(udp[2:], 67)
	binary.BigEndian.PutUint16(udp[4:], uint16(8+len(payload)))
	return append(append(append(out, ip...), udp...), payload...)
}

// open takes an answer apart.
func open(t testing.TB, frame []byte) (message, netip.Addr) {
	t.Helper()
	require.EqualValues(t, 0x0800, binary.BigEndian.Uint16(frame[12:]))
	ip := frame[14:]
	require.EqualValues(t, len(ip), binary.BigEndian.Uint16(ip[2:]), "total length")
	require.Equal(t, uint16(0xffff), sum(0, ip[:20]), "IPv4 checksum")
	udp := ip[20:]
	require.Equal(t, uint16(0xffff), sum(uint32(sum(uint32(17+len(udp)), ip[12:20])), udp), "UDP checksum")
	require.EqualValues(t, 67, binary.BigEndian.Uint16(udp))
	require.EqualValues(t, 68, binary.BigEndian.Uint16(udp[2:]))
	m, ok := decode(udp[8:])
	require.True(t, ok)
	return m, netip.AddrFrom4([4]byte(ip[16:20]))
}

func addr(s string) []byte { return netip.MustParseAddr(s).AsSlice() }

func text(b []byte) string {
	a, _ := netip.AddrFromSlice(b)
	return a.String()
}

func wish(a string) func(*message) {
	return func(m *message) { m.options[optRequested] = addr(a) }
}

func chosen(a string) func(*message) {
	return func(m *message) { m.options[optServer] = addr(a) }
}

func has(a string) func(*message) {
	return func(m *message) { m.client = netip.MustParseAddr(a) }
}

func TestNobodyElseIsAnswered(t *testing.T) {
	s := server(t, subnet(), host())
	silent := map[string][]byte{
		"an inform":         request(t, inform, has("10.0.0.5")),
		"a release":         request(t, release, has("10.0.0.5")),
		"a decline":         request(t, decline, wish("10.0.0.5")),
		"an offer":          request(t, offer),
		"no type":           request(t, 0),
		"a reply":           request(t, discover, func(m *message) { m.op = opReply }),
		"a relay's":         request(t, discover, func(m *message) { m.relay = netip.MustParseAddr("10.0.0.9") }),
		"another's MAC":     request(t, discover, func(m *message) { m.mac[5]++ }),
		"a longer MAC":      request(t, discover, func(m *message) { m.mac = append(m.mac, 0) }),
		"no Ethernet":       request(t, discover, func(m *message) { m.hardware = 6 }),
		"to another server": request(t, ask, chosen("10.0.0.9"), wish("10.0.0.5")),
		"routed elsewhere":  wrap(t, clientMAC, "192.0.2.7", request(t, discover)[42:]),
		"unknown":           wrap(t, "02:00:00:00:00:06", "255.255.255.255", request(t, discover)[42:]),
		"empty":             wrap(t, clientMAC, "255.255.255.255", nil),
	}
	fragmented := request(t, discover)
	fragmented[20] = 0x20
	silent["a fragment"] = fragmented
	for name, frame := range silent {
		_, _, ok := s.Answer(frame)
		require.False(t, ok, name)
	}
	whole := request(t, discover)
	_, _, ok := s.Answer(whole)
	require.True(t, ok)
	for n := range len(whole) - 1 {
		_, _, ok := s.Answer(whole[:n])
		require.False(t, ok, "the first %d bytes", n)
	}
	n := subnet()
	n.Enabled = false
	_, _, ok = server(t, n, host()).Answer(whole)
	require.False(t, ok, "a subnet that is not enabled")
}

func TestOfferAndAcknowledgementSayAll(t *testing.T) {
	n := subnet()
	n.Server = netip.MustParseAddr("10.0.0.2")
	n.Routes = []sdn.DHCPRoute{{Dst: netip.MustParsePrefix("192.0.2.128/25"), Gateway: netip.MustParseAddr("10.0.0.3")}}
	s := server(t, n, host())
	for kind, frame := range map[byte][]byte{
		offer: request(t, discover),
		ack:   request(t, ask, chosen("10.0.0.2"), wish("10.0.0.5")),
	} {
		reply, to, ok := s.Answer(frame)
		require.True(t, ok)
		require.Equal(t, clientMAC, to.String())
		m, dst := open(t, reply)
		require.Equal(t, kind, m.kind())
		require.Equal(t, clientMAC, net.HardwareAddr(reply[:6]).String())
		require.Equal(t, "02:00:00:00:00:01", net.HardwareAddr(reply[6:12]).String())
		require.Equal(t, "10.0.0.5", dst.String(), "it has no address yet, and is told by its MAC")
		require.Equal(t, "10.0.0.5", m.your.String())
		require.Equal(t, "10.0.0.2", text(m.options[optServer]))
		require.Equal(t, "ffffff00", fmt.Sprintf("%x", m.options[optMask]))
		require.Equal(t, "10.0.0.1", text(m.options[optRouter]))
		require.Len(t, m.options[optDNS], 8)
		require.Equal(t, []byte{5, 120}, m.options[optMTU], "1400, of the bridge")
		seconds := func(code uint8) uint32 { return binary.BigEndian.Uint32(m.options[code]) }
		require.GreaterOrEqual(t, seconds(optLease), uint32(3600))
		require.Less(t, seconds(optRenew), seconds(optRebind))
		require.Less(t, seconds(optRebind), seconds(optLease))
		require.Equal(t, []byte{25, 192, 0, 2, 128, 10, 0, 0, 3, 0, 10, 0, 0, 1}, m.options[optStaticRoutes])
	}
}

func TestWhoAsksForAnotherAddressIsTold(t *testing.T) {
	s := server(t, subnet(), host())
	for name, frame := range map[string][]byte{
		"selecting":  request(t, ask, chosen("10.0.0.1"), wish("10.0.0.6")),
		"rebooting":  request(t, ask, wish("192.168.1.6")),
		"rebinding":  request(t, ask, has("10.0.0.6")),
		"no address": request(t, ask),
	} {
		reply, _, ok := s.Answer(frame)
		require.True(t, ok, name)
		m, dst := open(t, reply)
		require.EqualValues(t, nak, m.kind(), name)
		require.Equal(t, "255.255.255.255", dst.String())
		require.Equal(t, "ff:ff:ff:ff:ff:ff", net.HardwareAddr(reply[:6]).String())
		require.True(t, m.your.IsUnspecified())
	}
}

func TestWhoKeepsItsAddressIsAcknowledged(t *testing.T) {
	s := server(t, subnet(), host())
	renewing := request(t, ask, has("10.0.0.5"))
	for name, frame := range map[string][]byte{
		"rebooting": request(t, ask, wish("10.0.0.5")),
		"rebinding": renewing,
		"renewing":  wrap(t, clientMAC, "10.0.0.1", renewing[42:]),
	} {
		reply, _, ok := s.Answer(frame)
		require.True(t, ok, name)
		m, dst := open(t, reply)
		require.EqualValues(t, ack, m.kind(), name)
		require.Equal(t, "10.0.0.5", dst.String())
	}
}

func TestClientThatCannotTakeUnicastGetsABroadcast(t *testing.T) {
	reply, _, ok := server(t, subnet(), host()).Answer(request(t, discover, func(m *message) { m.flags = broadcastFlag }))
	require.True(t, ok)
	m, dst := open(t, reply)
	require.True(t, m.flags == broadcastFlag)
	require.Equal(t, "255.255.255.255", dst.String())
	require.Equal(t, "ff:ff:ff:ff:ff:ff", net.HardwareAddr(reply[:6]).String())
}

func TestSubnetWithoutAnythingStillNamesAServer(t *testing.T) {
	n := sdn.DHCPSubnet{Prefix: subnet().Prefix, Enabled: true, MTU: 9000}
	reply, _, ok := server(t, n, host()).Answer(request(t, discover))
	require.True(t, ok)
	m, _ := open(t, reply)
	require.Equal(t, "10.0.0.1", text(m.options[optServer]))
	require.Empty(t, m.options[optRouter])
	require.Empty(t, m.options[optDNS])
	require.Nil(t, m.options[optStaticRoutes])
	require.Equal(t, []byte{0x23, 0x28}, m.options[optMTU])
}

func TestIdentifierOfTheClientIsReturned(t *testing.T) {
	id := []byte{1, 2, 0, 0, 0, 0, 5}
	reply, _, ok := server(t, subnet(), host()).Answer(request(t, discover, func(m *message) { m.options[optClient] = id }))
	require.True(t, ok)
	m, _ := open(t, reply)
	require.Equal(t, []byte{1, 2, 0, 0, 0, 0, 5}, m.options[optClient])
}

func TestMessageIsAsLongAsTheClientTakes(t *testing.T) {
	h := host()
	for _, code := range []string{"200", "201", "202"} {
		h.Options = append(h.Options, sdn.DHCPOption{Name: code, Value: strings.Repeat("x", 200)})
	}
	h.Options = append(h.Options, sdn.DHCPOption{Name: "domain-name", Value: "red.example"})
	s := server(t, subnet(), h)
	reply, _, ok := s.Answer(request(t, discover))
	require.True(t, ok)
	require.LessOrEqual(t, len(reply), 14+576)
	m, _ := open(t, reply)
	require.Equal(t, "red.example", string(m.options[15]), "what is too long is left out, what follows is not")
	require.Nil(t, m.options[202])

	most := func(n uint16) func(*message) {
		return func(m *message) { m.options[optMaxSize] = binary.BigEndian.AppendUint16(nil, n) }
	}
	reply, _, _ = s.Answer(request(t, discover, most(1500)))
	m, _ = open(t, reply)
	require.Len(t, m.options[202], 200)
	s = server(t, subnet(), host())
	long := func(m *message) { m.options[optClient] = make([]byte, 255) }
	reply, _, _ = s.Answer(request(t, discover, most(100), long))
	require.NotEmpty(t, reply)
	require.LessOrEqual(t, len(reply), 14+576)
}
