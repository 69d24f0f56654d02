package audit_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/audit"
	"github.com/moatnet/moat/ipam/etcdkv"
	"github.com/moatnet/moat/ipam/ledger"
	"github.com/moatnet/moat/ipam/pool"
	"github.com/moatnet/moat/sdn/embedetcd"
)

// garden is a store with an attachment, a holding and a reservation, into whose keys
// a test writes behind the store's back.
type garden struct {
	t      *testing.T
	kv     ledger.KV
	store  *ledger.Ledger
	record ipam.Record
	held   ipam.Holding
	kept   ipam.Reservation
}

func (g *garden) put(key, value string) {
	g.commit(ledger.Op{Kind: ledger.OpPut, Key: key, Value: []byte(value)})
}
func (g *garden) drop(key string) { g.commit(ledger.Op{Kind: ledger.OpDelete, Key: key}) }

func (g *garden) commit(op ledger.Op) {
	_, err := g.kv.Commit(g.t.Context(), ledger.Txn{Then: []ledger.Op{op}})
	require.NoError(g.t, err)
}

func (g *garden) value(key string) string {
	res, err := g.kv.Commit(g.t.Context(), ledger.Txn{Then: []ledger.Op{{Kind: ledger.OpGet, Key: key}}})
	require.NoError(g.t, err)
	require.Len(g.t, res.Out[0].Pairs, 1, key)
	return string(res.Out[0].Pairs[0].Value)
}

// rewrite changes a field of a record.
func (g *garden) rewrite(key, field string, to any) {
	v := map[string]any{}
	require.NoError(g.t, json.Unmarshal([]byte(g.value(key)), &v))
	v[field] = to
	b, err := json.Marshal(v)
	require.NoError(g.t, err)
	g.put(key, string(b))
}

func (g *garden) look() []audit.Finding {
	s, err := g.store.Snapshot(g.t.Context())
	require.NoError(g.t, err)
	return audit.Compare(s, audit.Facts{Now: time.Now()})
}

const (
	attachmentKey = "attachments/n1/moat/c1/eth0"
	holdingKey    = "holdings/n1/lan/c2/net1"
	redKey        = "addresses/red/010.128.000.002"
)

func plant(t *testing.T, kv ledger.KV) *garden {
	g := &garden{t: t, kv: kv, store: ledger.New(kv, ledger.Options{})}
	ctx := t.Context()
	plan := ipam.Defaults("moat")
	plan.Supernet = netip.MustParsePrefix("10.128.0.0/22") // one subnet
	_, err := g.store.EnsureInstallation(ctx, plan)
	require.NoError(t, err)
	red, err := g.store.ClaimTenant(ctx, ipam.Claim{Tenant: "red", Generation: "g", Bridge: uuid.NewString()})
	require.NoError(t, err)
	red, err = g.store.MarkReady(ctx, red, ipam.Built{Digest: "d"})
	require.NoError(t, err)
	g.record, err = g.store.Lease(ctx, red, ipam.Record{Attachment: ipam.Attachment{Node: "n1", Network: "moat", ContainerID: "c1", IfName: "eth0"},
		Tenant: "red", Generation: "g", Subnet: red.Subnets[0].Prefix, Deadline: time.Now().Add(time.Hour), Port: "p", Address: netip.MustParseAddr("10.128.0.2")})
	require.NoError(t, err)
	p, err := pool.New("r", [][]pool.Range{{{Subnet: netip.MustParsePrefix("10.9.0.0/29")}}})
	require.NoError(t, err)
	g.held, err = ledger.NewPools(kv, ledger.PoolOptions{}).Hold(ctx, ipam.Holding{Pool: "lan",
		Attachment: ipam.Attachment{Node: "n1", Network: "lan", ContainerID: "c2", IfName: "net1"}}, ipam.Wish{Sets: []ipam.Set{p.Sets[0]}})
	require.NoError(t, err)
	g.kept, err = g.store.Reserve(ctx, ipam.Reservation{Scope: ipam.Scope{Kind: ipam.TenantScope, Name: "red"}, Address: netip.MustParseAddr("10.128.0.9")})
	require.NoError(t, err)
	return g
}

// keptKey is where the reservation is.
func (g *garden) keptKey() string { return g.value("addresses/red/010.128.000.009") }

func lan(g *garden) string { return "pools/lan/addresses/" + sortable(g.held.Leases[0].Address.Addr()) }

func sortable(a netip.Addr) string {
	b := a.As4()
	return fmt.Sprintf("%03d.%03d.%03d.%03d", b[0], b[1], b[2], b[3])
}

// planted are inconsistencies, and whether the store alone is enough to repair them.
var planted = map[string]struct {
	spoil    func(g *garden)
	kind     audit.Kind
	repaired bool
}{
	"a tenant's address held for nobody": {func(g *garden) { g.put("addresses/red/010.128.000.044", "attachments/n1/moat/gone/eth0") }, audit.HeldWithoutRecord, true},
	"a pool's address held for nobody":   {func(g *garden) { g.put("pools/lan/addresses/010.009.000.004", "holdings/n1/lan/gone/net1") }, audit.HeldWithoutRecord, true},
	"an IPv6 address held for nobody": {func(g *garden) {
		g.put("pools/six/addresses/fd00:0000:0000:0000:0000:0000:0000:0004", "holdings/n1/six/gone/net1")
	}, audit.HeldWithoutRecord, true},
	"an address whose record was removed":   {func(g *garden) { g.drop(attachmentKey) }, audit.HeldWithoutRecord, true},
	"a record whose address was freed":      {func(g *garden) { g.drop(redKey) }, audit.RecordWithoutAddress, true},
	"a holding whose address was freed":     {func(g *garden) { g.drop(lan(g)) }, audit.RecordWithoutAddress, true},
	"a reservation whose address was freed": {func(g *garden) { g.drop("addresses/red/010.128.000.009") }, audit.RecordWithoutAddress, true},
	"an address that names another":         {func(g *garden) { g.put(redKey, "attachments/n1/moat/gone/eth0") }, audit.RecordWithoutAddress, true},
	"a second address for one record":       {func(g *garden) { g.put("addresses/red/010.128.000.044", attachmentKey) }, audit.AddressOfAnother, true},
	"two records with one address": {func(g *garden) {
		g.put("attachments/n1/moat/c9/eth0", strings.ReplaceAll(g.value(attachmentKey), `"c1"`, `"c9"`))
	}, audit.TwoHolders, false},
	"a record that is no JSON":             {func(g *garden) { g.put(attachmentKey, "{") }, audit.UnreadableRecord, false},
	"a record of another version":          {func(g *garden) { g.rewrite(attachmentKey, "schema", 99) }, audit.UnreadableRecord, false},
	"a reservation whose time is over":     {func(g *garden) { g.rewrite(g.keptKey(), "until", time.Now().Add(-time.Hour)) }, audit.ExpiredReservation, false},
	"a slot of a tenant that is not there": {func(g *garden) { g.put("slots/transit/00000077", `{"tenant":"gone","generation":"g"}`) }, audit.SlotWithoutTenant, false},
	"a slot that was freed":                {func(g *garden) { g.put("slots/subnet/00000000", `{"freedAt":"2026-01-01T00:00:00Z"}`) }, audit.TenantWithoutSlot, false},
	"an attachment of another generation":  {func(g *garden) { g.rewrite(attachmentKey, "generation", "old") }, audit.NoTenant, false},
	"an attachment nobody finished":        {func(g *garden) { g.rewrite(attachmentKey, "deadline", time.Now().Add(-time.Hour)) }, audit.HalfMade, false},
}

func TestPlantedInconsistencies(t *testing.T) {
	dir, err := os.MkdirTemp("", "a")
	require.NoError(t, err)
	etcd, err := embedetcd.Start(t.Context(), embedetcd.Config{Dir: dir})
	require.NoError(t, err)
	t.Cleanup(func() { etcd.Close(); require.NoError(t, os.RemoveAll(dir)) })
	n := 0
	for store, open := range map[string]func() ledger.KV{
		"memory": func() ledger.KV { return ledger.NewMemory() },
		"etcd":   func() ledger.KV { n++; return etcdkv.New(etcd.Client(), fmt.Sprintf("/a%d/", n)) },
	} {
		for name, c := range planted {
			t.Run(store+"/"+name, func(t *testing.T) {
				g := plant(t, open())
				require.Empty(t, g.look(), "before")
				c.spoil(g)
				found := g.look()
				require.NotEmpty(t, found)
				fixed := false
				for _, f := range found {
					require.Equal(t, c.kind, f.Kind, f.What)
					if f.Remedy == audit.FixStore {
						fixed = true
						require.NoError(t, g.store.Repair(t.Context(), f.Fix))
						require.ErrorIs(t, g.store.Repair(t.Context(), f.Fix), ipam.ErrStale, "once")
					}
				}
				require.Equal(t, c.repaired, fixed)
				if fixed {
					require.Empty(t, g.look(), "after the repair")
				}
			})
		}
	}
}

// What an audit found is not repaired once it is right again.
func TestARepairThatCameTooLateDoesNothing(t *testing.T) {
	g := plant(t, ledger.NewMemory())
	value := g.value(attachmentKey)
	g.drop(attachmentKey)
	found := g.look()
	require.Equal(t, audit.HeldWithoutRecord, found[0].Kind)
	g.put(attachmentKey, value)
	require.Error(t, g.store.Repair(t.Context(), found[0].Fix))
	require.Empty(t, g.look(), "the address is the attachment's")
	require.Equal(t, attachmentKey, g.value(redKey))
}

func TestWhatCannotBeReadIsDroppedWhenTold(t *testing.T) {
	g := plant(t, ledger.NewMemory())
	g.put(holdingKey, "{")
	found := g.look()
	require.Len(t, found, 1)
	require.Equal(t, audit.DropIt, found[0].Remedy)
	require.NoError(t, g.store.Repair(t.Context(), found[0].Fix))
	found = g.look()
	require.Equal(t, audit.HeldWithoutRecord, found[0].Kind, "then its address is nobody's")
	require.NoError(t, g.store.Repair(t.Context(), found[0].Fix))
	require.Empty(t, g.look())
}
