package node

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/etcdkv"
	"github.com/moatnet/moat/ipam/ledger"
	"github.com/moatnet/moat/ipam/pool"
	"github.com/moatnet/moat/sdn/embedetcd"
	"github.com/moatnet/moat/sdn/sdntest/heard"
)

const (
	roomQuota    = 16 << 20 // the least that a configuration may ask for
	roomPatience = 20 * time.Second
	roomOften    = 10 * time.Millisecond
)

// roomy is an embedded etcd with a small quota, and what a node keeps in it.
type roomy struct {
	*testing.T
	server *embedetcd.Server
	etcd   *store
	store  roomyStore
	pools  roomyPools
	set    ipam.Set
	said   *heard.Log // by etcd
}

func newRoomy(t *testing.T) roomy {
	dir, err := os.MkdirTemp("", "room")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	said := &heard.Log{}
	s, err := embedetcd.Start(t.Context(), embedetcd.Config{Dir: dir, QuotaBytes: roomQuota, Log: said.Logger()})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	kv := etcdkv.New(s.Client(), "/moat/")
	l := ledger.New(kv, ledger.Options{})
	_, err = l.EnsureInstallation(t.Context(), ipam.Defaults("test"))
	require.NoError(t, err)
	p, err := pool.New("r", [][]pool.Range{{{Subnet: netip.MustParsePrefix("10.0.0.0/16")}}})
	require.NoError(t, err)
	etcd := &store{client: s.Client(), where: "embedded in " + dir, usage: s.Usage}
	return roomy{t, s, etcd, roomyStore{l, etcd}, roomyPools{ledger.NewPools(kv, ledger.PoolOptions{}), etcd}, p.Sets[0], said}
}

func (r roomy) hold(container string) (ipam.Holding, error) {
	h := ipam.Holding{Pool: "p", Attachment: ipam.Attachment{Node: "n", Network: "m", ContainerID: container, IfName: "e"}}
	return r.pools.Hold(r.Context(), h, ipam.Wish{Sets: []ipam.Set{r.set}})
}

func (r roomy) lease(container string) (ipam.Record, error) {
	t, err := r.store.ClaimTenant(r.Context(), ipam.Claim{Tenant: "blue", Generation: "g", Bridge: "b"})
	if err != nil {
		return ipam.Record{}, err
	}
	return r.store.Lease(r.Context(), t, ipam.Record{
		Attachment: ipam.Attachment{Node: "n", Network: "m", ContainerID: container, IfName: "eth0"},
		Tenant:     "blue", Generation: "g", Subnet: t.Subnets[0].Prefix})
}

// fill puts somebody else's keys until etcd says that it is full: a refusal before
// that is not the last one, for it may find room by defragmenting.
func (r roomy) fill() {
	r.Helper()
	c, err := r.server.NewClient()
	require.NoError(r, err)
	r.Cleanup(func() { require.NoError(r, c.Close()) })
	for i, end := 0, time.Now().Add(time.Minute); !strings.Contains(r.said.String(), "is full"); i++ {
		require.True(r, time.Now().Before(end), "etcd does not say that it is full:\n%s", r.said)
		if _, err = c.Put(r.Context(), fmt.Sprint("foreign/", i), strings.Repeat("x", 16<<10)); err != nil {
			require.ErrorContains(r, err, "space exceeded")
			time.Sleep(roomOften)
		}
	}
	require.ErrorContains(r, err, "space exceeded")
}

// What Moat itself stores never fills etcd: what is given back always has room.
func TestOwnRecordsLeaveRoomToGiveThemBack(t *testing.T) {
	r := newRoomy(t)
	const size = 20 << 10
	for i := range roomQuota * 23 / 32 / size { // what is not worth the time to lease it
		_, err := r.server.Client().Put(t.Context(), fmt.Sprint("others/", i), strings.Repeat("x", size))
		require.NoError(t, err)
	}
	var held []ipam.Holding
	var err error
	for n := 0; err == nil; n++ {
		var h ipam.Holding
		if h, err = r.hold(fmt.Sprint("c", n)); err == nil {
			held = append(held, h)
		}
	}
	require.ErrorIs(t, err, ipam.ErrFull)
	require.ErrorContains(t, err, "embedded.quotaBytes")
	require.Greater(t, len(held), 1000)
	require.False(t, r.server.Usage().Full, "etcd itself takes writes")
	require.ErrorIs(t, r.pools.Ping(t.Context()), ipam.ErrFull, "for STATUS")
	require.Contains(t, strings.Join(r.etcd.warnings(t.Context()), "\n"), "the rest is for what gives back")
	_, err = r.lease("late")
	require.ErrorIs(t, err, ipam.ErrFull)

	for _, h := range held {
		require.Eventually(t, func() bool { return r.pools.GiveBack(t.Context(), h) == nil }, roomPatience, roomOften)
	}
	require.Eventually(t, func() bool { _, err := r.hold("again"); return err == nil }, roomPatience, roomOften)
	_, err = r.lease("again")
	require.NoError(t, err)
	require.NoError(t, r.pools.Ping(t.Context()))
}

func TestFilledByOthersRefusesUntilTheirKeysAreGone(t *testing.T) {
	r := newRoomy(t)
	before, err := r.lease("before")
	require.NoError(t, err)
	h, err := r.hold("before")
	require.NoError(t, err)
	r.fill()
	_, err = r.lease("late")
	require.ErrorIs(t, err, ipam.ErrFull)
	_, err = r.hold("late")
	require.ErrorIs(t, err, ipam.ErrFull)
	require.ErrorIs(t, r.store.Ping(t.Context()), ipam.ErrFull)
	require.ErrorIs(t, r.pools.GiveBack(t.Context(), h), ipam.ErrFull, "it has to write, too")
	kept, err := r.pools.Holding(t.Context(), h.Attachment)
	require.NoError(t, err, "reads go on")
	h.Made = false // which the call says, and not the holding
	require.Equal(t, h, kept, "a refusal takes nothing away")
	external := &store{client: r.etcd.client, where: "elsewhere"}
	require.ErrorIs(t, external.alarmed(t.Context()), ipam.ErrFull, "an external etcd is asked for its alarm")
	require.NoError(t, external.room())

	_, err = r.server.Client().Delete(t.Context(), "foreign/", clientv3.WithPrefix())
	require.NoError(t, err)
	require.Eventually(t, func() bool { return r.pools.GiveBack(t.Context(), h) == nil }, roomPatience, roomOften)
	require.NoError(t, r.store.Release(t.Context(), before))
	_, err = r.lease("late")
	require.NoError(t, err)
	require.NoError(t, r.store.Ping(t.Context()))
	require.Empty(t, r.etcd.warnings(t.Context()))
}
