package protocol

import (
	"encoding/base64"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/sdn/storedtest"
)

// A plugin and a daemon of one version understand each other, whichever builds they
// are: frames are as the version's sample says, header and all.
func TestFramesAreThoseOfTheirVersion(t *testing.T) {
	asked := storedtest.Filled[Request]()
	asked.Netns = 0 // it travels beside the payload
	request, err := requestFrame(asked)
	require.NoError(t, err)
	failed := Reply{Failure: &cniconf.Error{}}
	*failed.Failure = storedtest.Filled[cniconf.Error]()
	failure, err := ReplyFrame(failed)
	require.NoError(t, err)
	done := storedtest.Filled[Ran]()
	ran, err := RanFrame(done)
	require.NoError(t, err)
	storedtest.Hold(t, "frames", Version, Version, storedtest.Forms{"request": request, "failure": failure, "ran": ran}, func(_ int, form string, text []byte) error {
		var coded string
		require.NoError(t, json.Unmarshal(text, &coded))
		frame, err := base64.StdEncoding.DecodeString(coded)
		require.NoError(t, err)
		h, err := ParseHeader(frame)
		require.NoError(t, err)
		switch form {
		case "request":
			got, err := parseRequest(frame[headerSize:])
			require.Equal(t, asked, got)
			return err
		case "ran":
			got, err := ParseRan(frame[headerSize:])
			require.Equal(t, done, got)
			return err
		}
		got, err := ParseReply(h, frame[headerSize:])
		require.Equal(t, failed, got)
		return err
	})
}
