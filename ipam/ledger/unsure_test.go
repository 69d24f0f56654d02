package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/ledger"
	"github.com/moatnet/moat/ipam/pool"
)

// deaf loses the answers to transactions while it is told to; some of them take
// place.
type deaf struct {
	ledger.KV
	lose, refuse bool
}

func (d *deaf) Commit(ctx context.Context, t ledger.Txn) (ledger.Result, error) {
	if d.refuse {
		return ledger.Result{}, fmt.Errorf("not sent: %w", ipam.ErrUnavailable)
	}
	res, err := d.KV.Commit(ctx, t)
	if d.lose {
		return ledger.Result{}, errors.Join(ipam.ErrUnavailable, err)
	}
	return res, err
}

// TestAnswersThatAreLostLoseNoAddress leases all there is although some answers
// never came, whether or not the transactions took place.
func TestAnswersThatAreLostLoseNoAddress(t *testing.T) {
	kv := &deaf{KV: ledger.NewMemory()}
	pools := ledger.NewPools(kv, ledger.PoolOptions{})
	p, err := pool.New("r", [][]pool.Range{{{Subnet: netip.MustParsePrefix("10.0.0.0/28")}}})
	require.NoError(t, err)
	hold := func(c string) error {
		_, err := pools.Hold(t.Context(), ipam.Holding{Pool: "p", Attachment: ipam.Attachment{Node: "n", Network: "m", ContainerID: c, IfName: "e"}},
			ipam.Wish{Sets: []ipam.Set{p.Sets[0]}})
		return err
	}
	require.NoError(t, hold("first"))
	for i := range 6 {
		kv.lose, kv.refuse = i%2 == 0, i%2 == 1
		require.ErrorIs(t, hold(fmt.Sprint("lost", i)), ipam.ErrUnavailable)
	}
	kv.lose, kv.refuse = false, false
	for i := range 13 - 1 - 3 {
		require.NoError(t, hold(fmt.Sprint("c", i)))
	}
	require.ErrorIs(t, hold("one more"), ipam.ErrInvalid, "a container ID holds no space")
	require.ErrorIs(t, hold("onemore"), ipam.ErrExhausted)
	held, err := pools.Holdings(t.Context(), "n", "")
	require.NoError(t, err)
	require.Len(t, held, 13)
}
