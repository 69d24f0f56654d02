package e2e

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// buildReference builds plugins of the reference's module beside ours.
func buildReference(t *testing.T, plugins ...string) {
	t.Helper()
	args := []string{"build", "-o", bin + "/"}
	for _, p := range plugins {
		args = append(args, "github.com/containernetworking/plugins/plugins/"+p)
	}
	build := exec.CommandContext(t.Context(), "go", args...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
}
