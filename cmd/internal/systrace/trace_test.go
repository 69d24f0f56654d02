package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// role tells a run of this test's program what it is.
const role = "SYSTRACE_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "tracer":
		main()
	case "traced":
		writer()
	default:
		os.Exit(m.Run())
	}
}

const files = 20

// writer makes files of each name that it reads, from many threads.
func writer() {
	names := bufio.NewScanner(os.Stdin)
	for names.Scan() {
		made := make(chan error)
		for i := range files {
			go func() { made <- os.WriteFile(fmt.Sprintf("%s.%d", names.Text(), i), []byte("x"), 0o600) }()
		}
		for range files {
			if err := <-made; err != nil {
				panic(err)
			}
		}
		fmt.Println("made")
	}
}

// child starts this program in a role.
func child(t *testing.T, as string, args ...string) (in io.WriteCloser, out *bufio.Scanner, wait func() error) {
	c := exec.Command("/proc/self/exe", args...)
	c.Env = append(os.Environ(), role+"="+as)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	require.NoError(t, err)
	pipe, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	t.Cleanup(func() { _ = c.Process.Kill() })
	pids[as] = c.Process.Pid
	return in, bufio.NewScanner(pipe), c.Wait
}

// pids are the last ones, by role.
var pids = map[string]int{}

func TestFollowsAllThreadsAndLeavesTheProcessAsItWas(t *testing.T) {
	tell, hears, ended := child(t, "traced")
	for i := range 20 {
		stop, calls, left := child(t, "tracer", strconv.Itoa(pids["traced"]))
		require.True(t, calls.Scan())
		require.Equal(t, "following", calls.Text())
		name := filepath.Join(t.TempDir(), "f"+strconv.Itoa(i))
		_, err := fmt.Fprintln(tell, name)
		require.NoError(t, err)
		require.True(t, hears.Scan())
		require.NoError(t, stop.Close())
		want, got := []string{}, []string{}
		for i := range files {
			want = append(want, fmt.Sprintf("openat %s.%d", name, i), fmt.Sprintf("write %s.%d", name, i))
		}
		for calls.Scan() {
			got = append(got, calls.Text())
		}
		require.NoError(t, left())
		require.ElementsMatch(t, want, got)
	}
	require.NoError(t, tell.Close())
	require.NoError(t, ended())
}

func TestWhatCannotBeFollowedIsRefused(t *testing.T) {
	require.ErrorContains(t, run(nil), "usage")
	require.ErrorContains(t, run([]string{"one"}), "not a number")
	require.ErrorContains(t, run([]string{"999999999"}), "no such process")
}
