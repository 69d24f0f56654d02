package etcdkv_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/moatnet/moat/ipam/etcdkv"
	"github.com/moatnet/moat/ipam/ipamtest"
	"github.com/moatnet/moat/ipam/ledger"
)

func TestReservationsInEtcd(t *testing.T) {
	s, _ := start(t)
	n := 0
	ipamtest.TestReservations(t, func(*testing.T) ipamtest.OpenReserving {
		n++
		kv := etcdkv.New(s.Client(), fmt.Sprintf("/test%d/", n))
		return func(now func() time.Time) ipamtest.Reserving {
			l := ledger.New(kv, ledger.Options{Now: now})
			return ipamtest.Reserving{Store: l, ReservationStore: l, Auditable: l, Pools: ledger.NewPools(kv, ledger.PoolOptions{Now: now})}
		}
	})
}
