package crash

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// collected is a pod that GC does not name.
func collected(h *host, _ place) string {
	before := h.look()
	h.add(h.pod("red", "p"))
	keep := fmt.Sprintf(`{"containerID":%q,"ifname":%q}`, h.first.ID, h.first.Args.IfName)
	require.NoError(h.t, h.call(h.caller("moat-cni", "GC", entry(h.daemon.Socket(), `"cni.dev/valid-attachments":[`+keep+`]`), h.first)))
	h.comesBackTo(before, sweep, "GC")
	return ""
}

// entry is a configuration as the daemon writes it, with more members.
func entry(socket string, more ...string) string {
	return "{" + strings.Join(append(more, fmt.Sprintf(`"cniVersion":"1.1.0","name":"moat","type":"moat-cni","socket":%q`, socket)), ",") + "}"
}

// holderGone is a pod that has an address from the IPAM plugin, for a main plugin
// of others, and goes without a DEL.
func holderGone(h *host, _ place) string {
	p, before := h.pod("red", "p"), h.look()
	conf := fmt.Sprintf(`{"cniVersion":"1.1.0","name":"lan","type":"bridge","ipam":{"type":"moat-ipam","socket":%q,"coolDown":"0","ranges":[[{"subnet":"10.77.0.0/24"}]]}}`,
		h.daemon.Socket())
	require.NoError(h.t, h.call(h.caller("moat-ipam", "ADD", conf, p)))
	require.NotEqual(h.t, before, h.look(), "nothing is held")
	require.NoError(h.t, p.Remove())
	h.comesBackTo(before, 2*sweep, "a pod with an address of the IPAM plugin is gone")
	return ""
}

// caller is a plugin as a runtime would start it.
func (h *host) caller(plugin, command, conf string, p *lab.Pod, env ...string) *exec.Cmd {
	cmd := exec.CommandContext(h.t.Context(), filepath.Join(bin, plugin))
	cmd.Stdin = strings.NewReader(conf)
	args := make([]string, len(p.Args.Args))
	for i, a := range p.Args.Args {
		args[i] = a[0] + "=" + a[1]
	}
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "CNI_COMMAND=" + command, "CNI_CONTAINERID=" + p.ID, "CNI_NETNS=" + p.Args.NetNS,
		"CNI_IFNAME=" + p.Args.IfName, "CNI_PATH=" + bin, "CNI_ARGS=" + strings.Join(args, ";")}, env...)
	return cmd
}

// call runs a plugin in the host's namespace to its end.
func (h *host) call(cmd *exec.Cmd) error {
	return h.ns.Do(func() error {
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w: %s", cmd.Path, err, out)
		}
		return nil
	})
}

// tombstones are the attachments that are still to be detached.
func (h *host) tombstones() []string {
	h.t.Helper()
	all, err := filepath.Glob(filepath.Join(h.daemon.DataDir(), "tombstones", "*.json"))
	require.NoError(h.t, err)
	return all
}
