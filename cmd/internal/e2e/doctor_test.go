package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/world"
)

// diagnosis is what `moat doctor -o json` prints.
type diagnosis struct {
	Healthy  bool
	Findings []struct{ Check, What, Why, Repair string }
	Unseen   []struct{ Check, Why string } `json:"notLookedAt"`
}

// doctor examines the node, and returns the exit status, too.
func (n *node) doctor() (d diagnosis, status int) {
	n.t.Helper()
	out, err := n.moat("doctor", "-o", "json", "--data-dir", n.daemon.DataDir(), "--socket", n.daemon.Socket(),
		"--cni-conf-dir", n.daemon.ConfDir(), "--netns-dir", n.daemon.NetnsDir(), "--plugin-dir", bin)
	require.NoError(n.t, json.Unmarshal([]byte(out), &d), out)
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return d, exit.ExitCode()
	}
	require.NoError(n.t, err)
	return d, 0
}

func TestDoctor(t *testing.T) {
	n := newNode(t)
	n.pod("red", "one")
	n.pod("blue", "two")
	place := world.Place{Namespaces: map[string]string{"host": n.host.Path}, NetnsDir: n.daemon.NetnsDir(), Folders: []string{n.daemon.DataDir()}}
	place.Lasting = func(line string) string {
		if filepath.Base(filepath.Dir(line)) == "wal" || filepath.Base(filepath.Dir(line)) == "snap" {
			return "" // etcd's own
		}
		return line
	}
	before, err := place.Look(t.Context())
	require.NoError(t, err)
	d, status := n.doctor()
	require.Empty(t, d.Findings)
	require.Empty(t, d.Unseen)
	require.True(t, d.Healthy)
	require.Zero(t, status)
	after, err := place.Look(t.Context())
	require.NoError(t, err)
	require.Empty(t, world.Differences(before, after), "nothing is left of what it tries")

	password, other := filepath.Join(n.daemon.DataDir(), "admin.password"), filepath.Join(n.daemon.ConfDir(), "05-other.conf")
	secret, err := os.ReadFile(password)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(other, []byte("{}"), 0o600))
	require.NoError(t, os.Chmod(password, 0o644))
	d, status = n.doctor()
	require.Equal(t, 1, status)
	require.Len(t, d.Findings, 2)
	for _, f := range d.Findings {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", f.Repair).CombinedOutput()
		require.NoError(t, err, "%s: %s", f.Repair, out)
	}
	d, _ = n.doctor()
	require.True(t, d.Healthy, "what is printed repairs it: %+v", d)

	require.NoError(t, os.WriteFile(other, []byte("{}"), 0o600))
	require.NoError(t, os.WriteFile(password, []byte("another\n"), 0o600))
	d, status = n.doctor()
	require.Equal(t, 1, status)
	require.Len(t, d.Findings, 2)
	require.Equal(t, "REST API", d.Findings[0].Check)
	require.Equal(t, "mv "+other+" "+other+".disabled", d.Findings[1].Repair)

	require.NoError(t, os.Remove(other))
	require.NoError(t, os.WriteFile(password, secret, 0o600))
	require.NoError(t, n.daemon.Kill())
	d, status = n.doctor()
	require.Equal(t, 1, status)
	require.Len(t, d.Findings, 1)
	require.Equal(t, "daemon", d.Findings[0].Check)
	require.NotEmpty(t, d.Unseen)
	require.NoError(t, n.daemon.Start(t.Context()))
	d, _ = n.doctor()
	require.True(t, d.Healthy, "%+v", d)
}
