package crash

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/lab"
	"github.com/moatnet/moat/sdn/effect"
)

// alone is a host on which plugins do the work themselves, over the etcd and the REST
// API of a daemon that is another node's agent.
type alone struct {
	*host
	own  *gate // of the plugins
	conf string
}

func newAlone(h *host) *alone {
	dir := filepath.Join(h.lab.Dir, "alone")
	require.NoError(h.t, os.Mkdir(dir, 0o700))
	id, err := os.ReadFile(filepath.Join(h.daemon.DataDir(), "host_id"))
	require.NoError(h.t, err)
	credentials := filepath.Join(dir, "credentials.yaml")
	require.NoError(h.t, os.WriteFile(credentials, fmt.Appendf(nil,
		"dataDir: %s\nhostID: %s\nnode: alone\netcd: {endpoints: [%s]}\nendpoint: {urls: [http://127.0.0.1:8181/midonet-api], passwordFile: %s}\n",
		filepath.Join(dir, "data"), strings.TrimSpace(string(id)), h.place.Etcd.Endpoints()[0], filepath.Join(h.daemon.DataDir(), "admin.password")), 0o600))
	a := &alone{h, newGate(h.t, dir), entry(h.daemon.Socket(), `"standalone":true`, fmt.Sprintf(`"credentials":%q`, credentials))}
	a.warm()
	h.place.Folders = append(h.place.Folders, dir)
	return a
}

// warm is a first pod, which makes what stays: folders.
func (a *alone) warm() {
	p, before := a.pod("red", "warm"), a.look()
	a.calls("ADD", p)
	a.calls("DEL", p)
	require.NoError(a.t, p.Remove())
	a.comesBackTo(before, patience, "a first pod without a daemon")
}

// The plugin that does the work itself is killed before and after each of its steps,
// and the runtime calls again, gives up, or calls no more until a GC.
func TestStandaloneKilledAtEachStep(t *testing.T) {
	h := newHost(t)
	first := h.pod("red", "first")
	h.addConfirmed(first)
	a := newAlone(h)
	before := a.look()
	a.points("ADD without a daemon, then DEL", func(n int) string {
		return a.killedWithin("ADD", n, func(p *lab.Pod) { a.calls("DEL", p) })
	})
	a.points("ADD without a daemon, then ADD", func(n int) string {
		return a.killedWithin("ADD", n, func(p *lab.Pod) {
			a.calls("ADD", p)
			require.NoError(t, lab.Ping(p.Namespace, first.Gateway, answered))
			a.calls("DEL", p)
		})
	})
	a.points("ADD without a daemon, then GC", func(n int) string {
		return a.killedWithin("ADD", n, func(*lab.Pod) {})
	})
	a.points("DEL without a daemon, then DEL", func(n int) string {
		return a.killedWithin("DEL", n, func(p *lab.Pod) { a.calls("DEL", p) })
	})
	a.points("DEL without a daemon, then GC", func(n int) string {
		return a.killedWithin("DEL", n, func(*lab.Pod) {})
	})
	a.conf = strings.Replace(a.conf, "{", `{"cni.dev/valid-attachments":[],`, 1)
	a.calls("GC", a.pod("red", "none"))
	a.comesBackTo(before, 2*sweep, "plugins without a daemon killed at every point")
}

// calls is a call that nothing disturbs.
func (a *alone) calls(command string, p *lab.Pod) {
	a.t.Helper()
	require.NoError(a.t, a.call(a.caller("moat-cni", command, a.conf, p)), command)
}

// killedWithin kills a call at the n-th point of its steps, and goes on. It returns ""
// when the call ended before that.
func (a *alone) killedWithin(command string, n int, then func(*lab.Pod)) string {
	a.t.Helper()
	p := a.pod("red", fmt.Sprintf("p%d", n))
	if command == "DEL" {
		a.calls("ADD", p)
	}
	cmd := a.caller("moat-cni", command, a.conf, p, effect.GateVar+"="+a.own.path)
	point := a.killedThere(cmd, n)
	then(p)
	require.NoError(a.t, p.Remove())
	return point
}

// killedThere runs a process until the n-th point of its steps, where it is killed.
func (a *alone) killedThere(cmd *exec.Cmd, n int) string {
	a.t.Helper()
	a.own.arm(place{n: n}, killed)
	defer a.own.disarm()
	require.NoError(a.t, a.ns.Do(cmd.Start))
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		require.NoError(a.t, err, "undisturbed, after %d points", n-1)
		return ""
	case point := <-a.own.fired:
		require.NoError(a.t, cmd.Process.Kill())
		<-ended
		return point
	case <-time.After(patience):
		require.FailNow(a.t, "neither done nor at the point", "point %d", n)
		return ""
	}
}

// notPrinted is a result that the runtime cannot get from a plugin that does the work
// itself: its standard output is full.
func notPrinted(h *host, _ place) string {
	a := newAlone(h)
	p, before := a.pod("red", "p"), a.look()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(h.t, err)
	defer full.Close()
	cmd := a.caller("moat-cni", "ADD", a.conf, p, effect.GateVar+"="+h.gate.path)
	cmd.Stdout = full
	require.Error(h.t, h.ns.Do(cmd.Run), "its result cannot be printed")
	h.comesBackTo(before, sweep, "an ADD without a daemon, whose result cannot be printed")
	require.NoError(h.t, p.Remove())
	return ""
}
