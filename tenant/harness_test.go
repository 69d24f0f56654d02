package tenant

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/etcdkv"
	"github.com/moatnet/moat/ipam/ledger"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/embedetcd"
	"github.com/moatnet/moat/sdn/filter"
	"github.com/moatnet/moat/sdn/topology"
)

// world is what several managers share: a topology with one living host, the
// host's pods, a store.
type world struct {
	topo *topology.Topology
	host sdn.HostID
	pods *pods
	eng  *engine
	kv   ledger.KV

	client clientv3.KV // of newEtcdWorld
}

func newWorld(t testing.TB) *world {
	w := &world{
		topo: topology.NewMemory(topology.Options{Check: filter.Check}),
		host: sdn.HostID(uuid.NewString()),
		pods: &pods{pairs: map[string]PodWire{}},
		kv:   ledger.NewMemory(),
	}
	t.Cleanup(func() { require.NoError(t, w.topo.Close()) })
	w.topo.SetAlive(w.host, true)
	w.begin(t)
	return w
}

func (w *world) begin(t testing.TB) {
	_, err := w.topo.CreateHost(t.Context(), sdn.Host{ID: w.host, Name: "node1"})
	require.NoError(t, err)
	w.eng = &engine{topo: w.topo, pods: w.pods}
}

// newEtcdWorld keeps topology and records in a real etcd. open returns the
// topology as a further process sees it.
func newEtcdWorld(t testing.TB) (w *world, open func() *topology.Topology) {
	dir, err := os.MkdirTemp("", "t")
	require.NoError(t, err)
	s, err := embedetcd.Start(t.Context(), embedetcd.Config{Dir: dir})
	require.NoError(t, err)
	t.Cleanup(func() { s.Close(); require.NoError(t, os.RemoveAll(dir)) })
	open = func() *topology.Topology {
		topo, err := topology.OpenEtcd(t.Context(), s.Client(), topology.Options{
			Prefix: "/moat/sdn/", AllowDeadHosts: true, Check: filter.Check})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, topo.Close()) })
		return topo
	}
	w = &world{topo: open(), host: sdn.HostID(uuid.NewString()), pods: &pods{pairs: map[string]PodWire{}}, kv: etcdkv.New(s.Client(), "/moat"), client: s.Client()}
	w.begin(t)
	return w, open
}

// manager is a further agent on the host, with a store of its own over the
// world's key-value store. Options may be changed before it is made.
func (w *world) manager(t testing.TB, change ...func(*Options)) *Manager {
	o := Options{
		API: w.topo, Store: ledger.New(w.kv, ledger.Options{}), Engine: w.eng, Pods: w.pods,
		Node: "node1", Host: w.host, MTU: 1500, Patience: 20 * time.Second,
	}
	for _, c := range change {
		c(&o)
	}
	m, err := New(o)
	require.NoError(t, err)
	return m
}

// engine makes a port active when it is bound and the pair is there.
type engine struct {
	topo *topology.Topology
	pods *pods
	dead bool
}

func (e *engine) Wiring(ctx context.Context, b sdn.BridgeID, p sdn.PortID) (sdn.Wiring, error) {
	if _, err := e.topo.Bridge(ctx, b); err != nil {
		<-ctx.Done() // it may come
		return sdn.Wiring{}, ctx.Err()
	}
	return sdn.Wiring{Namespace: "/run/netns/t", Master: sdn.InterfaceName(b), Interface: sdn.InterfaceName(p),
		Alias: sdn.Stamp("t", "port", string(p)), MTU: 1450}, nil
}

func (e *engine) WaitActive(ctx context.Context, p sdn.PortID) error {
	port, err := e.topo.Port(ctx, p)
	if err != nil {
		return err
	}
	if e.dead || port.Host == "" || !e.pods.has(port.Interface) {
		<-ctx.Done()
		return ctx.Err()
	}
	e.topo.SetActive(p, true)
	return nil
}

// pods is a kernel that remembers pairs.
type pods struct {
	mu    sync.Mutex
	pairs map[string]PodWire
	fail  func(op string) error
}

func (p *pods) failed(op string) error {
	if p.fail == nil {
		return nil
	}
	return p.fail(op)
}

func (p *pods) has(host string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.pairs[host]
	return ok
}

func (p *pods) Prepare(ctx context.Context, w PodWire) (Prepared, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := errors.Join(p.failed("prepare"), ctx.Err()); err != nil {
		return nil, err
	}
	if _, ok := p.pairs[w.HostName]; ok {
		return nil, fmt.Errorf("interface %s exists", w.HostName)
	}
	p.pairs[w.HostName] = w
	return begun{p, w.HostName}, nil
}

type begun struct {
	pods *pods
	host string
}

func (b begun) Finish(ctx context.Context, w PodWire) (PodMade, error) {
	b.pods.mu.Lock()
	delete(b.pods.pairs, b.host)
	b.pods.mu.Unlock()
	return b.pods.Make(ctx, w)
}

func (b begun) Abandon(context.Context) error {
	return b.pods.Remove(context.Background(), PodWire{HostName: b.host})
}

func (p *pods) Make(ctx context.Context, w PodWire) (PodMade, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := errors.Join(p.failed("make"), ctx.Err()); err != nil {
		return PodMade{}, err
	}
	if _, ok := p.pairs[w.HostName]; ok {
		return PodMade{}, fmt.Errorf("interface %s exists", w.HostName)
	}
	p.pairs[w.HostName] = w
	return PodMade{HostMAC: w.HostMAC, PodMAC: w.PodMAC}, nil
}

func (p *pods) Configure(ctx context.Context, w PodWire) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	have, ok := p.pairs[w.HostName]
	if !ok || len(have.Addresses) > 0 {
		return fmt.Errorf("interface %s has addresses %s", w.HostName, have.Addresses)
	}
	if err := errors.Join(p.failed("configure"), ctx.Err()); err != nil {
		return err
	}
	p.pairs[w.HostName] = w
	return nil
}

func (p *pods) Remove(_ context.Context, w PodWire) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.failed("remove"); err != nil {
		return err
	}
	delete(p.pairs, w.HostName)
	return nil
}

func (p *pods) Check(_ context.Context, w PodWire) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	have, ok := p.pairs[w.HostName]
	switch {
	case !ok:
		return fmt.Errorf("interface %s is missing", w.HostName)
	case w.PodMAC != "" && w.PodMAC != have.PodMAC:
		return fmt.Errorf("MAC is %s", have.PodMAC)
	}
	return nil
}

func request(t testing.TB, tenant, container string) AttachRequest {
	ns, err := os.Open("/proc/self/ns/net")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ns.Close() })
	return AttachRequest{
		Attachment: attachment(container), Pod: Pod{Namespace: tenant, Name: "pod-" + container, UID: "u"},
		Tenant: sdn.TenantID(tenant), Netns: ns, NetnsPath: "/var/run/netns/" + container,
	}
}

func attachment(container string) ipam.Attachment {
	return ipam.Attachment{Node: "node1", Network: "moat", ContainerID: container, IfName: "eth0"}
}

// everything lists all objects of the topology, by kind and ID.
func (w *world) everything(t *testing.T) (all []string) {
	ctx := context.WithoutCancel(t.Context())
	note := func(kind, id, more string) { all = append(all, kind+" "+id+" "+more) }
	routers, err := w.topo.Routers(ctx, "")
	require.NoError(t, err)
	for _, r := range routers {
		note("router", string(r.ID), r.Name)
		routes, err := w.topo.Routes(ctx, r.ID)
		require.NoError(t, err)
		for _, x := range routes {
			note("route", string(x.ID), x.Dst.String())
		}
	}
	bridges, err := w.topo.Bridges(ctx, "")
	require.NoError(t, err)
	for _, b := range bridges {
		note("bridge", string(b.ID), b.Name)
	}
	ports, err := w.topo.Ports(ctx, "")
	require.NoError(t, err)
	for _, p := range ports {
		note("port", string(p.ID), string(p.Peer)+p.Interface)
	}
	chains, err := w.topo.Chains(ctx, "")
	require.NoError(t, err)
	for _, c := range chains {
		note("chain", string(c.ID), c.Name)
		rules, err := w.topo.Rules(ctx, c.ID)
		require.NoError(t, err)
		for _, r := range rules {
			note("rule", string(r.ID), string(r.Type))
		}
	}
	return all
}

// leases lists every attachment's record of the node, and tells of addresses
// without one.
func (w *world) leases(t *testing.T) []ipam.Record {
	ctx := context.WithoutCancel(t.Context())
	l := ledger.New(w.kv, ledger.Options{})
	rs, err := l.Attachments(ctx, "node1", "")
	require.NoError(t, err)
	tenants, err := l.Tenants(ctx)
	require.NoError(t, err)
	held := 0
	for _, r := range rs {
		if !r.Address.IsValid() { // entered, and not assigned yet
			held++
		}
	}
	for _, x := range tenants {
		as, err := l.TenantAttachments(ctx, x.Name)
		require.NoError(t, err)
		held += len(as)
	}
	require.Equal(t, held, len(rs), "addresses held and attachments recorded")
	return rs
}
