package ipamtest

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
)

func addressCoolsDown(f *fixture) {
	f.plan = small()
	stores := []ipam.Store{f.store(Options{AddressCoolDown: time.Minute}), f.store(Options{AddressCoolDown: time.Minute})}
	t := f.claim(stores[0], "blue")
	for _, s := range stores {
		require.NoError(f, s.Release(f.Context(), f.lease(s, t, "warm")))
	}
	f.at = f.at.Add(time.Minute)
	var rs []ipam.Record
	for i := range 4 {
		rs = append(rs, f.lease(stores[0], t, name(i)))
	}
	require.NoError(f, stores[0].Release(f.Context(), rs[1]))
	last := f.lease(stores[1], t, "last")
	require.NotEqual(f, rs[1].Address, last.Address, "the other process does not know yet")
	require.NoError(f, stores[1].Release(f.Context(), last))
	f.at = f.at.Add(time.Minute)
	require.Contains(f, []netip.Addr{rs[1].Address, last.Address}, f.lease(stores[1], t, "again").Address)
}

func coolingIsLast(f *fixture) {
	f.plan = small()
	s := f.store(Options{AddressCoolDown: time.Hour})
	t := f.claim(s, "blue")
	var rs []ipam.Record
	for i := range 5 {
		rs = append(rs, f.lease(s, t, name(i)))
	}
	for _, i := range []int{3, 0} {
		f.at = f.at.Add(time.Second)
		require.NoError(f, s.Release(f.Context(), rs[i]))
	}
	require.Equal(f, rs[3].Address, f.lease(s, t, "x").Address, "the one given back longest ago")
	require.Equal(f, rs[0].Address, f.lease(f.store(Options{AddressCoolDown: time.Hour}), t, "y").Address)
}

// wrongClock: who leases sees an address that somebody else has just given back.
func wrongClock(f *fixture) {
	for _, wrong := range []time.Duration{2 * time.Hour, -2 * time.Hour} {
		f.plan = small()
		s := f.store(Options{AddressCoolDown: time.Hour})
		t := f.claim(s, fmt.Sprintf("clock%d", len(wrong.String())))
		var back ipam.Record
		for i, host := range []int{2, 3, 6} { // the next in turn after the last is the first
			r := want(t, t.Name+name(i))
			r.Address = ipam.Nth(r.Subnet, host)
			got, err := s.Lease(f.Context(), t, r)
			require.NoError(f, err)
			if i == 0 {
				back = got
			}
		}
		require.NoError(f, s.Release(f.Context(), back))
		other := f.store(Options{AddressCoolDown: time.Hour, Now: func() time.Time { return f.at.Add(wrong) }})
		require.Equal(f, ipam.Nth(back.Subnet, 4), f.lease(other, t, t.Name+"x").Address, "the first one rests")
		f.at = f.at.Add(time.Hour)
		require.Equal(f, ipam.Nth(back.Subnet, 5), f.lease(other, t, t.Name+"y").Address)
		require.Equal(f, back.Address, f.lease(other, t, t.Name+"z").Address)
	}
}

// backwards: the clock of who leases is a day behind that of who gave back.
func backwards(f *fixture) {
	for _, rest := range []time.Duration{time.Hour, -1} {
		f.plan = small()
		s := f.store(Options{AddressCoolDown: rest})
		t := f.claim(s, fmt.Sprintf("rest%d", len(rest.String())))
		var rs []ipam.Record
		for i := range 5 {
			rs = append(rs, f.lease(s, t, t.Name+name(i)))
		}
		for _, i := range []int{3, 0} {
			f.at = f.at.Add(time.Second)
			require.NoError(f, s.Release(f.Context(), rs[i]))
		}
		f.at = f.at.Add(-24 * time.Hour)
		want := map[time.Duration][]int{time.Hour: {3, 0}, -1: {0, 3}}[rest]
		for n, i := range want {
			got := f.lease(s, t, fmt.Sprintf("%s-later-%d", t.Name, n))
			require.Equal(f, rs[i].Address, got.Address, "rest %s: the longest rested, or without rest the next in turn", rest)
		}
	}
}
