package ipamtest

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/pool"
)

// PoolOptions are what the suite sets of a pool store.
type PoolOptions struct{ Now func() time.Time }

// OpenPools returns one more store over the same data: what another process is.
type OpenPools func(PoolOptions) ipam.PoolStore

// TestPoolStore holds a store to the contract of ipam.PoolStore. begin returns,
// for each test, the way to open stores over fresh data.
func TestPoolStore(t *testing.T, begin func(t *testing.T) OpenPools) {
	for name, test := range map[string]func(*pools){
		"an address of each set":                       oneOfEachSet,
		"asked again, an attachment keeps what it has": holdsOnce,
		"asked addresses":                              askedAddresses,
		"what was given back cools":                    poolCools,
		"what another gave back is found":              foundElsewhere,
		"a holding is given back as it was read":       giveBackFenced,
		"holdings of a node and a network":             holdingsListed,
		"many callers take exactly what there is":      exactlyAll,
		"bad keys": badPoolKeys,
	} {
		t.Run(name, func(t *testing.T) { test(&pools{T: t, begin: begin(t), at: time.Unix(1_800_000_000, 0)}) })
	}
}

type pools struct {
	*testing.T
	begin    OpenPools
	at       time.Time
	coolDown time.Duration
}

func (p *pools) open(coolDown time.Duration) ipam.PoolStore {
	p.coolDown = coolDown
	return p.begin(PoolOptions{Now: func() time.Time { return p.at }})
}

func (p *pools) wish(sets []ipam.Set, asked ...netip.Addr) ipam.Wish {
	return ipam.Wish{Sets: sets, Asked: asked, CoolDown: p.coolDown}
}

func (p *pools) sets(ranges ...[]pool.Range) []ipam.Set {
	made, err := pool.New(ipam.KeyRanges, ranges)
	require.NoError(p, err)
	var sets []ipam.Set
	for _, s := range made.Sets {
		sets = append(sets, s)
	}
	return sets
}

func subnet(cidr string) []pool.Range { return []pool.Range{{Subnet: netip.MustParsePrefix(cidr)}} }

func holder(container string) ipam.Holding {
	return ipam.Holding{Pool: "lab", Attachment: ipam.Attachment{Node: "n1", Network: "net", ContainerID: container, IfName: "eth0"}}
}

func (p *pools) hold(s ipam.PoolStore, sets []ipam.Set, container string, asked ...netip.Addr) ipam.Holding {
	p.Helper()
	h, err := s.Hold(p.Context(), holder(container), p.wish(sets, asked...))
	require.NoError(p, err)
	h.Made = false
	return h
}

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

func oneOfEachSet(p *pools) {
	s, sets := p.open(0), p.sets(subnet("10.0.0.0/29"), subnet("fd00::/64"))
	h := p.hold(s, sets, "c1")
	require.Equal(p, []ipam.PoolLease{
		{Address: netip.MustParsePrefix("10.0.0.2/29"), Gateway: ip("10.0.0.1")},
		{Address: netip.MustParsePrefix("fd00::2/64"), Gateway: ip("fd00::1")}}, h.Leases)
	got, err := p.open(0).Holding(p.Context(), h.Attachment)
	require.NoError(p, err)
	require.Equal(p, h, got)
	require.Equal(p, ip("10.0.0.3"), p.hold(s, sets, "c2").Leases[0].Address.Addr(), "the next free one")
}

func holdsOnce(p *pools) {
	s, sets := p.open(0), p.sets(subnet("10.0.0.0/24"))
	for _, made := range []bool{true, false} {
		h, err := s.Hold(p.Context(), holder("c1"), p.wish(sets))
		require.NoError(p, err)
		require.Equal(p, made, h.Made)
	}
	first := p.hold(s, sets, "c1")
	require.Equal(p, first, p.hold(s, sets, "c1"))
	require.Equal(p, first, p.hold(p.open(0), sets, "c1"))
	second := holder("c1")
	second.IfName = "net1"
	other, err := s.Hold(p.Context(), second, p.wish(sets))
	require.NoError(p, err)
	require.NotEqual(p, first.Leases, other.Leases, "another interface of the pod is another attachment")
	require.NoError(p, s.GiveBack(p.Context(), other))
	_, err = s.Holding(p.Context(), first.Attachment)
	require.NoError(p, err)
	require.Equal(p, ip("10.0.0.4"), p.hold(s, sets, "c2").Leases[0].Address.Addr(), "nothing was lost on the way")
}

func askedAddresses(p *pools) {
	s := p.open(time.Hour)
	sets := p.sets([]pool.Range{{Subnet: netip.MustParsePrefix("10.0.0.0/28"), ReserveLast: 4, Exclude: []string{"10.0.0.5"}}}, subnet("fd00::/64"))
	h := p.hold(s, sets, "c1", ip("fd00::77"))
	require.Equal(p, "10.0.0.2/28", h.Leases[0].Address.String(), "what is not asked for is dynamic")
	require.Equal(p, "fd00::77/64", h.Leases[1].Address.String())
	reserved := p.hold(s, sets, "c2", ip("10.0.0.14"))
	require.Equal(p, "10.0.0.14/28", reserved.Leases[0].Address.String(), "the reserved end is for those who ask")
	_, err := p.open(time.Hour).Hold(p.Context(), holder("c3"), p.wish(sets, ip("10.0.0.14")))
	var used *ipam.AddressInUseError
	require.ErrorAs(p, err, &used)
	require.Equal(p, "c2", used.Holder.ContainerID)
	_, err = s.Holding(p.Context(), holder("c3").Attachment)
	require.ErrorIs(p, err, ipam.ErrNotFound, "nothing half taken")
	for _, bad := range []string{"10.0.0.1", "10.0.0.0", "10.0.0.15", "10.0.0.5", "10.0.1.2", "fd01::1"} {
		_, err = s.Hold(p.Context(), holder("c4"), p.wish(sets, ip(bad)))
		require.ErrorIs(p, err, ipam.ErrInvalid, bad)
	}
	require.NoError(p, s.GiveBack(p.Context(), reserved))
	require.Equal(p, "10.0.0.14/28", p.hold(s, sets, "c3", ip("10.0.0.14")).Leases[0].Address.String(), "asked for, it need not cool")
}

func poolCools(p *pools) {
	s, sets := p.open(time.Minute), p.sets(subnet("10.0.0.0/29"))
	first := p.hold(s, sets, "c1")
	require.NoError(p, s.GiveBack(p.Context(), first))
	require.NoError(p, s.GiveBack(p.Context(), first), "repeated")
	for _, want := range []string{"10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"} {
		require.Equal(p, want, p.hold(s, sets, want).Leases[0].Address.Addr().String())
	}
	require.Equal(p, first.Leases, p.hold(s, sets, "last").Leases, "nothing else is left")
	_, err := s.Hold(p.Context(), holder("none"), p.wish(sets))
	var full *ipam.ExhaustedError
	require.ErrorAs(p, err, &full)
	require.Equal(p, ipam.KeyRanges, full.Key)
}

func foundElsewhere(p *pools) {
	one, two, sets := p.open(time.Minute), p.open(time.Minute), p.sets(subnet("10.0.0.0/29"))
	var held []ipam.Holding
	for i := range 5 {
		held = append(held, p.hold(one, sets, fmt.Sprint(i)))
	}
	_, err := two.Hold(p.Context(), holder("x"), p.wish(sets))
	require.ErrorIs(p, err, ipam.ErrExhausted)
	require.NoError(p, one.GiveBack(p.Context(), held[3]))
	require.Equal(p, held[3].Leases, p.hold(two, sets, "x").Leases)
	require.NoError(p, one.GiveBack(p.Context(), held[1]))
	p.at = p.at.Add(2 * time.Minute)
	require.Equal(p, held[1].Leases, p.hold(two, sets, "y").Leases)
	_, err = one.Hold(p.Context(), holder("z"), p.wish(sets))
	require.ErrorIs(p, err, ipam.ErrExhausted)
}

func giveBackFenced(p *pools) {
	s, sets := p.open(0), p.sets(subnet("10.0.0.0/24"))
	old := p.hold(s, sets, "c1")
	require.NoError(p, s.GiveBack(p.Context(), old))
	fresh := p.hold(s, sets, "c1")
	require.NoError(p, s.GiveBack(p.Context(), old), "it has ended")
	got, err := s.Holding(p.Context(), fresh.Attachment)
	require.NoError(p, err)
	require.Equal(p, fresh, got, "what was made anew since is left alone")
}

func holdingsListed(p *pools) {
	s, sets := p.open(0), p.sets(subnet("10.0.0.0/24"))
	for _, at := range [][3]string{{"n1", "a", "c1"}, {"n1", "b", "c2"}, {"n10", "a", "c3"}, {"n1", "ab", "c4"}} {
		h := holder(at[2])
		h.Node, h.Network = at[0], at[1]
		_, err := s.Hold(p.Context(), h, p.wish(sets))
		require.NoError(p, err)
	}
	for _, c := range []struct{ node, network, want string }{{"n1", "", "c1 c4 c2"}, {"n1", "a", "c1"}, {"n10", "a", "c3"}, {"n2", "", ""}} {
		hs, err := s.Holdings(p.Context(), c.node, c.network)
		require.NoError(p, err)
		got := ""
		for _, h := range hs {
			got += " " + h.ContainerID
		}
		if got != "" {
			got = got[1:]
		}
		require.Equal(p, c.want, got)
	}
}

func exactlyAll(p *pools) {
	stores := []ipam.PoolStore{p.open(time.Hour), p.open(time.Hour)}
	sets := p.sets([]pool.Range{{Subnet: netip.MustParsePrefix("10.0.0.0/22"), End: ip("10.0.3.233")}})
	require.Equal(p, 1000, sets[0].Len())
	var mu sync.Mutex
	var wg sync.WaitGroup
	taken := make(map[netip.Addr]string)
	work := make(chan int)
	for w := range 32 {
		wg.Go(func() {
			for i := range work {
				c := fmt.Sprintf("c%d", i)
				h, err := stores[w%2].Hold(p.Context(), holder(c), p.wish(sets))
				mu.Lock()
				if err != nil {
					p.Errorf("%s: %v", c, err)
				} else if other, twice := taken[h.Leases[0].Address.Addr()]; twice {
					p.Errorf("%s is held by %s and %s", h.Leases[0].Address, other, c)
				} else {
					taken[h.Leases[0].Address.Addr()] = c
				}
				mu.Unlock()
			}
		})
	}
	for i := range 1000 {
		work <- i
	}
	close(work)
	wg.Wait()
	require.Len(p, taken, 1000)
	for _, s := range stores {
		_, err := s.Hold(p.Context(), holder("one more"[:3]), p.wish(sets))
		require.ErrorIs(p, err, ipam.ErrExhausted)
	}
}

func badPoolKeys(p *pools) {
	s, sets := p.open(0), p.sets(subnet("10.0.0.0/24"))
	for _, break_ := range []func(*ipam.Holding){
		func(h *ipam.Holding) { h.Pool = "" },
		func(h *ipam.Holding) { h.Pool = "a/b" },
		func(h *ipam.Holding) { h.ContainerID = "" },
		func(h *ipam.Holding) { h.Network = "x/../y" },
	} {
		h := holder("c")
		break_(&h)
		_, err := s.Hold(p.Context(), h, p.wish(sets))
		require.ErrorIs(p, err, ipam.ErrInvalid)
	}
	_, err := s.Hold(p.Context(), holder("c"), ipam.Wish{})
	require.ErrorIs(p, err, ipam.ErrInvalid)
	hs, err := s.Holdings(p.Context(), "n1", "")
	require.NoError(p, err)
	require.Empty(p, slices.Collect(slices.Values(hs)))
}
