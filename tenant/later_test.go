package tenant

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/ledger"
	"github.com/moatnet/moat/sdn"
)

func TestDetachWithoutStoreIsNotedAndFinishedByTheNextProcess(t *testing.T) {
	w, f, dir := newWorld(t), &fault{}, filepath.Join(t.TempDir(), "tombstones")
	broken := func(o *Options) {
		o.TombstoneDir = dir
		o.Store = ledger.New(faultyKV{w.kv, f}, ledger.Options{})
	}
	m := w.manager(t, broken)
	_, err := m.Attach(t.Context(), request(t, "blue", "c1"))
	require.NoError(t, err)
	f.arm(1, false)
	require.Equal(t, CodeTryAgain, code(t, m.Detach(t.Context(), attachment("c1"))))
	f.disarm()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 1)
	info, err := files[0].Info()
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.Len(t, w.leases(t), 1)

	next := w.manager(t, func(o *Options) { o.TombstoneDir = dir })
	require.NoError(t, next.Detach(t.Context(), attachment("another")), "a call of another attachment finishes it")
	require.Empty(t, w.leases(t))
	require.Empty(t, w.pods.pairs)
	files, err = os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, files)
}

// silent is an API that says nothing when it is to delete a port.
type silent struct {
	sdn.API
	on *atomic.Bool
}

func (s silent) DeletePort(ctx context.Context, id sdn.PortID) error {
	if s.on.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.API.DeletePort(ctx, id)
}

func TestAttachThatRanOutOfTimeDoesNotUndoForLong(t *testing.T) {
	w := newWorld(t)
	on := &atomic.Bool{}
	m := w.manager(t, func(o *Options) { o.API = silent{w.topo, on} })
	_, err := m.EnsureTenant(t.Context(), "blue")
	require.NoError(t, err)
	before := w.everything(t)
	w.eng.dead = true
	on.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	begun := time.Now()
	_, err = m.Attach(ctx, request(t, "blue", "c1"))
	require.Equal(t, CodeTryAgain, code(t, err))
	require.Less(t, time.Since(begun), cleanup/3, "the caller waits for the answer")
	require.Len(t, w.leases(t), 1, "the record says what is left")
	require.Equal(t, []ipam.Attachment{attachment("c1")}, m.tombs.list())

	on.Store(false)
	require.NoError(t, m.Finish(t.Context()))
	require.Empty(t, w.leases(t))
	require.Empty(t, w.pods.pairs)
	require.Equal(t, before, w.everything(t))
}

// What nobody waits for leaves out whatever a call is at work on, instead of waiting
// for that.
func TestACallUnderWayHoldsUpNobodyElsesCleaning(t *testing.T) {
	w := newWorld(t)
	m := w.manager(t)
	for _, c := range []string{"c1", "c2"} {
		_, err := m.Attach(t.Context(), request(t, "blue", c))
		require.NoError(t, err)
	}
	w.expire(t)
	for _, c := range []string{"c1", "c2"} {
		require.NoError(t, m.tombs.add(attachment(c)))
	}
	m.unsure = nil
	leave, err := m.busy.Enter(t.Context(), attachment("c1"))
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, m.Sweep(ctx))
	require.Len(t, m.unsure, 1, "c2 is settled")
	require.NoError(t, m.Finish(ctx))
	require.Equal(t, []ipam.Attachment{attachment("c1")}, m.tombs.list())
	leave(nil)
	require.NoError(t, m.Sweep(ctx))
	require.NoError(t, m.Finish(ctx))
	require.Empty(t, m.tombs.list())
	require.Empty(t, w.leases(t))
}

func TestRunFinishesTombstonesAndConfirms(t *testing.T) {
	w := newWorld(t)
	m := w.manager(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- m.Run(ctx) }()
	_, err := m.Attach(t.Context(), request(t, "blue", "c1"))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return w.leases(t)[0].State == ipam.Added }, time.Minute, 20*time.Millisecond)
	_, err = m.Attach(t.Context(), request(t, "blue", "c2"))
	require.NoError(t, err)
	stop()
	require.NoError(t, <-done)
	for _, rec := range w.leases(t) {
		require.Equal(t, ipam.Added, rec.State, "the last ones are confirmed at the end")
	}
}

// GC does not go on with what it has no time for, not even to note it: the runtime
// asks again.
func TestCollectEndsWithItsTime(t *testing.T) {
	w, on := newWorld(t), &atomic.Bool{}
	m := w.manager(t, func(o *Options) { o.API = silent{w.topo, on} })
	for _, c := range []string{"c1", "c2", "c3"} {
		_, err := m.Attach(t.Context(), request(t, "blue", c))
		require.NoError(t, err)
	}
	on.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	require.Equal(t, CodeTryAgain, code(t, m.Collect(ctx, "node1", "moat", nil)))
	require.Len(t, m.tombs.list(), 1)
	on.Store(false)
	require.NoError(t, m.Collect(t.Context(), "node1", "moat", nil))
	require.Empty(t, w.leases(t))
	require.Empty(t, m.tombs.list())
}

func TestTombstoneOfAnAttachmentThatIsAttachedAgainIsFinishedFirst(t *testing.T) {
	w := newWorld(t)
	m := w.manager(t)
	r := request(t, "blue", "c1")
	_, err := m.Attach(t.Context(), r)
	require.NoError(t, err)
	w.pods.fail = func(string) error { return errors.New("no") }
	require.Error(t, m.Detach(t.Context(), r.Attachment))
	w.pods.fail = nil
	got, err := m.Attach(t.Context(), r)
	require.NoError(t, err)
	require.NoError(t, m.Finish(t.Context()))
	require.NoError(t, m.Check(t.Context(), r, got), "the old tombstone is gone")
}

// dead runs Attach in an agent that is killed as it answers.
func dead(t *testing.T, w *world, container string) (AttachRequest, Attached) {
	r := request(t, "blue", container)
	got, err := w.manager(t, func(o *Options) { o.Patience = time.Second }).Attach(t.Context(), r)
	require.NoError(t, err)
	return r, got
}

// expire makes the deadlines of all attachments pass.
func (w *world) expire(t *testing.T) {
	l := ledger.New(w.kv, ledger.Options{})
	for _, rec := range w.leases(t) {
		_, err := l.TakeOver(t.Context(), rec, rec.Owner, time.Now().Add(-time.Second))
		require.NoError(t, err)
	}
}

func TestAgentKilledAsItAnswersIsKnownToTheNext(t *testing.T) {
	w := newWorld(t)
	r, got := dead(t, w, "c1")
	next := w.manager(t)
	require.NoError(t, next.Check(t.Context(), r, got))
	require.NoError(t, next.Sweep(t.Context()))
	require.Equal(t, ipam.Adding, w.leases(t)[0].State, "before the deadline it is its owner's affair")
	w.expire(t)
	require.NoError(t, next.Sweep(t.Context()))
	require.NoError(t, next.Confirm(t.Context()))
	require.Equal(t, ipam.Added, w.leases(t)[0].State)
	require.NoError(t, next.Detach(t.Context(), r.Attachment))
	require.Empty(t, w.leases(t))
}

func TestSweepUndoesWhatADeadAgentLeftHalfMade(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, w *world, rec ipam.Record){
		"no pair": func(_ *testing.T, w *world, _ ipam.Record) { clear(w.pods.pairs) },
		"no port": func(t *testing.T, w *world, rec ipam.Record) {
			require.NoError(t, w.topo.DeletePort(t.Context(), sdn.PortID(rec.Port)))
		},
		"record only": func(t *testing.T, w *world, rec ipam.Record) {
			clear(w.pods.pairs)
			require.NoError(t, w.topo.DeletePort(t.Context(), sdn.PortID(rec.Port)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			_, err := w.manager(t).EnsureTenant(t.Context(), "blue")
			require.NoError(t, err)
			before := w.everything(t)
			dead(t, w, "c1")
			spoil(t, w, w.leases(t)[0])
			w.expire(t)
			require.NoError(t, w.manager(t).Sweep(t.Context()))
			require.Empty(t, w.leases(t))
			require.Empty(t, w.pods.pairs)
			require.Equal(t, before, w.everything(t))
		})
	}
}

func TestSweepLeavesAloneWhatItCannotSee(t *testing.T) {
	w, f := newWorld(t), &fault{}
	dead(t, w, "c1")
	w.expire(t)
	m := w.manager(t, func(o *Options) { o.API = faulty{w.topo, f} })
	f.arm(1, false)
	require.ErrorIs(t, m.Sweep(t.Context()), sdn.ErrUnavailable)
	f.disarm()
	require.Len(t, w.pods.pairs, 1)
	require.Len(t, w.leases(t), 1)
}

func TestLeftoverOfADeadAgentIsFinishedByTheRepeatedAttach(t *testing.T) {
	w := newWorld(t)
	r, first := dead(t, w, "c1")
	clear(w.pods.pairs)
	m := w.manager(t)
	got, err := m.Attach(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, first.Pod.Name, got.Pod.Name)
	require.Len(t, w.leases(t), 1)
	require.Len(t, w.pods.pairs, 1)
}

func TestCollectKeepsWhatIsListedAndOtherNetworks(t *testing.T) {
	w := newWorld(t)
	m := w.manager(t)
	for _, c := range []string{"keep", "drop1", "drop2"} {
		_, err := m.Attach(t.Context(), request(t, "blue", c))
		require.NoError(t, err)
	}
	other := request(t, "blue", "drop1")
	other.Attachment.Network = "other"
	_, err := m.Attach(t.Context(), other)
	require.NoError(t, err)
	require.Error(t, m.Collect(t.Context(), "node1", "", nil), "no network is not all networks")
	require.NoError(t, m.Collect(t.Context(), "node2", "moat", nil))
	require.Len(t, w.leases(t), 4)

	tries := 0
	w.pods.fail = func(string) error { tries++; return errors.New("not now") }
	err = m.Collect(t.Context(), "node1", "moat", []ipam.Attachment{{ContainerID: "keep", IfName: "eth0"}})
	require.ErrorContains(t, err, "not now")
	require.GreaterOrEqual(t, tries, 2, "it goes on after an error")
	w.pods.fail = nil
	require.NoError(t, m.Collect(t.Context(), "node1", "moat", []ipam.Attachment{{ContainerID: "keep", IfName: "eth0"}}))
	require.Len(t, w.leases(t), 2)
}

func TestStatusSaysWhatIsMissing(t *testing.T) {
	w, f := newWorld(t), &fault{}
	status := func(change ...func(*Options)) error { return w.manager(t, change...).Status(t.Context()) }
	require.NoError(t, status())
	w.topo.SetAlive(w.host, false)
	err := status()
	require.Equal(t, CodeNotAvailable, code(t, err))
	require.ErrorContains(t, err, "no living engine")
	w.topo.SetAlive(w.host, true)
	f.arm(1, false)
	err = status(func(o *Options) { o.Store = ledger.New(faultyKV{w.kv, f}, ledger.Options{}) })
	require.Equal(t, CodeNotAvailable, code(t, err))
	require.ErrorIs(t, err, ipam.ErrUnavailable)
	f.disarm()
	err = status(func(o *Options) { o.Host = sdn.NewID[sdn.HostID]() })
	require.ErrorIs(t, err, sdn.ErrNotFound)
}

func TestPollingWaitsForThePortAndForNoLonger(t *testing.T) {
	w := newWorld(t)
	m := w.manager(t)
	n, err := m.EnsureTenant(t.Context(), "blue")
	require.NoError(t, err)
	p, err := w.topo.CreatePort(t.Context(), sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(n.Record.Subnets[0].Bridge), Host: w.host, Interface: "x"})
	require.NoError(t, err)
	e := Polling{API: w.topo, Installation: "t", MTU: 1400}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, e.WaitActive(ctx, p.ID), context.DeadlineExceeded)
	require.ErrorIs(t, e.WaitActive(t.Context(), sdn.NewID[sdn.PortID]()), sdn.ErrNotFound)
	done := make(chan error)
	go func() { done <- e.WaitActive(t.Context(), p.ID) }()
	w.topo.SetActive(p.ID, true)
	require.NoError(t, <-done)
	wiring, err := e.Wiring(t.Context(), "", p.ID)
	require.NoError(t, err)
	require.Equal(t, sdn.Wiring{Interface: sdn.InterfaceName(p.ID), Alias: "moat:t:port:" + string(p.ID), MTU: 1400}, wiring)
}
