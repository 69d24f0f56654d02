package ipamtest

import (
	"net/netip"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
)

func claimAtOnce(f *fixture) {
	stores := []ipam.Store{f.store(Options{}), f.store(Options{})}
	got := make([]ipam.Tenant, 16)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			var err error
			got[i], err = stores[i%2].ClaimTenant(f.Context(), ipam.Claim{Tenant: "blue", Generation: uuid.NewString(), Bridge: "b"})
			assert.NoError(f, err)
		})
	}
	wg.Wait()
	for _, t := range got {
		require.Equal(f, got[0], t)
	}
	require.Equal(f, ipam.TenantBuilding, got[0].State)
	require.Equal(f, []ipam.Tenant{got[0]}, must(stores[0].Tenants(f.Context()))(f))
}

func must[T any](v T, err error) func(*fixture) T {
	return func(f *fixture) T { require.NoError(f, err); return v }
}

func noSharedSlots(f *fixture) {
	s := f.store(Options{})
	host, provider := f.plan.Uplink()
	subnets, pairs := map[netip.Prefix]bool{}, map[netip.Addr]bool{host.Addr(): true, provider.Addr(): true}
	for i := range 300 { // of 8,192 and 32,766: hashes collide
		t := f.claim(s, name(i))
		for _, a := range []netip.Addr{t.Transit.Provider, t.Transit.Tenant} {
			require.False(f, pairs[a], "%s", a)
			require.True(f, f.plan.Transit.Contains(a))
			pairs[a] = true
		}
		require.False(f, subnets[t.Subnets[0].Prefix])
		require.Equal(f, 22, t.Subnets[0].Prefix.Bits())
		require.True(f, f.plan.Supernet.Overlaps(t.Subnets[0].Prefix))
		require.Equal(f, netip.PrefixFrom(t.Transit.Provider, 31).Masked(), netip.PrefixFrom(t.Transit.Tenant, 31).Masked())
		subnets[t.Subnets[0].Prefix] = true
	}
}

func supernetUsedUp(f *fixture) {
	f.plan = small()
	s := f.store(Options{})
	seen := map[netip.Prefix]bool{}
	for i := range 4 {
		seen[f.claim(s, name(i)).Subnets[0].Prefix] = true
	}
	require.Len(f, seen, 4, "every slot is found, whatever the hashes")
	_, err := s.ClaimTenant(f.Context(), ipam.Claim{Tenant: "blue", Generation: "g"})
	var none *ipam.ExhaustedError
	require.ErrorAs(f, err, &none)
	require.Equal(f, ipam.KeySupernet, none.Key)
	f.claim(s, name(0))
}

func slotCoolsDown(f *fixture) {
	f.plan = small()
	s := f.store(Options{SlotCoolDown: time.Minute})
	var last ipam.Tenant
	for i := range 4 {
		last = f.claim(s, name(i))
	}
	f.drop(s, last)
	_, err := s.ClaimTenant(f.Context(), ipam.Claim{Tenant: "blue", Generation: "g"})
	require.ErrorIs(f, err, ipam.ErrExhausted)
	f.at = f.at.Add(time.Minute)
	require.Equal(f, last.Subnets[0].Prefix, f.claim(s, "blue").Subnets[0].Prefix)
}

func states(f *fixture) {
	s := f.store(Options{})
	t := f.claim(s, "blue")
	b := ipam.Built{Digest: "d", Rules: []string{"r"}}
	ready, err := s.MarkReady(f.Context(), t, b)
	require.NoError(f, err)
	require.Equal(f, ipam.TenantReady, ready.State)
	again, err := s.MarkReady(f.Context(), t, b)
	require.NoError(f, err, "another did the same")
	require.Equal(f, ready, again)
	_, err = s.MarkReady(f.Context(), t, ipam.Built{Digest: "other"})
	require.ErrorIs(f, err, ipam.ErrStale)
	require.ErrorIs(f, s.DropTenant(f.Context(), ready), ipam.ErrInvalid)

	_, err = s.MarkDeleting(f.Context(), t)
	require.ErrorIs(f, err, ipam.ErrStale)
	gone, err := s.MarkDeleting(f.Context(), ready)
	require.NoError(f, err)
	again, err = s.MarkDeleting(f.Context(), ready)
	require.NoError(f, err)
	require.Equal(f, gone, again)
	_, err = s.Lease(f.Context(), gone, want(gone, "c"))
	require.ErrorIs(f, err, ipam.ErrStale)
	require.NoError(f, s.DropTenant(f.Context(), gone))
	require.NoError(f, s.DropTenant(f.Context(), gone))
	_, err = s.Tenant(f.Context(), "blue")
	require.ErrorIs(f, err, ipam.ErrNotFound)
}

func furtherSubnet(f *fixture) {
	f.plan = small()
	s := f.store(Options{})
	t := f.claim(s, "blue")
	more, err := s.AddSubnet(f.Context(), t, "second")
	require.NoError(f, err)
	require.Equal(f, ipam.TenantBuilding, more.State)
	require.Equal(f, "second", more.Subnets[1].Bridge)
	require.NotEqual(f, t.Subnets[0].Prefix, more.Subnets[1].Prefix)
	_, err = s.AddSubnet(f.Context(), t, "third")
	require.ErrorIs(f, err, ipam.ErrStale)
	for range 2 {
		more, err = s.AddSubnet(f.Context(), more, "b")
		require.NoError(f, err)
	}
	_, err = s.AddSubnet(f.Context(), more, "b")
	require.ErrorIs(f, err, ipam.ErrExhausted)
}

func deleteInUse(f *fixture) {
	s := f.store(Options{})
	t := f.claim(s, "blue")
	r := f.lease(s, t, "c")
	_, err := s.MarkDeleting(f.Context(), t)
	require.ErrorIs(f, err, ipam.ErrInUse)
	require.ErrorContains(f, err, "n1/moat/c/eth0")
	require.NoError(f, s.Release(f.Context(), r))
	f.drop(s, t)
}

func staleLease(f *fixture) {
	s, other := f.store(Options{}), f.store(Options{})
	t := f.claim(s, "blue")
	_, err := other.MarkReady(f.Context(), t, ipam.Built{})
	require.NoError(f, err)
	_, err = s.Lease(f.Context(), t, want(t, "c"))
	require.ErrorIs(f, err, ipam.ErrStale)
	f.missing(s, attachment("c"))
	current, err := s.Tenant(f.Context(), "blue")
	require.NoError(f, err)
	require.Equal(f, ipam.Nth(t.Subnets[0].Prefix, 2), f.lease(s, current, "c").Address, "the try took no address")
}

func generations(f *fixture) {
	s := f.store(Options{})
	old := f.claim(s, "blue")
	f.drop(s, old)
	young := f.claim(s, "blue")
	require.NotEqual(f, old.Generation, young.Generation)
	require.NotEqual(f, old.Subnets[0].Prefix, young.Subnets[0].Prefix)
	require.NotEqual(f, old.Transit, young.Transit)
	require.NoError(f, s.DropTenant(f.Context(), ipam.Tenant{Name: "blue", Generation: old.Generation, State: ipam.TenantDeleting}),
		"a late drop of the old one")
	require.Equal(f, young, must(s.Tenant(f.Context(), "blue"))(f))
}
