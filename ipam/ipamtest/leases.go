package ipamtest

import (
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
)

func leaseOnce(f *fixture) {
	s := f.store(Options{})
	t := f.claim(s, "blue")
	r := f.lease(s, t, "c")
	require.Equal(f, ipam.Nth(t.Subnets[0].Prefix, 2), r.Address)
	require.Equal(f, ipam.Nth(t.Subnets[0].Prefix, 1), r.Gateway)
	require.Equal(f, ipam.MAC(r.Address), r.PodMAC)
	require.Equal(f, ipam.Adding, r.State)
	_, err := s.Lease(f.Context(), t, want(t, "c"))
	var exists *ipam.ExistsError
	require.ErrorAs(f, err, &exists)
	require.Equal(f, r, exists.Record)
	require.Equal(f, []ipam.Attachment{r.Attachment}, must(s.TenantAttachments(f.Context(), "blue"))(f))
	require.Equal(f, ipam.Nth(t.Subnets[0].Prefix, 3), f.lease(s, t, "d").Address, "the lost try took no address")
}

func survives(f *fixture) {
	s := f.store(Options{})
	t := f.claim(s, "blue")
	a := f.lease(s, t, "a")
	b := f.lease(s, t, "b")
	require.NoError(f, s.Release(f.Context(), a))
	next := f.store(Options{})
	require.Equal(f, b, must(next.Attachment(f.Context(), b.Attachment))(f))
	require.Equal(f, ipam.Nth(t.Subnets[0].Prefix, 4), f.lease(next, t, "c").Address, "round robin goes on, past what cools")
}

func requested(f *fixture) {
	s := f.store(Options{})
	t := f.claim(s, "blue")
	subnet := t.Subnets[0].Prefix
	r := want(t, "c")
	for _, bad := range []netip.Addr{subnet.Addr(), ipam.Nth(subnet, 1), ipam.Nth(subnet, 1023), ipam.Nth(subnet, 1024)} {
		r.Address = bad
		_, err := s.Lease(f.Context(), t, r)
		require.ErrorIs(f, err, ipam.ErrInvalid, "%s", bad)
	}
	r.Address = ipam.Nth(subnet, 3)
	got, err := s.Lease(f.Context(), t, r)
	require.NoError(f, err)
	require.Equal(f, r.Address, got.Address)
	r.ContainerID = "d"
	for _, other := range []ipam.Store{s, f.store(Options{})} {
		_, err = other.Lease(f.Context(), t, r)
		var held *ipam.AddressInUseError
		require.ErrorAs(f, err, &held)
		require.Equal(f, attachment("c"), held.Holder)
	}
	require.Equal(f, ipam.Nth(subnet, 2), f.lease(s, t, "x").Address)
	require.Equal(f, ipam.Nth(subnet, 4), f.lease(s, t, "y").Address, "the requested one is passed over")
	require.NoError(f, s.Release(f.Context(), got))
	got, err = s.Lease(f.Context(), t, r)
	require.NoError(f, err, "a requested address need not cool down")
	f.at = f.at.Add(time.Hour)
	for i := range 990 {
		require.NotEqual(f, got.Address, f.lease(s, t, name(i)).Address)
	}
}

func full(f *fixture) {
	f.plan = small()
	s, other := f.store(Options{}), f.store(Options{})
	t := f.claim(s, "blue")
	var last ipam.Record
	for i := range 5 {
		last = f.lease(s, t, name(i))
	}
	for _, x := range []ipam.Store{s, other} {
		_, err := x.Lease(f.Context(), t, want(t, "more"))
		require.ErrorIs(f, err, ipam.ErrExhausted)
		require.ErrorContains(f, err, t.Subnets[0].Prefix.String())
		_, err = x.Lease(f.Context(), t, want(t, last.ContainerID))
		var exists *ipam.ExistsError
		require.ErrorAs(f, err, &exists, "a full subnet does not matter to who has an address")
	}
	require.NoError(f, other.Release(f.Context(), last))
	require.Equal(f, last.Address, f.lease(s, t, "more").Address, "what another gave back is found")
}

func portsLimit(f *fixture) {
	s := f.store(Options{Ports: 3})
	t := f.claim(s, "blue")
	for i := range 3 {
		f.lease(s, t, name(i))
	}
	_, err := s.Lease(f.Context(), t, want(t, "x"))
	require.ErrorIs(f, err, ipam.ErrExhausted)
}

func fillTogether(f *fixture) {
	f.plan = small()
	f.plan.Supernet, f.plan.SubnetLength = netip.MustParsePrefix("10.0.0.0/24"), 25
	stores := []ipam.Store{f.store(Options{}), f.store(Options{})}
	t := f.claim(stores[0], "blue")
	var mu sync.Mutex
	held := map[netip.Addr]string{}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 20 {
				c := name(w*20 + i)
				r, err := stores[w%2].Lease(f.Context(), t, want(t, c))
				if errors.Is(err, ipam.ErrExhausted) {
					continue
				}
				if !assert.NoError(f, err) {
					return
				}
				mu.Lock()
				assert.Empty(f, held[r.Address])
				held[r.Address] = c
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	require.Len(f, held, 125, "of a /25 all but network, gateway and broadcast")
	require.Len(f, must(stores[0].Attachments(f.Context(), "n1", ""))(f), 125)
}

func releaseFenced(f *fixture) {
	s := f.store(Options{})
	t := f.claim(s, "blue")
	old := f.lease(s, t, "c")
	require.NoError(f, s.Release(f.Context(), old))
	require.NoError(f, s.Release(f.Context(), old))
	f.missing(s, old.Attachment)
	young := f.lease(s, t, "c")
	require.NotEqual(f, old.Address, young.Address)
	require.NoError(f, s.Release(f.Context(), old))
	require.Equal(f, young, must(s.Attachment(f.Context(), young.Attachment))(f))
	require.NoError(f, s.Confirm(f.Context(), []ipam.Record{young, young}), "the same one twice")
	require.NoError(f, s.Release(f.Context(), young), "confirmed since it was read")
	f.missing(s, young.Attachment)
}

func confirm(f *fixture) {
	s := f.store(Options{})
	t := f.claim(s, "blue")
	var rs []ipam.Record
	for i := range 150 { // more than one transaction of etcd takes
		rs = append(rs, f.lease(s, t, name(i)))
	}
	require.NoError(f, s.Release(f.Context(), rs[0]))
	_, err := s.TakeOver(f.Context(), rs[1], "other", f.at)
	require.NoError(f, err)
	require.NoError(f, s.Confirm(f.Context(), rs))
	f.missing(s, rs[0].Attachment)
	require.Equal(f, ipam.Adding, must(s.Attachment(f.Context(), rs[1].Attachment))(f).State)
	require.Equal(f, ipam.Added, must(s.Attachment(f.Context(), rs[149].Attachment))(f).State)
}

func takeOver(f *fixture) {
	s := f.store(Options{})
	t := f.claim(s, "blue")
	r := f.lease(s, t, "c")
	mine, err := s.TakeOver(f.Context(), r, "b", f.at.UTC())
	require.NoError(f, err)
	require.Equal(f, mine, must(s.Attachment(f.Context(), r.Attachment))(f))
	require.Equal(f, "b", mine.Owner)
	_, err = s.TakeOver(f.Context(), r, "c", f.at)
	require.ErrorIs(f, err, ipam.ErrStale)
	require.NoError(f, s.Release(f.Context(), mine))
	_, err = s.TakeOver(f.Context(), mine, "c", f.at)
	require.ErrorIs(f, err, ipam.ErrNotFound)
}

func lists(f *fixture) {
	s := f.store(Options{})
	t := f.claim(s, "blue")
	for _, a := range []ipam.Attachment{
		{Node: "n1", Network: "moat", ContainerID: "c", IfName: "eth0"},
		{Node: "n1", Network: "moat", ContainerID: "c", IfName: "eth1"},
		{Node: "n1", Network: "moat2", ContainerID: "c", IfName: "eth0"},
		{Node: "n10", Network: "moat", ContainerID: "c", IfName: "eth0"},
	} {
		r := want(t, "")
		r.Attachment = a
		_, err := s.Lease(f.Context(), t, r)
		require.NoError(f, err)
	}
	require.Len(f, must(s.Attachments(f.Context(), "n1", "moat"))(f), 2)
	require.Len(f, must(s.Attachments(f.Context(), "n1", ""))(f), 3)
	require.Len(f, must(s.TenantAttachments(f.Context(), "blue"))(f), 4)
	require.Empty(f, must(s.TenantAttachments(f.Context(), "blu"))(f))
}

func badKeys(f *fixture) {
	s := f.store(Options{})
	t := f.claim(s, "blue")
	for _, a := range []ipam.Attachment{
		{}, {Node: "n/1", Network: "m", ContainerID: "c", IfName: "e"},
		{Node: "n", Network: "m", ContainerID: "c d", IfName: "e"},
	} {
		r := want(t, "")
		r.Attachment = a
		_, err := s.Lease(f.Context(), t, r)
		require.ErrorIs(f, err, ipam.ErrInvalid)
		_, err = s.Attachment(f.Context(), a)
		require.ErrorIs(f, err, ipam.ErrInvalid)
	}
}
