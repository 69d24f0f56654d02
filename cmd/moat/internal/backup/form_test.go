package backup

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is written is what the committed sample of its version says, and the samples of
// all versions are read. Who changes the form raises Version, has parse read the form
// before, and adds a sample.
func TestTheFormOfABackupIsThatOfItsVersion(t *testing.T) {
	sampleFile := func(version int) string { return fmt.Sprintf("testdata/backup.v%d", version) }
	b := sample()
	text, err := b.Encode()
	require.NoError(t, err)
	committed, err := os.ReadFile(sampleFile(Version))
	require.NoError(t, err)
	require.Equal(t, string(committed), string(text))
	for version := 1; version <= Version; version++ {
		got, err := Read(sampleFile(version))
		require.NoError(t, err, "version %d", version)
		require.Equal(t, sample().Files, got.Files)
		require.Len(t, got.Keys, len(sample().Keys))
	}
}
