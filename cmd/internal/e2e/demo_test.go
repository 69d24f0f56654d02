package e2e

import (
	"errors"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func demo(t *testing.T, args ...string) (string, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "moat-demo"), append([]string{"--bin", bin}, args...)...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func TestDemonstrationIsGreen(t *testing.T) {
	out, code := demo(t)
	require.Equal(t, 0, code, out)
	require.NotContains(t, out, "RED")
	require.Contains(t, out, "nothing is left")
}

func TestDemonstrationTurnsRedWhenSomethingIsBrokenBehindMoatsBack(t *testing.T) {
	for _, how := range []string{"flush", "cut"} {
		t.Run(how, func(t *testing.T) {
			out, code := demo(t, "--sabotage", how)
			require.Equal(t, 1, code, out)
			require.Contains(t, out, "RED")
		})
	}
}
