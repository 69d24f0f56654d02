package dhcp

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
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
func request(t testing.TB, kind dhcpv4.MessageType, change ...func(*dhcpv4.DHCPv4)) []byte {
	t.Helper()
	m, err := dhcpv4.New(dhcpv4.WithTransactionID(dhcpv4.TransactionID{1, 2, 3, 4}), dhcpv4.WithHwAddr(mac(t, clientMAC)))
	require.NoError(t, err)
	if kind != dhcpv4.MessageTypeNone {
		m.UpdateOption(dhcpv4.OptMessageType(kind))
	}
	for _, f := range change {
		f(m)
	}
	return wrap(t, clientMAC, "255.255.255.255", m.ToBytes())
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
func open(t testing.TB, frame []byte) (*dhcpv4.DHCPv4, netip.Addr) {
	t.Helper()
	require.EqualValues(t, 0x0800, binary.BigEndian.Uint16(frame[12:]))
	ip := frame[14:]
	require.EqualValues(t, len(ip), binary.BigEndian.Uint16(ip[2:]), "total length")
	require.Equal(t, uint16(0xffff), sum(0, ip[:20]), "IPv4 checksum")
	udp := ip[20:]
	require.Equal(t, uint16(0xffff), sum(uint32(sum(uint32(17+len(udp)), ip[12:20])), udp), "UDP checksum")
	require.EqualValues(t, 67, binary.BigEndian.Uint16(udp))
	require.EqualValues(t, 68, binary.BigEndian.Uint16(udp[2:]))
	m, err := dhcpv4.FromBytes(udp[8:])
	require.NoError(t, err)
	return m, netip.AddrFrom4([4]byte(ip[16:20]))
}

func wish(addr string) func(*dhcpv4.DHCPv4) {
	return func(m *dhcpv4.DHCPv4) {
		m.UpdateOption(dhcpv4.OptRequestedIPAddress(net.ParseIP(addr)))
	}
}

func chosen(addr string) func(*dhcpv4.DHCPv4) {
	return func(m *dhcpv4.DHCPv4) { m.UpdateOption(dhcpv4.OptServerIdentifier(net.ParseIP(addr))) }
}

func has(addr string) func(*dhcpv4.DHCPv4) {
	return func(m *dhcpv4.DHCPv4) { m.ClientIPAddr = net.ParseIP(addr) }
}

func TestNobodyElseIsAnswered(t *testing.T) {
	s := server(t, subnet(), host())
	silent := map[string][]byte{
		"an inform":         request(t, dhcpv4.MessageTypeInform, has("10.0.0.5")),
		"a release":         request(t, dhcpv4.MessageTypeRelease, has("10.0.0.5")),
		"a decline":         request(t, dhcpv4.MessageTypeDecline, wish("10.0.0.5")),
		"an offer":          request(t, dhcpv4.MessageTypeOffer),
		"no type":           request(t, dhcpv4.MessageTypeNone),
		"a reply":           request(t, dhcpv4.MessageTypeDiscover, func(m *dhcpv4.DHCPv4) { m.OpCode = dhcpv4.OpcodeBootReply }),
		"a relay's":         request(t, dhcpv4.MessageTypeDiscover, func(m *dhcpv4.DHCPv4) { m.GatewayIPAddr = net.IPv4(10, 0, 0, 9) }),
		"another's MAC":     request(t, dhcpv4.MessageTypeDiscover, func(m *dhcpv4.DHCPv4) { m.ClientHWAddr[5]++ }),
		"a longer MAC":      request(t, dhcpv4.MessageTypeDiscover, func(m *dhcpv4.DHCPv4) { m.ClientHWAddr = append(m.ClientHWAddr, 0) }),
		"no Ethernet":       request(t, dhcpv4.MessageTypeDiscover, func(m *dhcpv4.DHCPv4) { m.HWType = 6 }),
		"to another server": request(t, dhcpv4.MessageTypeRequest, chosen("10.0.0.9"), wish("10.0.0.5")),
		"routed elsewhere":  wrap(t, clientMAC, "192.0.2.7", request(t, dhcpv4.MessageTypeDiscover)[42:]),
		"unknown":           wrap(t, "02:00:00:00:00:06", "255.255.255.255", request(t, dhcpv4.MessageTypeDiscover)[42:]),
		"empty":             wrap(t, clientMAC, "255.255.255.255", nil),
	}
	fragmented := request(t, dhcpv4.MessageTypeDiscover)
	fragmented[20] = 0x20
	silent["a fragment"] = fragmented
	for name, frame := range silent {
		_, _, ok := s.Answer(frame)
		require.False(t, ok, name)
	}
	whole := request(t, dhcpv4.MessageTypeDiscover)
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
	for kind, frame := range map[dhcpv4.MessageType][]byte{
		dhcpv4.MessageTypeOffer: request(t, dhcpv4.MessageTypeDiscover),
		dhcpv4.MessageTypeAck:   request(t, dhcpv4.MessageTypeRequest, chosen("10.0.0.2"), wish("10.0.0.5")),
	} {
		reply, to, ok := s.Answer(frame)
		require.True(t, ok)
		require.Equal(t, clientMAC, to.String())
		m, dst := open(t, reply)
		require.Equal(t, kind, m.MessageType())
		require.Equal(t, clientMAC, net.HardwareAddr(reply[:6]).String())
		require.Equal(t, "02:00:00:00:00:01", net.HardwareAddr(reply[6:12]).String())
		require.Equal(t, "10.0.0.5", dst.String(), "it has no address yet, and is told by its MAC")
		require.Equal(t, "10.0.0.5", m.YourIPAddr.String())
		require.Equal(t, "10.0.0.2", m.ServerIdentifier().String())
		require.Equal(t, "ffffff00", m.SubnetMask().String())
		require.Equal(t, "10.0.0.1", m.Router()[0].String())
		require.Len(t, m.DNS(), 2)
		require.Equal(t, []byte{5, 120}, m.GetOneOption(dhcpv4.OptionInterfaceMTU), "1400, of the bridge")
		require.GreaterOrEqual(t, m.IPAddressLeaseTime(0), time.Hour)
		require.Less(t, m.IPAddressRenewalTime(0), m.IPAddressRebindingTime(0))
		require.Less(t, m.IPAddressRebindingTime(0), m.IPAddressLeaseTime(0))
		require.Equal(t, []byte{25, 192, 0, 2, 128, 10, 0, 0, 3, 0, 10, 0, 0, 1}, m.GetOneOption(dhcpv4.OptionClasslessStaticRoute))
	}
}

func TestWhoAsksForAnotherAddressIsTold(t *testing.T) {
	s := server(t, subnet(), host())
	for name, frame := range map[string][]byte{
		"selecting":  request(t, dhcpv4.MessageTypeRequest, chosen("10.0.0.1"), wish("10.0.0.6")),
		"rebooting":  request(t, dhcpv4.MessageTypeRequest, wish("192.168.1.6")),
		"rebinding":  request(t, dhcpv4.MessageTypeRequest, has("10.0.0.6")),
		"no address": request(t, dhcpv4.MessageTypeRequest),
	} {
		reply, _, ok := s.Answer(frame)
		require.True(t, ok, name)
		m, dst := open(t, reply)
		require.Equal(t, dhcpv4.MessageTypeNak, m.MessageType(), name)
		require.Equal(t, "255.255.255.255", dst.String())
		require.Equal(t, "ff:ff:ff:ff:ff:ff", net.HardwareAddr(reply[:6]).String())
		require.True(t, m.YourIPAddr.Equal(net.IPv4zero))
	}
}

func TestWhoKeepsItsAddressIsAcknowledged(t *testing.T) {
	s := server(t, subnet(), host())
	renewing := request(t, dhcpv4.MessageTypeRequest, has("10.0.0.5"))
	for name, frame := range map[string][]byte{
		"rebooting": request(t, dhcpv4.MessageTypeRequest, wish("10.0.0.5")),
		"rebinding": renewing,
		"renewing":  wrap(t, clientMAC, "10.0.0.1", renewing[42:]),
	} {
		reply, _, ok := s.Answer(frame)
		require.True(t, ok, name)
		m, dst := open(t, reply)
		require.Equal(t, dhcpv4.MessageTypeAck, m.MessageType(), name)
		require.Equal(t, "10.0.0.5", dst.String())
	}
}

func TestClientThatCannotTakeUnicastGetsABroadcast(t *testing.T) {
	reply, _, ok := server(t, subnet(), host()).Answer(request(t, dhcpv4.MessageTypeDiscover, func(m *dhcpv4.DHCPv4) { m.SetBroadcast() }))
	require.True(t, ok)
	m, dst := open(t, reply)
	require.True(t, m.IsBroadcast())
	require.Equal(t, "255.255.255.255", dst.String())
	require.Equal(t, "ff:ff:ff:ff:ff:ff", net.HardwareAddr(reply[:6]).String())
}

func TestSubnetWithoutAnythingStillNamesAServer(t *testing.T) {
	n := sdn.DHCPSubnet{Prefix: subnet().Prefix, Enabled: true, MTU: 9000}
	reply, _, ok := server(t, n, host()).Answer(request(t, dhcpv4.MessageTypeDiscover))
	require.True(t, ok)
	m, _ := open(t, reply)
	require.Equal(t, "10.0.0.1", m.ServerIdentifier().String())
	require.False(t, m.Options.Has(dhcpv4.OptionRouter))
	require.False(t, m.Options.Has(dhcpv4.OptionDomainNameServer))
	require.Nil(t, m.GetOneOption(dhcpv4.OptionClasslessStaticRoute))
	require.Equal(t, []byte{0x23, 0x28}, m.GetOneOption(dhcpv4.OptionInterfaceMTU))
}

func TestIdentifierOfTheClientIsReturned(t *testing.T) {
	id := dhcpv4.OptClientIdentifier([]byte{1, 2, 0, 0, 0, 0, 5})
	reply, _, ok := server(t, subnet(), host()).Answer(request(t, dhcpv4.MessageTypeDiscover, func(m *dhcpv4.DHCPv4) { m.UpdateOption(id) }))
	require.True(t, ok)
	m, _ := open(t, reply)
	require.Equal(t, []byte{1, 2, 0, 0, 0, 0, 5}, m.GetOneOption(dhcpv4.OptionClientIdentifier))
}

func TestMessageIsAsLongAsTheClientTakes(t *testing.T) {
	h := host()
	for _, code := range []string{"200", "201", "202"} {
		h.Options = append(h.Options, sdn.DHCPOption{Name: code, Value: strings.Repeat("x", 200)})
	}
	h.Options = append(h.Options, sdn.DHCPOption{Name: "domain-name", Value: "red.example"})
	s := server(t, subnet(), h)
	reply, _, ok := s.Answer(request(t, dhcpv4.MessageTypeDiscover))
	require.True(t, ok)
	require.LessOrEqual(t, len(reply), 14+576)
	m, _ := open(t, reply)
	require.Equal(t, "red.example", m.DomainName(), "what is too long is left out, what follows is not")
	require.Nil(t, m.GetOneOption(dhcpv4.GenericOptionCode(202)))

	most := func(n uint16) func(*dhcpv4.DHCPv4) {
		return func(m *dhcpv4.DHCPv4) { m.UpdateOption(dhcpv4.OptMaxMessageSize(n)) }
	}
	reply, _, _ = s.Answer(request(t, dhcpv4.MessageTypeDiscover, most(1500)))
	m, _ = open(t, reply)
	require.Len(t, m.GetOneOption(dhcpv4.GenericOptionCode(202)), 200)
	s = server(t, subnet(), host())
	long := func(m *dhcpv4.DHCPv4) { m.Options[dhcpv4.OptionClientIdentifier.Code()] = make([]byte, 900) }
	for _, n := range []uint16{100, 1500} {
		reply, _, _ = s.Answer(request(t, dhcpv4.MessageTypeDiscover, most(n), long))
		require.NotEmpty(t, reply)
		require.LessOrEqual(t, len(reply), 14+576)
		m, _ = open(t, reply)
		require.Nil(t, m.GetOneOption(dhcpv4.OptionClientIdentifier), "%d: no option holds it", n)
	}
}

func TestRoomInAMessageIsUsedToTheLastByte(t *testing.T) {
	longest := 0
	for n := 1; n <= 255; n++ {
		h := host()
		for _, length := range []int{1, n} { // the second comes in place of the first
			h.Options = append(h.Options, sdn.DHCPOption{Name: "200", Value: strings.Repeat("x", length)})
		}
		h.Options = append(h.Options, sdn.DHCPOption{Name: "201", Value: strings.Repeat("x", 40)})
		reply, _, ok := server(t, subnet(), h).Answer(request(t, dhcpv4.MessageTypeDiscover))
		require.True(t, ok)
		m, _ := open(t, reply)
		if m.Options[201] != nil {
			longest = max(longest, len(reply))
		}
	}
	require.Equal(t, 14+576, longest)
}
