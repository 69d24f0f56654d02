package ipamtest

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
)

func badSticky(k *keeper) {
	for _, bad := range []ipam.Sticky{
		{}, {Identity: "web-0"}, {Identity: "ns/a\nb"}, {Identity: "ns/web-0", For: -time.Second},
	} {
		_, err := k.take(k.one, pod{container: "c", sticky: &bad})
		require.ErrorIs(k, err, ipam.ErrInvalid, "%v", bad)
	}
	k.has(k.one, pod{container: "c"}, "10.0.0.2")
}

func stickyRebuilt(k *keeper) {
	web := pod{container: "c1", sticky: sticky("ns/web-0")}
	g := k.has(k.one, web, "10.0.0.2")
	r := k.look(k.two, "10.0.0.2")
	require.True(k, r.Until.IsZero())
	require.Equal(k, ipam.Claimant{Identity: "ns/web-0", IfName: "eth0"}, r.Claimant)
	k.ends(k.one, g)
	require.Equal(k, k.at.Add(time.Hour), k.look(k.two, "10.0.0.2").Until)
	k.ends(k.two, g) // repeated
	k.refused(k.two, pod{container: "x", name: "x", asks: "10.0.0.2"}, "ns/web-0")
	for i := range 4 { // nobody else gets it, whatever is asked for
		k.has(k.two, pod{container: name(i)}, fmt.Sprintf("10.0.0.%d", i+3))
	}
	_, err := k.take(k.one, pod{container: "more"})
	require.ErrorIs(k, err, ipam.ErrExhausted)
	k.at = k.at.Add(59 * time.Minute)
	web.container = "c2"
	g = k.has(k.two, web, "10.0.0.2")
	require.True(k, k.look(k.one, "10.0.0.2").Until.IsZero())
	k.at = k.at.Add(2 * time.Hour)
	require.Zero(k, must2(k.one.EndReservations(k.Context()))(k), "a living pod's is kept")
	k.ends(k.one, g)
	k.has(k.one, pod{container: "c3", name: "web-0", sticky: sticky("ns/web-0")}, "10.0.0.2")
}

func stickyExpires(k *keeper) {
	web := pod{container: "c1", sticky: sticky("ns/web-0")}
	k.ends(k.one, k.has(k.one, web, "10.0.0.2"))
	k.at = k.at.Add(time.Hour)
	require.Equal(k, 1, must2(k.two.EndReservations(k.Context()))(k))
	k.isFree("10.0.0.2")
	web.container = "c2"
	g, err := k.take(k.one, web)
	require.NoError(k, err)
	require.NotNil(k, g.reserved, "another one is kept from now on")
}

func stickyForNoTime(k *keeper) {
	s := ipam.Sticky{Identity: "ns/web-0"}
	g := k.has(k.one, pod{container: "c", sticky: &s}, "10.0.0.2")
	k.inUse(k.two, pod{container: "d", sticky: &s}, "c")
	k.ends(k.two, g)
	k.isFree("10.0.0.2")
	require.Empty(k, must2(k.one.Reservations(k.Context(), k.scope))(k))
}

func stickyTwice(k *keeper) {
	g := k.has(k.one, pod{container: "old", sticky: sticky("ns/web-0")}, "10.0.0.2")
	for range 2 {
		k.inUse(k.two, pod{container: "new", sticky: sticky("ns/web-0")}, "old")
	}
	k.ends(k.two, g)
	g = k.has(k.two, pod{container: "new", sticky: sticky("ns/web-0")}, "10.0.0.2")
	k.ends(k.two, g)
	byName := k.has(k.one, pod{container: "byname", name: "web-0", asks: "10.0.0.2"}, "10.0.0.2")
	k.inUse(k.two, pod{container: "newest", sticky: sticky("ns/web-0")}, "byname")
	k.ends(k.two, byName)
	k.refused(k.one, pod{container: "x", asks: "10.0.0.2"}, "ns/web-0")
}

// stickyTogether has one of many win, however they interleave, again and again.
func stickyTogether(k *keeper) {
	stores := []Reserving{k.one, k.two}
	var first netip.Addr
	for round := range 10 {
		var mu sync.Mutex
		var winners []got
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				g, err := k.take(stores[i%2], pod{container: fmt.Sprintf("c%d-%d", round, i), sticky: sticky("ns/web-0")})
				mu.Lock()
				defer mu.Unlock()
				var used *ipam.AddressInUseError
				if err == nil {
					winners = append(winners, g)
				} else {
					assert.ErrorAs(k, err, &used)
				}
			})
		}
		wg.Wait()
		require.Len(k, winners, 1)
		if round == 0 {
			first = winners[0].address
		}
		require.Equal(k, first, winners[0].address)
		k.ends(stores[round%2], winners[0])
	}
}

func shared(identity string) *ipam.Sticky {
	return &ipam.Sticky{Identity: identity, For: time.Hour, Shared: true}
}

func stickyShared(k *keeper) {
	var gs []got
	for i := range 3 {
		gs = append(gs, k.has(k.one, pod{container: name(i), sticky: shared("ns/Deployment/web")}, fmt.Sprintf("10.0.0.%d", i+2)))
	}
	k.ends(k.two, gs[1])
	k.at = k.at.Add(time.Minute)
	k.ends(k.two, gs[0])
	k.has(k.two, pod{container: "n1", sticky: shared("ns/Deployment/web")}, "10.0.0.2") // given back last
	k.has(k.one, pod{container: "n2", sticky: shared("ns/Deployment/web")}, "10.0.0.3")
	k.has(k.two, pod{container: "n3", sticky: shared("ns/Deployment/web")}, "10.0.0.5")
	k.has(k.two, pod{container: "other"}, "10.0.0.6")
	_, err := k.take(k.one, pod{container: "n4", sticky: shared("ns/Deployment/web")})
	require.ErrorIs(k, err, ipam.ErrExhausted)
}

func sharedTogether(k *keeper) {
	stores := []Reserving{k.one, k.two}
	for round := range 5 {
		var mu sync.Mutex
		taken := map[netip.Addr]got{}
		var wg sync.WaitGroup
		for i := range 7 {
			wg.Go(func() {
				g, err := k.take(stores[i%2], pod{container: fmt.Sprintf("c%d-%d", round, i), sticky: shared("ns/Deployment/web")})
				if errors.Is(err, ipam.ErrExhausted) {
					return
				}
				if assert.NoError(k, err) {
					mu.Lock()
					defer mu.Unlock()
					assert.NotContains(k, taken, g.address)
					taken[g.address] = g
				}
			})
		}
		wg.Wait()
		require.Len(k, taken, 5)
		for _, g := range taken {
			k.ends(stores[round%2], g)
		}
	}
	require.Len(k, must2(k.one.Reservations(k.Context(), k.scope))(k), 5)
}

func stickyInterfaces(k *keeper) {
	p := func(container, ifName string) pod {
		return pod{container: container, ifName: ifName, sticky: sticky("ns/web-0")}
	}
	first, second := k.has(k.one, p("c1", "eth0"), "10.0.0.2"), k.has(k.one, p("c1", "net1"), "10.0.0.3")
	k.ends(k.one, first)
	k.at = k.at.Add(time.Minute)
	k.ends(k.one, second)
	k.has(k.two, p("c2", "net1"), "10.0.0.3")
	k.has(k.two, p("c2", "eth0"), "10.0.0.2")
}

func stickyAsks(k *keeper) {
	web := pod{container: "c1", sticky: sticky("ns/web-0"), asks: "10.0.0.5"}
	g := k.has(k.one, web, "10.0.0.5")
	k.ends(k.one, g)
	k.refused(k.two, pod{container: "x", asks: "10.0.0.5"}, "ns/web-0")
	web.container = "c2"
	g = k.has(k.two, web, "10.0.0.5")
	k.ends(k.two, g)
	web.container, web.asks = "c3", ""
	k.has(k.one, web, "10.0.0.5")
}

// stickyElsewhere moves what is leased away from a kept address.
func stickyElsewhere(k *keeper) {
	k.ends(k.one, k.has(k.one, pod{container: "c1", sticky: sticky("ns/web-0")}, "10.0.0.2"))
	var err error
	if k.pool {
		k.set = k.setOf("10.9.0.0/24")
		_, err = k.take(k.two, pod{container: "c2", sticky: sticky("ns/web-0")})
		require.ErrorContains(k, err, "any range of pool lab")
	} else {
		r := want(k.tenant, "c2")
		r.Subnet, r.Sticky = netip.MustParsePrefix("10.9.0.0/24"), sticky("ns/web-0")
		_, err = k.two.Lease(k.Context(), k.tenant, r)
		require.ErrorContains(k, err, "is not in subnet 10.9.0.0/24 of tenant blue")
	}
	var elsewhere *ipam.ElsewhereError
	require.ErrorAs(k, err, &elsewhere)
	require.Equal(k, ip("10.0.0.2"), elsewhere.Address)
	require.Equal(k, "ns/web-0", elsewhere.Identity)
	require.ErrorIs(k, err, ipam.ErrInvalid)
}

func identitiesAlike(k *keeper) {
	for i, identity := range []string{"ns/web", "ns/web/1", "ns/web%2F1", "ns/web-1"} {
		k.ends(k.one, k.has(k.one, pod{container: name(i), sticky: sticky(identity)}, fmt.Sprintf("10.0.0.%d", i+2)))
	}
	for i, identity := range []string{"ns/web", "ns/web/1", "ns/web%2F1", "ns/web-1"} {
		k.has(k.two, pod{container: "n" + name(i), sticky: sticky(identity)}, fmt.Sprintf("10.0.0.%d", i+2))
	}
}

func lateRelease(k *keeper) {
	old := k.has(k.one, pod{container: "c", sticky: sticky("ns/web-0")}, "10.0.0.2")
	k.ends(k.one, old)
	young := k.has(k.two, pod{container: "c", sticky: sticky("ns/web-0")}, "10.0.0.2") // the same attachment, anew
	k.ends(k.one, old)
	k.inUse(k.one, pod{container: "d", sticky: sticky("ns/web-0")}, "c")
	require.True(k, k.look(k.one, "10.0.0.2").Until.IsZero())
	k.ends(k.one, young)
}
