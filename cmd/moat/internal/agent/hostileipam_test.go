package agent_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/cmd/moat/internal/agent"
)

// A plugin that does not end, or does not end to print, is killed, and what it may
// have done is undone.
func TestOtherIPAMThatDoesNotEnd(t *testing.T) {
	for name, test := range map[string]struct {
		add   string
		limit time.Duration // of a call; a busy machine starts the plugin long before
		code  uint
		says  string
	}{
		"hangs":                  {"exec sleep 600", 4 * time.Second, 11, `plugin "other": it did not end within`},
		"hangs and has answered": {says(goodOffer) + "; exec sleep 600", 4 * time.Second, 11, "it did not end within"},
		"prints 100 MiB":         {"exec head -c 104857600 /dev/zero", time.Minute, 5, "it printed more than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, func(o *agent.Options) { o.Timeout = test.limit })
			o := newOther(t, vars{"ADD": test.add})
			e := plugin(t, "moat-cni", o.env(n, nil), n.otherConf(nil)).failure(t)
			require.EqualValues(t, test.code, e.Code, "%s", e.Msg)
			require.Contains(t, e.Msg, test.says)
			require.Equal(t, []string{"ADD c1", "DEL c1"}, o.calls(t))
			n.nothingLeft(t)
		})
	}
}

// A plugin that leaves a child with its standard output open has answered.
func TestOtherIPAMThatLeavesChildren(t *testing.T) {
	child := filepath.Join(t.TempDir(), "child")
	n, o := newNode(t), newOther(t, vars{"ADD": "setsid sleep 600 & echo $! >" + child + "; " + says(goodOffer)})
	t.Cleanup(func() {
		b, err := os.ReadFile(child)
		require.NoError(t, err)
		pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
		require.NoError(t, err)
		require.NoError(t, unix.Kill(pid, unix.SIGKILL))
	})
	a := plugin(t, "moat-cni", o.env(n, nil), n.otherConf(nil))
	require.Zero(t, a.status, "%s", a.stdout)
	require.Zero(t, plugin(t, "moat-cni", o.env(n, vars{"CNI_COMMAND": "DEL"}), n.otherConf(nil)).status)
	require.Equal(t, []string{"ADD c1", "DEL c1"}, o.calls(t))
	n.nothingLeft(t)
}
