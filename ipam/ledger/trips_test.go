package ledger_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/ledger"
)

// counted is a KV that counts transactions.
type counted struct {
	ledger.KV
	n atomic.Int64
}

func (c *counted) Commit(ctx context.Context, t ledger.Txn) (ledger.Result, error) {
	c.n.Add(1)
	return c.KV.Commit(ctx, t)
}

// Three nodes take and give back addresses of one tenant in turn, each with a
// picture of its own that the others make stale.
func TestLeaseIsAtMostTwoTransactionsInTheMedianAtAnyFill(t *testing.T) {
	for _, held := range []int{0, 500, 900, 990} {
		t.Run(fmt.Sprint(held), func(t *testing.T) {
			ctx, kv := t.Context(), &counted{KV: ledger.NewMemory()}
			var nodes []*ledger.Ledger
			for range 3 {
				l := ledger.New(kv, ledger.Options{})
				_, err := l.EnsureInstallation(ctx, ipam.Defaults("test"))
				require.NoError(t, err)
				nodes = append(nodes, l)
			}
			tenant, err := nodes[0].ClaimTenant(ctx, ipam.Claim{Tenant: "blue", Generation: "g", Bridge: "b"})
			require.NoError(t, err)
			lease := func(l *ledger.Ledger, c string) ipam.Record {
				r, err := l.Lease(ctx, tenant, ipam.Record{
					Attachment: ipam.Attachment{Node: "n", Network: "m", ContainerID: c, IfName: "eth0"},
					Tenant:     "blue", Generation: "g", Subnet: tenant.Subnets[0].Prefix})
				require.NoError(t, err)
				return r
			}
			for i := range held {
				lease(nodes[i%3], fmt.Sprint("old", i))
			}
			var trips []int64
			var last []ipam.Record
			for i := range 300 {
				before := kv.n.Load()
				last = append(last, lease(nodes[i%3], fmt.Sprint("new", i)))
				trips = append(trips, kv.n.Load()-before)
				if len(last) > 6 {
					require.NoError(t, nodes[i%3].Release(ctx, last[0]))
					last = last[1:]
				}
			}
			slices.Sort(trips)
			require.LessOrEqual(t, trips[len(trips)/2], int64(2), "median of %v", trips)
			require.LessOrEqual(t, trips[len(trips)*99/100], int64(6), "p99 of %v", trips)
		})
	}
}
