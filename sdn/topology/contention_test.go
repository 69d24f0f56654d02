package topology

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/embedetcd"
)

const (
	contenders = 64
	ample      = time.Minute // for a call that is not cut off, on a slow machine
	// contentionEnv gives the length of TestContention, such as 1m.
	contentionEnv = "MOAT_TEST_CONTENTION"
)

// process is one of several Moats on the same etcd, which may die and start
// again under those who use it.
type process struct {
	server *embedetcd.Server
	check  func(sdn.View, sdn.ChainID) error
	mu     sync.Mutex
	client *clientv3.Client
	kv     *dying
	top    *Topology
}

// soundUsers is a check that reads what a real one does, on every chain that it
// meets.
func soundUsers(v sdn.View, c sdn.ChainID) error {
	for _, r := range v.RulesOf(c) {
		if _, ok := v.Chain(r.Chain); !ok || r.Chain != c {
			return fmt.Errorf("chain %s has a rule of chain %q", c, r.Chain)
		}
		v.PortsInGroup(r.Condition.InPortGroup)
	}
	u := v.UsersOf(c)
	for _, id := range u.Ports {
		if p, ok := v.Port(id); !ok || (p.InboundFilter != c && p.OutboundFilter != c) {
			return fmt.Errorf("port %s does not use chain %s", id, c)
		}
	}
	return nil
}

func (p *process) start(t *testing.T) {
	client, err := p.server.NewClient()
	require.NoError(t, err)
	kv := &dying{KV: client.KV}
	kv.left.Store(1 << 40)
	client.KV = kv
	top, err := OpenEtcd(context.WithoutCancel(t.Context()), client, Options{AllowDeadHosts: true, Check: p.check})
	require.NoError(t, err)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.client, p.kv, p.top = client, kv, top
}

func (p *process) api() *Topology {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.top
}

// stop is without effect on what is stored, at whatever moment it comes.
func (p *process) stop(t *testing.T) {
	require.NoError(t, p.top.Close())
	require.NoError(t, p.client.Close())
}

// TestContention lets 64 clients write to one bridge, chain and router, through
// four processes, while a big bridge and a big chain are made, deleted by
// several at once and killed over it, again and again.
func TestContention(t *testing.T) {
	length, size := 2*time.Second, 200
	if v := os.Getenv(contentionEnv); v != "" {
		var err error
		length, err = time.ParseDuration(v)
		require.NoError(t, err)
		size = 1000
	}
	server := startEtcd(t, embedetcd.Config{})
	procs := make([]*process, 4)
	start := func(i int, check func(sdn.View, sdn.ChainID) error) {
		procs[i] = &process{server: server, check: check}
		procs[i].start(t)
		t.Cleanup(func() { procs[i].stop(t) })
	}
	start(0, nil) // the builder's asks nobody, and so has fewer conflicts
	s := furnish(t, procs[0].top)
	a := newArena(t, s)
	a.build(t.Context(), t.Context(), size, procs[0].top)
	for i := range procs[1:] {
		start(1+i, soundUsers)
	}
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	var wg sync.WaitGroup
	for i := range contenders {
		// The last process is the deleter's, and dies with its deletions.
		wg.Go(func() { a.contend(ctx, t, uint64(i), procs[i%len(procs)], i%len(procs) == len(procs)-1) })
	}
	wg.Go(func() {
		for round := 0; round == 0 || ctx.Err() == nil; round++ {
			a.demolish(t, round, procs)
			a.build(ctx, t.Context(), size/5, procs[0].top) // smaller, to be deleted more often
		}
	})
	wg.Wait()
	t.Logf("%d calls succeeded, %d were refused, %d had no answer; %d big bridges and chains were deleted, %d of them not at once",
		a.done, a.refused, a.unanswered, a.deleted, a.halves)
	require.Empty(t, a.odd)
	require.Greater(t, a.done, 100)
	require.Positive(t, a.unanswered, "kills had an effect")

	last := openTest(t, server.Client(), Options{})
	require.Empty(t, last.unfinished(), "who opens the store finishes")
	for _, p := range append(procs, &process{top: last}) {
		_, err := p.top.Routers(t.Context(), "")
		require.NoError(t, err)
		require.NoError(t, p.top.Audit())
		require.Equal(t, last.graph.facts, p.top.graph.facts)
	}
	(&site{Topology: last, host: s.host}).clear(t)
}

// arena is what they fight over.
type arena struct {
	host   sdn.HostID
	bridge sdn.BridgeID
	chain  sdn.ChainID
	router sdn.RouterID
	ports  sdn.PortGroupID
	addrs  sdn.IPAddrGroupID

	mu         sync.Mutex
	doomed     sdn.BridgeID // with a thousand ports
	condemned  sdn.ChainID  // with a thousand rules
	done       int
	refused    int
	unanswered int
	deleted    int // pairs of victims
	halves     int // of these, where a deletion was left half done
	odd        []error
}

func newArena(t *testing.T, s *site) *arena {
	t.Helper()
	a := &arena{host: s.host, bridge: s.bridge(t), chain: s.chain(t), router: s.router(t), ports: s.portGroup(t, "a"), addrs: s.addrGroup(t)}
	require.NoError(t, s.CreateDHCPSubnet(t.Context(), subnet(a.bridge, "10.1.0.0/16")))
	return a
}

// count sorts the outcome of a call. Without an answer only those may be whose
// process is mortal or whose time ran out, be it by etcd's disk.
func (a *arena) count(err error, excused bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case err == nil:
		a.done++
	case expected(err):
		a.refused++
	case errors.Is(err, sdn.ErrUnavailable) && (excused || strings.Contains(err.Error(), context.DeadlineExceeded.Error())):
		a.unanswered++
	default:
		a.odd = append(a.odd, err)
	}
}

func (a *arena) victims() (sdn.BridgeID, sdn.ChainID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.doomed, a.condemned
}

// contend makes calls until ctx ends. Some get so little time that they are cut
// off in their middle.
func (a *arena) contend(ctx context.Context, t *testing.T, seed uint64, p *process, mortal bool) {
	me := &contender{arena: a, rand: rand.New(rand.NewPCG(seed, 11)), top: p.api}
	for ctx.Err() == nil {
		limit, hurried := ample, me.rand.IntN(10) == 0
		if hurried {
			limit = time.Duration(1+me.rand.IntN(20)) * time.Millisecond
		}
		call, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), limit)
		err := me.step(call)
		cancel()
		a.count(err, mortal || hurried)
	}
}

// demolish lets several delete the big bridge and the big chain at once. One of
// them is killed when its deletion is decided, the others are cut off somewhere.
func (a *arena) demolish(t *testing.T, round int, procs []*process) {
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	b, c := a.victims()
	witness, mortal := procs[0].top, procs[len(procs)-1]
	var wg sync.WaitGroup
	for i, p := range []*process{mortal, procs[1], procs[2]} {
		limited := func(del func(context.Context) error) {
			hurry, cancel := context.WithTimeout(ctx, time.Duration(20*i+30*round%170)*time.Millisecond)
			defer cancel()
			if p == mortal {
				hurry = ctx
			}
			a.count(del(hurry), true)
		}
		wg.Go(func() { limited(func(ctx context.Context) error { return p.top.DeleteBridge(ctx, b) }) })
		wg.Go(func() { limited(func(ctx context.Context) error { return p.top.DeleteChain(ctx, c) }) })
	}
	assert.Eventually(t, func() bool {
		return viewOf(witness, func(v sdn.View) bool { _, there := v.Bridge(b); return !there })
	}, ample, time.Millisecond)
	mortal.kv.left.Store(int64(round % 5))
	wg.Wait()
	if len(witness.unfinished()) > 0 {
		a.halves++
	}
	mortal.stop(t)
	mortal.start(t)
	for _, del := range []error{witness.DeleteBridge(ctx, b), witness.DeleteChain(ctx, c)} {
		a.count(del, false) // a survivor sees to it, if nobody has
	}
	a.mu.Lock()
	a.deleted++
	a.mu.Unlock()
}

// build makes the next victims, shows them to everybody while they are empty,
// and fills them until ctx ends.
func (a *arena) build(ctx, all context.Context, size int, top *Topology) {
	all, cancel := context.WithTimeout(all, 3*ample)
	defer cancel()
	b, err := top.CreateBridge(all, sdn.Bridge{})
	a.count(err, false)
	c, err := top.CreateChain(all, sdn.Chain{})
	a.count(err, false)
	a.mu.Lock()
	a.doomed, a.condemned = b.ID, c.ID
	a.mu.Unlock()
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := w; i < size && ctx.Err() == nil; i += 4 {
				a.addPort(all, top, i)
			}
		})
	}
	for i := 0; i < size && ctx.Err() == nil; i++ {
		_, err = top.CreateRule(all, sdn.Rule{Chain: c.ID, Type: sdn.RuleDrop})
		a.count(err, false)
	}
	wg.Wait()
}

// addPort gives the victims a port, and some ports what hangs on them.
func (a *arena) addPort(ctx context.Context, top *Topology, i int) {
	b, c := a.victims()
	p := bridgePort(b)
	if i%10 == 0 {
		p.InboundFilter = c
	}
	made, err := top.CreatePort(ctx, p)
	a.count(err, false)
	if i%5 == 0 && err == nil {
		a.count(top.AddPortGroupPort(ctx, sdn.PortGroupPort{Group: a.ports, Port: made.ID}), false)
		a.count(top.AddMACPort(ctx, sdn.MACPort{Bridge: b, MAC: fmt.Sprintf("02:00:00:01:%02x:%02x", i/256, i%256), Port: made.ID}), false)
	}
}
