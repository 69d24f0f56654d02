package etcdkv_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/etcdkv"
	"github.com/moatnet/moat/ipam/ledger"
	"github.com/moatnet/moat/ipam/pool"
)

// Environment of a worker process.
const (
	workerName     = "MOAT_TEST_WORKER"
	workerEndpoint = "MOAT_TEST_ENDPOINT"
	workerOps      = "MOAT_TEST_OPS"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(workerName); name != "" {
		if err := work(name); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func fightSet() ipam.Set {
	p, err := pool.New("r", [][]pool.Range{{{Subnet: netip.MustParsePrefix("10.0.0.0/25")}}})
	if err != nil {
		panic(err)
	}
	return p.Sets[0]
}

// work holds and gives back at random, from several goroutines, and reports each
// operation on standard output.
func work(name string) error {
	n, err := strconv.Atoi(os.Getenv(workerOps))
	if err != nil {
		return err
	}
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{os.Getenv(workerEndpoint)}, DialTimeout: 10 * time.Second, Logger: zap.NewNop()})
	if err != nil {
		return err
	}
	defer c.Close()
	w := &worker{name: name, out: bufio.NewWriter(os.Stdout), set: fightSet()}
	const callers = 16
	var wg sync.WaitGroup
	for k := range callers {
		wg.Go(func() {
			kv := &revisions{KV: etcdkv.New(c, "/fight/")}
			w.run(k, n/callers, kv, ledger.NewPools(kv, ledger.PoolOptions{}))
		})
	}
	wg.Wait()
	w.report(op{Kind: opFinished})
	return nil
}

// revisions remembers the revision of the last transaction that took place.
type revisions struct {
	ledger.KV
	last int64
	took bool
}

func (r *revisions) Commit(ctx context.Context, t ledger.Txn) (ledger.Result, error) {
	res, err := r.KV.Commit(ctx, t)
	r.last, r.took = res.Revision, res.OK && err == nil
	return res, err
}

type worker struct {
	name string
	set  ipam.Set
	mu   sync.Mutex
	out  *bufio.Writer
}

// report writes a line at once: what is reported may be relied on although the
// process is killed.
func (w *worker) report(o op) {
	b, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out.Write(append(b, '\n'))
	w.out.Flush()
}

func monotonic() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err)
	}
	return t.Nano()
}

func (w *worker) run(caller, n int, kv *revisions, pools *ledger.Pools) {
	r := rand.New(rand.NewPCG(uint64(os.Getpid()), uint64(caller)))
	var held, ended []ipam.Holding
	for i := range n {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		if r.IntN(200) == 0 { // too little, mostly: the answer is lost
			cancel()
			ctx, cancel = context.WithTimeout(context.Background(), time.Duration(r.IntN(1500))*time.Microsecond)
		}
		switch k := r.IntN(20); {
		case k < 9 && len(held) < 3:
			h := ipam.Holding{Pool: "p", Attachment: ipam.Attachment{Node: w.name, Network: "m", ContainerID: fmt.Sprintf("%s-%d-%d", w.name, caller, i), IfName: "e"}}
			if got, ok := w.hold(ctx, pools, h, r.IntN(4) == 0); ok {
				held = append(held, got)
			}
		case k < 10 && len(held) > 0: // again, the same
			w.hold(ctx, pools, held[r.IntN(len(held))], false)
		case k < 11 && len(ended) > 0: // late
			w.giveBack(ctx, pools, kv, ended[r.IntN(len(ended))])
		case len(held) > 0:
			at := r.IntN(len(held))
			if w.giveBack(ctx, pools, kv, held[at]) {
				ended = append(ended[max(0, len(ended)-8):], held[at])
				held = append(held[:at], held[at+1:]...)
			}
		}
		cancel()
	}
}

// hold reports a Hold; false when it is not known to hold anything.
func (w *worker) hold(ctx context.Context, pools *ledger.Pools, h ipam.Holding, ask bool) (ipam.Holding, bool) {
	wish := ipam.Wish{Sets: []ipam.Set{w.set}}
	if ask {
		wish.Asked = []netip.Addr{w.set.At(rand.IntN(w.set.Len()))}
	}
	o := op{Container: h.ContainerID, From: monotonic()}
	w.report(op{Kind: opBegin, Container: h.ContainerID, From: o.From})
	got, err := pools.Hold(ctx, h, wish)
	o.To = monotonic()
	var used *ipam.AddressInUseError
	switch {
	case err == nil:
		o.Kind, o.Addr, o.Rev = opHeld, got.Leases[0].Address.Addr().String(), got.Revision
	case errors.Is(err, ipam.ErrExhausted), errors.As(err, &used):
		o.Kind = opFull
	default:
		o.Kind = opLost
	}
	w.report(o)
	return got, err == nil
}

// giveBack reports a GiveBack; false when it is not known to have ended.
func (w *worker) giveBack(ctx context.Context, pools *ledger.Pools, kv *revisions, h ipam.Holding) bool {
	o := op{Kind: opEnding, Container: h.ContainerID, Addr: h.Leases[0].Address.Addr().String(), Lease: h.Revision, From: monotonic()}
	w.report(o)
	err := pools.GiveBack(ctx, h)
	o.To = monotonic()
	switch {
	case err != nil:
		o.Kind = opLost
	case kv.took:
		o.Kind, o.Rev = opFreed, kv.last
	default:
		o.Kind = opIdle
	}
	w.report(o)
	return err == nil
}
