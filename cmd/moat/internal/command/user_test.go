package command

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/access"
	"github.com/moatnet/moat/sdn/auth"
)

// run carries out a command over a data directory.
func run(t *testing.T, dir, stdin string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := Run(t.Context(), append(args, "--data-dir", dir), strings.NewReader(stdin), &out, &out)
	return out.String(), err
}

func TestUsersThatAreNotAdded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "moat")
	for want, args := range map[string][]string{
		"the command is":  {},
		"is built in":     {"admin", "--role", "admin"},
		"role":            {"ann"},
		"needs a tenant":  {"ann", "--role", "tenant_user"},
		"without a colon": {"a:b", "--role", "admin"},
		"it is empty":     {"ann", "--role", "admin"},
		"unknown flag":    {"ann", "--role", "admin", "--password", "secret"},
		"no such file":    {"ann", "--role", "admin", "--password-file", "/nowhere/at/all"},
	} {
		_, err := run(t, dir, "", append([]string{"user", "add"}, args...)...)
		require.ErrorContains(t, err, want)
	}
	require.NoDirExists(t, dir)
	_, err := run(t, dir, "", "user", "remove", "ann")
	require.Error(t, err)
}

func TestUserCommands(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "moat")
	_, err := run(t, dir, "first word\nsecond\n", "user", "add", "ann", "--role", "tenant_admin", "--tenant", "red")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(file, []byte("from a file\r\n"), 0o600))
	_, err = run(t, dir, "", "user", "add", "bob", "--role", "admin", "--password-file", file)
	require.NoError(t, err)
	_, err = run(t, dir, "x\n", "user", "add", "ann", "--role", "admin")
	require.ErrorIs(t, err, sdn.ErrExists)

	users, err := auth.OpenUsers(filepath.Join(dir, "users"), auth.Options{})
	require.NoError(t, err)
	who := func(user, password string) access.Identity {
		token, err := users.Login(t.Context(), access.Credentials{User: user, Password: password})
		require.NoError(t, err)
		who, err := users.Check(t.Context(), token.Key)
		require.NoError(t, err)
		return who
	}
	require.Equal(t, access.Identity{User: "ann", Tenant: "red", Role: access.TenantAdmin}, who("ann", "first word"))
	require.Equal(t, access.Identity{User: "bob", Role: access.Admin}, who("bob", "from a file"))

	out, err := run(t, dir, "", "user", "list")
	require.NoError(t, err)
	require.Equal(t, "USER  ROLE          TENANT\nann   tenant_admin  red\nbob   admin         \n", out)
	_, err = run(t, dir, "new\n", "user", "add", "ann", "--role", "tenant_user", "--tenant", "red", "--replace")
	require.NoError(t, err)
	require.Equal(t, access.TenantUser, who("ann", "new").Role)
	_, err = run(t, dir, "", "user", "remove", "ann")
	require.NoError(t, err)
	_, err = users.Login(t.Context(), access.Credentials{User: "ann", Password: "new"})
	require.ErrorIs(t, err, sdn.ErrUnauthorized)
}

// terminal is a pseudo terminal: what is typed, and what a program sees of it.
func terminal(t *testing.T) (keyboard, tty *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { keyboard.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetUint32(int(keyboard.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { tty.Close() })
	return keyboard, tty
}

func echoes(t *testing.T, tty *os.File) bool {
	state, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	require.NoError(t, err)
	return state.Lflag&unix.ECHO != 0
}

func TestPasswordFromATerminalIsNotShown(t *testing.T) {
	keyboard, tty := terminal(t)
	require.True(t, echoes(t, tty))
	type said struct {
		line string
		err  error
	}
	ask := func(ctx context.Context) chan said {
		done := make(chan said, 1)
		go func() {
			line, err := askHidden(ctx, tty, &bytes.Buffer{}, "Password: ")
			done <- said{line, err}
		}()
		require.Eventually(t, func() bool { return !echoes(t, tty) }, 5*time.Second, time.Millisecond)
		return done
	}
	done := ask(t.Context())
	_, err := keyboard.WriteString("s3cret\n")
	require.NoError(t, err)
	require.Equal(t, said{line: "s3cret"}, <-done)
	require.True(t, echoes(t, tty))

	ctx, cancel := context.WithCancel(t.Context())
	done = ask(ctx)
	cancel()
	require.ErrorIs(t, (<-done).err, context.Canceled, "an interrupt is heard")
	require.True(t, echoes(t, tty))
}
