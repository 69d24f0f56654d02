package etcdkv_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/ipam/etcdkv"
	"github.com/moatnet/moat/ipam/ledger"
	"github.com/moatnet/moat/sdn/embedetcd"
)

const (
	// fightOps is how many operations the test does; MOAT_TEST_LONG asks for a
	// number of its own, as `make test-long` does.
	fightOps = 20_000
	longOps  = "MOAT_TEST_LONG_OPS"
	// fightRevisions are kept by etcd when the test is short, so that it compacts.
	fightRevisions = 2_000
	// fightBytes is what the database may take, however many operations there were.
	fightBytes = 128 << 20
	// sizeEvery is after how many operations its size is looked at.
	sizeEvery = 50_000

	addressKeys = "/fight/ipam/v1/pools/p/addresses/"
)

// TestProcessesFightForAddresses has three client processes hold and give back
// addresses of a small pool, over an etcd that writes to disk; two of them are
// killed again and again, and answers are lost. What all were told must be
// linearizable in the order that etcd gave to the effects, and by a search that
// does not know it; at the end every address can be leased once. Meanwhile the
// database does not grow with the operations.
func TestProcessesFightForAddresses(t *testing.T) {
	total, revisions := fightOps, fightRevisions
	if long := os.Getenv(longOps); long != "" {
		var err error
		total, err = strconv.Atoi(long)
		require.NoError(t, err)
		revisions = 0 // as by default
	}
	s, _ := startWith(t, embedetcd.Config{Revisions: revisions})
	f := &fight{t: t, endpoint: s.Endpoint(), share: total / 12, usage: s.Usage, pools: ledger.NewPools(etcdkv.New(s.Client(), "/fight/"), ledger.PoolOptions{})}
	watching, stop := context.WithCancel(t.Context())
	defer stop()
	var events []event
	watched := make(chan struct{})
	last, err := s.Client().Put(t.Context(), "/fight/begin", "")
	require.NoError(t, err)
	ch := s.Client().Watch(watching, addressKeys, clientv3.WithPrefix(), clientv3.WithRev(last.Header.Revision))
	go func() {
		defer close(watched)
		events = collect(ch)
	}()
	steady := f.start("steady", 0)
	var mortals sync.WaitGroup
	for _, name := range []string{"mortal-1", "mortal-2"} {
		mortals.Go(func() {
			for f.count() < total && !f.t.Failed() {
				f.start(name, time.Duration(50+rand.IntN(1500))*time.Millisecond).wait()
			}
		})
	}
	steady.wait()
	mortals.Wait()
	for f.count() < total && !t.Failed() {
		f.start("steady", 0).wait()
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	end, err := s.Client().Put(ctx, addressKeys+"end", "")
	require.NoError(t, err)
	select {
	case <-watched:
	case <-ctx.Done():
		t.Fatal("the watch did not reach revision", end.Header.Revision)
	}
	require.NoError(t, check(f.ops, events))
	require.NoError(t, checkPorcupine(f.ops, events, porcupineAddresses))
	t.Logf("%d operations, %d effects, %d processes killed", len(f.ops), len(events), f.killed)
	require.Positive(t, f.killed)
	_, err = s.Client().Get(ctx, addressKeys, clientv3.WithRev(1))
	require.ErrorIs(t, err, rpctypes.ErrCompacted, "etcd drops its history")
	require.Less(t, f.largest, int64(fightBytes), "and so does not grow")
	for _, node := range f.nodes { // transactions of the dead may have arrived since
		f.reap(node)
	}
	f.requireNothingHeld(s.Client())
}

// collect reads events up to the key "end".
func collect(ch clientv3.WatchChan) (events []event) {
	for resp := range ch {
		for _, e := range resp.Events {
			key := string(e.Kv.Key)
			addr := key[strings.LastIndexByte(key, '/')+1:]
			if addr == "end" {
				return events
			}
			ev := event{Rev: e.Kv.ModRevision, Addr: plain(addr)}
			if e.Type == clientv3.EventTypePut {
				ev.Holder = strings.Split(string(e.Kv.Value), "/")[3]
			}
			events = append(events, ev)
		}
	}
	return events
}

// plain turns 010.000.000.005 into 10.0.0.5.
func plain(sortable string) string {
	parts := strings.Split(sortable, ".")
	for i, p := range parts {
		parts[i] = strings.TrimLeft(p[:len(p)-1], "0") + p[len(p)-1:]
	}
	return strings.Join(parts, ".")
}

type fight struct {
	t        *testing.T
	endpoint string
	share    int // operations of one process
	usage    func() embedetcd.Usage
	pools    *ledger.Pools

	mu     sync.Mutex
	ops    []op
	done   int
	killed int
	nodes  []string
	// largest is the size of the database when it was largest, in bytes.
	largest int64
}

// sized notes the database's size; the caller holds mu.
func (f *fight) sized() {
	u := f.usage()
	f.largest = max(f.largest, u.Size)
	if f.done%sizeEvery == 0 {
		f.t.Logf("%7d operations: the database has %.1f MiB, %.1f of them in use", f.done, float64(u.Size)/(1<<20), float64(u.InUse)/(1<<20))
	}
}

func (f *fight) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.done
}

// process is a worker that runs.
type process struct {
	fight *fight
	node  string
	cmd   *exec.Cmd
	read  chan bool // true: it finished
}

// start starts a worker, and kills it a while after its first report unless that
// is 0: on a busy machine a worker may take longer to start than it is to live.
func (f *fight) start(name string, life time.Duration) *process {
	p := &process{fight: f, node: name + "." + strconv.Itoa(f.count()), cmd: exec.Command(os.Args[0]), read: make(chan bool, 1)}
	f.mu.Lock()
	f.nodes = append(f.nodes, p.node)
	f.mu.Unlock()
	p.cmd.Env = append(os.Environ(), workerName+"="+p.node, workerEndpoint+"="+f.endpoint, workerOps+"="+strconv.Itoa(f.share))
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		f.t.Errorf("start a worker: %v", err)
		p.read <- true
		return p
	}
	begun := func() {
		if life > 0 {
			time.AfterFunc(life, func() { _ = p.cmd.Process.Kill() })
		}
	}
	go func() { p.read <- f.read(out, sync.OnceFunc(begun)) }()
	return p
}

// read takes in a worker's report, whose last line may be cut off; begun is called
// with every line.
func (f *fight) read(out io.Reader, begun func()) (finished bool) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		begun()
		var o op
		if json.Unmarshal(lines.Bytes(), &o) != nil {
			continue
		}
		finished = finished || o.Kind == opFinished
		f.mu.Lock()
		f.ops = append(f.ops, o)
		if o.Kind != opBegin && o.Kind != opEnding {
			f.done++
			f.sized()
		}
		f.mu.Unlock()
	}
	return finished
}

func (p *process) wait() {
	finished := <-p.read
	err := p.cmd.Wait()
	p.fight.reap(p.node)
	p.fight.mu.Lock()
	defer p.fight.mu.Unlock()
	switch {
	case err != nil && !finished && strings.Contains(err.Error(), "killed"):
		p.fight.killed++
	case err != nil:
		p.fight.t.Errorf("worker: %v", err)
	}
}

// reap gives back what a dead worker left, as the sweep does for pods that are gone.
func (f *fight) reap(node string) {
	held, err := f.pools.Holdings(f.t.Context(), node, "")
	if err != nil {
		f.t.Errorf("what %s left: %v", node, err)
	}
	for _, h := range held {
		f.mu.Lock()
		f.ops = append(f.ops, op{Kind: opEnding, Container: h.ContainerID, Addr: h.Leases[0].Address.Addr().String(), Lease: h.Revision, From: monotonic()})
		f.mu.Unlock()
		if err := f.pools.GiveBack(f.t.Context(), h); err != nil {
			f.t.Errorf("give back what %s left: %v", node, err)
		}
	}
}

// requireNothingHeld says that no address is held without a holding that names it.
func (f *fight) requireNothingHeld(c *clientv3.Client) {
	left, err := c.Get(f.t.Context(), addressKeys, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	require.NoError(f.t, err)
	require.Equal(f.t, 1, len(left.Kvs), "only the key that ended the watch")
}
