package agent

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/moat/internal/netsource"
	"github.com/moatnet/moat/ipam"
)

// fake is a plugin that notes in $OUT what it was called for.
const fake = `#!/bin/sh
echo "$CNI_COMMAND $CNI_IFNAME '$CNI_NETNS'" >> "$(dirname "$0")/out"
`

// recorded is an agent with one record, whose pod's namespace is a file.
func recorded(t *testing.T, change func(*networkRecord)) (a *Agent, rec networkRecord, calls func() string) {
	bin, pod := t.TempDir(), filepath.Join(t.TempDir(), "pod")
	require.NoError(t, os.WriteFile(filepath.Join(bin, "fake"), []byte(fake), 0o700))
	require.NoError(t, os.WriteFile(pod, nil, 0o600))
	var st unix.Stat_t
	require.NoError(t, unix.Stat(pod, &st))
	a = &Agent{node: "n", boot: "boot", timeout: time.Minute, log: slog.New(slog.DiscardHandler), networks: networkRecords{dir: t.TempDir()}}
	rec = networkRecord{
		Attachment: ipam.Attachment{Node: "n", Network: "m", ContainerID: "c", IfName: "eth0"},
		Env:        cniconf.Env{Command: cniconf.Add, ContainerID: "c", IfName: "eth0", Netns: pod, Path: bin},
		Config:     []byte(`{"cniVersion":"1.1.0","name":"m","type":"moat-cni"}`), PodInode: st.Ino, BootID: "boot", At: time.Now(), Done: true,
		Steps: []netsource.Step{{Entry: netsource.Entry{Network: "x", IfName: "eth0", Master: true}, List: []byte(`{"cniVersion":"1.0.0","name":"x","plugins":[{"type":"fake"}]}`)}},
	}
	change(&rec)
	require.NoError(t, a.networks.write(rec))
	return a, rec, func() string {
		b, err := os.ReadFile(filepath.Join(bin, "out"))
		if err != nil {
			require.ErrorIs(t, err, os.ErrNotExist)
		}
		return string(b)
	}
}

// sweeps looks n times and says whether the record is kept.
func sweeps(t *testing.T, a *Agent, at ipam.Attachment, n int) bool {
	var gone map[ipam.Attachment]time.Time
	for range n {
		var err error
		gone, err = a.sweepNetworks(t.Context(), gone)
		require.NoError(t, err)
	}
	rec, err := a.networks.read(at)
	require.NoError(t, err)
	return rec != nil
}

func TestNetworksOfALivingPodAreLeftAlone(t *testing.T) {
	for name, change := range map[string]func(*networkRecord){
		"it is in place":           func(*networkRecord) {},
		"its ADD may be under way": func(r *networkRecord) { r.Done = false },
		"it was never seen here":   func(r *networkRecord) { r.PodInode, r.Env.Netns = 0, "/nowhere/pod" },
		"it is of another node":    func(r *networkRecord) { r.Attachment.Node, r.BootID = "o", "before" },
	} {
		t.Run(name, func(t *testing.T) {
			a, rec, calls := recorded(t, change)
			require.True(t, sweeps(t, a, rec.Attachment, 3))
			require.Empty(t, calls())
		})
	}
}

func TestNetworksThatNobodyNeedsAreUndone(t *testing.T) {
	for name, change := range map[string]func(*networkRecord){
		"the node was started again":    func(r *networkRecord) { r.BootID = "before" },
		"the namespace is gone":         func(r *networkRecord) { require.NoError(t, os.Remove(r.Env.Netns)) },
		"another is at its path":        func(r *networkRecord) { r.PodInode++ },
		"its ADD came to no end before": func(r *networkRecord) { r.Done, r.At, r.PodInode = false, time.Now().Add(-time.Hour), 0 },
	} {
		t.Run(name, func(t *testing.T) {
			a, rec, calls := recorded(t, change)
			require.True(t, sweeps(t, a, rec.Attachment, 1), "once is no proof")
			require.False(t, sweeps(t, a, rec.Attachment, 2))
			require.Equal(t, "DEL eth0 ''\n", calls(), "what is at the path of its namespace is another's")
		})
	}
}

func TestALaterAddOfTheNameIsAnother(t *testing.T) {
	a, rec, calls := recorded(t, func(r *networkRecord) { r.BootID = "before" })
	gone, err := a.sweepNetworks(t.Context(), nil)
	require.NoError(t, err)
	later := rec
	later.At = rec.At.Add(time.Second)
	require.NoError(t, a.networks.write(later))
	_, err = a.sweepNetworks(t.Context(), gone)
	require.NoError(t, err)
	require.NoError(t, a.undoRecorded(t.Context(), rec, a.runHere), "the record that was read is not there")
	require.Empty(t, calls())

	leave, err := a.networks.enter(t.Context(), rec.Attachment)
	require.NoError(t, err)
	require.NoError(t, a.undoRecorded(t.Context(), later, a.runHere), "a call works on it")
	require.Empty(t, calls())
	leave(nil)
	require.NoError(t, a.undoRecorded(t.Context(), later, a.runHere))
	require.Equal(t, "DEL eth0 ''\n", calls())
}
