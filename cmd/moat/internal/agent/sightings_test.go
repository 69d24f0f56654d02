package agent

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestANamespaceIsKnownWhereOthersWereSeen(t *testing.T) {
	var s sightings
	dir := t.TempDir()
	pod := func(name string) (*os.File, uint64) { // a file does for a namespace: it has an inode
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		f, err := os.Open(path)
		require.NoError(t, err)
		t.Cleanup(func() { _ = f.Close() })
		var st syscall.Stat_t
		require.NoError(t, syscall.Stat(path, &st))
		return f, st.Ino
	}
	first, _ := pod("first")
	require.Zero(t, s.inode(nil, first.Name()))
	require.Zero(t, s.inode(first, filepath.Join(dir, "elsewhere")), "where nothing was seen it may be hidden")
	second, inode := pod("second")
	require.Zero(t, s.inode(first, second.Name()), "another one's")
	require.Equal(t, inode, s.inode(second, second.Name()))

	third, inode := pod("third")
	require.NoError(t, os.Remove(third.Name()))
	require.Equal(t, inode, s.inode(third, third.Name()), "it ended during its ADD")
	require.Equal(t, inode, s.inode(third, second.Name()), "and another one is there")
	require.Zero(t, s.inode(third, filepath.Join(dir, "hidden", "third")), "of another folder nothing is known")
}
