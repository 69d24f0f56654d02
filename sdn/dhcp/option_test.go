package dhcp

import (
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

func TestOptionsThatCannotBeSentAreRefused(t *testing.T) {
	for _, c := range []struct {
		name, value string
		want        error
	}{
		{"no-such-option", "x", sdn.ErrUnsupported},
		{"", "x", sdn.ErrUnsupported},
		{"256", "x", sdn.ErrUnsupported},
		{"-1", "x", sdn.ErrUnsupported},
		{"0", "x", sdn.ErrUnsupported},
		{"51", "60", sdn.ErrUnsupported},
		{"53", "5", sdn.ErrUnsupported},
		{"54", "10.0.0.9", sdn.ErrUnsupported},
		{"255", "x", sdn.ErrUnsupported},
		{"router", "gateway", sdn.ErrInvalid},
		{"router", "2001:db8::1", sdn.ErrInvalid},
		{"3", "", sdn.ErrInvalid},
		{"mtu", "65536", sdn.ErrInvalid},
		{"ip-forward-enable", "maybe", sdn.ErrInvalid},
		{"domain-name", "", sdn.ErrInvalid},
		{"domain-name", strings.Repeat("x", 256), sdn.ErrInvalid},
		{"classless-static-route", "10.0.0.0/8", sdn.ErrInvalid},
		{"classless-static-route", "10.0.0.0/33,10.0.0.1", sdn.ErrInvalid},
		{"200", "0xabc", sdn.ErrInvalid},
		{"server-ip-address", "1.2.3", sdn.ErrInvalid},
	} {
		h := host()
		h.Options = []sdn.DHCPOption{{Name: c.name, Value: c.value}}
		require.ErrorIs(t, CheckHost(h), c.want, "%s=%s", c.name, c.value)
	}
}

func TestOptionsByNameAndNumber(t *testing.T) {
	for _, c := range []struct {
		name, value string
		code        uint8
		want        string
	}{
		{"ntp-server", "192.0.2.1, 192.0.2.2", 42, "\xc0\x00\x02\x01\xc0\x00\x02\x02"},
		{"NTP-Server", "192.0.2.1", 42, "\xc0\x00\x02\x01"},
		{"42", "192.0.2.1", 42, "\xc0\x00\x02\x01"},
		{"mtu", "1280", 26, "\x05\x00"},
		{"default-ttl", "64", 23, "\x40"},
		{"arp-timeout", "60", 35, "\x00\x00\x00\x3c"},
		{"ip-forward-enable", "true", 19, "\x01"},
		{"19", "0", 19, "\x00"},
		{"bootfile-name", "pxe.0", 67, "pxe.0"},
		{"classless-static-route", "10.0.0.0/8,10.0.0.2", 121, "\x08\x0a\x0a\x00\x00\x02"},
		{"classless-static-route", "192.0.2.129/25,10.0.0.2", 121, "\x19\xc0\x00\x02\x80\x0a\x00\x00\x02"},
		{"200", "text", 200, "text"},
		{"201", "0x00ff", 201, "\x00\xff"},
		{"202", "192.0.2.1", 202, "\xc0\x00\x02\x01"},
	} {
		h := host()
		h.Options = []sdn.DHCPOption{{Name: c.name, Value: c.value}}
		require.NoError(t, CheckHost(h))
		reply, _, ok := server(t, subnet(), h).Answer(request(t, dhcpv4.MessageTypeDiscover))
		require.True(t, ok)
		m, _ := open(t, reply)
		require.Equal(t, c.want, string(m.GetOneOption(dhcpv4.GenericOptionCode(c.code))), c.name)
	}
}

func TestNextServerIsNoOption(t *testing.T) {
	h := host()
	h.Options = []sdn.DHCPOption{{Name: "server-ip-address", Value: "192.0.2.9"}}
	require.NoError(t, CheckHost(h))
	reply, _, ok := server(t, subnet(), h).Answer(request(t, dhcpv4.MessageTypeDiscover))
	require.True(t, ok)
	m, _ := open(t, reply)
	require.Equal(t, "192.0.2.9", m.ServerIPAddr.String())
}
