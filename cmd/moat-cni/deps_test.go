package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// largest is what a thin plugin's program may take, in bytes: the runtime loads
// it anew for each call.
const largest = 5 << 20

// The plugins stay thin: what takes milliseconds to start is the daemon's.
func TestPluginsAreThin(t *testing.T) {
	forbidden := []string{
		"go.etcd.io/", "net/http", "github.com/vishvananda/netlink", "github.com/mdlayher/netlink", "github.com/google/nftables",
		"k8s.io/", "google.golang.org/grpc", "github.com/go-resty/", "github.com/moatnet/moat/sdn", "github.com/moatnet/moat/tenant",
		"github.com/moatnet/moat/ipam", "github.com/moatnet/moat/netns",
	}
	for _, name := range []string{"moat-cni", "moat-ipam"} {
		t.Run(name, func(t *testing.T) {
			program := "github.com/moatnet/moat/cmd/" + name
			list, err := exec.CommandContext(t.Context(), "go", "list", "-deps", program).Output()
			require.NoError(t, err)
			deps := strings.Fields(string(list))
			require.Contains(t, deps, program)
			for _, dep := range deps {
				for _, prefix := range forbidden {
					require.False(t, strings.HasPrefix(dep, prefix), "%s imports %s", name, dep)
				}
			}
			file := filepath.Join(t.TempDir(), name)
			build := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-s -w", "-o", file, program)
			build.Env = append(os.Environ(), "CGO_ENABLED=0")
			out, err := build.CombinedOutput()
			require.NoError(t, err, "%s", out)
			info, err := os.Stat(file)
			require.NoError(t, err)
			require.LessOrEqual(t, info.Size(), int64(largest))
		})
	}
}
