package crash

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// stride passes over most of what `make test-crash` does.
func stride(other int) int {
	if os.Getenv(everyVar) != "" {
		return 1
	}
	return other
}

// The plugin is killed at each of its steps, and the runtime calls again, gives up,
// or calls no more.
func TestPluginKilledAtEachStep(t *testing.T) {
	h := newHost(t)
	h.add(h.pod("red", "first"))
	before := h.look()
	count := 0
	cells := []func(p *lab.Pod, step string){h.addThenDel, h.addThenAdd, h.delThenDel}
	if stride(2) == 1 { // these wait for the sweep
		cells = append(cells, h.addThenGone, h.delThenGone)
	}
	for i, cell := range cells {
		for j := i % stride(2); j < len(pluginSteps); j += stride(2) {
			p := h.pod("red", "p")
			cell(p, pluginSteps[j])
			require.NoError(t, p.Remove())
			count++
		}
	}
	h.comesBackTo(before, 2*sweep, "plugins killed at every step")
	t.Logf("plugin killed at %d steps in ADD and DEL, going on in %d ways: %d cells", len(pluginSteps), len(cells), count)
}

func (h *host) addThenDel(p *lab.Pod, step string) {
	h.pluginKilled(step, "ADD", p)
	h.del(p)
}

func (h *host) addThenAdd(p *lab.Pod, step string) {
	h.pluginKilled(step, "ADD", p)
	h.add(p)
	require.NoError(h.t, h.runtime().Check(h.t.Context(), p), step)
	require.NoError(h.t, lab.Ping(p.Namespace, p.Gateway, answered), step)
	h.del(p)
}

func (h *host) addThenGone(p *lab.Pod, step string) { h.pluginKilled(step, "ADD", p) }

func (h *host) delThenDel(p *lab.Pod, step string) {
	h.add(p)
	h.pluginKilled(step, "DEL", p)
	h.del(p)
}

func (h *host) delThenGone(p *lab.Pod, step string) {
	h.add(p)
	h.pluginKilled(step, "DEL", p)
}

// pluginKilledThenNothing is for a plugin that is killed before it has the result;
// its pod lives on.
func pluginKilledThenNothing(h *host, at place) string {
	p, before := h.pod("red", "p"), h.look()
	h.pluginKilled(at.step, "ADD", p)
	h.comesBackTo(before, sweep, "plugin killed when "+at.step)
	return at.step
}
