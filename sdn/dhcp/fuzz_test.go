package dhcp

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

// FuzzAnswer feeds frames as any pod may send them: none makes the server fail,
// and whatever is answered is a message to the one client that there is.
func FuzzAnswer(f *testing.F) {
	f.Add(request(f, discover))
	f.Add(request(f, ask, chosen("10.0.0.1"), wish("10.0.0.5")))
	f.Add(request(f, ask, has("10.0.0.5")))
	f.Add(request(f, inform, has("10.0.0.5")))
	f.Add(request(f, discover, func(m *message) {
		m.options[optMaxSize] = []byte{0xff, 0xff}
		m.options[optClient] = make([]byte, 255)
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
		require.EqualValues(t, opReply, m.op)
		require.Equal(t, clientMAC, m.mac.String())
		require.Equal(t, "10.0.0.1", text(m.options[optServer]))
	})
}

// maxReply is the longest frame at an MTU of 1400.
const maxReply = 14 + 1400
