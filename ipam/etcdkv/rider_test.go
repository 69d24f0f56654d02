package etcdkv_test

import (
	"context"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/etcdkv"
	"github.com/moatnet/moat/ipam/ledger"
)

const ridden = "/elsewhere/port"

// rider writes ridden, unless it is there already, and remembers what it is told.
type rider struct {
	asked   []netip.Addr // the addresses of the leases that it was to go with
	carried []int64      // revisions
	done    []bool       // whether its own conditions held
}

func (r *rider) Op(with ipam.Record) any {
	r.asked = append(r.asked, with.Address)
	return clientv3.OpTxn([]clientv3.Cmp{clientv3.Compare(clientv3.CreateRevision(ridden), "=", 0)},
		[]clientv3.Op{clientv3.OpPut(ridden, "here")}, nil)
}

func (r *rider) Carried(revision int64, answer any) {
	r.carried = append(r.carried, revision)
	r.done = append(r.done, answer.(*etcdserverpb.ResponseOp).GetResponseTxn().GetSucceeded())
}

// ferry is two ledgers, each with a picture of its own, over one etcd.
type ferry struct {
	*testing.T
	client      *clientv3.Client
	tries       *tries // of both
	first, next *ledger.Ledger
	tenant      ipam.Tenant
}

func newFerry(t *testing.T) ferry {
	s, _ := start(t)
	f := ferry{T: t, client: s.Client(), tries: &tries{KV: etcdkv.New(s.Client(), "/moat")}}
	for _, l := range []**ledger.Ledger{&f.first, &f.next} {
		*l = ledger.New(f.tries, ledger.Options{})
		_, err := (*l).EnsureInstallation(t.Context(), ipam.Defaults("test"))
		require.NoError(t, err)
	}
	var err error
	f.tenant, err = f.first.ClaimTenant(t.Context(), ipam.Claim{Tenant: "blue", Generation: "g", Bridge: "b"})
	require.NoError(t, err)
	return f
}

func (f ferry) want(container string) ipam.Record {
	return ipam.Record{
		Attachment: ipam.Attachment{Node: "n", Network: "m", ContainerID: container, IfName: "eth0"},
		Tenant:     "blue", Generation: "g", Subnet: f.tenant.Subnets[0].Prefix}
}

func (f ferry) lease(l *ledger.Ledger, container string, with ...ipam.Rider) ipam.Record {
	f.Helper()
	r, err := l.Lease(f.Context(), f.tenant, f.want(container), with...)
	require.NoError(f, err)
	return r
}

// created is the revision that wrote the rider's key, 0 without it.
func (f ferry) created() int64 {
	res, err := f.client.Get(f.Context(), ridden)
	require.NoError(f, err)
	if len(res.Kvs) == 0 {
		return 0
	}
	require.EqualValues(f, 1, res.Kvs[0].Version, "written once")
	return res.Kvs[0].CreateRevision
}

func TestRiderIsCarriedOnceByTheTransactionOfItsLease(t *testing.T) {
	f, r := newFerry(t), &rider{}
	got := f.lease(f.first, "c", r)
	require.Equal(t, []int64{got.Created}, r.carried)
	require.Equal(t, []bool{true}, r.done)
	require.Equal(t, got.Created, f.created())
}

// tries counts the transactions with a rider that did not go through.
type tries struct {
	ledger.KV
	lost int
}

func (k *tries) Commit(ctx context.Context, t ledger.Txn) (ledger.Result, error) {
	res, err := k.KV.Commit(ctx, t)
	rides := slices.ContainsFunc(t.Then, func(op ledger.Op) bool { return op.Kind == ledger.OpRide })
	if err == nil && rides && !res.OK {
		k.lost++
	}
	return res, err
}

// The address that was to be leased has been taken by another: the rider is
// carried by the try that succeeds, and by no other.
func TestRiderIsCarriedOnceWhenTheFirstAddressIsLost(t *testing.T) {
	f, r := newFerry(t), &rider{}
	f.lease(f.first, "before")
	taken := f.lease(f.next, "other")
	got := f.lease(f.first, "late", r)
	require.Equal(t, 1, f.tries.lost)
	require.NotEqual(t, taken.Address, got.Address)
	require.Equal(t, []netip.Addr{taken.Address, got.Address}, r.asked, "each try has an address of its own")
	require.Equal(t, []int64{got.Created}, r.carried)
	require.Equal(t, []bool{true}, r.done)
	require.Equal(t, got.Created, f.created())
}

func TestRiderIsNotCarriedByALeaseThatIsRefused(t *testing.T) {
	f, r := newFerry(t), &rider{}
	f.lease(f.first, "c")
	_, err := f.next.Lease(t.Context(), f.tenant, f.want("c"), r)
	var exists *ipam.ExistsError
	require.ErrorAs(t, err, &exists)
	stale := f.tenant
	stale.Revision++
	_, err = f.next.Lease(t.Context(), stale, f.want("d"), r)
	require.ErrorIs(t, err, ipam.ErrStale)
	require.Empty(t, r.carried)
	require.Zero(t, f.created())
}

// Its own conditions decide on the rider alone: the lease is given all the same.
func TestRiderWhoseConditionsDoNotHoldIsCarriedWithoutEffect(t *testing.T) {
	f, r := newFerry(t), &rider{}
	_, err := f.client.Put(t.Context(), ridden, "another's")
	require.NoError(t, err)
	before := f.created()
	got := f.lease(f.first, "c", r)
	require.Equal(t, []int64{got.Created}, r.carried)
	require.Equal(t, []bool{false}, r.done)
	require.Equal(t, before, f.created())
}
