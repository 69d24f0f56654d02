package ledger_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/ledger"
	"github.com/moatnet/moat/ipam/pool"
)

// between is a KV in which something happens before a transaction, once.
type between struct {
	ledger.KV
	before int // transactions until then
	do     func()
}

func (b *between) Commit(ctx context.Context, t ledger.Txn) (ledger.Result, error) {
	if b.before--; b.before == 0 {
		b.do()
	}
	return b.KV.Commit(ctx, t)
}

// overtaking is two processes, of which the other comes in between the slow one's
// transactions.
type overtaking struct {
	*testing.T
	kv          *between
	slow, other *ledger.Ledger
	slowPools   *ledger.Pools
	otherPools  *ledger.Pools
	tenant      ipam.Tenant
	now         time.Time
	set         ipam.Set
}

func newOvertaking(t *testing.T) *overtaking {
	o := &overtaking{T: t, now: time.Unix(1_800_000_000, 0).UTC()}
	mem := ledger.NewMemory()
	o.kv = &between{KV: mem}
	now := func() time.Time { return o.now }
	o.slow, o.other = ledger.New(o.kv, ledger.Options{Now: now}), ledger.New(mem, ledger.Options{Now: now})
	o.slowPools, o.otherPools = ledger.NewPools(o.kv, ledger.PoolOptions{Now: now}), ledger.NewPools(mem, ledger.PoolOptions{Now: now})
	_, err := o.slow.EnsureInstallation(t.Context(), ipam.Defaults("test"))
	require.NoError(t, err)
	o.tenant, err = o.slow.ClaimTenant(t.Context(), ipam.Claim{Tenant: "blue", Generation: "g", Bridge: "b"})
	require.NoError(t, err)
	made, err := pool.New("r", [][]pool.Range{{{Subnet: netip.MustParsePrefix("10.0.0.0/24")}}})
	require.NoError(t, err)
	o.set = made.Sets[0]
	return o
}

// next has something happen before the slow one's n-th transaction from now on,
// and sees to it that there was one.
func (o *overtaking) next(n int, do func()) {
	done := false
	o.kv.before, o.kv.do = n, func() { done = true; do() }
	o.Cleanup(func() { require.True(o, done, "nothing came in between") })
}

func (o *overtaking) record(c string) ipam.Record {
	return ipam.Record{Tenant: "blue", Generation: "g", Subnet: o.tenant.Subnets[0].Prefix,
		Sticky:     &ipam.Sticky{Identity: "ns/web-0", For: time.Hour},
		Attachment: ipam.Attachment{Node: "n", Network: "m", ContainerID: c, IfName: "eth0"}}
}

func (o *overtaking) lease(l *ledger.Ledger, r ipam.Record) ipam.Record {
	r, err := l.Lease(o.Context(), o.tenant, r)
	require.NoError(o, err)
	return r
}

// kept has an address kept for ns/web-0.
func (o *overtaking) kept() ipam.Record {
	r := o.lease(o.slow, o.record("first"))
	require.NoError(o, o.slow.Release(o.Context(), r))
	return r
}

func (o *overtaking) reservation(a netip.Addr) ipam.Reservation {
	r, err := o.other.Reservation(o.Context(), blue, a)
	require.NoError(o, err)
	return r
}

func inUseBy(t *testing.T, err error, container string) {
	var used *ipam.AddressInUseError
	require.ErrorAs(t, err, &used)
	require.Equal(t, container, used.Holder.ContainerID)
}

func TestTheSecondOfAnIdentityWaitsAlsoWhenTheFirstIsQuick(t *testing.T) {
	o := newOvertaking(t)
	o.lease(o.slow, ipam.Record{Tenant: "blue", Generation: "g", Subnet: o.tenant.Subnets[0].Prefix, // its picture is drawn
		Attachment: ipam.Attachment{Node: "n", Network: "m", ContainerID: "other", IfName: "eth0"}})
	o.next(2, func() { o.lease(o.other, o.record("quick")) })
	_, err := o.slow.Lease(t.Context(), o.tenant, o.record("slow"))
	inUseBy(t, err, "quick")
}

func TestTheSecondOfAnIdentityWaitsInAPool(t *testing.T) {
	o := newOvertaking(t)
	w := ipam.Wish{Sets: []ipam.Set{o.set}}
	h := ipam.Holding{Pool: "lab", Sticky: o.record("").Sticky}
	for _, first := range []string{"warm", "cold"} {
		h.Attachment = o.record("quick-" + first).Attachment
		h.Sticky = &ipam.Sticky{Identity: "ns/" + first, For: time.Hour}
		before := map[string]int{"warm": 4, "cold": 2}[first] // the first time its picture is drawn
		o.next(before, func() {
			_, err := o.otherPools.Hold(t.Context(), h, w)
			require.NoError(t, err)
		})
		slow := h
		slow.Attachment = o.record("slow-" + first).Attachment
		_, err := o.slowPools.Hold(t.Context(), slow, w)
		inUseBy(t, err, "quick-"+first)
	}
}

func TestAKeptAddressIsNotTakenFromTheNextReservation(t *testing.T) {
	o := newOvertaking(t)
	a := o.kept().Address
	o.next(2, func() { // the reservation ends, and begins anew
		require.NoError(t, o.other.Unreserve(t.Context(), o.reservation(a)))
		_, err := o.other.Reserve(t.Context(), ipam.Reservation{Scope: blue, Address: a, Note: "mine",
			Claimant: ipam.Claimant{Identity: "ns/web-0", IfName: "eth0"}})
		require.NoError(t, err)
	})
	require.Equal(t, a, o.lease(o.slow, o.record("slow")).Address)
	require.Equal(t, "mine", o.reservation(a).Note, "an operator's reservation is not written over")
}

func TestAKeptAddressThatIsTakenAgainIsNotEnded(t *testing.T) {
	o := newOvertaking(t)
	a := o.kept().Address
	o.now = o.now.Add(2 * time.Hour)
	o.next(3, func() { o.lease(o.other, o.record("quick")) })
	n, err := o.slow.EndReservations(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
	require.True(t, o.reservation(a).Until.IsZero())
	require.Equal(t, "quick", o.reservation(a).Holder.ContainerID)
}

func TestAnAddressIsNotKeptForAReservationThatIsReleasedMeanwhile(t *testing.T) {
	o := newOvertaking(t)
	r := o.lease(o.slow, o.record("c"))
	o.next(2, func() { require.NoError(t, o.other.Unreserve(t.Context(), o.reservation(r.Address))) })
	require.NoError(t, o.slow.Release(t.Context(), r))
	_, err := o.other.Reservation(t.Context(), blue, r.Address)
	require.ErrorIs(t, err, ipam.ErrNotFound)
	snap, err := o.other.Snapshot(t.Context())
	require.NoError(t, err)
	require.Empty(t, snap.Reservations)
	require.Empty(t, snap.Held)
}

func TestATenantIsNotDeletedFromUnderALease(t *testing.T) {
	o := newOvertaking(t)
	o.kept()
	o.next(3, func() { o.lease(o.other, o.record("quick")) })
	_, err := o.slow.MarkDeleting(t.Context(), o.tenant)
	require.ErrorIs(t, err, ipam.ErrInUse)
	require.ErrorContains(t, err, "quick")
}

func TestAnAddressIsNotReservedInATenantThatIsBeingDeleted(t *testing.T) {
	o := newOvertaking(t)
	o.next(2, func() {
		_, err := o.other.MarkDeleting(t.Context(), o.tenant)
		require.NoError(t, err)
	})
	_, err := o.slow.Reserve(t.Context(), ipam.Reservation{Scope: blue, Address: ipam.Nth(o.tenant.Subnets[0].Prefix, 5)})
	require.ErrorIs(t, err, ipam.ErrNotFound)
}
