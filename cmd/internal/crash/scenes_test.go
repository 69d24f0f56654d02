package crash

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// scene is a cell of the matrix by itself: play disturbs an operation at a point,
// goes on in one way, and requires that nothing is left or lost. It returns the
// point, or "" when the operation did not come to it.
type scene struct {
	what   string
	config string // of the daemon
	at     []place
	play   func(h *host, at place) string
}

// Points of operations, by the steps that they are before or after.
const (
	beforeEtcd  = "before etcd"
	afterEtcd   = "after etcd"
	beforePair  = "before rtnetlink change the interfaces of a pod"
	afterPair   = "after rtnetlink change the interfaces of a pod"
	beforeFrame = "before frame"
	beforePin   = "before namespace pin a namespace"
	afterUnpin  = "after namespace unpin a namespace"
)

// pairAlone is in an ADD, where the pair is there and no record yet.
var pairAlone = place{afterPair, 1, beforeEtcd}

// recordAlone is in an ADD, where the record is there and no pair yet.
var recordAlone = place{afterEtcd, 1, beforePair}

// scenes are the operations in which something is taken back, and the ways in
// which they go on.
func scenes() []scene {
	return []scene{
		{"ADD killed, then DEL", "", []place{pairAlone, {afterEtcd, 1, ""}}, addKilledThenDel},
		{"ADD killed, then ADD", "", []place{pairAlone, {afterEtcd, 1, ""}}, addKilledThenAdd},
		{"ADD killed, then nothing", "", []place{{beforeFrame, 1, ""}, recordAlone}, addKilledThenNothing},
		{"ADD fails early, then nothing", "", []place{{beforeEtcd, 1, ""}, {beforePair, 2, ""}}, addFailsThenNothing},
		addFailsLate,
		{"ADD killed, then ADD that grows the tenant", "tenantPrefix: 29\n", []place{pairAlone}, addKilledThenGrowth},
		{"DEL killed, then nothing", "", []place{{afterEtcd, 1, ""}}, delKilledThenNothing},
		{"DEL fails, then nothing", "", []place{{beforeEtcd, 1, ""}}, delFailsThenNothing},
		{"DEL fails, then ADD", "", []place{{beforeEtcd, 1, ""}}, delFailsThenAdd},
		{"plugin killed, then nothing", "", []place{{replied, 1, ""}}, pluginKilledThenNothing},
		{"result not printed without a daemon, then nothing", "", []place{{}}, notPrinted},
		{"GC", "", []place{{}}, collected},
		{"pod of another plugin gone", "", []place{{}}, holderGone},
		{"tenant build killed, then removal", "", []place{{beforeEtcd, 8, ""}, {beforePin, 1, ""}}, buildKilledThenRemoval},
		{"tenant build that cannot pin, then removal", "", []place{{beforePin, 0, ""}}, buildFailsThenRemoval},
		{"tenant build, and removal meanwhile", "", []place{{beforeEtcd, 3, ""}, {beforeEtcd, 4, ""}}, removedWhileBuilt},
		{"daemon killed, and a namespace lost that somebody keeps", "", []place{{}}, namespaceKept},
		{"tenant removal killed, then nothing", "", []place{{afterEtcd, 1, ""}, {afterUnpin, 1, ""}}, removalKilledThenNothing},
		{"tenant removal killed, then build", "", []place{{afterEtcd, 1, ""}}, removalKilledThenBuild},
	}
}

// addFailsLate is the scene of `make test`.
var addFailsLate = scene{"ADD fails, then nothing", "", []place{{afterEtcd, 1, ""}, {beforeFrame, 1, ""}}, addFailsThenNothing}

// host is a machine for a scene, with a pod in a tenant.
func (s scene) host(t testing.TB) *host {
	var args []string
	if s.config != "" {
		args = []string{"--config", write(t, s.config)}
	}
	h := newHost(t, args...)
	h.first = h.pod("red", "first")
	h.addConfirmed(h.first)
	return h
}

// undisturbed says whether a scene kills nothing and has nothing fail.
func (p place) undisturbed() bool { return p == place{} }

func addKilledThenDel(h *host, at place) string {
	p, before := h.pod("red", "p"), h.look()
	point := h.killedIn(at, func() error { return h.runtime().Add(h.t.Context(), p) }, 0)
	h.del(p)
	h.comesBackTo(before, sweep, "ADD killed "+point+", then DEL")
	require.NoError(h.t, p.Remove())
	return point
}

func addKilledThenAdd(h *host, at place) string {
	p, before := h.pod("red", "p"), h.look()
	point := h.killedIn(at, func() error { return h.runtime().Add(h.t.Context(), p) }, 0)
	h.add(p)
	h.del(p)
	require.NoError(h.t, p.Remove())
	h.comesBackTo(before, sweep, "ADD killed "+point+", then ADD and DEL")
	return point
}

func addKilledThenNothing(h *host, at place) string {
	p, before := h.pod("red", "p"), h.look()
	point := h.killedIn(at, func() error { return h.runtime().Add(h.t.Context(), p) }, 0)
	require.NoError(h.t, p.Remove())
	h.comesBackTo(before, 2*sweep, "ADD killed "+point+", then nothing")
	return point
}

func addFailsThenNothing(h *host, at place) string {
	p, before := h.pod("red", "p"), h.look()
	point, err := h.failsAt(at, func() error { return h.runtime().Add(h.t.Context(), p) })
	if err == nil {
		h.del(p)
	}
	h.comesBackTo(before, sweep, "ADD that fails "+point+", then nothing")
	require.NoError(h.t, p.Remove())
	return point
}

// addKilledThenGrowth: the tenant's subnet is full when ADD comes again, and the
// pair of the first one is on another bridge.
func addKilledThenGrowth(h *host, at place) string {
	for _, name := range []string{"second", "third", "fourth"} {
		h.add(h.pod("red", name))
	}
	p := h.pod("red", "p")
	point := h.killedIn(at, func() error { return h.runtime().Add(h.t.Context(), p) }, 0)
	h.add(h.pod("red", "fifth"))
	h.add(p)
	require.NoError(h.t, lab.Ping(p.Namespace, p.Gateway, answered))
	return point
}

func delKilledThenNothing(h *host, at place) string {
	p, before := h.pod("red", "p"), h.look()
	h.addConfirmed(p)
	point := h.killedIn(at, func() error { return h.runtime().Del(h.t.Context(), p) }, 0)
	require.NoError(h.t, p.Remove())
	h.comesBackTo(before, 2*sweep, "DEL killed "+point+", then nothing")
	return point
}

func delFailsThenNothing(h *host, at place) string {
	p, before := h.pod("red", "p"), h.look()
	h.addConfirmed(p)
	point, _ := h.failsAt(at, func() error { return h.runtime().Del(h.t.Context(), p) })
	h.comesBackTo(before, sweep, "DEL that fails "+point+", then nothing")
	require.NoError(h.t, p.Remove())
	return point
}

// delFailsThenAdd: what DEL noted must not become of the ADD that follows.
func delFailsThenAdd(h *host, at place) string {
	p, before := h.pod("red", "p"), h.look()
	h.addConfirmed(p)
	point, _ := h.failsAt(at, func() error { return h.runtime().Del(h.t.Context(), p) })
	h.addAgain(p)
	require.Eventually(h.t, func() bool { return len(h.tombstones()) == 0 }, h.within(sweep), lookEvery, "tombstones stay")
	require.NoError(h.t, h.runtime().Check(h.t.Context(), p), "ADD after a DEL that failed "+point)
	h.del(p)
	require.NoError(h.t, p.Remove())
	h.comesBackTo(before, sweep, "DEL that fails "+point+", then ADD and DEL")
	return point
}

func buildKilledThenRemoval(h *host, at place) string {
	before := h.look()
	point := h.killedIn(at, func() error { return h.run("tenant", "create", "blue") }, 0)
	h.cli("tenant", "delete", "blue")
	h.comesBackTo(before, sweep, "tenant build killed "+point+", then removal")
	return point
}

func buildFailsThenRemoval(h *host, at place) string {
	before := h.look()
	h.gate.arm(at, failed)
	h.cli("tenant", "create", "blue")
	point := h.comesTo(at)
	h.cli("tenant", "delete", "blue")
	h.comesBackTo(before, sweep, "tenant build that fails "+point+", then removal")
	h.gate.disarm()
	return point
}

func removedWhileBuilt(h *host, at place) string {
	before := h.look()
	h.gate.arm(at, paused)
	built := make(chan error, 1)
	go func() { built <- h.run("tenant", "create", "blue") }()
	point := h.comesTo(at)
	_ = h.run("tenant", "delete", "blue") // it may have to wait for what is paused
	h.gate.disarm()
	<-built // it may say that the tenant was deleted
	_ = h.run("tenant", "delete", "blue")
	h.comesBackTo(before, sweep, "tenant build "+point+", and removal meanwhile")
	return point
}

func removalKilledThenNothing(h *host, at place) string {
	before := h.look()
	h.cli("tenant", "create", "blue")
	built := h.look()
	point := h.killedAfter(at, func() error { return h.run("tenant", "delete", "blue") })
	h.allReady()
	if h.tenants()["blue"] != "" {
		h.comesBackTo(built, sweep, "tenant removal killed "+point+", which came to nothing")
		h.cli("tenant", "delete", "blue")
	}
	h.comesBackTo(before, sweep, "tenant removal killed "+point+", then nothing")
	return point
}

func removalKilledThenBuild(h *host, at place) string {
	before := h.look()
	h.cli("tenant", "create", "blue")
	point := h.killedIn(at, func() error { return h.run("tenant", "delete", "blue") }, 0)
	h.cli("tenant", "create", "blue")
	h.cli("tenant", "delete", "blue")
	h.comesBackTo(before, sweep, "tenant removal killed "+point+", then build")
	return point
}

// namespaceKept: while no daemon runs a router's namespace loses its name, and goes on
// because somebody has it open, with its end of the pair to the provider's.
func namespaceKept(h *host, _ place) string {
	before := h.look()
	first, late := h.pod("blue", "first"), h.pod("blue", "late")
	h.add(first)
	home := first.Result.Interfaces[0].Sandbox
	kept, err := os.Open(home)
	require.NoError(h.t, err)
	defer kept.Close()
	require.NoError(h.t, h.daemon.Kill())
	require.NoError(h.t, unix.Unmount(home, unix.MNT_DETACH))
	require.NoError(h.t, os.Remove(home))
	require.NoError(h.t, h.daemon.Start(h.t.Context()))
	h.addWithin(late, h.within(sweep))
	require.NoError(h.t, lab.Ping(late.Namespace, lab.OutsideAddr.Addr(), h.within(sweep)), "the way out of a namespace that was made again")
	for _, p := range []*lab.Pod{first, late} {
		h.del(p)
		require.NoError(h.t, p.Remove())
	}
	h.cli("tenant", "delete", "blue")
	require.NoError(h.t, kept.Close())
	h.comesBackTo(before, sweep, "a namespace that was lost, and that somebody kept")
	return ""
}
