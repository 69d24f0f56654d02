package delegations

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/storedtest"
)

func TestTheFormOfANoteIsThatOfItsVersion(t *testing.T) {
	note := stored{schema, storedtest.Filled[Record]()}
	storedtest.Hold(t, "delegation", 0, schema, storedtest.Forms{"note": note}, func(_ int, _ string, text []byte) error {
		got, err := decode(text)
		require.Equal(t, note.Record, got)
		return err
	})
}

func TestANoteOfANewerProgramIsLeftAlone(t *testing.T) {
	s, err := Open(t.TempDir())
	require.NoError(t, err)
	r := storedtest.Filled[Record]()
	const newer = `{"schema":9,"attachment":{},"more":true}`
	require.NoError(t, os.WriteFile(s.file(r.Attachment), []byte(newer), 0o600))
	_, _, err = s.Get(r.Attachment)
	require.ErrorIs(t, err, ErrNewer)
	require.ErrorContains(t, err, s.file(r.Attachment)+": its form has version 9, this program knows 1")
	_, err = s.All()
	require.ErrorIs(t, err, ErrNewer)
	require.ErrorIs(t, s.Put(r), ErrNewer)
	text, err := os.ReadFile(s.file(r.Attachment))
	require.NoError(t, err)
	require.Equal(t, newer, string(text))
}
