package crash

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/lab"
)

const (
	// soon is how long what a call has begun may take to be finished behind it.
	soon = 30 * time.Second
	// sweep is the promise for what nobody asks for again.
	sweep = 30 * time.Second
	// answered is how long a probe that must pass may take.
	answered = 10 * time.Second
)

// everyVar makes the tests kill at every point, as `make test-crash` does; else
// they do at every ninth.
const everyVar = "MOAT_TEST_CRASH_EVERY_POINT"

// points runs try with the points in turn until it says that its operation ended
// before the point, and prints how many there were.
func (h *host) points(what string, try func(n int) string) {
	h.t.Helper()
	h.pointsOf(what, 9, try)
}

// pointsOf is points, and tells how many are passed over when not all are asked for.
func (h *host) pointsOf(what string, step int, try func(n int) string) {
	h.t.Helper()
	kinds, count := map[string]int{}, 0
	if os.Getenv(everyVar) != "" {
		step = 1
	}
	for n := 1; ; n += step {
		point := try(n)
		if point == "" {
			break
		}
		count++
		kinds[kind(point)]++
	}
	require.Positive(h.t, count, "%s passes the seam", what)
	h.t.Logf("%s: killed at %d points, one in %d, steps of %d kinds", what, count, step, len(kinds))
}

// Killed anywhere in ADD, the runtime gives up: DEL, as it does.
func TestKilledInAddThenDel(t *testing.T) {
	h := newHost(t)
	first := h.pod("red", "first")
	h.add(first)
	p := h.pod("red", "second")
	h.place.Namespaces["pod"] = p.Path
	before := h.look()
	h.points("ADD, then DEL", func(n int) string {
		point := h.killedAt(n, func() error { return h.runtime().Add(t.Context(), p) })
		h.del(p)
		h.comesBackTo(before, sweep, "ADD killed "+point+", then DEL") // a pair may be there of which no record tells
		return point
	})
}

// Killed anywhere in ADD, the runtime repeats it.
func TestKilledInAddThenAdd(t *testing.T) {
	h := newHost(t)
	first := h.pod("red", "first")
	h.add(first)
	p := h.pod("red", "second")
	h.place.Namespaces["pod"] = p.Path
	before := h.look()
	h.points("ADD, then ADD", func(n int) string {
		point := h.killedAt(n, func() error { return h.runtime().Add(t.Context(), p) })
		h.add(p)
		require.NoError(t, h.runtime().Check(t.Context(), p), point)
		require.NoError(t, lab.Ping(p.Namespace, first.Address, answered), point)
		h.del(p)
		h.comesBackTo(before, soon, "ADD killed "+point+", then ADD and DEL")
		return point
	})
}

// Killed anywhere in ADD, the pod is gone and nobody calls again.
func TestKilledInAddThenNothing(t *testing.T) {
	h := newHost(t)
	h.add(h.pod("red", "first"))
	before := h.look()
	h.points("ADD, then nothing", func(n int) string {
		p := h.pod("red", fmt.Sprintf("p%d", n))
		point := h.killedAt(n, func() error { return h.runtime().Add(t.Context(), p) })
		if point == "" {
			h.del(p)
		}
		require.NoError(t, p.Remove())
		return point
	})
	h.comesBackTo(before, 2*sweep, "ADDs killed at every point, and nothing more")
}

// Killed anywhere in DEL, the runtime repeats it.
func TestKilledInDelThenDel(t *testing.T) {
	h := newHost(t)
	h.add(h.pod("red", "first"))
	p := h.pod("red", "second")
	h.place.Namespaces["pod"] = p.Path
	before := h.look()
	h.points("DEL, then DEL", func(n int) string {
		h.add(p)
		point := h.killedAt(n, func() error { return h.runtime().Del(t.Context(), p) })
		h.del(p)
		h.comesBackTo(before, soon, "DEL killed "+point+", then DEL")
		return point
	})
}

// Killed anywhere in DEL, nobody calls again and the pod is gone.
func TestKilledInDelThenNothing(t *testing.T) {
	h := newHost(t)
	h.add(h.pod("red", "first"))
	before := h.look()
	h.points("DEL, then nothing", func(n int) string {
		p := h.pod("red", fmt.Sprintf("p%d", n))
		h.add(p)
		point := h.killedAt(n, func() error { return h.runtime().Del(t.Context(), p) })
		require.NoError(t, p.Remove())
		return point
	})
	h.comesBackTo(before, 2*sweep, "DELs killed at every point, and nothing more")
}

// Killed anywhere in building a tenant's network, the build is repeated, and the
// tenant is there once and removed whole.
func TestKilledInTenantBuildThenBuild(t *testing.T) {
	h := newHost(t)
	before := h.look()
	h.points("tenant build, then build", func(n int) string {
		point := h.killedAt(n, func() error { return h.run("tenant", "create", "blue") })
		h.cli("tenant", "create", "blue")
		h.cli("tenant", "delete", "blue")
		h.comesBackTo(before, sweep, "tenant build killed "+point)
		return point
	})
}

// Killed anywhere in removing a tenant's network, the removal is repeated.
func TestKilledInTenantRemovalThenRemoval(t *testing.T) {
	h := newHost(t)
	before := h.look()
	h.points("tenant removal, then removal", func(n int) string {
		h.cli("tenant", "create", "blue")
		point := h.killedAt(n, func() error { return h.run("tenant", "delete", "blue") })
		if point != "" {
			_ = h.run("tenant", "delete", "blue") // it may be gone already
		}
		h.comesBackTo(before, sweep, "tenant removal killed "+point)
		return point
	})
}

// Killed anywhere in adding a bridge to a tenant whose subnet is full, the runtime
// repeats ADD.
func TestKilledInBridgeGrowthThenAdd(t *testing.T) {
	h := newHost(t, "--config", write(t, "tenantPrefix: 29\n"))
	full := []*lab.Pod{}
	for i := range 5 { // as many as a /29 has, but for the gateway
		full = append(full, h.pod("red", fmt.Sprintf("full%d", i)))
	}
	before := h.look()
	h.points("bridge growth, then ADD", func(n int) string {
		for _, p := range full {
			h.add(p)
		}
		p := h.pod("red", "more")
		point := h.killedAt(n, func() error { return h.runtime().Add(t.Context(), p) })
		h.add(p)
		require.NoError(t, lab.Ping(p.Namespace, full[0].Address, answered), point)
		for _, p := range append(full, p) {
			h.del(p)
		}
		require.NoError(t, p.Remove())
		h.cli("tenant", "delete", "red")
		h.comesBackTo(before, sweep, "bridge growth killed "+point)
		return point
	})
}

func write(t testing.TB, text string) string {
	path := filepath.Join(t.TempDir(), "moat.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// run is a command that may fail.
func (h *host) run(args ...string) error {
	_, err := h.daemon.CLI(h.t.Context(), args...)
	return err
}
