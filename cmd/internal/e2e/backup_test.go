package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// offline runs a command that works on the daemon's data directory.
func (n *node) offline(args ...string) (string, error) {
	return n.daemon.CLI(n.t.Context(), append(args, "--data-dir", n.daemon.DataDir(), "--netns-dir", n.daemon.NetnsDir())...)
}

// All records and credentials are lost under running pods and restored: no packet
// is, every pod keeps its address, also one that the backup does not know, and no
// other gets it.
func TestRestoredOnAnEmptyMachineUnderRunningPods(t *testing.T) {
	n := newNode(t)
	known, ended := n.pod("red", "known"), n.pod("red", "ended")
	file := filepath.Join(n.lab.Dir, "backup")
	out, err := n.offline("backup", file)
	require.NoError(t, err, out)
	password, err := os.ReadFile(filepath.Join(n.daemon.DataDir(), "admin.password"))
	require.NoError(t, err)

	later := n.pod("red", "later")
	fleeting, err := n.lab.NewPod("red", "fleeting") // nothing but its pin keeps its namespace
	require.NoError(t, err)
	require.NoError(t, n.rt.Add(t.Context(), fleeting))
	require.NoError(t, n.rt.Del(t.Context(), ended))
	require.NoError(t, ended.Remove())
	echo := netip.AddrPortFrom(outsideAddr.Addr(), udpPort)
	one, err := lab.Beat(t.Context(), known.Namespace, echo)
	require.NoError(t, err)
	two, err := lab.Beat(t.Context(), later.Namespace, echo)
	require.NoError(t, err)
	before := n.kernelState()

	require.NoError(t, n.daemon.Kill())
	require.NoError(t, os.RemoveAll(n.daemon.DataDir()))
	out, err = n.offline("restore", file)
	require.NoError(t, err, out)
	require.Contains(t, out, fmt.Sprintf("pod at %s, which the backup does not know, keeps address %s of tenant red", later.Path, later.Address))
	require.NoError(t, n.daemon.Start(t.Context()))

	require.NoError(t, n.rt.Check(t.Context(), known))
	for range 8 {
		p := n.pod("red", fmt.Sprint("new-", time.Now().UnixNano()))
		require.NotContains(t, []netip.Addr{known.Address, later.Address}, p.Address)
		n.reaches(p.Namespace, later.Address)
	}
	after := n.kernelState()
	for what, id := range before {
		require.Equal(t, id, after[what], what)
	}
	for what, stop := range map[string]func() (lab.Traffic, error){"known": one, "later": two} {
		got, err := stop()
		require.NoError(t, err)
		require.Greater(t, got.Sent, 50, what)
		require.Equal(t, got.Sent, got.Answered, "datagrams lost by the pod that is %s", what)
	}
	again, err := os.ReadFile(filepath.Join(n.daemon.DataDir(), "admin.password"))
	require.NoError(t, err)
	require.Equal(t, password, again)
	log, err := os.ReadFile(n.daemon.LogFile())
	require.NoError(t, err)
	for _, text := range []string{out, string(log)} {
		require.NotContains(t, text, strings.TrimSpace(string(password)))
	}

	// The runtime's DEL names a container that no record has; its namespace says it.
	require.NoError(t, n.rt.Del(t.Context(), fleeting))
	require.NoError(t, fleeting.Remove())
	require.Eventually(t, func() bool {
		_, _ = n.daemon.CLI(t.Context(), "ip", "audit", "--repair") // it may be the daemon that repairs
		shown, err := n.daemon.CLI(t.Context(), "tenant", "show", "red", "-o", "json")
		return err == nil && strings.Contains(shown, `"pods": 10`)
	}, 3*time.Minute, 200*time.Millisecond, "pods that ended since the backup are detached")
	n.reaches(later.Namespace, known.Address)
}
