package node

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/containernetworking/cni/libcni"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/moatnet/moat/cmd/moat/internal/config"
	"github.com/moatnet/moat/sdn"
)

func TestSecretOpenToOthersIsRefused(t *testing.T) {
	f := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(f, []byte("s3cret\n"), 0o644))
	_, err := readSecret(f)
	require.ErrorContains(t, err, "open to others")
	require.NotContains(t, err.Error(), "s3cret")

	require.NoError(t, os.Chmod(f, 0o600))
	got, err := readSecret(f)
	require.NoError(t, err)
	require.Equal(t, "s3cret", got)
}

func TestSecondDaemonInADataDirectoryIsRefused(t *testing.T) {
	dir := t.TempDir()
	unlock, err := lockDataDir(dir)
	require.NoError(t, err)
	_, err = lockDataDir(dir)
	require.ErrorContains(t, err, "in use by another moat")
	unlock()
	unlock, err = lockDataDir(dir)
	require.NoError(t, err)
	unlock()
}

func TestPasswordAndHostIDAreMadeOnceAndPrivate(t *testing.T) {
	dir := t.TempDir()
	first, err := adminPassword(dir)
	require.NoError(t, err)
	second, err := adminPassword(dir)
	require.NoError(t, err)
	require.Equal(t, first, second)
	require.Len(t, first, 32)
	require.NotContains(t, first, ":", "MidoNet's login splits at colons")
	st, err := os.Stat(filepath.Join(dir, "admin.password"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), st.Mode().Perm())

	a, err := hostID(config.Config{DataDir: dir})
	require.NoError(t, err)
	b, err := hostID(config.Config{DataDir: dir})
	require.NoError(t, err)
	require.Equal(t, a, b)
}

// Plugins that are their own agents share a data directory.
func TestOfManyProcessesOneMakesTheHostID(t *testing.T) {
	dir := t.TempDir()
	var all sync.WaitGroup
	got := make([]sdn.HostID, 50)
	for i := range got {
		all.Go(func() {
			var err error
			got[i], err = hostID(config.Config{DataDir: dir})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.Len(t, slices.Compact(got), 1)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "no temporary file stays")
}

func TestEmptyHostIDIsNotReplacedInSilence(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "host_id"), nil, 0o600))
	_, err := hostID(config.Config{DataDir: dir})
	require.ErrorContains(t, err, "host_id is empty")
}

func TestConfListIsOneThatRuntimesRead(t *testing.T) {
	c := config.Config{Name: "moat", CNIConfDir: filepath.Join(t.TempDir(), "net.d"), Socket: "/run/moat/moat.sock"}
	require.NoError(t, writeConfList(c, 1400))
	list, err := libcni.ConfListFromFile(ConfListPath(c))
	require.NoError(t, err)
	require.Equal(t, "1.1.0", list.CNIVersion)
	require.Equal(t, "moat-cni", list.Plugins[0].Network.Type)
	entries, err := os.ReadDir(c.CNIConfDir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "no temporary file stays")
}

// What one writer has not placed yet is no dead writer's to another.
func TestWritersAtOnceDoNotClearEachOthersFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list")
	var all errgroup.Group
	for range 8 {
		all.Go(func() error {
			for range 50 {
				if err := writeAtomically(path, []byte("x"), 0o600); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, all.Wait())
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 1)
}
