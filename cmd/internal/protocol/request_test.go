package protocol

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/cniconf"
)

func TestRequestThatIsCutOffOrTooLong(t *testing.T) {
	want := Request{Caller: CallerCNI, Timeout: time.Second, Config: []byte("{}"),
		Env: cniconf.Env{Command: "ADD", ContainerID: "c1", Netns: "/n", IfName: "eth0", Args: "a=b", Path: "/p", NetnsOverride: "1"}}
	frame, err := requestFrame(want)
	require.NoError(t, err)
	payload := frame[headerSize:]
	got, err := parseRequest(payload)
	require.NoError(t, err)
	require.Equal(t, want, got)
	for n := range payload {
		_, err := parseRequest(payload[:n])
		require.ErrorIs(t, err, ErrFormat, "cut off after %d bytes", n)
	}
	_, err = parseRequest(append(payload, 0))
	require.ErrorIs(t, err, ErrFormat)
}

func FuzzRequest(f *testing.F) {
	frame, err := requestFrame(Request{Caller: CallerIPAM, Config: []byte("{}")})
	require.NoError(f, err)
	f.Add(frame[headerSize:])
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, payload []byte) {
		r, err := parseRequest(payload)
		if err != nil {
			return
		}
		again, err := requestFrame(r)
		require.NoError(t, err)
		require.Equal(t, payload, again[headerSize:])
	})
}
