package dhcp

import (
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

// FuzzAnswer feeds frames as any pod may send them: none makes the server fail,
// and whatever is answered is a message to the one client that there is.
func FuzzAnswer(f *testing.F) {
	f.Add(request(f, dhcpv4.MessageTypeDiscover))
	f.Add(request(f, dhcpv4.MessageTypeRequest, chosen("10.0.0.1"), wish("10.0.0.5")))
	f.Add(request(f, dhcpv4.MessageTypeRequest, has("10.0.0.5")))
	f.Add(request(f, dhcpv4.MessageTypeInform, has("10.0.0.5")))
	f.Add(request(f, dhcpv4.MessageTypeDiscover, func(m *dhcpv4.DHCPv4) {
		m.UpdateOption(dhcpv4.OptMaxMessageSize(65535))
		m.UpdateOption(dhcpv4.OptClientIdentifier(make([]byte, 255)))
	}))
	h := host()
	h.Options = []sdn.DHCPOption{{Name: "router", Value: "10.0.0.9"}, {Name: "200", Value: "0x00"}}
	s := server(f, subnet(), h)
	f.Fuzz(func(t *testing.T, frame []byte) {
		reply, to, ok := s.Answer(frame)
		if !ok {
			return
		}
		require.Equal(t, clientMAC, to.String())
		require.LessOrEqual(t, len(reply), maxReply)
		m, _ := open(t, reply)
		require.Equal(t, dhcpv4.OpcodeBootReply, m.OpCode)
		require.Equal(t, clientMAC, m.ClientHWAddr.String())
		require.Equal(t, "10.0.0.1", m.ServerIdentifier().String())
	})
}

// maxReply is the longest frame at an MTU of 1400.
const maxReply = 14 + 1400
