package etcdkv_test

import (
	"fmt"
	"testing"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/etcdkv"
	"github.com/moatnet/moat/ipam/ipamtest"
	"github.com/moatnet/moat/ipam/ledger"
)

func TestPoolsInEtcd(t *testing.T) {
	s, _ := start(t)
	n := 0
	ipamtest.TestPoolStore(t, func(*testing.T) ipamtest.OpenPools {
		n++
		prefix := fmt.Sprintf("/test%d/", n)
		return func(o ipamtest.PoolOptions) ipam.PoolStore {
			return ledger.NewPools(etcdkv.New(s.Client(), prefix), ledger.PoolOptions{Now: o.Now})
		}
	})
}
