// Command moat-bench-ipam times leases of pools over an embedded etcd that
// writes to disk, in an empty pool and in one that is full but for a hundredth,
// in turn; then many callers that take all of a pool; and host-local's allocator
// beside them. It prints medians, 99th percentiles and round trips, and ends with
// 1 when a limit of README is exceeded.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/etcdkv"
	"github.com/moatnet/moat/ipam/ledger"
	"github.com/moatnet/moat/ipam/pool"
	"github.com/moatnet/moat/sdn/embedetcd"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "moat-bench-ipam:", err)
		os.Exit(1)
	}
}

// limits are what the project promises; a run that exceeds one fails.
type limits struct {
	trips, ratio      float64
	together, refused time.Duration
}

type options struct {
	dir    string
	rounds int
	limits
}

func run(ctx context.Context, args []string, out, progress io.Writer) (err error) {
	var o options
	f := flag.NewFlagSet("moat-bench-ipam", flag.ContinueOnError)
	f.StringVar(&o.dir, "dir", "/var/tmp", "folder for the data, on a disk")
	f.IntVar(&o.rounds, "n", 300, "leases of each kind")
	f.Float64Var(&o.trips, "max-trips", 2, "round trips of a lease, median")
	f.Float64Var(&o.ratio, "max-ratio", 1.3, "median at 99 % of a /16 against an empty pool")
	f.DurationVar(&o.together, "max-together", 2*time.Second, "32 callers take 1,000 addresses")
	f.DurationVar(&o.refused, "max-refused", 5*time.Millisecond, "a full pool is said, median")
	if err := f.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(o.dir, "moat-bench-ipam-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	server, err := embedetcd.Start(ctx, embedetcd.Config{Dir: filepath.Join(dir, "etcd")})
	if err != nil {
		return err
	}
	defer server.Close()
	b := &bench{options: o, dir: dir, kv: &counting{KV: etcdkv.New(server.Client(), "/bench/")}, out: out, progress: progress}
	return b.run(ctx)
}

// counting counts a store's round trips.
type counting struct {
	ledger.KV
	trips atomic.Int64
}

func (c *counting) Commit(ctx context.Context, t ledger.Txn) (ledger.Result, error) {
	c.trips.Add(1)
	return c.KV.Commit(ctx, t)
}

type bench struct {
	options
	dir           string
	kv            *counting
	pools         *ledger.Pools
	out, progress io.Writer
}

func (b *bench) run(ctx context.Context) error {
	b.pools = ledger.NewPools(b.kv, ledger.PoolOptions{})
	fmt.Fprintln(b.progress, "filling a /16 to 99 % …")
	full := b.set("10.1.0.0/16")
	if err := b.fill(ctx, "full", full, full.Len()-full.Len()/100); err != nil {
		return err
	}
	fmt.Fprintln(b.progress, "leases in an empty and in a full pool, in turn …")
	failures, err := b.fillRatio(ctx, full)
	if err != nil {
		return err
	}
	fmt.Fprintln(b.progress, "32 callers for 1,000 addresses …")
	more, err := b.together(ctx)
	if err != nil {
		return err
	}
	if err := b.hostLocal(); err != nil {
		return err
	}
	return errors.Join(append(failures, more...)...)
}

func (b *bench) set(cidr string) ipam.Set {
	p, err := pool.New(ipam.KeyRanges, [][]pool.Range{{{Subnet: netip.MustParsePrefix(cidr)}}})
	if err != nil {
		panic(err) // the CIDRs are constants
	}
	return p.Sets[0]
}

func (b *bench) hold(ctx context.Context, p *ledger.Pools, name string, s ipam.Set, container string) (ipam.Holding, error) {
	return p.Hold(ctx, ipam.Holding{Pool: name, Attachment: ipam.Attachment{Node: "n", Network: name, ContainerID: container, IfName: "eth0"}},
		ipam.Wish{Sets: []ipam.Set{s}})
}

// fill takes n addresses with as many callers as etcd can batch.
func (b *bench) fill(ctx context.Context, name string, s ipam.Set, n int) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, 64)
	for range cap(errs) {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				if _, err := b.hold(ctx, b.pools, name, s, fmt.Sprintf("f%d", i)); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	return <-errs
}

// fillRatio compares a full pool with an empty one.
func (b *bench) fillRatio(ctx context.Context, full ipam.Set) ([]error, error) {
	empty := b.set("10.2.0.0/16")
	var series [2]series
	for i := range b.rounds {
		for turn := range 2 {
			k := (i + turn) % 2
			name, set := "empty", empty
			if k == 1 {
				name, set = "full", full
			}
			before := b.kv.trips.Load()
			start := time.Now()
			if _, err := b.hold(ctx, b.pools, name, set, fmt.Sprintf("m%d", i)); err != nil {
				return nil, err
			}
			series[k].add(time.Since(start), float64(b.kv.trips.Load()-before))
		}
	}
	var failures []error
	for k, name := range []string{"an empty pool", "99 % of a /16"} {
		fmt.Fprintf(b.out, "lease in %-14s p50 %s  p99 %s  round trips p50 %.0f\n", name, ms(series[k].wall(50)), ms(series[k].wall(99)), series[k].count(50))
		if trips := series[k].count(50); trips > b.trips {
			failures = append(failures, fmt.Errorf("a lease in %s takes %.0f round trips, more than %.0f", name, trips, b.trips))
		}
	}
	ratio := float64(series[1].wall(50)) / float64(series[0].wall(50))
	fmt.Fprintf(b.out, "ratio of medians, full/empty: %.2f\n", ratio)
	if ratio > b.ratio {
		failures = append(failures, fmt.Errorf("a full pool is %.2f times as slow as an empty one, more than %.2f", ratio, b.ratio))
	}
	return failures, nil
}

// together has 32 callers of two processes' pictures take all there is.
func (b *bench) together(ctx context.Context) ([]error, error) {
	set := b.set("10.3.0.0/22")
	spare := set.Len() - 1000
	if err := b.fill(ctx, "together", set, spare); err != nil {
		return nil, err
	}
	stores := []*ledger.Pools{b.pools, ledger.NewPools(b.kv, ledger.PoolOptions{})}
	var next atomic.Int64
	var wg sync.WaitGroup
	var mu sync.Mutex
	taken, errs := make(map[netip.Addr]bool), []error(nil)
	start := time.Now()
	for w := range 32 {
		wg.Go(func() {
			for i := next.Add(1); i <= 1000; i = next.Add(1) {
				h, err := b.hold(ctx, stores[w%2], "together", set, fmt.Sprintf("t%d", i))
				mu.Lock()
				if err != nil {
					errs = append(errs, err)
				} else {
					taken[h.Leases[0].Address.Addr()] = true
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	var refused series
	for i := range 50 {
		start := time.Now()
		if _, err := b.hold(ctx, stores[i%2], "together", set, fmt.Sprintf("x%d", i)); !errors.Is(err, ipam.ErrExhausted) {
			return nil, fmt.Errorf("one address more than there are: %w", err)
		}
		refused.add(time.Since(start), 0)
	}
	fmt.Fprintf(b.out, "1,000 addresses by 32 callers: %s, %d refused, %d twice; the next is refused in p50 %s\n",
		took.Round(time.Millisecond), len(errs), 1000-len(errs)-len(taken), ms(refused.wall(50)))
	var failures []error
	if len(errs) > 0 || len(taken) != 1000 {
		failures = append(failures, fmt.Errorf("%d of 1,000 addresses were leased: %w", len(taken), errors.Join(errs...)))
	}
	if took > b.limits.together {
		failures = append(failures, fmt.Errorf("1,000 leases took %s, more than %s", took, b.limits.together))
	}
	if r := refused.wall(50); r > b.limits.refused {
		failures = append(failures, fmt.Errorf("a full pool is said after %s, more than %s", r, b.limits.refused))
	}
	return failures, nil
}
