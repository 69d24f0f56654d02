package delegations_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/moat/internal/delegations"
	"github.com/moatnet/moat/ipam"
)

func record(container string) delegations.Record {
	return delegations.Record{
		Attachment: ipam.Attachment{Node: "n1", Network: "moat", ContainerID: container, IfName: "eth0"},
		Env:        cniconf.Env{Command: "ADD", ContainerID: container, Path: "/opt/cni/bin"},
		Steps:      []delegations.Step{{Plugin: "host-local", IfName: "eth0", Config: []byte(`{}`), Result: []byte("r")}},
	}
}

func open(t *testing.T, dir string) *delegations.Store {
	t.Helper()
	s, err := delegations.Open(dir)
	require.NoError(t, err)
	return s
}

func TestFolderThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := delegations.Open(filepath.Join(file, "x"))
	require.ErrorContains(t, err, "create folder of delegations")
}

// One record that cannot be read hides no other, and is said with its file.
func TestRecordThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	require.NoError(t, s.Put(record("c1")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "broken.json"), []byte("{"), 0o600))
	all, err := s.All()
	require.ErrorContains(t, err, "broken.json")
	require.Equal(t, []delegations.Record{record("c1")}, all)
}

func TestWhatIsHalfWrittenIsClearedWhenItIsOld(t *testing.T) {
	dir := t.TempDir()
	old, young := filepath.Join(dir, "new-1"), filepath.Join(dir, "new-2")
	for _, f := range []string{old, young} {
		require.NoError(t, os.WriteFile(f, []byte("{"), 0o600))
	}
	require.NoError(t, os.Chtimes(old, time.Time{}, time.Now().Add(-2*time.Hour)))
	all, err := open(t, dir).All()
	require.NoError(t, err)
	require.Empty(t, all)
	require.NoFileExists(t, old)
	require.FileExists(t, young)
}

func TestRecordsOutliveTheProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "delegations")
	s := open(t, dir)
	_, there, err := s.Get(record("c1").Attachment)
	require.NoError(t, err)
	require.False(t, there)
	require.NoError(t, s.Put(record("c1")))
	require.NoError(t, s.Put(record("c2")))
	added := record("c1")
	added.Added = true
	require.NoError(t, s.Put(added))

	next := open(t, dir)
	got, there, err := next.Get(added.Attachment)
	require.NoError(t, err)
	require.True(t, there)
	require.Equal(t, added, got)
	all, err := next.All()
	require.NoError(t, err)
	require.ElementsMatch(t, []delegations.Record{added, record("c2")}, all)

	require.NoError(t, next.Remove(added.Attachment))
	require.NoError(t, next.Remove(added.Attachment), "repeated")
	all, err = s.All()
	require.NoError(t, err)
	require.Equal(t, []delegations.Record{record("c2")}, all)
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	info, err := files[0].Info()
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}
