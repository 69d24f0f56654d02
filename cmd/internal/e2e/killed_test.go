package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// The plugin is killed at some point of an ADD, as by a runtime that runs out of
// patience; after the DEL that follows nothing is left.
func TestPluginKilledDuringAddLeavesNothing(t *testing.T) {
	n := newNode(t)
	n.pod("red", "first") // the tenant's network is there
	rest, err := n.daemon.REST(t.Context(), listen)
	require.NoError(t, err)
	bare := n.objects(rest, "red")
	for i := range 60 {
		p, err := n.lab.NewPod("red", "killed")
		require.NoError(t, err)
		n.killedDuring(n.entry("1.1.0", nil), callEnv("ADD", p), time.Duration(500+i*100)*time.Microsecond)
		out, err := n.plugin(n.entry("1.1.0", nil), callEnv("DEL", p))
		require.NoError(t, err, out)
		require.NoError(t, p.Remove())
	}
	require.Eventually(t, func() bool {
		return strings.Contains(n.cli("tenant", "show", "red", "-o", "json"), `"pods": 1`)
	}, 20*time.Second, 100*time.Millisecond, "leases")
	require.Equal(t, bare, n.objects(rest, "red"), "objects")
}

// A daemon that is killed as ADD returns has left the record and the port, bound,
// in etcd, and the next one knows the attachment.
func TestDaemonKilledAsAddReturnsKnowsTheAttachment(t *testing.T) {
	n, etcd := newHostWithEtcd(t)
	n.start("--etcd-endpoints", etcd)
	n.pod("red", "first")
	kept := newRecords(t, etcd)
	for i := range 5 {
		p, err := n.lab.NewPod("red", fmt.Sprintf("p%d", i))
		require.NoError(t, err)
		require.NoError(t, n.rt.Add(t.Context(), p))
		require.NoError(t, n.daemon.Kill())
		require.Equal(t, i+2, kept.of("red")["attachments"])
		require.Equal(t, i+2, kept.boundPorts("red"))
		require.NoError(t, lab.Ping(p.Namespace, p.Gateway, answered), "while no daemon runs")

		require.NoError(t, n.daemon.Start(t.Context()))
		require.NoError(t, n.rt.Check(t.Context(), p))
		n.reaches(p.Namespace, outsideAddr.Addr())
		again := *p
		require.NoError(t, n.rt.Add(t.Context(), &again))
		require.Equal(t, p.Result, again.Result, "the repeated ADD answers the same")
	}
	require.Equal(t, 6, kept.of("red")["attachments"])
	require.Equal(t, 6, kept.boundPorts("red"))
}

// killedDuring starts the plugin and kills it after a while.
func (n *node) killedDuring(conf string, env map[string]string, after time.Duration) {
	n.t.Helper()
	cmd := exec.CommandContext(n.t.Context(), filepath.Join(bin, "moat-cni"))
	cmd.Stdin = strings.NewReader(conf)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "CNI_PATH=" + bin}
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	require.NoError(n.t, n.host.Do(cmd.Start))
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait() // killed, or just in time
	timer.Stop()
}
