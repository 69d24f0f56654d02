package topology

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/embedetcd"
)

// dying fails every transaction after a number of them.
type dying struct {
	clientv3.KV
	left atomic.Int64
}

func (d *dying) Txn(ctx context.Context) clientv3.Txn {
	if d.left.Add(-1) < 0 {
		return deadTxn{}
	}
	return d.KV.Txn(ctx)
}

type deadTxn struct{}

func (d deadTxn) If(...clientv3.Cmp) clientv3.Txn  { return d }
func (d deadTxn) Then(...clientv3.Op) clientv3.Txn { return d }
func (d deadTxn) Else(...clientv3.Op) clientv3.Txn { return d }
func (d deadTxn) Commit() (*clientv3.TxnResponse, error) {
	return nil, errors.New("the process died here")
}

// hub makes a router whose deletion takes many transactions.
func (s *site) hub(t *testing.T) sdn.RouterID {
	t.Helper()
	hub, c := s.router(t), s.chain(t)
	for i := range 120 {
		p := routerPort(hub)
		p.Peer = s.leaf(t, i, c).ID
		s.port(t, p)
	}
	return hub
}

func TestDeletionIsFinishedAfterACrash(t *testing.T) {
	server := startEtcd(t, embedetcd.Config{})
	client, err := server.NewClient()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	kv := &dying{KV: client.KV}
	kv.left.Store(1 << 40)
	client.KV = kv
	crashing := furnish(t, openTest(t, client, Options{}))
	witness := openTest(t, server.Client(), Options{})
	hub := crashing.hub(t)

	kv.left.Store(2) // the mark and one step
	require.NoError(t, crashing.DeleteRouter(t.Context(), hub), "it is decided")
	require.NoError(t, crashing.Close())
	_, err = witness.Router(t.Context(), hub)
	require.ErrorIs(t, err, sdn.ErrNotFound)
	ports, err := witness.Ports(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, ports, 120)
	for _, p := range ports {
		require.Empty(t, p.Peer)
	}
	requireSound(t, witness)
	require.Len(t, witness.unfinished(), 1)
	require.Positive(t, witness.graph.stored[edge{deviceOfPort, string(hub)}].len(), "there is something left to finish")

	third := openTest(t, server.Client(), Options{})
	require.Empty(t, third.unfinished(), "whoever opens the store finishes it")
	require.Zero(t, third.graph.stored[edge{deviceOfPort, string(hub)}].len())
	requireSound(t, third)
	furnished := &site{Topology: third}
	furnished.clear(t)
}

func TestDeletionOfAnotherIsFinishedLate(t *testing.T) {
	server := startEtcd(t, embedetcd.Config{})
	client, err := server.NewClient()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	kv := &dying{KV: client.KV}
	kv.left.Store(1 << 40)
	client.KV = kv
	crashing := furnish(t, openTest(t, client, Options{}))
	witness := openTest(t, server.Client(), Options{})
	p := crashing.port(t, routerPort(crashing.router(t)))
	kv.left.Store(1) // the mark alone
	require.NoError(t, crashing.DeletePort(t.Context(), p.ID))
	_, err = witness.Port(t.Context(), p.ID)
	require.ErrorIs(t, err, sdn.ErrNotFound)

	ctx, cancel := context.WithCancel(t.Context())
	tick, done := make(chan time.Time), make(chan struct{})
	go func() { defer close(done); witness.sweepLate(ctx, tick) }()
	tick <- time.Now()
	tick <- time.Now() // taken when the first was dealt with
	require.Eventually(t, func() bool { return len(witness.unfinished()) == 0 }, 10*time.Second, time.Millisecond)
	cancel()
	<-done
	require.Len(t, witness.graph.objects[sdn.KindRouter], 1)
	require.Empty(t, witness.graph.objects[sdn.KindRoute])
	requireSound(t, witness)
}

func TestTheIDOfAnUnfinishedDeletionCanBeUsed(t *testing.T) {
	server := startEtcd(t, embedetcd.Config{})
	client, err := server.NewClient()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	kv := &dying{KV: client.KV}
	kv.left.Store(1 << 40)
	client.KV = kv
	s := furnish(t, openTest(t, client, Options{}))
	b := s.bridge(t)
	p := s.bound(t, b, "eth0")
	kv.left.Store(1) // the mark alone
	require.NoError(t, s.DeleteBridge(t.Context(), b))
	require.Contains(t, s.graph.facts, key{sdn.KindPort, string(p.ID)})
	kv.left.Store(1 << 40)

	other := s.bridge(t)
	s.bound(t, other, "eth0")
	_, err = s.CreateBridge(t.Context(), sdn.Bridge{ID: b})
	require.NoError(t, err)
	ports, err := s.Ports(t.Context(), sdn.DeviceID(b))
	require.NoError(t, err)
	require.Empty(t, ports)
	s.clear(t)
}

func TestEtcdGone(t *testing.T) {
	dir, err := os.MkdirTemp("", "topo")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	server, err := embedetcd.Start(t.Context(), embedetcd.Config{Dir: dir})
	require.NoError(t, err)
	client, err := server.NewClient()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	s := furnish(t, openTest(t, client, Options{}))
	b := s.bridge(t)
	server.Close()

	for name, call := range map[string]func(ctx context.Context) error{
		"read":   func(ctx context.Context) error { _, err := s.Bridges(ctx, ""); return err },
		"create": func(ctx context.Context) error { _, err := s.CreatePort(ctx, bridgePort(b)); return err },
		"delete": func(ctx context.Context) error { return s.DeleteBridge(ctx, b) },
		"refuse": func(ctx context.Context) error { return s.DeleteBridge(ctx, sdn.NewID[sdn.BridgeID]()) },
		"open":   func(ctx context.Context) error { _, err := OpenEtcd(ctx, client, Options{}); return err },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			start := time.Now()
			require.ErrorIs(t, call(ctx), sdn.ErrUnavailable)
			require.Less(t, time.Since(start), 6*time.Second)
		})
	}
	require.Equal(t, 1, viewOf(s.Topology, func(v sdn.View) int { return len(v.Bridges()) }), "the picture stays")

	startEtcd(t, embedetcd.Config{Dir: dir})
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := s.CreatePort(ctx, bridgePort(b))
		return err == nil
	}, 30*time.Second, 10*time.Millisecond)
	requireSound(t, s.Topology)
}

// stalling is a watcher whose first watch says nothing until it is compacted.
type stalling struct {
	clientv3.Watcher
	first     atomic.Bool
	compacted chan struct{}
}

func (s *stalling) Watch(ctx context.Context, k string, opts ...clientv3.OpOption) clientv3.WatchChan {
	if s.first.Swap(true) {
		return s.Watcher.Watch(ctx, k, opts...)
	}
	ch := make(chan clientv3.WatchResponse, 1)
	go func() {
		defer close(ch)
		select {
		case <-ctx.Done():
		case <-s.compacted:
			ch <- clientv3.WatchResponse{Canceled: true, CompactRevision: 1}
		}
	}()
	return ch
}

func TestReloadAfterCompaction(t *testing.T) {
	server := startEtcd(t, embedetcd.Config{})
	writer := newTangle(t, func(t *testing.T, o Options) *Topology { return openTest(t, server.Client(), o) })
	client, err := server.NewClient()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	watcher := &stalling{Watcher: client.Watcher, compacted: make(chan struct{})}
	client.Watcher = watcher
	behind := openTest(t, client, Options{})
	m := follow(t, behind)

	require.NoError(t, writer.DeleteChain(t.Context(), writer.out))
	require.NoError(t, writer.DeleteRouter(t.Context(), writer.right))
	writer.bound(t, writer.bridge, "pod7")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = behind.Routers(ctx, "")
	require.ErrorIs(t, err, sdn.ErrUnavailable, "no stale answer")
	get, err := server.Client().Get(t.Context(), "x")
	require.NoError(t, err)
	_, err = server.Client().Compact(t.Context(), get.Header.Revision)
	require.NoError(t, err)
	close(watcher.compacted)

	_, err = behind.Routers(t.Context(), "")
	require.NoError(t, err)
	requireSound(t, behind)
	require.Equal(t, writer.graph.facts, behind.graph.facts)
	m.requireEqual(t, writer.Topology)
	writer.bound(t, writer.bridge, "pod8")
	m.requireEqual(t, writer.Topology)
}

func TestNewerSchemaIsRefused(t *testing.T) {
	server := startEtcd(t, embedetcd.Config{})
	s := furnish(t, openTest(t, server.Client(), Options{}))
	_, err := server.Client().Put(t.Context(), defaultPrefix+"meta/schema", fmt.Sprintf(`{"object":%d}`, schemaVersion+1))
	require.NoError(t, err)

	_, err = OpenEtcd(t.Context(), server.Client(), Options{})
	require.ErrorIs(t, err, sdn.ErrUnavailable)
	require.ErrorContains(t, err, "its schema has version 4, this program knows 3")
	_, err = s.CreateBridge(t.Context(), sdn.Bridge{})
	require.ErrorContains(t, err, "its schema has version 4, this program knows 3", "a running program stops writing, too")
	require.Eventually(t, func() bool {
		_, err := s.Bridges(t.Context(), "")
		return errors.Is(err, sdn.ErrUnavailable)
	}, 10*time.Second, time.Millisecond)
}

// restored answers like an etcd that was put back to an old snapshot.
type restored struct{ clientv3.KV }

func (r restored) Get(ctx context.Context, k string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	resp, err := r.KV.Get(ctx, k, opts...)
	if err == nil && len(resp.Kvs) > 0 {
		resp.Kvs[0].ModRevision = 1
	}
	return resp, err
}

func TestStoreThatWentBackIsNoticed(t *testing.T) {
	client, err := startEtcd(t, embedetcd.Config{}).NewClient()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	s := furnish(t, openTest(t, client, Options{}))
	client.KV = restored{client.KV}
	_, err = s.Hosts(t.Context())
	require.ErrorIs(t, err, sdn.ErrUnavailable)
	require.ErrorContains(t, err, "went back")
}

func TestUnreadableObjectIsNamed(t *testing.T) {
	server := startEtcd(t, embedetcd.Config{})
	openTest(t, server.Client(), Options{})
	_, err := server.Client().Put(t.Context(), defaultPrefix+"router/x", "not JSON")
	require.NoError(t, err)
	_, err = OpenEtcd(t.Context(), server.Client(), Options{})
	require.ErrorContains(t, err, "decode router/x")
}

func TestClosedTopologyRefuses(t *testing.T) {
	server := startEtcd(t, embedetcd.Config{})
	top, err := OpenEtcd(t.Context(), server.Client(), Options{})
	require.NoError(t, err)
	require.NoError(t, top.Close())
	_, err = top.CreateBridge(t.Context(), sdn.Bridge{})
	require.ErrorIs(t, err, sdn.ErrUnavailable)
	_, err = top.Bridges(t.Context(), "")
	require.ErrorIs(t, err, sdn.ErrUnavailable)
}

// TestFollowEndsWhenTheTopologyCannotBeRead puts an object of a later Moat's
// under a running one.
func TestFollowEndsWhenTheTopologyCannotBeRead(t *testing.T) {
	server := startEtcd(t, embedetcd.Config{})
	top := openTest(t, server.Client(), Options{})
	done := make(chan error, 1)
	go func() { done <- top.Follow(t.Context(), func([]sdn.Change) {}) }()
	_, err := server.Client().Put(t.Context(), defaultPrefix+"router/x", "not an object")
	require.NoError(t, err)
	require.ErrorIs(t, <-done, sdn.ErrUnavailable)
}
