package ledger_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/ipamtest"
	"github.com/moatnet/moat/ipam/ledger"
)

func TestLedgerInMemory(t *testing.T) {
	ipamtest.TestStore(t, func(*testing.T) ipamtest.Open {
		kv := ledger.NewMemory()
		return func(o ipamtest.Options) ipam.Store {
			return ledger.New(kv, ledger.Options{AddressCoolDown: o.AddressCoolDown, SlotCoolDown: o.SlotCoolDown, Ports: o.Ports, Now: o.Now})
		}
	})
}

func reserving() ipamtest.OpenReserving {
	kv := ledger.NewMemory()
	return func(now func() time.Time) ipamtest.Reserving {
		l := ledger.New(kv, ledger.Options{Now: now})
		return ipamtest.Reserving{Store: l, ReservationStore: l, Auditable: l, Pools: ledger.NewPools(kv, ledger.PoolOptions{Now: now})}
	}
}

func TestReservationsInMemory(t *testing.T) {
	ipamtest.TestReservations(t, func(*testing.T) ipamtest.OpenReserving { return reserving() })
}

func TestTenantsReservationsAgreeWithAModel(t *testing.T) {
	rapid.Check(t, ipamtest.Model(reserving, false))
}

func TestPoolsReservationsAgreeWithAModel(t *testing.T) {
	rapid.Check(t, ipamtest.Model(reserving, true))
}

// stowaway is a rider that must not be taken along.
type stowaway struct{ t *testing.T }

func (s stowaway) Op(ipam.Record) any {
	s.t.Error("the rider's write was asked for")
	return nil
}

func (s stowaway) Carried(int64, any) { s.t.Error("the rider was told that it was carried") }

func TestMemoryLeavesARiderOut(t *testing.T) {
	l := ledger.New(ledger.NewMemory(), ledger.Options{})
	_, err := l.EnsureInstallation(t.Context(), ipam.Defaults("test"))
	require.NoError(t, err)
	tenant, err := l.ClaimTenant(t.Context(), ipam.Claim{Tenant: "blue", Generation: "g", Bridge: "b"})
	require.NoError(t, err)
	r := ipam.Record{
		Attachment: ipam.Attachment{Node: "n", Network: "m", ContainerID: "c", IfName: "eth0"},
		Tenant:     "blue", Generation: "g", Subnet: tenant.Subnets[0].Prefix}
	got, err := l.Lease(t.Context(), tenant, r, stowaway{t})
	require.NoError(t, err)
	kept, err := l.Attachment(t.Context(), r.Attachment)
	require.NoError(t, err)
	require.Equal(t, got, kept)
}
