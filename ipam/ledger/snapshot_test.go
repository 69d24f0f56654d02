package ledger_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/ledger"
	"github.com/moatnet/moat/ipam/pool"
)

// store has a tenant with two attachments, a pool with a holding, and reservations.
type store struct {
	*testing.T
	kv    *ledger.Memory
	l     *ledger.Ledger
	one   ipam.Record
	two   ipam.Record
	hold  ipam.Holding
	keep  ipam.Reservation
	pools *ledger.Pools
}

func newStore(t *testing.T) *store {
	s := &store{T: t, kv: ledger.NewMemory()}
	s.l = ledger.New(s.kv, ledger.Options{})
	s.pools = ledger.NewPools(s.kv, ledger.PoolOptions{})
	_, err := s.l.EnsureInstallation(t.Context(), ipam.Defaults("test"))
	require.NoError(t, err)
	tenant, err := s.l.ClaimTenant(t.Context(), ipam.Claim{Tenant: "blue", Generation: "g", Bridge: "b"})
	require.NoError(t, err)
	lease := func(c string) ipam.Record {
		r, err := s.l.Lease(t.Context(), tenant, ipam.Record{Tenant: "blue", Generation: "g", Subnet: tenant.Subnets[0].Prefix,
			Attachment: ipam.Attachment{Node: "n", Network: "m", ContainerID: c, IfName: "eth0"}})
		require.NoError(t, err)
		return r
	}
	s.one, s.two = lease("one"), lease("two")
	p, err := pool.New("r", [][]pool.Range{{{Subnet: netip.MustParsePrefix("fd00::/64")}}})
	require.NoError(t, err)
	s.hold, err = s.pools.Hold(t.Context(), ipam.Holding{Pool: "lab", Attachment: ipam.Attachment{Node: "n", Network: "m", ContainerID: "h", IfName: "eth0"}},
		ipam.Wish{Sets: []ipam.Set{p.Sets[0]}})
	require.NoError(t, err)
	s.hold.Made = false // as it is read
	s.keep, err = s.l.Reserve(t.Context(), ipam.Reservation{Scope: blue, Address: ipam.Nth(tenant.Subnets[0].Prefix, 9)})
	require.NoError(t, err)
	return s
}

var (
	blue = ipam.Scope{Kind: ipam.TenantScope, Name: "blue"}
	lab  = ipam.Scope{Kind: ipam.PoolScope, Name: "lab"}
)

// key is an address key of the tenant.
func key(a netip.Addr) string {
	b := a.As4()
	return fmt.Sprintf("addresses/blue/%03d.%03d.%03d.%03d", b[0], b[1], b[2], b[3])
}

func (s *store) put(k, v string) {
	s.write(ledger.Op{Kind: ledger.OpPut, Key: k, Value: []byte(v)})
}

func (s *store) del(k string) { s.write(ledger.Op{Kind: ledger.OpDelete, Key: k}) }

func (s *store) write(op ledger.Op) {
	_, err := s.kv.Commit(s.Context(), ledger.Txn{Then: []ledger.Op{op}})
	require.NoError(s, err)
}

func (s *store) snapshot() ipam.Snapshot {
	snap, err := s.l.Snapshot(s.Context())
	require.NoError(s, err)
	return snap
}

func (s *store) held(a netip.Addr) ipam.Held {
	for _, h := range s.snapshot().Held {
		if h.Address == a {
			return h
		}
	}
	return ipam.Held{}
}

const of = "attachments/n/m/"

func TestASnapshotShowsEverything(t *testing.T) {
	s := newStore(t)
	require.NoError(t, s.l.Release(t.Context(), s.two))
	snap := s.snapshot()
	require.Equal(t, "test", snap.Installation.Name)
	require.Len(t, snap.Tenants, 1)
	require.Len(t, snap.Slots, 2)
	require.Equal(t, []ipam.Record{s.one}, snap.Attachments)
	require.Equal(t, []ipam.Holding{s.hold}, snap.Holdings)
	require.Equal(t, []ipam.Reservation{s.keep}, snap.Reservations)
	require.Empty(t, snap.Unreadable)
	require.Len(t, snap.Freed, 1)
	require.Equal(t, s.two.Address, snap.Freed[0].Address)
	require.ElementsMatch(t, []ipam.Held{
		{Scope: blue, Address: s.one.Address, By: ipam.Ref{Kind: ipam.AttachmentRef, Attachment: s.one.Attachment}, Value: of + "one/eth0", Revision: s.one.Revision, Record: s.one.Revision},
		{Scope: blue, Address: s.keep.Address, By: ipam.Ref{Kind: ipam.ReservationRef}, Value: "reservations/tenant/blue///" + key(s.keep.Address)[len("addresses/blue/"):], Revision: s.keep.Revision, Record: s.keep.Revision},
		{Scope: lab, Address: s.hold.Leases[0].Address.Addr(), By: ipam.Ref{Kind: ipam.HoldingRef, Attachment: s.hold.Attachment}, Value: "holdings/n/m/h/eth0", Revision: s.hold.Revision, Record: s.hold.Revision},
	}, snap.Held)
}

func TestASnapshotShowsWhatCannotBeRead(t *testing.T) {
	s := newStore(t)
	for k, v := range map[string]string{
		"tenants/red": "{", "slots/subnet/x": "{}", of + "bad/eth0": `{"schema":0}`, "holdings/n/m/bad/eth0": "",
		"reservations/tenant/blue//010.0.0.1": "{}", "addresses/blue/10.0.0.1": of + "one/eth0", key(netip.MustParseAddr("10.0.0.9")): "whose?",
		"freed/blue/010.000.000.001": "?", "pools/lab/what/1": "", of + "misplaced/eth0": `{"schema":1}`,
	} {
		s.put(k, v)
		snap := s.snapshot()
		require.Len(t, snap.Unreadable, 1, k)
		require.Equal(t, k, snap.Unreadable[0].Key)
		require.Contains(t, snap.Unreadable[0].Reason, ipam.ErrCorrupt.Error())
		fix := ipam.Fix{Kind: ipam.DropUnreadable, Unreadable: snap.Unreadable[0]}
		s.put(k, v)
		require.ErrorIs(t, s.l.Repair(t.Context(), fix), ipam.ErrStale)
		fix.Unreadable = s.snapshot().Unreadable[0]
		require.NoError(t, s.l.Repair(t.Context(), fix))
		require.Empty(t, s.snapshot().Unreadable)
	}
	s.put(of+"new/eth0", `{"schema":99}`)
	newer := s.snapshot().Unreadable
	require.Len(t, newer, 1)
	require.ErrorIs(t, s.l.Repair(t.Context(), ipam.Fix{Kind: ipam.DropUnreadable, Unreadable: newer[0]}), ipam.ErrNewer)
	require.Equal(t, newer, s.snapshot().Unreadable, "what a newer program wrote stays")
	fine := ipam.Unreadable{Key: of + "one/eth0", Revision: s.one.Revision}
	require.ErrorIs(t, s.l.Repair(t.Context(), ipam.Fix{Kind: ipam.DropUnreadable, Unreadable: fine}), ipam.ErrInvalid)
	foreign := ipam.Unreadable{Key: "installation", Revision: 2}
	require.ErrorIs(t, s.l.Repair(t.Context(), ipam.Fix{Kind: ipam.DropUnreadable, Unreadable: foreign}), ipam.ErrInvalid)
	require.ErrorIs(t, s.l.Repair(t.Context(), ipam.Fix{Kind: "burn"}), ipam.ErrInvalid)
}

func TestAnAddressThatARecordHasIsNotFreed(t *testing.T) {
	s := newStore(t)
	free := func(a netip.Addr) error {
		return s.l.Repair(t.Context(), ipam.Fix{Kind: ipam.FreeAddress, Held: s.held(a)})
	}
	for _, a := range []netip.Addr{s.one.Address, s.keep.Address, s.hold.Leases[0].Address.Addr()} {
		require.ErrorIs(t, free(a), ipam.ErrInvalid, "%s", a)
	}
	s.put(key(s.one.Address), of+"gone/eth0")
	require.ErrorIs(t, free(s.one.Address), ipam.ErrInvalid, "its own record names it, though it names another")
	s.put(key(s.one.Address), of+"two/eth0")
	require.ErrorIs(t, free(s.one.Address), ipam.ErrInvalid, "the same, where the other is there")
	lost := netip.MustParseAddr("10.0.0.77")
	s.put(key(lost), of+"bad/eth0")
	s.put(of+"bad/eth0", "{")
	require.ErrorIs(t, free(lost), ipam.ErrInvalid, "nobody can say what an unreadable record has")
	s.del(of + "bad/eth0")
	stale := s.held(lost)
	s.put(key(lost), of+"gone/eth0")
	require.ErrorIs(t, s.l.Repair(t.Context(), ipam.Fix{Kind: ipam.FreeAddress, Held: stale}), ipam.ErrStale)
	require.NoError(t, free(lost))
	require.Zero(t, s.held(lost))
}

func TestARecordGetsItsAddressBack(t *testing.T) {
	s := newStore(t)
	by := ipam.Ref{Kind: ipam.AttachmentRef, Attachment: s.one.Attachment}
	fix := func(h ipam.Held, by ipam.Ref, rev int64) error {
		return s.l.Repair(t.Context(), ipam.Fix{Kind: ipam.HoldAddress, Held: h, By: by, ByRevision: rev})
	}
	mine := ipam.Held{Scope: blue, Address: s.one.Address}
	require.ErrorIs(t, fix(mine, by, s.one.Revision), ipam.ErrStale, "it is held")
	require.ErrorIs(t, fix(s.held(s.two.Address), by, s.one.Revision), ipam.ErrInvalid, "another has it")
	s.del(key(s.one.Address))
	require.ErrorIs(t, fix(ipam.Held{Scope: blue, Address: s.keep.Address.Next()}, by, s.one.Revision), ipam.ErrInvalid, "not the record's")
	require.ErrorIs(t, fix(mine, by, s.one.Revision-1), ipam.ErrStale)
	require.ErrorIs(t, fix(mine, ipam.Ref{}, 0), ipam.ErrInvalid)
	require.NoError(t, fix(mine, by, s.one.Revision))
	require.Equal(t, by, s.held(s.one.Address).By)
	s.put(key(s.one.Address), of+"gone/eth0")
	require.NoError(t, fix(s.held(s.one.Address), by, s.one.Revision))
	require.Equal(t, by, s.held(s.one.Address).By)
	s.del(key(s.keep.Address))
	kept := ipam.Held{Scope: blue, Address: s.keep.Address}
	require.NoError(t, fix(kept, ipam.Ref{Kind: ipam.ReservationRef}, s.keep.Revision))
	got, err := s.l.Reservation(t.Context(), blue, s.keep.Address)
	require.NoError(t, err)
	require.Equal(t, s.keep, got)
}

func TestAReleaseLeavesAloneWhatAnotherHolds(t *testing.T) {
	s := newStore(t)
	s.put(key(s.one.Address), of+"two/eth0")
	require.NoError(t, s.l.Release(t.Context(), s.one))
	require.Equal(t, of+"two/eth0", s.held(s.one.Address).Value)
}
