package etcdkv_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/etcdkv"
	"github.com/moatnet/moat/ipam/ledger"
)

// silent is a KV that answers nothing while it is told not to, and counts what it
// was asked then.
type silent struct {
	ledger.KV
	on    atomic.Bool
	asked atomic.Int64
}

func (s *silent) Commit(ctx context.Context, t ledger.Txn) (ledger.Result, error) {
	if !s.on.Load() {
		return s.KV.Commit(ctx, t)
	}
	s.asked.Add(1)
	<-ctx.Done()
	return ledger.Result{}, fmt.Errorf("%w: %w", ipam.ErrUnavailable, ctx.Err())
}

// The first leases of a process wait for what it has to read first. While the store
// says nothing they do so together, and each no longer than it may.
func TestFirstLeasesOverASilentStoreDoNotWaitOneAfterTheOther(t *testing.T) {
	const callers = 8
	s, _ := start(t)
	kv := &silent{KV: etcdkv.New(s.Client(), "/moat")}
	args := lived(t, ledger.New(kv, ledger.Options{}), ledger.NewPools(kv, ledger.PoolOptions{}))
	tenant := args.tenants[""]
	leases := map[string]func(ctx context.Context, at ipam.Attachment) error{}
	l, pools := ledger.New(kv, ledger.Options{}), ledger.NewPools(kv, ledger.PoolOptions{})
	leases["tenant"] = func(ctx context.Context, at ipam.Attachment) error {
		_, err := l.Lease(ctx, tenant, ipam.Record{Attachment: at, Tenant: tenant.Name, Generation: "g", Subnet: tenant.Subnets[0].Prefix})
		return err
	}
	leases["pool"] = func(ctx context.Context, at ipam.Attachment) error {
		_, err := pools.Hold(ctx, ipam.Holding{Pool: "p", Attachment: at}, ipam.Wish{Sets: []ipam.Set{fightSet()}})
		return err
	}
	_, err := l.EnsureInstallation(t.Context(), ipam.Defaults("test"))
	require.NoError(t, err)
	kv.on.Store(true)
	for name, lease := range leases {
		t.Run(name, func(t *testing.T) {
			kv.asked.Store(0)
			begun := time.Now()
			var all sync.WaitGroup
			for i := range callers {
				all.Go(func() { // half of them have less time than the store is given
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					if i%2 == 1 {
						ctx, cancel = context.WithTimeout(t.Context(), allowed)
					}
					defer cancel()
					err := lease(ctx, ipam.Attachment{Node: "n", Network: "m", ContainerID: fmt.Sprintf("late-%d", i), IfName: "eth0"})
					assert.ErrorIs(t, err, ipam.ErrUnavailable)
					if i%2 == 1 {
						assert.Less(t, time.Since(begun), patience, "its own deadline counts")
					}
				})
			}
			all.Wait()
			require.Less(t, time.Since(begun), 3*patience, "nobody waits behind all others")
			require.Less(t, kv.asked.Load(), int64(callers), "who waited is told what the first was not told")
		})
	}
	kv.on.Store(false)
	for name, lease := range leases {
		require.NoError(t, lease(t.Context(), ipam.Attachment{Node: "n", Network: "m", ContainerID: "after", IfName: "eth0"}), name)
	}
}
