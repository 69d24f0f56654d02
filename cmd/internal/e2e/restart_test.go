package e2e

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// A packet each 10 ms and a TCP connection, both through source NAT, across
// kill -9, restart and the first full pass.
func TestTrafficSurvivesKillAndRestart(t *testing.T) {
	n := newNode(t)
	p := n.pod("red", "one")
	beat, err := lab.Beat(t.Context(), p.Namespace, netip.AddrPortFrom(outsideAddr.Addr(), udpPort))
	require.NoError(t, err)
	stream, err := lab.Stream(t.Context(), p.Namespace, netip.AddrPortFrom(outsideAddr.Addr(), tcpPort))
	require.NoError(t, err)
	before := n.kernelState()

	for range 6 {
		require.NoError(t, n.daemon.Kill())
		require.NoError(t, n.daemon.Start(t.Context()))
	}
	require.NoError(t, n.daemon.Stop())
	require.NoError(t, n.daemon.Start(t.Context()))

	require.Equal(t, before, n.kernelState(), "namespaces and interface indexes are the same")
	datagrams, err := beat()
	require.NoError(t, err)
	lines, err := stream()
	require.NoError(t, err)
	require.Greater(t, datagrams.Sent, 50)
	require.Equal(t, datagrams.Sent, datagrams.Answered, "datagrams lost")
	require.Equal(t, lines.Sent, lines.Answered, "lines lost")
	require.NoError(t, n.rt.Check(t.Context(), p))
}

// kernelState lists each of Moat's namespaces with its inode and, inside it,
// every interface with its index.
func (n *node) kernelState() map[string]uint64 {
	t := n.t
	t.Helper()
	state := map[string]uint64{}
	paths, err := filepath.Glob(n.daemon.NetnsDir() + "/*")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		st, err := os.Stat(path)
		require.NoError(t, err)
		state[path] = st.Sys().(*syscall.Stat_t).Ino
		require.NoError(t, lab.In(path, func() error {
			links, err := netlink.LinkList()
			if err != nil {
				return err
			}
			for _, l := range links {
				state[path+" "+l.Attrs().Name] = uint64(l.Attrs().Index)
			}
			return nil
		}))
	}
	return state
}

// The daemon is killed in the moment ADD has returned; the attachment is known
// to the next one.
func TestKilledAsAddReturnsTheDaemonKnowsTheAttachment(t *testing.T) {
	n := newNode(t)
	p, err := n.lab.NewPod("red", "one")
	require.NoError(t, err)
	require.NoError(t, n.rt.Add(t.Context(), p))
	require.NoError(t, n.daemon.Kill())
	n.reaches(p.Namespace, p.Gateway)

	require.NoError(t, n.daemon.Start(t.Context()))
	require.NoError(t, n.rt.Check(t.Context(), p))
	first := p.Result
	require.NoError(t, n.rt.Add(t.Context(), p))
	require.Equal(t, first, p.Result)
	require.NoError(t, n.rt.Del(t.Context(), p))
	require.Contains(t, n.cli("tenant", "show", "red", "-o", "json"), `"pods": 0`)
}

func TestTwoInstallationsOnOneMachineLeaveEachOtherAlone(t *testing.T) {
	n := newNode(t)
	red := n.pod("red", "one")
	before := n.kernelState()

	second := &lab.Daemon{Bin: bin, Dir: filepath.Join(n.lab.Dir, "second"), Host: n.host, Args: []string{
		"--name", "second", "--listen", "127.0.0.1:8282", "--supernet", "10.0.0.0/10", "--transit-pool", "100.80.0.0/16",
	}}
	require.NoError(t, os.Mkdir(second.Dir, 0o700))
	require.NoError(t, second.Start(t.Context()))
	t.Cleanup(func() {
		if second.Running() {
			require.NoError(t, second.Kill())
		}
	})
	rt, err := second.Runtime()
	require.NoError(t, err)
	other, err := n.lab.NewPod("red", "other")
	require.NoError(t, err)
	require.NoError(t, rt.Add(t.Context(), other))
	n.reaches(other.Namespace, outsideAddr.Addr())
	n.reachesNot(other.Namespace, red.Address)
	n.reachesNot(red.Namespace, other.Address)

	require.NoError(t, rt.Del(t.Context(), other))
	out, err := second.CLI(t.Context(), "down", "--yes")
	require.NoError(t, err, out)
	require.NoError(t, second.Wait())
	require.Equal(t, before, n.kernelState())
	n.reaches(red.Namespace, outsideAddr.Addr())
}

func TestSecondDaemonWithTheSameSupernetIsRefused(t *testing.T) {
	n := newNode(t)
	n.pod("red", "one")
	second := &lab.Daemon{Bin: bin, Dir: filepath.Join(n.lab.Dir, "second"), Host: n.host, Args: []string{"--name", "second", "--listen", "127.0.0.1:8282"}}
	require.NoError(t, os.Mkdir(second.Dir, 0o700))
	err := second.Start(t.Context())
	require.Error(t, err)
	log, readErr := os.ReadFile(second.LogFile())
	require.NoError(t, readErr)
	require.True(t, strings.Contains(string(log), "overlaps"), string(log))
}
