package topology

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/embedetcd"
)

// carry is the other's transaction, which writes something of its own too.
func carry(t *testing.T, c *clientv3.Client, r *Rider) {
	t.Helper()
	resp, err := c.Txn(t.Context()).Then(clientv3.OpPut("/lease", "x"), r.Op(nil).(clientv3.Op)).Commit()
	require.NoError(t, err)
	r.Carried(resp.Header.Revision, resp.Responses[1])
}

func landed(t *testing.T, r *Rider) bool {
	t.Helper()
	ok, err := r.Landed(t.Context())
	require.NoError(t, err)
	return ok
}

func TestRiderIsCarried(t *testing.T) {
	server := startEtcd(t, embedetcd.Config{})
	s := furnish(t, openTest(t, server.Client(), Options{}))
	other := openTest(t, server.Client(), Options{})
	m, ctx := follow(t, s.Topology), t.Context()
	p := bridgePort(s.bridge(t))
	p.ID, p.Host, p.Interface = sdn.NewID[sdn.PortID](), s.host, "eth0"
	r := s.RideCreatePort(p)
	require.NotNil(t, r)
	require.False(t, landed(t, r), "not before it was carried")
	_, err := s.Port(ctx, p.ID)
	require.ErrorIs(t, err, sdn.ErrNotFound)

	carry(t, server.Client(), r)
	require.True(t, landed(t, r))
	got, err := s.Port(ctx, p.ID)
	require.NoError(t, err)
	require.Positive(t, got.TunnelKey)
	want := p
	want.TunnelKey = got.TunnelKey
	require.Equal(t, want, got)
	same, err := other.Port(ctx, p.ID)
	require.NoError(t, err)
	require.Equal(t, got, same)
	require.Equal(t, sdn.DeviceID(p.Device), s.home(t, sdn.BridgeID(p.Device)).Device, "the binding decided the bridge's home")
	_, err = s.CreatePort(ctx, p)
	require.ErrorIs(t, err, sdn.ErrExists)
	m.requireEqual(t, other)
	requireSound(t, s.Topology)
	requireSound(t, other)
	s.clear(t)
}

// TestRiderIsNotCarried lets something happen between the plan and the
// transaction. The transaction takes place, the port does not.
func TestRiderIsNotCarried(t *testing.T) {
	server := startEtcd(t, embedetcd.Config{})
	s := furnish(t, openTest(t, server.Client(), Options{}))
	for name, meanwhile := range map[string]func(t *testing.T, p sdn.Port){
		"the bridge is deleted": func(t *testing.T, p sdn.Port) {
			require.NoError(t, s.DeleteBridge(t.Context(), sdn.BridgeID(p.Device)))
		},
		"the ID is taken": func(t *testing.T, p sdn.Port) { s.port(t, sdn.Port{ID: p.ID, Kind: p.Kind, Device: p.Device}) },
		"the interface is taken": func(t *testing.T, p sdn.Port) {
			s.bound(t, sdn.BridgeID(p.Device), p.Interface)
		},
		"the host leaves its zone": func(t *testing.T, _ sdn.Port) {
			require.NoError(t, s.RemoveTunnelZoneHost(t.Context(), s.zone, s.host))
			require.NoError(t, s.AddTunnelZoneHost(t.Context(), sdn.TunnelZoneHost{Zone: s.zone, Host: s.host, Address: routerPort("").Address.Addr()}))
		},
		"a newer program raises the schema": func(t *testing.T, _ sdn.Port) {
			_, err := server.Client().Put(t.Context(), defaultPrefix+"meta/schema", `{"object":3}`)
			require.NoError(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := bridgePort(s.bridge(t))
			p.ID, p.Host, p.Interface = sdn.NewID[sdn.PortID](), s.host, "eth9"
			r := s.RideCreatePort(p)
			require.NotNil(t, r)
			meanwhile(t, p)
			carry(t, server.Client(), r)
			require.False(t, landed(t, r))
			got, err := s.Port(t.Context(), p.ID)
			if err == nil {
				require.Empty(t, got.Host, "it is the other one")
			}
			requireSound(t, s.Topology)
			ports, err := s.Ports(t.Context(), "")
			require.NoError(t, err)
			for _, q := range ports {
				require.NoError(t, s.DeletePort(t.Context(), q.ID))
			}
		})
	}
	lease, err := server.Client().Get(t.Context(), "/lease")
	require.NoError(t, err)
	require.EqualValues(t, 5, lease.Kvs[0].Version, "the other's writes took place")
	s.clear(t)
}

func TestRiderCannotBe(t *testing.T) {
	server := startEtcd(t, embedetcd.Config{})
	check := Options{Check: func(sdn.View, sdn.ChainID) error { return nil }}
	s := furnish(t, openTest(t, server.Client(), check))
	b, c := s.bridge(t), s.chain(t)
	inMemory := newSite(t, func(_ *testing.T, o Options) *Topology { return NewMemory(o) })
	for name, r := range map[string]*Rider{
		"in memory":            inMemory.RideCreatePort(bridgePort(inMemory.bridge(t))),
		"of no kind":           s.RideCreatePort(sdn.Port{Device: sdn.DeviceID(b)}),
		"of no bridge":         s.RideCreatePort(bridgePort(sdn.NewID[sdn.BridgeID]())),
		"with a filter":        s.RideCreatePort(sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(b), InboundFilter: c}),
		"on an unknown host":   s.RideCreatePort(sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(b), Host: sdn.NewID[sdn.HostID](), Interface: "e"}),
		"linked to an unknown": s.RideCreatePort(sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(b), Peer: sdn.NewID[sdn.PortID]()}),
	} {
		t.Run(name, func(t *testing.T) { require.Nil(t, r) })
	}
	require.NotNil(t, s.RideCreatePort(bridgePort(b)), "what is planned and never carried leaves no trace")
	requireSound(t, s.Topology)
	s.clear(t)
}

// TestRiderWaitsForWhatWasWrittenBefore carries a rider of a topology that has
// not heard of the write before: it is to be seen with that, and not sooner.
func TestRiderWaitsForWhatWasWrittenBefore(t *testing.T) {
	server := startEtcd(t, embedetcd.Config{})
	writer := furnish(t, openTest(t, server.Client(), Options{}))
	b := writer.bridge(t)
	deaf := openDeaf(t, server, Options{AllowDeadHosts: true})
	r := deaf.RideCreatePort(bridgePort(b))
	require.NotNil(t, r)
	writer.chain(t)
	carry(t, server.Client(), r)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	ok, err := r.Landed(ctx)
	require.True(t, ok, "it was created")
	require.ErrorIs(t, err, sdn.ErrUnavailable, "and cannot be seen")
	require.Empty(t, viewOf(deaf.Topology, func(v sdn.View) []sdn.Port { return v.PortsOf(sdn.DeviceID(b)) }))
	deaf.hear(t, server)
	require.True(t, landed(t, r))
	require.Len(t, viewOf(deaf.Topology, func(v sdn.View) []sdn.Port { return v.PortsOf(sdn.DeviceID(b)) }), 1)
	require.NoError(t, deaf.Audit())
}

// TestOwnWritesAmongOthers has two instances write in turn and at once, so that
// some writes show themselves and others come with the watch.
func TestOwnWritesAmongOthers(t *testing.T) {
	server := startEtcd(t, embedetcd.Config{})
	one := furnish(t, openTest(t, server.Client(), Options{}))
	two := &site{Topology: openTest(t, server.Client(), Options{AllowDeadHosts: true}), host: one.host, zone: one.zone}
	m := follow(t, two.Topology)
	b := one.bridge(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 100 {
			r := two.RideCreatePort(bridgePort(b))
			if r == nil {
				continue // it has not heard of the bridge yet
			}
			resp, err := server.Client().Txn(context.WithoutCancel(t.Context())).Then(r.Op(nil).(clientv3.Op)).Commit()
			if err == nil {
				r.Carried(resp.Header.Revision, resp.Responses[0])
			}
		}
	}()
	for i := range 100 {
		p := one.port(t, bridgePort(b))
		c := two.chain(t)
		_, err := one.CreateRule(t.Context(), sdn.Rule{Chain: c, Type: sdn.RuleDrop})
		require.NoError(t, err)
		if i%2 == 0 {
			require.NoError(t, two.DeletePort(t.Context(), p.ID))
		}
	}
	<-done
	for _, s := range []*site{one, two} {
		_, err := s.Routers(t.Context(), "")
		require.NoError(t, err)
		requireSound(t, s.Topology)
	}
	require.Equal(t, one.graph.facts, two.graph.facts)
	m.requireEqual(t, one.Topology)
	one.clear(t)
}

// TestLoadingIsOvertakenByAnOwnWrite hands over a loading that took so long that
// an own write is newer than it.
func TestLoadingIsOvertakenByAnOwnWrite(t *testing.T) {
	server := startEtcd(t, embedetcd.Config{})
	s := furnish(t, openTest(t, server.Client(), Options{}))
	m := follow(t, s.Topology)
	b := s.bridge(t)
	old, rev, err := s.store.(*etcd).read(t.Context())
	require.NoError(t, err)
	p := s.port(t, bridgePort(b))
	require.NoError(t, s.DeleteBridge(t.Context(), s.bridge(t)))
	at := s.graph.rev
	s.takeAll(old, rev)
	require.Equal(t, at, s.graph.rev)
	_, err = s.Port(t.Context(), p.ID)
	require.NoError(t, err, "what was written since stays")
	requireSound(t, s.Topology)
	m.requireEqual(t, s.Topology)
	now, rev, err := s.store.(*etcd).read(t.Context())
	require.NoError(t, err)
	before := m.batchCount()
	s.takeAll(now, rev)
	require.Equal(t, before, m.batchCount(), "a loading that brings nothing new is no change")
	requireSound(t, s.Topology)
}

// TestOwnWriteIsLeftToTheWatch hands over an own write that came after one of
// which nothing was heard.
func TestOwnWriteIsLeftToTheWatch(t *testing.T) {
	s := newState(Options{})
	k := func(id string) key { return key{sdn.KindChain, id} }
	s.take([]fact{{key: headKey, body: 0, mod: 5}, {key: k("a"), body: sdn.Chain{ID: "a"}, mod: 5}}, 5)
	s.takeOwn([]fact{{key: headKey, body: 0, mod: 8}, {key: k("c"), body: sdn.Chain{ID: "c"}, mod: 8}}, 8, 7)
	require.False(t, s.has(8), "revision 7 is missing")
	require.False(t, s.graph.has(sdn.KindChain, "c"))
	s.take([]fact{{key: headKey, body: 0, mod: 7}, {key: k("b"), body: sdn.Chain{ID: "b"}, mod: 7}}, 7)
	s.takeOwn([]fact{{key: headKey, body: 0, mod: 8}, {key: k("c"), body: sdn.Chain{ID: "c"}, mod: 8}}, 8, 7)
	require.True(t, s.has(8))
	s.take([]fact{{key: k("c")}}, 8)
	require.True(t, s.graph.has(sdn.KindChain, "c"), "what the watch brings later was there already")
	require.Equal(t, 3, s.graph.lists[edge{ofKind, string(sdn.KindChain)}].len())
}

// deaf is a topology whose watch says nothing until it is told to.
type deaf struct {
	*Topology
	watch *stalling
}

func openDeaf(t *testing.T, server *embedetcd.Server, o Options) deaf {
	t.Helper()
	client, err := server.NewClient()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	watch := &stalling{Watcher: client.Watcher, compacted: make(chan struct{})}
	client.Watcher = watch
	return deaf{openTest(t, client, o), watch}
}

// hear ends the first watch, so that everything is loaded again.
func (d deaf) hear(t *testing.T, server *embedetcd.Server) {
	t.Helper()
	get, err := server.Client().Get(t.Context(), "x")
	require.NoError(t, err)
	_, err = server.Client().Compact(t.Context(), get.Header.Revision)
	require.NoError(t, err)
	close(d.watch.compacted)
}

// Whose port it is to be is known with the last try only.
func TestRiderCreatesThePortWithTheSendersOfTheTryThatCarriesIt(t *testing.T) {
	server := startEtcd(t, embedetcd.Config{})
	s := furnish(t, openTest(t, server.Client(), Options{}))
	p := bridgePort(s.bridge(t))
	p.ID, p.Host, p.Interface = sdn.NewID[sdn.PortID](), s.host, "eth0"
	r := s.RideCreatePort(p)
	require.NotNil(t, r)
	first := []sdn.Sender{{MAC: "0a:58:0a:80:00:02", Addrs: []netip.Addr{netip.MustParseAddr("10.128.0.2")}}}
	second := []sdn.Sender{{MAC: "0A:58:0A:80:00:03", Addrs: []netip.Addr{netip.MustParseAddr("10.128.0.3")}}}
	r.Op(first)
	resp, err := server.Client().Txn(t.Context()).Then(r.Op(second).(clientv3.Op)).Commit()
	require.NoError(t, err)
	r.Carried(resp.Header.Revision, resp.Responses[0])
	require.True(t, landed(t, r))
	got, err := s.Port(t.Context(), p.ID)
	require.NoError(t, err)
	require.Equal(t, []sdn.Sender{{MAC: "0a:58:0a:80:00:03", Addrs: second[0].Addrs}}, got.Senders)
	requireSound(t, s.Topology)
	s.clear(t)
}

func TestRiderWithSendersThatAreRefusedCreatesNothing(t *testing.T) {
	server := startEtcd(t, embedetcd.Config{})
	s := furnish(t, openTest(t, server.Client(), Options{}))
	p := bridgePort(s.bridge(t))
	p.ID, p.Host, p.Interface = sdn.NewID[sdn.PortID](), s.host, "eth0"
	r := s.RideCreatePort(p)
	require.NotNil(t, r)
	resp, err := server.Client().Txn(t.Context()).Then(r.Op([]sdn.Sender{{MAC: "01:00:5e:00:00:01"}}).(clientv3.Op)).Commit()
	require.NoError(t, err)
	r.Carried(resp.Header.Revision, resp.Responses[0])
	require.False(t, landed(t, r))
	_, err = s.Port(t.Context(), p.ID)
	require.ErrorIs(t, err, sdn.ErrNotFound)
	s.clear(t)
}
