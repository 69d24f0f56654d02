package lab

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// labMaker makes the test program a process that makes a lab, says what is in it
// and waits to be killed.
const labMaker = "MOAT_LAB_MAKER"

func makeAndWait() error {
	l, err := New()
	if err != nil {
		return err
	}
	n, err := l.Namespace("host")
	if err != nil {
		return err
	}
	fmt.Println(l.Dir, n.Path, filepath.Join(claimsDir, l.prefix))
	_, err = os.Stdin.Read(make([]byte, 1)) // which never comes
	return err
}

func TestTheNextLabRemovesWhatAKilledOneLeft(t *testing.T) {
	living, err := New()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, living.Close()) })
	kept, err := living.Namespace("host")
	require.NoError(t, err)

	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), labMaker+"=1")
	cmd.Stderr = os.Stderr
	_, err = cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var dir, path, claim string
	_, err = fmt.Fscan(bufio.NewReader(out), &dir, &path, &claim)
	require.NoError(t, err)
	for _, left := range []string{dir, path, claim} {
		_, err := os.Stat(left)
		require.NoError(t, err, left)
	}
	require.NoError(t, sweep())
	require.FileExists(t, path, "of a lab that lives")
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())

	next, err := New()
	require.NoError(t, err)
	for _, left := range []string{dir, path, claim} { // another process's lab may be at it
		require.Eventually(t, func() bool { _, err := os.Stat(left); return errors.Is(err, os.ErrNotExist) }, 30*time.Second, 10*time.Millisecond, left)
	}
	require.DirExists(t, living.Dir)
	require.NoError(t, kept.Do(func() error { return Up("lo") }))
	require.FileExists(t, kept.Path)

	claim = filepath.Join(claimsDir, next.prefix)
	require.FileExists(t, claim)
	require.NoError(t, next.Close())
	require.NoFileExists(t, claim)
}
