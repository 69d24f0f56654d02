package tenant

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn/storedtest"
)

func TestTheFormOfATombstoneIsThatOfItsVersion(t *testing.T) {
	one := tombstone{tombstoneSchema, storedtest.Filled[ipam.Attachment]()}
	storedtest.Hold(t, "tombstone", 0, tombstoneSchema, storedtest.Forms{"tombstone": one}, func(_ int, _ string, text []byte) error {
		got, err := decodeTombstone(text)
		require.Equal(t, one.Attachment, got)
		return err
	})
}

func TestATombstoneOfANewerProgramKeepsThisOneFromStarting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"schema":9}`), 0o600))
	_, err := openTombstones(filepath.Dir(path))
	require.ErrorIs(t, err, ipam.ErrNewer)
	require.ErrorContains(t, err, path+": its form has version 9, this program knows 1")
	require.FileExists(t, path)
}
