package topology

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/embedetcd"
)

func TestTwoInstancesSeeEachOther(t *testing.T) {
	server := startEtcd(t, embedetcd.Config{})
	one := furnish(t, openTest(t, server.Client(), Options{}))
	two := openTest(t, server.Client(), Options{})
	ctx := t.Context()
	for range 50 {
		b := one.bridge(t)
		_, err := two.Bridge(ctx, b)
		require.NoError(t, err, "a read is as fresh as the store")
		p, err := two.CreatePort(ctx, bridgePort(b))
		require.NoError(t, err)
		require.NoError(t, one.DeletePort(ctx, p.ID), "a writer that lags is no reason to refuse")
		require.NoError(t, two.DeleteBridge(ctx, b))
		_, err = one.CreatePort(ctx, bridgePort(b))
		require.ErrorIs(t, err, sdn.ErrNotFound)
	}
	_, err := server.Client().Put(ctx, "/other", "traffic of others moves etcd's revision, not ours")
	require.NoError(t, err)
	_, err = two.Routers(ctx, "")
	require.NoError(t, err)
}

func TestWritersOfTwoInstances(t *testing.T) {
	server := startEtcd(t, embedetcd.Config{})
	one := furnish(t, openTest(t, server.Client(), Options{}))
	two := openTest(t, server.Client(), Options{AllowDeadHosts: true})
	m := follow(t, two)
	done := newCrowd(one.host).fight(t, 60, one.Topology, two)
	require.Greater(t, done, 100)
	_, err := two.Routers(t.Context(), "")
	require.NoError(t, err)
	_, err = one.Routers(t.Context(), "")
	require.NoError(t, err)
	requireSound(t, one.Topology)
	requireSound(t, two)
	require.Equal(t, one.graph.facts, two.graph.facts)
	m.requireEqual(t, one.Topology)
	third := openTest(t, server.Client(), Options{})
	require.Equal(t, one.graph.facts, third.graph.facts, "what is stored is what the two have")
	one.clear(t)
}

func TestOneOfManyWins(t *testing.T) {
	server := startEtcd(t, embedetcd.Config{})
	one := furnish(t, openTest(t, server.Client(), Options{}))
	two := openTest(t, server.Client(), Options{AllowDeadHosts: true})
	router, bridge := one.router(t), one.bridge(t)
	c := one.chain(t)
	id := sdn.NewID[sdn.PortID]()
	var same, iface, rules, links [16]error
	var wg sync.WaitGroup
	ports := make([]sdn.Port, 16)
	for i := range ports {
		ports[i] = one.port(t, routerPort(router))
	}
	free := one.port(t, bridgePort(bridge))
	for i := range 16 {
		wg.Go(func() {
			top := []*Topology{one.Topology, two}[i%2]
			ctx := context.WithoutCancel(t.Context())
			_, same[i] = top.CreatePort(ctx, sdn.Port{ID: id, Kind: sdn.BridgePort, Device: sdn.DeviceID(bridge)})
			_, iface[i] = top.CreatePort(ctx, sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(bridge), Host: one.host, Interface: "eth0"})
			_, rules[i] = top.CreateRule(ctx, sdn.Rule{Chain: c, Type: sdn.RuleDrop})
			links[i] = top.Link(ctx, ports[i].ID, free.ID)
		})
	}
	wg.Wait()
	requireOne(t, same[:], sdn.ErrExists)
	requireOne(t, iface[:], sdn.ErrConflict)
	requireOne(t, links[:], sdn.ErrConflict)
	for _, err := range rules {
		require.NoError(t, err)
	}
	list, err := one.Rules(t.Context(), c)
	require.NoError(t, err)
	require.Len(t, list, 16)
	requireSound(t, one.Topology)
}

// TestCheckedWritesOfTwoInstances lets one give a chain a second rule and the
// other give it a port: each alone can be expressed, together they can not.
func TestCheckedWritesOfTwoInstances(t *testing.T) {
	server := startEtcd(t, embedetcd.Config{})
	o := Options{Check: func(v sdn.View, c sdn.ChainID) error {
		if len(v.UsersOf(c).Ports) > 0 && len(v.RulesOf(c)) > 0 {
			return sdn.ErrUnsupported
		}
		return nil
	}}
	one, two := furnish(t, openTest(t, server.Client(), o)), openTest(t, server.Client(), o)
	b := one.bridge(t)
	for range 30 {
		c := one.chain(t)
		_, err := two.Chain(t.Context(), c)
		require.NoError(t, err)
		var wg sync.WaitGroup
		var results [2]error
		wg.Go(func() { _, results[0] = one.CreateRule(t.Context(), sdn.Rule{Chain: c, Type: sdn.RuleDrop}) })
		wg.Go(func() {
			p := bridgePort(b)
			p.InboundFilter = c
			_, results[1] = two.CreatePort(t.Context(), p)
		})
		wg.Wait()
		requireOne(t, results[:], sdn.ErrUnsupported)
	}
}

func requireOne(t *testing.T, results []error, loser error) {
	t.Helper()
	won := 0
	for _, err := range results {
		if err == nil {
			won++
			continue
		}
		require.ErrorIs(t, err, loser)
	}
	require.Equal(t, 1, won)
}

// counted counts requests to etcd.
type counted struct {
	clientv3.KV
	mu   sync.Mutex
	gets int
	txns int
}

func (c *counted) Get(ctx context.Context, k string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	c.mu.Lock()
	c.gets++
	c.mu.Unlock()
	return c.KV.Get(ctx, k, opts...)
}

func (c *counted) Txn(ctx context.Context) clientv3.Txn {
	c.mu.Lock()
	c.txns++
	c.mu.Unlock()
	return c.KV.Txn(ctx)
}

func (c *counted) since(f func()) (gets, txns int) {
	c.mu.Lock()
	gets, txns = c.gets, c.txns
	c.mu.Unlock()
	f()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gets - gets, c.txns - txns
}

func TestPodPortCostsOneRequest(t *testing.T) {
	client, err := startEtcd(t, embedetcd.Config{}).NewClient()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	count := &counted{KV: client.KV}
	client.KV = count
	s := furnish(t, openTest(t, client, Options{}))
	b := s.bridge(t)
	s.bound(t, b, "first")
	var p sdn.Port
	gets, txns := count.since(func() { p = s.bound(t, b, "eth0") })
	require.Equal(t, []int{0, 1}, []int{gets, txns}, "create")
	require.Equal(t, "eth0", viewOf(s.Topology, func(v sdn.View) sdn.Port { got, _ := v.Port(p.ID); return got }).Interface, "it reads what it wrote")
	gets, txns = count.since(func() { require.NoError(t, s.DeletePort(t.Context(), p.ID)) })
	require.Equal(t, []int{0, 1}, []int{gets, txns}, "delete")
	gets, txns = count.since(func() { _, err = s.Port(t.Context(), p.ID) })
	require.ErrorIs(t, err, sdn.ErrNotFound)
	require.Equal(t, []int{1, 0}, []int{gets, txns}, "read")
	gets, txns = count.since(func() { _, err = s.Local().Ports(t.Context(), "") })
	require.NoError(t, err)
	require.Equal(t, []int{0, 0}, []int{gets, txns}, "local read")
}

func BenchmarkPodPort(b *testing.B) {
	dir := b.TempDir()
	server, err := embedetcd.Start(b.Context(), embedetcd.Config{Dir: dir})
	require.NoError(b, err)
	b.Cleanup(server.Close)
	top, err := OpenEtcd(b.Context(), server.Client(), Options{AllowDeadHosts: true})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, top.Close()) })
	ctx := b.Context()
	bridge, err := top.CreateBridge(ctx, sdn.Bridge{})
	require.NoError(b, err)
	for b.Loop() {
		start := time.Now()
		p, err := top.CreatePort(ctx, bridgePort(bridge.ID))
		require.NoError(b, err)
		made := time.Since(start)
		require.NoError(b, top.DeletePort(ctx, p.ID))
		b.ReportMetric(float64(made.Microseconds()), "µs/create")
	}
}
