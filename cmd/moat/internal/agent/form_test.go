package agent

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/storedtest"
)

func TestTheFormOfARecordOfNetworksIsThatOfItsVersion(t *testing.T) {
	one := storedNetworks{networkSchema, storedtest.Filled[networkRecord]()}
	storedtest.Hold(t, "networks", 0, networkSchema, storedtest.Forms{"record": one}, func(_ int, _ string, text []byte) error {
		got, err := decodeNetworks(text)
		require.Equal(t, one.networkRecord, got)
		return err
	})
}

func TestARecordOfNetworksOfANewerProgramIsLeftAlone(t *testing.T) {
	s := networkRecords{dir: t.TempDir()}
	rec := storedtest.Filled[networkRecord]()
	file := filepath.Join(s.folder(rec.Attachment), recordFile)
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
	require.NoError(t, os.WriteFile(file, []byte(`{"schema":9}`), 0o600))
	_, err := s.read(rec.Attachment)
	require.ErrorContains(t, err, file+": its form has version 9, this program knows 1")
	_, err = s.list()
	require.ErrorContains(t, err, "version 9")
}
