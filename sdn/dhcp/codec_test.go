package dhcp

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
)

// written is a DHCPDISCOVER as another implementation writes it.
func written(t *testing.T) []byte {
	t.Helper()
	head, err := hex.DecodeString("0101060001020304000000000000000000000000000000000000000002000000000500000000000000000000")
	require.NoError(t, err)
	options, err := hex.DecodeString("638253630c03776562350101370401030f06390205dcff")
	require.NoError(t, err)
	m := append(append(head, make([]byte, cookieAt-len(head))...), options...)
	return append(m, make([]byte, minMessage-len(m))...)
}

func TestWhatIsNoMessageIsRefused(t *testing.T) {
	whole := written(t)
	end := bytes.IndexByte(whole[optionsAt:], optEnd) + optionsAt
	for n := range end {
		_, ok := decode(whole[:n])
		require.False(t, ok, "the first %d bytes", n)
	}
	_, ok := decode(whole[:end+1])
	require.True(t, ok)
	long := bytes.Clone(whole)
	long[2] = 17
	_, ok = decode(long)
	require.False(t, ok, "a hardware address of 17 bytes")
	other := bytes.Clone(whole)
	other[cookieAt]++
	_, ok = decode(other)
	require.False(t, ok, "BOOTP of other vendors")
	beyond := bytes.Clone(whole)
	beyond[optionsAt+1] = 255
	_, ok = decode(beyond)
	require.False(t, ok, "an option longer than the message")
}

func TestMessageIsReadAndWrittenAsOthersDo(t *testing.T) {
	whole := written(t)
	m, ok := decode(whole)
	require.True(t, ok)
	require.EqualValues(t, discover, m.kind())
	require.Equal(t, "web", string(m.options[12]))
	require.Equal(t, clientMAC, m.mac.String())
	require.True(t, m.client.IsUnspecified())
	require.Equal(t, whole, m.encode())
}

func TestOptionInPiecesIsOne(t *testing.T) {
	whole := written(t)
	pieces := append(bytes.Clone(whole[:optionsAt]), 12, 1, 'w', 0, 0, 12, 2, 'e', 'b', 255, 12, 1, 'x')
	m, ok := decode(pieces)
	require.True(t, ok)
	require.Equal(t, "web", string(m.options[12]))
	require.Zero(t, m.kind())
}
