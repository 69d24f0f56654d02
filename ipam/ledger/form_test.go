package ledger

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn/storedtest"
)

// Each kind of record by a key of its own. Slots, free marks and own subnets carry no
// version: that of the installation is theirs.
func TestTheStoredFormIsThatOfItsVersion(t *testing.T) {
	installation, networks, tenant := storedtest.Filled[ipam.Installation](), storedtest.Filled[ipam.Networks](), storedtest.Filled[ipam.Tenant]()
	record, holding, reservation := storedtest.Filled[ipam.Record](), storedtest.Filled[ipam.Holding](), storedtest.Filled[ipam.Reservation]()
	installation.Schema, networks.Schema, tenant.Schema = ipam.Schema, ipam.Schema, ipam.Schema
	record.Schema, holding.Schema, reservation.Schema = ipam.Schema, ipam.Schema, ipam.Schema
	reservation.Scope.Kind, reservation.Holder = ipam.TenantScope, nil
	forms := storedtest.Forms{
		keyInstallation: installation, keyNetworks: networks, tenantKey(tenant.Name): tenant,
		attachmentKey(record.Attachment): record, holdingKey(holding.Attachment): holding,
		reservationKey(reservation.Scope, reservation.Claimant, reservation.Address): reservation,
		slotKey(subnetSlots, 1):                      storedtest.Filled[slotValue](),
		freedKey(tenantScope("red"), record.Address): storedtest.Filled[freedValue](),
		rangesOf("red") + sortable(record.Address):   storedtest.Filled[ownValue](),
	}
	storedtest.Hold(t, "records", 1, ipam.Schema, forms, func(_ int, key string, text []byte) error {
		require.NoError(t, lossless(text, forms[key]), key)
		return Readable(key, text)
	})
}

// lossless fails for a stored field that the present type does not have.
func lossless(text []byte, form any) error {
	switch form.(type) {
	case ipam.Installation:
		return storedtest.Strictly(text, new(ipam.Installation))
	case ipam.Networks:
		return storedtest.Strictly(text, new(ipam.Networks))
	case ipam.Tenant:
		return storedtest.Strictly(text, new(ipam.Tenant))
	case ipam.Record:
		return storedtest.Strictly(text, new(ipam.Record))
	case ipam.Holding:
		return storedtest.Strictly(text, new(ipam.Holding))
	case ipam.Reservation:
		return storedtest.Strictly(text, new(ipam.Reservation))
	case slotValue:
		return storedtest.Strictly(text, new(slotValue))
	case freedValue:
		return storedtest.Strictly(text, new(freedValue))
	case ownValue:
		return storedtest.Strictly(text, new(ownValue))
	}
	return fmt.Errorf("%T is no stored form", form)
}

// Whoever reads a record of a newer program is told which, and what the versions
// are; a record of no version is no record.
func TestARecordOfAnotherVersionIsRefused(t *testing.T) {
	for _, key := range []string{keyInstallation, keyNetworks, "tenants/red", "attachments/n/m/c/i", "holdings/n/m/c/i", "reservations/tenant/red//eth0/010.000.000.002"} {
		text, err := json.Marshal(map[string]int{"schema": ipam.Schema + 1})
		require.NoError(t, err)
		err = Readable(key, text)
		require.ErrorIs(t, err, ipam.ErrNewer)
		require.ErrorContains(t, err, fmt.Sprintf("read %s: its schema has version %d, this program knows %d", key, ipam.Schema+1, ipam.Schema))
		err = Readable(key, []byte("{}"))
		require.ErrorIs(t, err, ipam.ErrCorrupt)
		require.NotErrorIs(t, err, ipam.ErrNewer)
	}
	require.ErrorIs(t, Readable("leases/a", nil), ipam.ErrNewer)
}

// A program that is older than the store opens nothing in it, and changes nothing.
func TestAnOlderProgramLeavesTheStoreAlone(t *testing.T) {
	kv := NewMemory()
	newer, err := encode(map[string]any{"schema": ipam.Schema + 1, "id": "i", "more": true})
	require.NoError(t, err)
	_, err = kv.Commit(t.Context(), Txn{Then: []Op{put(keyInstallation, newer)}})
	require.NoError(t, err)
	_, err = New(kv, Options{}).EnsureInstallation(t.Context(), ipam.Defaults("moat"))
	require.ErrorIs(t, err, ipam.ErrNewer)
	res, err := kv.Commit(t.Context(), Txn{Then: []Op{get(keyInstallation)}})
	require.NoError(t, err)
	p, _ := res.Out[0].one()
	require.Equal(t, newer, p.Value)
}

// An agent that is older than the program that raised a tenant's record meanwhile
// leases nothing, and loses nothing of what it does not know.
func TestAnOlderAgentBesideANewerOneLeasesNothing(t *testing.T) {
	kv := NewMemory()
	l := New(kv, Options{})
	_, err := l.EnsureInstallation(t.Context(), ipam.Defaults("moat"))
	require.NoError(t, err)
	red, err := l.ClaimTenant(t.Context(), ipam.Claim{Tenant: "red", Generation: "g", Bridge: "b"})
	require.NoError(t, err)
	one := ipam.Record{Attachment: ipam.Attachment{Node: "n", Network: "m", ContainerID: "one", IfName: "eth0"}, Tenant: "red", Subnet: red.Subnets[0].Prefix}
	_, err = l.Lease(t.Context(), red, one)
	require.NoError(t, err)

	const newer = `{"schema":2,"more":true}`
	for _, key := range []string{tenantKey("red"), attachmentKey(one.Attachment)} {
		_, err = kv.Commit(t.Context(), Txn{Then: []Op{put(key, []byte(newer))}})
		require.NoError(t, err)
	}
	_, err = l.Lease(t.Context(), red, one)
	require.ErrorIs(t, err, ipam.ErrNewer, "the attachment has a record")
	two := one
	two.ContainerID = "two"
	_, err = l.Lease(t.Context(), red, two)
	require.ErrorIs(t, err, ipam.ErrStale)
	_, err = l.Tenant(t.Context(), "red")
	require.ErrorIs(t, err, ipam.ErrNewer)
	_, err = l.Attachment(t.Context(), one.Attachment)
	require.ErrorIs(t, err, ipam.ErrNewer)
	_, err = l.Attachment(t.Context(), two.Attachment)
	require.ErrorIs(t, err, ipam.ErrNotFound)
	for _, key := range []string{tenantKey("red"), attachmentKey(one.Attachment)} {
		res, err := kv.Commit(t.Context(), Txn{Then: []Op{get(key)}})
		require.NoError(t, err)
		p, _ := res.Out[0].one()
		require.Equal(t, newer, string(p.Value))
	}
}
