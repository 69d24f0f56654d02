package ipamtest

import (
	"net/netip"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
)

func badReservations(k *keeper) {
	for says, change := range map[string]func(*ipam.Reservation){
		"scope \"\"":                     func(r *ipam.Reservation) { r.Scope = ipam.Scope{} },
		"\"a/b\" is not the name":        func(r *ipam.Reservation) { r.Scope.Name = "a/b" },
		"no address":                     func(r *ipam.Reservation) { r.Address = netip.Addr{} },
		"::ffff:10.0.0.3":                func(r *ipam.Reservation) { r.Address = ip("::ffff:10.0.0.3") },
		"fd00::1%eth0":                   func(r *ipam.Reservation) { r.Address = ip("fd00::1%eth0") },
		"224.0.0.1 is no unicast":        func(r *ipam.Reservation) { r.Address = ip("224.0.0.1") },
		"127.0.0.1 is no unicast":        func(r *ipam.Reservation) { r.Address = ip("127.0.0.1") },
		"0.0.0.0 is no unicast":          func(r *ipam.Reservation) { r.Address = ip("0.0.0.0") },
		"201 bytes":                      func(r *ipam.Reservation) { r.Note = strings.Repeat("x", 201) },
		"\"a\\nb\" has characters":       func(r *ipam.Reservation) { r.Note = "a\nb" },
		"NAMESPACE/POD":                  func(r *ipam.Reservation) { r.Identity = "web-0" },
		"\"ns/a b\"":                     func(r *ipam.Reservation) { r.Identity = "ns/a b" },
		"\"eth/0\" is not the name":      func(r *ipam.Reservation) { r.IfName = "eth/0" },
		"2027-01-15T08:00:00Z, which is": func(r *ipam.Reservation) { r.Until = k.at },
	} {
		r := k.reservation("10.0.0.3", "", "")
		change(&r)
		_, err := k.one.Reserve(k.Context(), r)
		require.ErrorIs(k, err, ipam.ErrInvalid, says)
		require.ErrorContains(k, err, says)
	}
	if !k.pool {
		k.badTenantReservations()
	}
	_, err := k.one.Reservation(k.Context(), k.scope, ip("10.0.0.3"))
	require.ErrorIs(k, err, ipam.ErrNotFound)
	k.has(k.one, pod{container: "c"}, "10.0.0.2")
}

func (k *keeper) badTenantReservations() {
	for a, says := range map[string]string{
		"10.0.0.0": "network or broadcast", "10.0.0.7": "network or broadcast", "10.0.0.1": "gateway",
		"10.0.0.8": "none of the tenant's subnets 10.0.0.0/29", "fd00::1": "none of the tenant's subnets",
	} {
		_, err := k.one.Reserve(k.Context(), k.reservation(a, "", ""))
		require.ErrorIs(k, err, ipam.ErrInvalid, a)
		require.ErrorContains(k, err, says)
	}
	r := k.reservation("10.0.0.3", "", "")
	r.Scope.Name = "green"
	_, err := k.one.Reserve(k.Context(), r)
	require.ErrorIs(k, err, ipam.ErrNotFound)
	require.ErrorContains(k, err, "tenant green")
}

func reserveHeld(k *keeper) {
	k.has(k.one, pod{container: "c"}, "10.0.0.2")
	_, err := k.two.Reserve(k.Context(), k.reservation("10.0.0.2", "ns/other", ""))
	var used *ipam.AddressInUseError
	require.ErrorAs(k, err, &used)
	require.Equal(k, "c", used.Holder.ContainerID)
	first := k.reserve(k.one, "10.0.0.3", "ns/a")
	again := k.reserve(k.two, "10.0.0.3", "ns/a")
	require.Equal(k, first, again, "repeated, because the answer was lost")
	_, err = k.two.Reserve(k.Context(), k.reservation("10.0.0.3", "ns/b", ""))
	require.ErrorContains(k, err, "10.0.0.3 is reserved for ns/a (a note)")
}

func reservedForNobody(k *keeper) {
	k.reserve(k.one, "10.0.0.2", "")
	k.has(k.one, pod{container: "c1", name: "a"}, "10.0.0.3")
	k.has(k.two, pod{container: "c2", sticky: sticky("ns/s")}, "10.0.0.4")
	for _, s := range []Reserving{k.one, k.two} {
		k.refused(s, pod{container: "c3", name: "a", asks: "10.0.0.2"}, "")
		k.refused(s, pod{container: "c3", sticky: sticky("ns/s2"), asks: "10.0.0.2"}, "")
	}
	k.has(k.two, pod{container: "c5"}, "10.0.0.5")
	k.has(k.two, pod{container: "c6"}, "10.0.0.6")
	_, err := k.take(k.one, pod{container: "c7"})
	require.ErrorIs(k, err, ipam.ErrExhausted)
	require.NoError(k, k.two.Unreserve(k.Context(), k.look(k.two, "10.0.0.2")))
	k.has(k.one, pod{container: "c7"}, "10.0.0.2")
}

func reservedByName(k *keeper) {
	k.reserve(k.one, "10.0.0.2", "ns/web-0")
	k.refused(k.one, pod{container: "x", name: "web-1", asks: "10.0.0.2"}, "ns/web-0")
	k.has(k.one, pod{container: "y", name: "web-0"}, "10.0.0.3") // who asks for nothing gets the next free one
	g := k.has(k.two, pod{container: "z", name: "web-0", asks: "10.0.0.2"}, "10.0.0.2")
	require.Equal(k, &ipam.Claimant{Identity: "ns/web-0"}, g.reserved)
	k.inUse(k.one, pod{container: "w", name: "web-0", asks: "10.0.0.2"}, "z")
	require.Equal(k, "z", k.look(k.one, "10.0.0.2").Holder.ContainerID)
	k.ends(k.one, g)
	require.Nil(k, k.look(k.two, "10.0.0.2").Holder)
	k.refused(k.two, pod{container: "x", name: "web-1", asks: "10.0.0.2"}, "ns/web-0")
	k.has(k.one, pod{container: "w", name: "web-0", asks: "10.0.0.2"}, "10.0.0.2")
}

func reservedForSticky(k *keeper) {
	r := k.reserve(k.one, "10.0.0.5", "ns/web-0")
	g := k.has(k.two, pod{container: "c", sticky: sticky("ns/web-0")}, "10.0.0.5")
	require.Equal(k, r.Revision, k.look(k.one, "10.0.0.5").Revision, "an operator's reservation stays as it is")
	k.inUse(k.one, pod{container: "d", sticky: sticky("ns/web-0")}, "c")
	k.ends(k.one, g)
	k.at = k.at.Add(48 * time.Hour)
	require.Zero(k, must2(k.one.EndReservations(k.Context()))(k), "it is kept until it is released")
	k.has(k.one, pod{container: "d", sticky: sticky("ns/web-0")}, "10.0.0.5")
}

func must2[T any](v T, err error) func(*keeper) T {
	return func(k *keeper) T { k.Helper(); require.NoError(k, err); return v }
}

func unreserveFenced(k *keeper) {
	old := k.reserve(k.one, "10.0.0.2", "ns/a")
	require.NoError(k, k.one.Unreserve(k.Context(), old))
	require.NoError(k, k.one.Unreserve(k.Context(), old), "repeated")
	k.isFree("10.0.0.2")
	young, err := k.two.Reserve(k.Context(), k.reservation("10.0.0.2", "ns/a", "another"))
	require.NoError(k, err)
	require.ErrorIs(k, k.one.Unreserve(k.Context(), old), ipam.ErrStale)
	require.Equal(k, young, k.look(k.one, "10.0.0.2"))
}

func reservationEnds(k *keeper) {
	r := k.reservation("10.0.0.2", "ns/a", "for a day")
	r.Until = k.at.Add(24 * time.Hour)
	r, err := k.one.Reserve(k.Context(), r)
	require.NoError(k, err)
	k.reserve(k.one, "10.0.0.3", "ns/b")
	k.at = k.at.Add(24*time.Hour - time.Second)
	require.Zero(k, must2(k.two.EndReservations(k.Context()))(k))
	_, err = k.take(k.two, pod{container: "c", asks: "10.0.0.2"})
	require.ErrorContains(k, err, "address 10.0.0.2 is reserved for ns/a until "+r.Until.Format(time.RFC3339)+" (for a day)")
	k.at = k.at.Add(time.Second)
	require.Equal(k, 1, must2(k.two.EndReservations(k.Context()))(k))
	require.Zero(k, must2(k.one.EndReservations(k.Context()))(k))
	k.isFree("10.0.0.2")
	k.look(k.one, "10.0.0.3")
	r.Until = k.at.Add(time.Minute)
	_, err = k.one.Reserve(k.Context(), r)
	require.NoError(k, err)
	k.at = k.at.Add(time.Minute)
	k.has(k.two, pod{container: "c", asks: "10.0.0.2"}, "10.0.0.2") // without a sweep
}

func endsWhenFull(k *keeper) {
	for _, a := range []string{"10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"} {
		r := k.reservation(a, "", "")
		r.Until = k.at.Add(time.Minute)
		_, err := k.one.Reserve(k.Context(), r)
		require.NoError(k, err)
	}
	k.has(k.two, pod{container: "c1"}, "10.0.0.6")
	_, err := k.take(k.two, pod{container: "c2"})
	require.ErrorIs(k, err, ipam.ErrExhausted)
	k.at = k.at.Add(time.Minute)
	for _, c := range []string{"c2", "c3", "c4", "c5"} {
		_, err := k.take(k.two, pod{container: c})
		require.NoError(k, err)
	}
	_, err = k.take(k.two, pod{container: "c6"})
	require.ErrorIs(k, err, ipam.ErrExhausted)
}

func unreserveHeld(k *keeper) {
	k.reserve(k.one, "10.0.0.4", "ns/a")
	byName := k.has(k.one, pod{container: "c", name: "a", asks: "10.0.0.4"}, "10.0.0.4")
	lasting := k.has(k.one, pod{container: "d", sticky: sticky("ns/d")}, "10.0.0.2")
	for _, a := range []string{"10.0.0.4", "10.0.0.2"} {
		require.NoError(k, k.two.Unreserve(k.Context(), k.look(k.two, a)))
		_, err := k.two.Reservation(k.Context(), k.scope, ip(a))
		require.ErrorIs(k, err, ipam.ErrNotFound)
	}
	k.inUse(k.two, pod{container: "e", asks: "10.0.0.4"}, "c")
	k.ends(k.two, byName)
	k.ends(k.two, lasting)
	k.isFree("10.0.0.4")
	k.isFree("10.0.0.2")
}

func reservedTenantDeleted(k *keeper) {
	if k.pool {
		return
	}
	for _, a := range []string{"10.0.0.3", "10.0.0.4"} {
		k.reserve(k.one, a, "ns/p")
	}
	g := k.has(k.one, pod{container: "c", sticky: sticky("ns/c")}, "10.0.0.2")
	_, err := k.two.MarkDeleting(k.Context(), k.tenant)
	require.ErrorIs(k, err, ipam.ErrInUse)
	require.ErrorContains(k, err, "attachments/n1/net/c/eth0")
	k.ends(k.one, g)
	require.Empty(k, must2(k.two.TenantAttachments(k.Context(), "blue"))(k))
	gone, err := k.two.MarkDeleting(k.Context(), k.tenant)
	require.NoError(k, err)
	_, err = k.one.Reserve(k.Context(), k.reservation("10.0.0.5", "", ""))
	require.ErrorIs(k, err, ipam.ErrNotFound)
	_, err = k.take(k.one, pod{container: "c", sticky: sticky("ns/c")})
	require.ErrorIs(k, err, ipam.ErrStale)
	require.NoError(k, k.two.DropTenant(k.Context(), gone))
	require.Empty(k, must2(k.one.Reservations(k.Context(), ipam.Scope{}))(k))
	snap := must2(k.one.Snapshot(k.Context()))(k)
	require.Empty(k, snap.Held)
	k.at = k.at.Add(2 * time.Hour)
	require.Zero(k, must2(k.one.EndReservations(k.Context()))(k), "what ended with the tenant")
}

func reservationsListed(k *keeper) {
	k.reserve(k.one, "10.0.0.4", "ns/b")
	k.reserve(k.one, "10.0.0.3", "ns/c")
	k.has(k.one, pod{container: "c", sticky: sticky("ns/a")}, "10.0.0.2")
	other := ipam.Scope{Kind: ipam.PoolScope, Name: "labs"}
	_, err := k.one.Reserve(k.Context(), ipam.Reservation{Scope: other, Address: ip("10.0.0.2")})
	require.NoError(k, err)
	rs := must2(k.two.Reservations(k.Context(), k.scope))(k)
	require.Len(k, rs, 3)
	for i, want := range []string{"10.0.0.2", "10.0.0.3", "10.0.0.4"} {
		require.Equal(k, want, rs[i].Address.String())
	}
	require.Equal(k, "c", rs[0].Holder.ContainerID)
	require.True(k, rs[0].Sticky)
	require.Nil(k, rs[1].Holder)
	require.Equal(k, "a note", rs[1].Note)
	require.Len(k, must2(k.two.Reservations(k.Context(), ipam.Scope{}))(k), 4)
	require.Len(k, must2(k.two.Reservations(k.Context(), other))(k), 1)
}
