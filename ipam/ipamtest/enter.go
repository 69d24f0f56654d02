package ipamtest

import (
	"net/netip"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
)

// entered records an attachment without an address.
func (f *fixture) entered(s ipam.Store, t ipam.Tenant, container string) ipam.Record {
	r, err := s.Enter(f.Context(), t, want(t, container))
	require.NoError(f, err)
	require.False(f, r.Address.IsValid())
	require.Equal(f, ipam.Adding, r.State)
	return r
}

func enterRefuses(f *fixture) {
	s := f.store(Options{})
	t := f.claim(s, "blue")
	r := f.entered(s, t, "c")
	var exists *ipam.ExistsError
	_, err := s.Enter(f.Context(), t, want(t, "c"))
	require.ErrorAs(f, err, &exists)
	require.Equal(f, r, exists.Record)
	_, err = s.Lease(f.Context(), t, want(t, "c"))
	require.ErrorAs(f, err, &exists)

	subnet := t.Subnets[0].Prefix
	for _, bad := range []netip.Addr{subnet.Addr(), ipam.Nth(subnet, 1), ipam.Nth(subnet, 1023), ipam.Nth(subnet, 1024)} {
		_, err := s.Assign(f.Context(), t, r, bad)
		require.ErrorIs(f, err, ipam.ErrInvalid, "%s", bad)
	}
	held := f.lease(s, t, "other")
	var used *ipam.AddressInUseError
	_, err = s.Assign(f.Context(), t, r, held.Address)
	require.ErrorAs(f, err, &used)
	require.Equal(f, held.Attachment, used.Holder)
	require.Equal(f, r, must(s.Attachment(f.Context(), r.Attachment))(f), "nothing changed")
}

func entersAndAssigns(f *fixture) {
	s, other := f.store(Options{}), f.store(Options{})
	t := f.claim(s, "blue")
	subnet := t.Subnets[0].Prefix
	require.NoError(f, s.Release(f.Context(), f.lease(s, t, "before")))
	r := f.entered(s, t, "c")
	require.Empty(f, must(s.TenantAttachments(f.Context(), "blue"))(f), "it is no lease yet")
	got, err := s.Assign(f.Context(), t, r, ipam.Nth(subnet, 2))
	require.NoError(f, err, "who asks by name waits for no cool-down")
	require.Equal(f, r.Created, got.Created)
	require.Equal(f, ipam.Nth(subnet, 1), got.Gateway)
	require.Equal(f, got, must(other.Attachment(f.Context(), r.Attachment))(f))
	_, err = other.Assign(f.Context(), t, r, ipam.Nth(subnet, 9))
	require.ErrorIs(f, err, ipam.ErrStale, "it has one")
	require.ErrorIs(f, s.Release(f.Context(), r), ipam.ErrStale, "as it was read it holds nothing, now it does")
	for i := range 5 {
		require.NotEqual(f, got.Address, f.lease(other, t, name(i)).Address)
	}
	require.NoError(f, s.Release(f.Context(), got))
	require.NoError(f, s.Release(f.Context(), r), "repeated, by an older record")

	again := f.entered(s, t, "c")
	require.NoError(f, s.Release(f.Context(), r), "a later record is left alone")
	require.NoError(f, s.Release(f.Context(), again))
	_, err = s.Attachment(f.Context(), again.Attachment)
	require.ErrorIs(f, err, ipam.ErrNotFound)
	_, err = s.Assign(f.Context(), t, again, ipam.Nth(subnet, 9))
	require.ErrorIs(f, err, ipam.ErrStale)
}

// Many want the same address at once: by name and when they are there.
func assignRace(f *fixture) {
	stores := []ipam.Store{f.store(Options{}), f.store(Options{})}
	t := f.claim(stores[0], "blue")
	address := ipam.Nth(t.Subnets[0].Prefix, 5)
	var wg sync.WaitGroup
	won := make(chan ipam.Record, 16)
	for i := range 8 {
		entered := f.entered(stores[0], t, name(i))
		wg.Go(func() {
			if r, err := stores[i%2].Assign(f.Context(), t, entered, address); err == nil {
				won <- r
			}
		})
		wg.Go(func() {
			asks := want(t, name(100+i))
			asks.Address = address
			if r, err := stores[i%2].Lease(f.Context(), t, asks); err == nil {
				won <- r
			}
		})
	}
	wg.Wait()
	require.Len(f, won, 1)
	require.Equal(f, address, (<-won).Address)
	require.Len(f, must(stores[0].TenantAttachments(f.Context(), "blue"))(f), 1)
}

// A tenant may go while somebody only waits for an address, who gets none then.
func enteredTenantGoes(f *fixture) {
	s := f.store(Options{})
	t := f.claim(s, "blue")
	r := f.entered(s, t, "c")
	gone, err := s.MarkDeleting(f.Context(), t)
	require.NoError(f, err)
	_, err = s.Assign(f.Context(), t, r, ipam.Nth(t.Subnets[0].Prefix, 5))
	require.ErrorIs(f, err, ipam.ErrStale)
	_, err = s.Enter(f.Context(), t, want(t, "d"))
	require.ErrorIs(f, err, ipam.ErrStale)
	require.NoError(f, s.DropTenant(f.Context(), gone))
	require.NoError(f, s.Release(f.Context(), r))
}
