package ledger_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/ipamtest"
	"github.com/moatnet/moat/ipam/ledger"
	"github.com/moatnet/moat/ipam/pool"
)

func TestPoolsInMemory(t *testing.T) {
	ipamtest.TestPoolStore(t, func(*testing.T) ipamtest.OpenPools {
		kv := ledger.NewMemory()
		return func(o ipamtest.PoolOptions) ipam.PoolStore {
			return ledger.NewPools(kv, ledger.PoolOptions{Now: o.Now})
		}
	})
}

// TestPoolsAgreeWithAModel lets three processes hold and give back in any order,
// and compares with what a plain map would say.
func TestPoolsAgreeWithAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kv, now := ledger.NewMemory(), time.Unix(1_800_000_000, 0)
		coolDown := time.Duration(rapid.IntRange(0, 2).Draw(t, "cool-down")) * time.Minute
		var stores []ipam.PoolStore
		for range 3 {
			stores = append(stores, ledger.NewPools(kv, ledger.PoolOptions{Now: func() time.Time { return now }}))
		}
		made, err := pool.New("r", [][]pool.Range{{{Subnet: netip.MustParsePrefix("10.0.0.0/29"), ReserveLast: 1}}})
		require.NoError(t, err)
		set := made.Sets[0]
		sets, ctx := []ipam.Set{set}, t.Context()
		holds := map[string]ipam.Holding{}
		holderOf := func(a netip.Addr) string {
			for c, h := range holds {
				if h.Leases[0].Address.Addr() == a {
					return c
				}
			}
			return ""
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			s := rapid.SampledFrom(stores).Draw(t, "store")
			c := fmt.Sprintf("c%d", rapid.IntRange(0, 7).Draw(t, "container"))
			h := ipam.Holding{Pool: "p", Attachment: ipam.Attachment{Node: "n", Network: "m", ContainerID: c, IfName: "e"}}
			have, held := holds[c]
			switch rapid.IntRange(0, 3).Draw(t, "action") {
			case 0, 1:
				var asked []netip.Addr
				if rapid.IntRange(0, 3).Draw(t, "ask") == 0 {
					asked = []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(rapid.IntRange(2, 6).Draw(t, "asked"))})}
				}
				got, err := s.Hold(ctx, h, ipam.Wish{Sets: sets, Asked: asked, CoolDown: coolDown})
				inTurn := 0
				for other := range holds {
					if _, ok := set.Place(holds[other].Leases[0].Address.Addr()); ok {
						inTurn++
					}
				}
				switch {
				case held:
					require.NoError(t, err)
					require.Equal(t, have, got, "it keeps what it has")
				case len(asked) > 0 && holderOf(asked[0]) != "":
					var used *ipam.AddressInUseError
					require.ErrorAs(t, err, &used)
					require.Equal(t, holderOf(asked[0]), used.Holder.ContainerID)
				case len(asked) == 0 && inTurn == set.Len():
					require.ErrorIs(t, err, ipam.ErrExhausted)
				default:
					require.NoError(t, err)
					a := got.Leases[0].Address.Addr()
					require.Empty(t, holderOf(a), "%s is held twice", a)
					if len(asked) > 0 {
						require.Equal(t, asked[0], a)
					}
					require.True(t, got.Made)
					got.Made = false // of the next that asks
					holds[c] = got
				}
			case 2:
				if held {
					require.NoError(t, s.GiveBack(ctx, have))
					delete(holds, c)
				}
			case 3:
				now = now.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "seconds")) * time.Second)
			}
		}
		all, err := stores[0].Holdings(ctx, "n", "")
		require.NoError(t, err)
		require.Len(t, all, len(holds))
	})
}
