package delegate_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/delegate"
	"github.com/moatnet/moat/cmd/internal/protocol"
)

// program writes a plugin into a folder of its own, which it returns.
func program(t *testing.T, body string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "plug"), []byte("#!/bin/sh\n"+body), 0o755))
	return dir
}

func order(dir string) protocol.Run {
	return protocol.Run{Plugin: "plug", Timeout: 20 * time.Second, Config: []byte(`{"name":"n"}`),
		Env: cniconf.Env{Command: cniconf.Add, ContainerID: "c1", IfName: "eth0", Path: dir}}
}

func TestNamesThatAreNoPlugins(t *testing.T) {
	dir := program(t, "echo ran")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "plain"), nil, 0o644))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder"), 0o755))
	for name, says := range map[string]string{
		"":                   "no name of a plugin",
		".":                  "no name of a plugin",
		"..":                 "no name of a plugin",
		"/bin/sh":            "no name of a plugin",
		"../" + dir:          "no name of a plugin",
		"plug\x00":           "no name of a plugin",
		"missing":            "no such program in CNI_PATH",
		"plain":              "not executable",
		"folder":             "no regular file",
		strings.ToUpper("p"): "no such program",
	} {
		r := order(dir)
		r.Plugin = name
		ran := delegate.Run(t.Context(), r, nil, &bytes.Buffer{})
		require.NotNil(t, ran.Failure, name)
		require.Equal(t, cniconf.CodeConfig, ran.Failure.Code, name)
		require.Contains(t, ran.Failure.Msg, says, name)
	}
}

func TestFirstFolderThatHasTheProgramCounts(t *testing.T) {
	empty, first, second := t.TempDir(), program(t, "echo first"), program(t, "echo second")
	r := order(strings.Join([]string{"", empty, "/nowhere", first, second}, ":"))
	ran := delegate.Run(t.Context(), r, nil, &bytes.Buffer{})
	require.Nil(t, ran.Failure)
	require.Equal(t, "first\n", string(ran.Stdout))
}

// A plugin gets the variables of the call, not those of the caller's process, and
// all others as they are.
func TestPluginGetsEnvironmentAndConfiguration(t *testing.T) {
	dir := program(t, "echo \"$CNI_COMMAND $CNI_CONTAINERID $CNI_IFNAME $CNI_ARGS. $OTHER\"\ncat\necho said >&2\nexit 3\n")
	var logs bytes.Buffer
	ran := delegate.Run(t.Context(), order(dir), []string{"CNI_COMMAND=DEL", "CNI_ARGS=IP=1.2.3.4", "OTHER=kept", "PATH=" + os.Getenv("PATH")}, &logs)
	require.Nil(t, ran.Failure)
	require.Equal(t, "ADD c1 eth0 . kept\n{\"name\":\"n\"}", string(ran.Stdout))
	require.Equal(t, 3, ran.Status)
	require.Equal(t, "said\n", logs.String())
}

// A plugin that hangs is killed with its children, at its deadline or when the
// caller gives up.
func TestPluginThatHangsIsKilledWithItsChildren(t *testing.T) {
	for name, stop := range map[string]func(r *protocol.Run, after time.Duration, cancel func()){
		"deadline":        func(r *protocol.Run, after time.Duration, _ func()) { r.Timeout = after },
		"caller gives up": func(_ *protocol.Run, after time.Duration, cancel func()) { time.AfterFunc(after, cancel) },
	} {
		t.Run(name, func(t *testing.T) {
			pids := filepath.Join(t.TempDir(), "pids")
			dir := program(t, "sleep 600 &\necho $$ $! >"+pids+"\nwait\n")
			var b []byte
			for after := 300 * time.Millisecond; len(strings.Fields(string(b))) < 2 && after < time.Minute; after *= 2 { // on a busy machine it takes longer to begin
				ctx, cancel := context.WithCancel(t.Context())
				r := order(dir)
				r.Timeout = time.Minute
				stop(&r, after, cancel)
				ran := delegate.Run(ctx, r, []string{"PATH=" + os.Getenv("PATH")}, &bytes.Buffer{})
				cancel()
				require.NotNil(t, ran.Failure)
				require.Equal(t, cniconf.CodeTryAgain, ran.Failure.Code)
				b, _ = os.ReadFile(pids)
			}
			require.Len(t, strings.Fields(string(b)), 2)
			for _, pid := range strings.Fields(string(b)) {
				n, err := strconv.Atoi(pid)
				require.NoError(t, err)
				require.Eventually(t, func() bool { return ended(n) }, 30*time.Second, 5*time.Millisecond)
			}
		})
	}
}

// ended says whether a process is no more, or is only waited for by its parent.
func ended(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || bytes.Contains(b, []byte(") Z ")) || unix.Kill(pid, 0) != nil
}

func TestOutputIsBounded(t *testing.T) {
	dir := program(t, "head -c 2000000 /dev/zero\nsleep 600\n")
	ran := delegate.Run(t.Context(), order(dir), []string{"PATH=" + os.Getenv("PATH")}, &bytes.Buffer{})
	require.NotNil(t, ran.Failure)
	require.Equal(t, cniconf.CodeIO, ran.Failure.Code)
	require.Contains(t, ran.Failure.Msg, "more than 1048576 bytes")
}

func TestProgramThatCannotBeStarted(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "plug"), []byte("no program"), 0o755))
	ran := delegate.Run(t.Context(), order(dir), nil, &bytes.Buffer{})
	require.NotNil(t, ran.Failure)
	require.Equal(t, cniconf.CodeIO, ran.Failure.Code)
	require.Contains(t, ran.Failure.Msg, "exec format error")
}

// A program that is being installed is waited for a little.
func TestProgramThatIsStillBeingWritten(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "plug")
	echo, err := os.ReadFile("/bin/echo")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, echo, 0o755))
	open, err := os.OpenFile(file, os.O_WRONLY, 0)
	require.NoError(t, err)
	time.AfterFunc(300*time.Millisecond, func() { open.Close() })
	ran := delegate.Run(t.Context(), order(dir), nil, &bytes.Buffer{})
	require.Nil(t, ran.Failure)
	require.Equal(t, "\n", string(ran.Stdout))
}
