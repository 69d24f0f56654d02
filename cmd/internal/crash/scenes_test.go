package crash

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/require"
)

// scene is a cell of the matrix by itself: play disturbs an operation at a point,
// goes on in one way, and requires that nothing is left or lost. It returns the
// point, or "" when the operation has no such point.
type scene struct {
	what string
	play func(h *host, at int) string
}

// scenes are the operations in which something is taken back, and the ways in
// which they go on.
func scenes() []scene {
	return []scene{
		{"ADD killed, then DEL", addKilledThenDel},
		{"ADD killed, then ADD", addKilledThenAdd},
		{"ADD killed, then nothing", addKilledThenNothing},
		{"ADD fails, then nothing", addFailsThenNothing},
		{"DEL killed, then nothing", delKilledThenNothing},
		{"DEL fails, then nothing", delFailsThenNothing},
		{"DEL fails, then ADD", delFailsThenAdd},
		{"tenant build killed, then removal", buildKilledThenRemoval},
		{"tenant removal killed, then nothing", removalKilledThenNothing},
		{"tenant removal killed, then build", removalKilledThenBuild},
	}
}

func addKilledThenDel(h *host, at int) string {
	p, before := h.pod("red", fmt.Sprintf("p%d", at)), h.look()
	point := h.killedAt(at, func() error { return h.runtime().Add(h.t.Context(), p) })
	h.del(p)
	require.NoError(h.t, p.Remove())
	h.comesBackTo(before, sweep, "ADD killed "+point+", then DEL")
	return point
}

func addKilledThenAdd(h *host, at int) string {
	p, before := h.pod("red", fmt.Sprintf("p%d", at)), h.look()
	point := h.killedAt(at, func() error { return h.runtime().Add(h.t.Context(), p) })
	h.add(p)
	h.del(p)
	require.NoError(h.t, p.Remove())
	h.comesBackTo(before, sweep, "ADD killed "+point+", then ADD and DEL")
	return point
}

func addKilledThenNothing(h *host, at int) string {
	p, before := h.pod("red", fmt.Sprintf("p%d", at)), h.look()
	point := h.killedAt(at, func() error { return h.runtime().Add(h.t.Context(), p) })
	require.NoError(h.t, p.Remove())
	h.comesBackTo(before, 2*sweep, "ADD killed "+point+", then nothing")
	return point
}

func addFailsThenNothing(h *host, at int) string {
	p, before := h.pod("red", fmt.Sprintf("p%d", at)), h.look()
	point, err := h.failsAt(at, func() error { return h.runtime().Add(h.t.Context(), p) })
	if err == nil {
		h.del(p)
	}
	h.comesBackTo(before, sweep, "ADD that fails "+point+", then nothing")
	require.NoError(h.t, p.Remove())
	return point
}

func delKilledThenNothing(h *host, at int) string {
	p, before := h.pod("red", fmt.Sprintf("p%d", at)), h.look()
	h.add(p)
	point := h.killedAt(at, func() error { return h.runtime().Del(h.t.Context(), p) })
	require.NoError(h.t, p.Remove())
	h.comesBackTo(before, 2*sweep, "DEL killed "+point+", then nothing")
	return point
}

func delFailsThenNothing(h *host, at int) string {
	p, before := h.pod("red", fmt.Sprintf("p%d", at)), h.look()
	h.add(p)
	point, _ := h.failsAt(at, func() error { return h.runtime().Del(h.t.Context(), p) })
	h.comesBackTo(before, sweep, "DEL that fails "+point+", then nothing")
	require.NoError(h.t, p.Remove())
	return point
}

func delFailsThenAdd(h *host, at int) string {
	p, before := h.pod("red", fmt.Sprintf("p%d", at)), h.look()
	h.add(p)
	point, _ := h.failsAt(at, func() error { return h.runtime().Del(h.t.Context(), p) })
	h.add(p)
	require.NoError(h.t, h.runtime().Check(h.t.Context(), p), "ADD after a DEL that failed "+point)
	h.del(p)
	require.NoError(h.t, p.Remove())
	h.comesBackTo(before, sweep, "DEL that fails "+point+", then ADD and DEL")
	return point
}

func buildKilledThenRemoval(h *host, at int) string {
	before := h.look()
	point := h.killedAt(at, func() error { return h.run("tenant", "create", "blue") })
	h.cli("tenant", "delete", "blue")
	h.comesBackTo(before, sweep, "tenant build killed "+point+", then removal")
	return point
}

func removalKilledThenNothing(h *host, at int) string {
	before := h.look()
	h.cli("tenant", "create", "blue")
	built := h.look()
	point := h.killedAt(at, func() error { return h.run("tenant", "delete", "blue") })
	h.allReady()
	if h.tenants()["blue"] != "" {
		h.comesBackTo(built, sweep, "tenant removal killed "+point+", which came to nothing")
		h.cli("tenant", "delete", "blue")
	}
	h.comesBackTo(before, sweep, "tenant removal killed "+point+", then nothing")
	return point
}

func removalKilledThenBuild(h *host, at int) string {
	before := h.look()
	h.cli("tenant", "create", "blue")
	point := h.killedAt(at, func() error { return h.run("tenant", "delete", "blue") })
	h.cli("tenant", "create", "blue")
	h.cli("tenant", "delete", "blue")
	h.comesBackTo(before, sweep, "tenant removal killed "+point+", then build")
	return point
}

// failsAt runs op, whose n-th point fails. It returns "" when op ended before that,
// and the answer of op.
func (h *host) failsAt(n int, op func() error) (point string, err error) {
	h.t.Helper()
	h.gate.armToFail(n)
	ended := make(chan error, 1)
	go func() { ended <- op() }()
	select {
	case err = <-ended:
	case <-time.After(2 * time.Minute):
		require.FailNow(h.t, "it does not end", "point %d fails", n)
	}
	select {
	case point = <-h.gate.fired:
	default:
	}
	h.gate.disarm()
	if point == "" {
		require.NoError(h.t, err, "undisturbed, after %d points", n-1)
	}
	return point, err
}
