package dataplane

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestEmptyFilesOfNamespacesGo has a process die beside a mount.
func TestEmptyFilesOfNamespacesGo(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string, age time.Duration) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		require.NoError(t, os.Chtimes(path, time.Time{}, time.Now().Add(-age)))
		return path
	}
	old, young, full := put("moat-old", "", time.Hour), put("moat-young", "", 10*time.Second), put("moat-full", "a user's", time.Hour)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "moat-folder"), 0o700))

	for _, name := range []string{"moat-old", "moat-full", "moat-folder", "moat-none"} {
		left, err := removeFile(dir, name, time.Minute)
		require.NoError(t, err, name)
		require.Zero(t, left, name)
	}
	left, err := removeFile(dir, "moat-young", time.Minute)
	require.NoError(t, err)
	require.InDelta(t, 50*time.Second, left, float64(10*time.Second))
	require.NoFileExists(t, old)
	require.FileExists(t, young, "another installation may be about to pin there")
	require.FileExists(t, full)
	require.DirExists(t, filepath.Join(dir, "moat-folder"))
}

func TestPinnedNamespacesAreNoEmptyFiles(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, createNamespace(dir, "moat-here", "stamp"))
	t.Cleanup(func() {
		require.NoError(t, removeNamespace(dir, "moat-here"))
		require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH))
	})
	_, err := removeFile(dir, "moat-here", 0)
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(dir, "moat-here"))
}
