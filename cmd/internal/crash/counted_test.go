package crash

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/effect"
)

// TestSystemCallsAreTheSeams has the kernel count what the daemon changes and etcd
// what it is sent, and requires that the daemon said as much at the seam: a change
// that passes by the seam shows, and so does a step that is none.
func TestSystemCallsAreTheSeams(t *testing.T) {
	h := newHost(t)
	h.gate.record(func() { h.add(h.pod("red", "first")) }) // and all that follows it
	p := h.pod("red", "second")
	empty := h.look()
	for _, operation := range []struct {
		what string
		do   func()
	}{
		{"ADD to a tenant that is there", func() { h.add(p) }},
		{"DEL", func() { h.del(p); h.comesBackTo(empty, soon, "DEL") }},
		{"tenant build", func() { h.cli("tenant", "create", "blue") }},
		{"tenant removal", func() { h.cli("tenant", "delete", "blue"); h.comesBackTo(empty, sweep, "tenant removal") }},
	} {
		said, seen := h.counted(operation.do)
		t.Logf("%s: %v at the seam, %v system calls and proposals of etcd", operation.what, said, seen)
		require.Equal(t, said, seen, operation.what)
	}
}

// counted runs op and counts, by kind, the steps that passed the seam, and what the
// kernel and etcd had to do.
func (h *host) counted(op func()) (said, seen map[effect.Kind]int) {
	h.t.Helper()
	c := exec.Command(filepath.Join(bin, "systrace"), strconv.Itoa(h.daemon.Pid()))
	c.Stderr = os.Stderr
	stop, err := c.StdinPipe()
	require.NoError(h.t, err)
	out, err := c.StdoutPipe()
	require.NoError(h.t, err)
	require.NoError(h.t, c.Start())
	lines := bufio.NewScanner(out)
	require.True(h.t, lines.Scan(), "systrace says nothing")
	require.Equal(h.t, "following", lines.Text())
	before := h.proposals()
	said, seen = map[effect.Kind]int{}, map[effect.Kind]int{}
	for _, step := range h.gate.record(op) {
		k, what, _ := strings.Cut(step, " ")
		if !idle(what) {
			said[effect.Kind(k)]++
		}
	}
	if n := h.proposals() - before; n > 0 {
		seen[effect.Etcd] = n
	}
	require.NoError(h.t, stop.Close())
	for lines.Scan() {
		k := h.kindOf(strings.Fields(lines.Text()))
		require.NotEmpty(h.t, k, "of no kind: %s", lines.Text())
		if k != nothing {
			seen[k]++
		}
	}
	require.NoError(h.t, c.Wait())
	return said, seen
}

// idle are steps that call nothing where there is nothing to do: a folder that is
// there is not made again.
func idle(what string) bool { return strings.HasPrefix(what, "create the folder") }

// nothing is the kind of calls that change nothing by themselves.
const nothing effect.Kind = "nothing"

// kindOf is the kind of step that a system call belongs to.
func (h *host) kindOf(call []string) effect.Kind {
	name, on := call[0], call[1]
	switch {
	case on == "rtnetlink":
		return effect.Rtnetlink
	case on == "nfnetlink":
		return effect.Nftables
	case on == "packet":
		return effect.Frame
	case on == "http":
		return effect.REST
	case strings.HasPrefix(on, "/proc/sys/") && name == "openat":
		return nothing // it is the write that changes something
	case name == "rmdir" && len(call) > 2:
		return nothing // tried for what is no file
	case strings.HasPrefix(on, "/proc/sys/"):
		return effect.Sysctl
	case strings.HasPrefix(on, h.place.NetnsDir):
		return effect.Namespace
	case slices.ContainsFunc(h.place.Folders, func(f string) bool { return strings.HasPrefix(on, f) }):
		return effect.File
	}
	return ""
}

// proposals is how much the members of etcd had to agree on so far.
func (h *host) proposals() int {
	h.t.Helper()
	s, err := h.place.Etcd.Status(h.t.Context(), h.place.Etcd.Endpoints()[0])
	require.NoError(h.t, err)
	return int(s.RaftAppliedIndex)
}
