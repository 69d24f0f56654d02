package topology

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

const tenantSize = 1000 // objects of the tenant that is asked for

// crowded is a topology with many chains, a thousand of them one tenant's. They
// are put into the picture as a load would, at the revision before the first.
func crowded(tb testing.TB, total int, o Options) *Topology {
	tb.Helper()
	top := NewMemory(o)
	facts := make([]fact, total)
	for i := range facts {
		c := sdn.Chain{ID: sdn.NewID[sdn.ChainID](), TenantID: sdn.TenantID(fmt.Sprintf("t%d", i/tenantSize)), Name: strconv.Itoa(i)}
		facts[i] = fact{key: key{sdn.KindChain, string(c.ID)}, body: c, mod: 1, created: 1}
	}
	top.takeAll(facts, 0)
	return top
}

func BenchmarkListOfATenant(b *testing.B) {
	for _, total := range []int{1000, 100_000} {
		b.Run(strconv.Itoa(total), func(b *testing.B) {
			top := crowded(b, total, Options{})
			b.ResetTimer()
			for b.Loop() {
				list, err := top.Chains(b.Context(), "t0")
				require.NoError(b, err)
				require.Len(b, list, tenantSize)
			}
		})
	}
}

func BenchmarkTenants(b *testing.B) {
	top := crowded(b, 100_000, Options{})
	for b.Loop() {
		list, err := top.Tenants(b.Context())
		require.NoError(b, err)
		require.Len(b, list, 100)
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		crowded(b, 100_000, Options{})
	}
}

// BenchmarkReadUnderWrites reads one chain of 100,000 while eight writers make
// and delete rules of a long chain, each of which a slow check is asked about.
func BenchmarkReadUnderWrites(b *testing.B) {
	slow := func(v sdn.View, c sdn.ChainID) error {
		for start := time.Now(); time.Since(start) < 20*time.Millisecond; {
			v.UsersOf(c)
		}
		return nil
	}
	top := crowded(b, 100_000, Options{Check: slow})
	top.opt.Check = func(sdn.View, sdn.ChainID) error { return nil }
	long, err := top.CreateChain(b.Context(), sdn.Chain{})
	require.NoError(b, err)
	for range 1000 {
		_, err := top.CreateRule(b.Context(), sdn.Rule{Chain: long.ID, Type: sdn.RuleDrop})
		require.NoError(b, err)
	}
	top.opt.Check = slow
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				r, err := top.CreateRule(b.Context(), sdn.Rule{Chain: long.ID, Type: sdn.RuleDrop})
				if err == nil {
					err = top.DeleteRule(b.Context(), r.ID)
				}
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		_, err := top.Chain(b.Context(), long.ID)
		require.NoError(b, err)
		took = append(took, time.Since(start))
		time.Sleep(100 * time.Microsecond) // the pace of a client, not a wait
	}
	close(done)
	wg.Wait()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(float64(took[len(took)-1].Microseconds()), "max-µs")
}
