package holdings

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/ledger"
	"github.com/moatnet/moat/ipam/pool"
)

// stage is a store with one holding, whose pod's namespace is a file.
type stage struct {
	*Sweeper
	t    *testing.T
	path string
	now  time.Time
	held ipam.Holding
	set  ipam.Set

	ledger *ledger.Ledger
}

func newStage(t *testing.T, change func(*ipam.Holding)) *stage {
	l := &stage{t: t, now: time.Now(), path: filepath.Join(t.TempDir(), "netns", "pod")}
	require.NoError(t, os.Mkdir(filepath.Dir(l.path), 0o700))
	require.NoError(t, os.WriteFile(l.path, nil, 0o600))
	kv := ledger.NewMemory()
	store := ledger.NewPools(kv, ledger.PoolOptions{})
	l.ledger = ledger.New(kv, ledger.Options{Now: func() time.Time { return l.now }})
	l.Sweeper = &Sweeper{Store: store, Reservations: l.ledger, Node: "n", Pods: Pods{BootID: "boot"}, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return l.now }}
	p, err := pool.New("r", [][]pool.Range{{{Subnet: netip.MustParsePrefix("10.0.0.0/24")}}})
	require.NoError(t, err)
	l.set = p.Sets[0]
	h := ipam.Holding{Pool: "p", Attachment: ipam.Attachment{Node: "n", Network: "m", ContainerID: "c", IfName: "e"},
		PodNetns: l.path, PodInode: l.inode(), BootID: "boot"}
	if change != nil {
		change(&h)
	}
	l.held, err = store.Hold(t.Context(), h, ipam.Wish{Sets: []ipam.Set{l.set}})
	require.NoError(t, err)
	l.now = l.now.Add(time.Minute)
	return l
}

func (l *stage) inode() uint64 {
	var st syscall.Stat_t
	require.NoError(l.t, syscall.Stat(l.path, &st))
	return st.Ino
}

// kept says whether the holding outlives n sweeps.
func (l *stage) kept(n int) bool {
	for range n {
		require.NoError(l.t, l.Sweep(l.t.Context()))
	}
	_, err := l.Store.Holding(l.t.Context(), l.held.Attachment)
	if err != nil {
		require.ErrorIs(l.t, err, ipam.ErrNotFound)
	}
	return err == nil
}

func TestTheSweepEndsReservationsWhoseTimeIsOver(t *testing.T) {
	l := newStage(t, nil)
	r, err := l.ledger.Reserve(t.Context(), ipam.Reservation{Scope: ipam.Scope{Kind: ipam.PoolScope, Name: "p"},
		Address: netip.MustParseAddr("10.0.0.9"), Until: l.now.Add(time.Minute)})
	require.NoError(t, err)
	require.True(t, l.kept(2))
	_, err = l.ledger.Reservation(t.Context(), r.Scope, r.Address)
	require.NoError(t, err, "its time is not over")
	l.now = l.now.Add(2 * time.Minute)
	require.True(t, l.kept(1))
	_, err = l.ledger.Reservation(t.Context(), r.Scope, r.Address)
	require.ErrorIs(t, err, ipam.ErrNotFound)
}

func TestALivingPodKeepsItsAddress(t *testing.T) {
	require.True(t, newStage(t, nil).kept(5))
}

func TestAPodThatIsGoneLosesItsAddress(t *testing.T) {
	l := newStage(t, nil)
	require.NoError(t, os.Remove(l.path))
	require.True(t, l.kept(1), "once is no proof")
	require.False(t, l.kept(1))
}

func TestAnotherNamespaceAtThePathIsAnotherPod(t *testing.T) {
	l := newStage(t, nil)
	require.NoError(t, os.Rename(l.path, l.path+".old")) // its inode stays taken
	require.NoError(t, os.WriteFile(l.path, nil, 0o600))
	require.False(t, l.kept(2))
}

func TestAPodOfAnotherBootIsGone(t *testing.T) {
	require.False(t, newStage(t, func(h *ipam.Holding) { h.BootID = "before" }).kept(2))
}

func TestNothingIsProven(t *testing.T) {
	for name, change := range map[string]func(l *stage){
		"the folder of namespaces is gone": func(l *stage) { require.NoError(l.t, os.RemoveAll(filepath.Dir(l.path))) },
		"it is young": func(l *stage) {
			require.NoError(l.t, os.Remove(l.path))
			l.now = l.held.At.Add(time.Second)
		},
		"this boot is not known": func(l *stage) { l.Pods.BootID = "" },
		"the path is beyond a file": func(l *stage) {
			dir := filepath.Dir(l.path)
			require.NoError(l.t, os.RemoveAll(dir))
			require.NoError(l.t, os.WriteFile(dir, nil, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newStage(t, nil)
			change(l)
			require.True(t, l.kept(3))
		})
	}
	t.Run("its namespace was never visible here", func(t *testing.T) {
		l := newStage(t, func(h *ipam.Holding) { h.PodInode = 0 })
		require.NoError(t, os.Remove(l.path))
		require.True(t, l.kept(3))
	})
	t.Run("it came back between two sweeps", func(t *testing.T) {
		l := newStage(t, nil)
		require.NoError(t, os.Rename(l.path, l.path+".away"))
		require.True(t, l.kept(1))
		require.NoError(t, os.Rename(l.path+".away", l.path))
		require.True(t, l.kept(1))
		require.NoError(t, os.Rename(l.path, l.path+".away"))
		require.True(t, l.kept(1), "counted anew")
	})
}

// fakeCluster has pods of some UIDs.
type fakeCluster struct {
	pods map[string]bool
	err  error
}

func (c fakeCluster) NodePods(context.Context) (map[string]bool, error) { return c.pods, c.err }

// A folder of namespaces that something hides looks as if all pods were gone.
func TestWhatTheClusterSaysOfAPodThatSeemsToBeGone(t *testing.T) {
	of := func(uid string) func(*ipam.Holding) {
		return func(h *ipam.Holding) { h.PodUID = uid }
	}
	hidden := func(l *stage) { require.NoError(t, os.Remove(l.path)) }
	t.Run("it has the pod", func(t *testing.T) {
		l := newStage(t, of("u1"))
		hidden(l)
		l.Cluster = fakeCluster{pods: map[string]bool{"u1": true}}
		require.True(t, l.kept(3))
		l.Cluster = fakeCluster{}
		require.False(t, l.kept(1), "it has it no longer")
	})
	t.Run("it has another pod", func(t *testing.T) {
		l := newStage(t, of("u1"))
		hidden(l)
		l.Cluster = fakeCluster{pods: map[string]bool{"u2": true, "": true}}
		require.False(t, l.kept(2))
	})
	t.Run("it has the pod, in a later sandbox", func(t *testing.T) {
		l := newStage(t, of("u1"))
		hidden(l)
		l.Cluster = fakeCluster{pods: map[string]bool{"u1": true}}
		later := l.held
		later.ContainerID, later.PodInode = "c2", 0
		_, err := l.Store.(*ledger.Pools).Hold(t.Context(), later, ipam.Wish{Sets: []ipam.Set{l.set}})
		require.NoError(t, err)
		require.False(t, l.kept(2))
	})
	t.Run("it has the pod, of an earlier boot", func(t *testing.T) {
		l := newStage(t, func(h *ipam.Holding) { h.PodUID, h.BootID = "u1", "earlier" })
		l.Cluster = fakeCluster{pods: map[string]bool{"u1": true}}
		require.False(t, l.kept(2))
	})
	t.Run("it does not answer", func(t *testing.T) {
		l := newStage(t, of("u1"))
		hidden(l)
		l.Cluster = fakeCluster{err: errors.New("the API server is away")}
		require.NoError(t, l.Sweep(t.Context()), "nothing is asked of what is seen once")
		require.ErrorContains(t, l.Sweep(t.Context()), "the API server is away")
		require.ErrorContains(t, l.Sweep(t.Context()), "the API server is away")
		l.Cluster = fakeCluster{}
		require.False(t, l.kept(1), "it is back")
	})
}
