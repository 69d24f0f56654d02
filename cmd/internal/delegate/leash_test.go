package delegate_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/cmd/internal/delegate"
	"github.com/moatnet/moat/cmd/internal/protocol"
)

// parentOf names, in the environment, the folder of the plugin that this program is
// to run as a parent that is going to be killed.
const parentOf = "DELEGATE_TEST_PARENT_OF"

func TestMain(m *testing.M) {
	dir := os.Getenv(parentOf)
	if dir == "" {
		os.Exit(m.Run())
	}
	delegate.Run(context.Background(), order(dir), []string{"PATH=" + os.Getenv("PATH")}, io.Discard)
}

// pids are those that a plugin has written down, when there are n of them.
func pids(t *testing.T, file string, n int) (all []int) {
	t.Helper()
	var words []string
	require.Eventually(t, func() bool {
		b, err := os.ReadFile(file)
		words = strings.Fields(string(b))
		return err == nil && len(words) == n && bytes.HasSuffix(b, []byte("\n"))
	}, time.Minute, time.Millisecond)
	for _, w := range words {
		pid, err := strconv.Atoi(w)
		require.NoError(t, err)
		all = append(all, pid)
	}
	return all
}

// A plugin ends, with its children and theirs, when its parent is killed, also one
// that ignores what can be ignored. As plugins do, they begin with reading what they
// are to do.
func TestAPluginDiesWithItsParent(t *testing.T) {
	const hangs = "cat >/dev/null\nsleep 600 &\n a=$!\n (sleep 600 & echo $$ $a $! >%; wait) &\nwait\n"
	for name, body := range map[string]string{
		"it hangs":                   hangs,
		"it ignores signals":         "trap '' TERM HUP INT PIPE\n" + hangs,
		"its output is nobody's":     "exec >/dev/null 2>&1\n" + hangs,
		"it has turned to its child": "cat >/dev/null\nsleep 600 &\n echo $$ $! $! >%\n exec sleep 600\n",
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pids")
			parent := exec.Command(os.Args[0])
			parent.Env = append(os.Environ(), parentOf+"="+program(t, strings.ReplaceAll(body, "%", file)))
			require.NoError(t, parent.Start())
			all := pids(t, file, 3)
			for _, pid := range all {
				require.False(t, ended(pid))
				t.Cleanup(func() {
					if !ended(pid) {
						unix.Kill(pid, unix.SIGKILL)
					}
				})
			}
			require.NoError(t, parent.Process.Kill())
			require.Error(t, parent.Wait())
			for _, pid := range all {
				require.Eventually(t, func() bool { return ended(pid) }, time.Minute, time.Millisecond)
			}
		})
	}
}

// What a plugin that did its work has left running on purpose goes on.
func TestWhatAPluginLeavesRunningGoesOn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pids")
	for _, end := range []string{"exit 0", "exit 1"} {
		ran := delegate.Run(t.Context(), order(program(t, "sleep 600 >/dev/null 2>&1 &\necho $! >"+file+"\n"+end+"\n")), []string{"PATH=" + os.Getenv("PATH")}, io.Discard)
		require.Nil(t, ran.Failure)
		left := pids(t, file, 1)[0]
		t.Cleanup(func() { unix.Kill(left, unix.SIGKILL) })
		require.Never(t, func() bool { return ended(left) }, 200*time.Millisecond, 10*time.Millisecond)
	}
}

// A plugin that is killed is not waited for until a child that fled from its process
// group closes its output.
func TestOutputOfAKilledPluginIsNotWaitedFor(t *testing.T) {
	quickest := time.Hour
	for range 5 {
		file := filepath.Join(t.TempDir(), "pids")
		dir := program(t, "setsid sh -c 'echo $$ >"+file+"; exec sleep 600' &\nwait\n")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan protocol.Ran)
		go func() { done <- delegate.Run(ctx, order(dir), []string{"PATH=" + os.Getenv("PATH")}, io.Discard) }()
		fled := pids(t, file, 1)[0]
		t.Cleanup(func() { unix.Kill(fled, unix.SIGKILL) })
		begin := time.Now()
		cancel()
		ran := <-done
		quickest = min(quickest, time.Since(begin))
		require.NotNil(t, ran.Failure)
		require.False(t, ended(fled))
	}
	require.Less(t, quickest, 500*time.Millisecond)
}
