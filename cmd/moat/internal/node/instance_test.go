package node

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOnlyAProcessThatHasEndedIsGone(t *testing.T) {
	all, err := newInstances("boot")
	require.NoError(t, err)
	own, err := all.own()
	require.NoError(t, err)
	require.False(t, all.gone(own), "this one runs")

	change := func(field int, value string) string {
		f := strings.Split(own, "/")
		f[field] = value
		return strings.Join(f, "/")
	}
	require.True(t, all.gone(change(0, "before")), "of another boot")
	require.True(t, all.gone(change(3, "1")), "another process has its number")
	require.False(t, all.gone(change(1, "pid:[1]")), "numbers mean others elsewhere")
	require.False(t, all.gone("b2a0ff9e-6ad1-4a8e-8a0a-000000000000"), "of an earlier version")

	child := exec.CommandContext(t.Context(), "sleep", "60")
	require.NoError(t, child.Start())
	pid := fmt.Sprint(child.Process.Pid)
	started, ended, err := all.started(pid)
	require.NoError(t, err)
	require.False(t, ended)
	living := strings.Join([]string{"boot", all.pids, pid, started, "x"}, "/")
	require.False(t, all.gone(living))
	require.NoError(t, child.Process.Kill())
	require.Eventually(t, func() bool { return all.gone(living) }, 10*time.Second, 10*time.Millisecond, "a process that waits for its parent has ended")
	_ = child.Wait()
	require.True(t, all.gone(living))

	all.proc = t.TempDir()
	require.False(t, all.gone(living), "no process can be seen here")
	require.NoError(t, os.Mkdir(all.proc+"/self", 0o700))
	require.True(t, all.gone(living))
}
