package crash

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Killed anywhere in its first start on a host whose firewall is another's, the daemon
// starts again, and takes down all that it made, in the chains of others, too.
func TestKilledInStartThenDown(t *testing.T) {
	h := newHost(t)
	h.takenDown()
	require.NoError(t, h.ns.ForwardDrop())
	before := h.look()
	h.pointsOf("first start, then down", 24, func(n int) string {
		point := h.killedInStart(n)
		h.takenDown()
		h.comesBackTo(before, soon, "start killed "+point+", then start and down")
		return point
	})
}

func (h *host) takenDown() {
	h.t.Helper()
	h.cli("down", "--yes", "--force")
	require.NoError(h.t, h.daemon.Wait())
}

// killedInStart starts the daemon, which is killed at the n-th point of its steps until
// it can serve an ADD, and starts it again. It returns "" when there are fewer.
func (h *host) killedInStart(n int) string {
	h.t.Helper()
	h.gate.arm(place{n: n}, killed)
	require.NoError(h.t, h.daemon.Launch())
	ready := make(chan error, 1)
	go func() { ready <- h.run("status", "--wait", "--timeout", "2m") }()
	select {
	case err := <-ready:
		h.gate.disarm()
		require.NoError(h.t, err, "undisturbed, after %d points", n-1)
		return ""
	case point := <-h.gate.fired:
		require.NoError(h.t, h.daemon.Kill())
		h.gate.disarm()
		require.NoError(h.t, h.daemon.Start(h.t.Context()), "start after %s", point)
		<-ready // of the first or of the second daemon
		return point
	}
}
