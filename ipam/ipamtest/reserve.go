package ipamtest

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/pool"
)

// Reserving is a store of everything whose addresses can be reserved.
type Reserving struct {
	ipam.Store
	ipam.ReservationStore
	ipam.Auditable
	Pools ipam.PoolStore
}

// OpenReserving returns one more over the same data: what another process is.
type OpenReserving func(now func() time.Time) Reserving

// TestReservations holds a store to the contract of ipam.ReservationStore and of
// sticky attachments, in tenants' subnets and in pools. begin returns, for each
// test, the way to open stores over fresh data.
func TestReservations(t *testing.T, begin func(t *testing.T) OpenReserving) {
	for name, test := range map[string]func(*keeper){
		"what cannot be reserved":                            badReservations,
		"an address that is held cannot be reserved":         reserveHeld,
		"reserved for nobody":                                reservedForNobody,
		"reserved for a pod, who asks for it by name":        reservedByName,
		"reserved for a pod, who is sticky":                  reservedForSticky,
		"a reservation is ended as it was read":              unreserveFenced,
		"a reservation ends by itself":                       reservationEnds,
		"an ended reservation is found when all is used up":  endsWhenFull,
		"bad identities":                                     badSticky,
		"a sticky pod is rebuilt":                            stickyRebuilt,
		"a sticky pod that does not come back":               stickyExpires,
		"sticky for no time":                                 stickyForNoTime,
		"the second of an identity waits":                    stickyTwice,
		"many of an identity at once":                        stickyTogether,
		"a shared identity":                                  stickyShared,
		"a shared identity, many at once":                    sharedTogether,
		"two interfaces of a sticky pod":                     stickyInterfaces,
		"a sticky pod asks for an address by name":           stickyAsks,
		"released while it is held":                          unreserveHeld,
		"an address that is nobody's any more is not traded": stickyElsewhere,
		"identities that begin alike":                        identitiesAlike,
		"a tenant with reservations is deleted":              reservedTenantDeleted,
		"a late release leaves a kept address alone":         lateRelease,
		"reservations are listed":                            reservationsListed,
		"everything at once":                                 everythingAtOnce,
	} {
		t.Run(name, func(t *testing.T) {
			for _, in := range []string{"tenant", "pool"} {
				t.Run(in, func(t *testing.T) {
					k := newKeeper(t, begin(t), in == "pool")
					test(k)
					k.requireSound()
				})
			}
		})
	}
}

// tester is a test, or a case of a property.
type tester interface {
	require.TestingT
	Helper()
	Context() context.Context
}

// keeper is one test's stores, with a small subnet that is either a tenant's or a
// pool's. Of it 10.0.0.2 to 10.0.0.6 can be leased.
type keeper struct {
	tester
	open     OpenReserving
	at       time.Time
	pool     bool
	one, two Reserving
	scope    ipam.Scope
	tenant   ipam.Tenant
	set      ipam.Set
}

func newKeeper(t tester, open OpenReserving, pool bool) *keeper {
	k := &keeper{tester: t, open: open, at: time.Unix(1_800_000_000, 0).UTC(), pool: pool}
	k.one, k.two = k.store(), k.store()
	k.begin()
	return k
}

func (k *keeper) store() Reserving {
	s := k.open(func() time.Time { return k.at })
	plan := small()
	plan.Supernet = netip.MustParsePrefix("10.0.0.0/29") // one subnet, whose place is known
	_, err := s.EnsureInstallation(k.Context(), plan)
	require.NoError(k, err)
	return s
}

func (k *keeper) begin() {
	t, err := k.one.ClaimTenant(k.Context(), ipam.Claim{Tenant: "blue", Generation: uuid.NewString(), Bridge: "b"})
	require.NoError(k, err)
	k.tenant, k.set = t, k.setOf("10.0.0.0/29")
	k.scope = ipam.Scope{Kind: ipam.TenantScope, Name: "blue"}
	if k.pool {
		k.scope = ipam.Scope{Kind: ipam.PoolScope, Name: "lab"}
	}
}

func (k *keeper) setOf(cidr string) ipam.Set {
	made, err := pool.New(ipam.KeyRanges, [][]pool.Range{subnet(cidr)})
	require.NoError(k, err)
	return made.Sets[0]
}

// got is what an attachment has, of either kind.
type got struct {
	address  netip.Addr
	reserved *ipam.Claimant
	end      func(Reserving) error
}

// pod is who asks for an address.
type pod struct {
	container, ifName string
	name              string // of the pod in namespace "ns"
	sticky            *ipam.Sticky
	asks              string
}

func sticky(identity string) *ipam.Sticky { return &ipam.Sticky{Identity: identity, For: time.Hour} }

func (k *keeper) take(s Reserving, p pod) (got, error) {
	if p.ifName == "" {
		p.ifName = "eth0"
	}
	a := ipam.Attachment{Node: "n1", Network: "net", ContainerID: p.container, IfName: p.ifName}
	if !k.pool {
		r := want(k.tenant, "")
		r.Attachment, r.PodNamespace, r.PodName, r.Sticky = a, "ns", p.name, p.sticky
		if p.asks != "" {
			r.Address = ip(p.asks)
		}
		r, err := s.Lease(k.Context(), k.tenant, r)
		return got{r.Address, r.Reserved, func(s Reserving) error { return s.Release(k.Context(), r) }}, err
	}
	h := ipam.Holding{Pool: "lab", Attachment: a, PodNamespace: "ns", PodName: p.name, Sticky: p.sticky}
	w := ipam.Wish{Sets: []ipam.Set{k.set}}
	if p.asks != "" {
		w.Asked = []netip.Addr{ip(p.asks)}
	}
	h, err := s.Pools.Hold(k.Context(), h, w)
	if err != nil {
		return got{}, err
	}
	return got{h.Leases[0].Address.Addr(), h.Leases[0].Reserved, func(s Reserving) error { return s.Pools.GiveBack(k.Context(), h) }}, nil
}

func (k *keeper) has(s Reserving, p pod, address string) got {
	k.Helper()
	g, err := k.take(s, p)
	require.NoError(k, err)
	require.Equal(k, address, g.address.String())
	return g
}

func (k *keeper) ends(s Reserving, g got) {
	k.Helper()
	require.NoError(k, g.end(s))
}

// refused requires that an address is kept for somebody else.
func (k *keeper) refused(s Reserving, p pod, identity string) {
	k.Helper()
	_, err := k.take(s, p)
	var kept *ipam.ReservedError
	require.ErrorAs(k, err, &kept)
	require.Equal(k, identity, kept.Reservation.Identity)
}

// inUse requires that an attachment has the address.
func (k *keeper) inUse(s Reserving, p pod, container string) {
	k.Helper()
	_, err := k.take(s, p)
	var used *ipam.AddressInUseError
	require.ErrorAs(k, err, &used)
	require.Equal(k, container, used.Holder.ContainerID)
}

func (k *keeper) reservation(a, identity, note string) ipam.Reservation {
	return ipam.Reservation{Scope: k.scope, Address: ip(a), Claimant: ipam.Claimant{Identity: identity}, Note: note}
}

func (k *keeper) reserve(s Reserving, a, identity string) ipam.Reservation {
	k.Helper()
	r, err := s.Reserve(k.Context(), k.reservation(a, identity, "a note"))
	require.NoError(k, err)
	return r
}

func (k *keeper) look(s Reserving, a string) ipam.Reservation {
	k.Helper()
	r, err := s.Reservation(k.Context(), k.scope, ip(a))
	require.NoError(k, err)
	return r
}

func (k *keeper) isFree(a string) {
	k.Helper()
	_, err := k.one.Reservation(k.Context(), k.scope, ip(a))
	require.ErrorIs(k, err, ipam.ErrNotFound)
	snap, err := k.one.Snapshot(k.Context())
	require.NoError(k, err)
	for _, h := range snap.Held {
		require.NotEqual(k, ip(a), h.Address)
	}
}
