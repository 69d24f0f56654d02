package embedetcd

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPathTooLongForASocketIsNamed(t *testing.T) {
	_, err := Start(t.Context(), Config{Dir: t.TempDir() + "/" + strings.Repeat("x", 100)})
	require.ErrorContains(t, err, "path too long")
}

func TestDataSurvivesARestart(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	dir, err := os.MkdirTemp("", "etcd")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })

	s, err := Start(ctx, Config{Dir: dir})
	require.NoError(t, err)
	_, err = s.Client().Put(ctx, "k", "v")
	require.NoError(t, err)
	s.Close()

	s, err = Start(ctx, Config{Dir: dir})
	require.NoError(t, err)
	defer s.Close()
	got, err := s.Client().Get(ctx, "k")
	require.NoError(t, err)
	require.Len(t, got.Kvs, 1)
	require.Equal(t, "v", string(got.Kvs[0].Value))
	st, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), st.Mode().Perm())
	for _, socket := range []string{"etcd.sock", "peer.sock"} {
		st, err := os.Stat(filepath.Join(dir, socket))
		require.NoError(t, err, "not in the folder, and so open to everybody")
		require.Equal(t, os.ModeSocket, st.Mode().Type(), socket)
	}
}
