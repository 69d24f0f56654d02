package lab

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// starter makes the test program a process that starts a daemon, says its ID and
// waits to be killed.
const starter = "MOAT_LAB_STARTER"

func TestMain(m *testing.M) {
	if bin := os.Getenv(starter); bin != "" {
		if err := startAndWait(bin); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	if os.Getenv(labMaker) != "" {
		fmt.Fprintln(os.Stderr, makeAndWait())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func startAndWait(bin string) error {
	own, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return err
	}
	d := &Daemon{Bin: bin, Dir: bin, Host: &Namespace{Name: "own", file: own}}
	if err := d.Launch(); err != nil {
		return err
	}
	fmt.Println(d.Pid())
	return <-d.exit
}

// script writes a program that the lab takes for moat.
func script(t *testing.T, lines string) (dir string) {
	dir = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "moat"), []byte("#!/bin/sh\n"+lines+"\n"), 0o700))
	return dir
}

func TestNoDaemonOutlivesALabThatWasKilled(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), starter+"="+script(t, "exec sleep 300"))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var pid int
	_, err = fmt.Fscan(bufio.NewReader(out), &pid)
	require.NoError(t, err)
	require.True(t, alive(pid), "the daemon runs")
	t.Cleanup(func() {
		if alive(pid) {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	})
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	require.Eventually(t, func() bool { return !alive(pid) }, 30*time.Second, 10*time.Millisecond)
}

// alive says whether a process is there that is not merely waiting to be reaped.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}

func TestDataRacesOfADaemonAreErrors(t *testing.T) {
	for name, end := range map[string]func(*Daemon) error{"Wait": (*Daemon).Wait, "Kill": (*Daemon).Kill} {
		t.Run(name, func(t *testing.T) {
			dir := script(t, "echo 'WARNING: DATA RACE' >&2; exec sleep 0.2")
			d := &Daemon{Bin: dir, Dir: dir}
			require.NoError(t, d.Launch())
			require.Eventually(t, func() bool { return strings.Contains(d.tail(), "RACE") }, 30*time.Second, time.Millisecond)
			require.ErrorContains(t, end(d), "data race")
		})
	}
}

func TestAProgramThatCannotBeStartedIsAnError(t *testing.T) {
	d := &Daemon{Bin: t.TempDir(), Dir: t.TempDir()}
	require.ErrorContains(t, d.Launch(), "no such file")
	closed, err := os.Open("/proc/self/ns/net")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	d = &Daemon{Bin: t.TempDir(), Dir: t.TempDir(), Host: &Namespace{Name: "gone", file: closed}}
	require.ErrorContains(t, d.Launch(), "enter namespace gone")
}
