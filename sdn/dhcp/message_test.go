package dhcp

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/stretchr/testify/require"
)

// Offsets in a message, in bytes.
const (
	cookieAt  = 236
	optionsAt = 240
)

// written is a DHCPREQUEST for an address, byte by byte, with options after it.
func written(t *testing.T, options ...byte) []byte {
	t.Helper()
	head, err := hex.DecodeString("0101060001020304000000000000000000000000000000000000000002000000000500000000000000000000")
	require.NoError(t, err)
	m := append(append(head, make([]byte, cookieAt-len(head))...), 0x63, 0x82, 0x53, 0x63, 53, 1, 3)
	return append(m, options...)
}

func TestWhatIsNoMessageIsIgnored(t *testing.T) {
	s := server(t, subnet(), host())
	answered := func(m []byte) bool {
		_, _, ok := s.Answer(wrap(t, clientMAC, "255.255.255.255", m))
		return ok
	}
	whole := written(t, 12, 3, 'w', 'e', 'b', 50, 4, 10, 0, 0, 5, 255)
	require.True(t, answered(whole))
	for n := range whole {
		require.False(t, answered(whole[:n]), "the first %d bytes", n)
	}
	for name, change := range map[string]func([]byte){
		"a hardware address of 17 bytes":    func(m []byte) { m[2] = 17 },
		"a hardware address of 255 bytes":   func(m []byte) { m[2] = 255 },
		"BOOTP of other vendors":            func(m []byte) { m[cookieAt]++ },
		"an option longer than the message": func(m []byte) { m[optionsAt+4] = 255 },
	} {
		m := bytes.Clone(whole)
		change(m)
		require.False(t, answered(m), name)
	}
	require.False(t, answered(written(t, 53, 1, 3, 50, 4, 10, 0, 0, 5, 255)), "a kind of two bytes")
}

func TestOptionInPiecesIsOne(t *testing.T) {
	s := server(t, subnet(), host())
	reply, _, ok := s.Answer(wrap(t, clientMAC, "255.255.255.255", written(t, 50, 1, 10, 0, 0, 50, 3, 0, 0, 5, 255, 50, 1, 6)))
	require.True(t, ok)
	m, _ := open(t, reply)
	require.Equal(t, dhcpv4.MessageTypeAck, m.MessageType(), "what follows the end is none of it")
}

func TestAnswerIsAsLongAsBOOTPClientsInsistOn(t *testing.T) {
	for name, frame := range map[string][]byte{
		"an acknowledgement": written(t, 50, 4, 10, 0, 0, 5, 255),
		"a refusal":          written(t, 50, 4, 10, 0, 0, 6, 255),
	} {
		reply, _, ok := server(t, subnet(), host()).Answer(wrap(t, clientMAC, "255.255.255.255", frame))
		require.True(t, ok, name)
		require.GreaterOrEqual(t, len(reply), 14+28+300, name)
	}
}
