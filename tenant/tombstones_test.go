package tenant

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
)

func TestTombstonesOutliveTheProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tombstones")
	a := ipam.Attachment{Node: "n", Network: "m", ContainerID: "c", IfName: "eth0"}
	first, err := openTombstones(dir)
	require.NoError(t, err)
	require.NoError(t, first.add(a))
	second, err := openTombstones(dir)
	require.NoError(t, err)
	require.True(t, second.has(a))
	require.NoError(t, second.remove(a))
	require.NoError(t, first.remove(a), "another process was faster")
}

func TestATombstoneThatCannotBeReadIsNotSkipped(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "x.json"), []byte("{"), 0o600))
	_, err := openTombstones(dir)
	require.ErrorContains(t, err, "x.json")
}

// Processes that share the directory come and go.
func TestTombstonesOfManyProcesses(t *testing.T) {
	dir := t.TempDir()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 20 {
				mine, err := openTombstones(dir)
				if err != nil {
					t.Error(err)
					return
				}
				a := ipam.Attachment{Node: "n", Network: "m", ContainerID: fmt.Sprintf("c%d-%d", i, j), IfName: "eth0"}
				if err := mine.add(a); err != nil {
					t.Error(err)
				}
				if err := mine.remove(a); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestHalfWrittenTombstonesAreRemovedWhenOld(t *testing.T) {
	dir := t.TempDir()
	old, fresh := filepath.Join(dir, "new-1"), filepath.Join(dir, "new-2")
	require.NoError(t, os.WriteFile(old, []byte("{"), 0o600))
	require.NoError(t, os.WriteFile(fresh, []byte("{"), 0o600))
	yesterday := time.Now().Add(-24 * time.Hour)
	require.NoError(t, os.Chtimes(old, yesterday, yesterday))
	_, err := openTombstones(dir)
	require.NoError(t, err)
	require.NoFileExists(t, old)
	require.FileExists(t, fresh, "somebody may be writing it")
}
