package etcdkv_test

import (
	"context"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/etcdkv"
	"github.com/moatnet/moat/ipam/ledger"
	"github.com/moatnet/moat/sdn/embedetcd/etcdproxy"
)

const (
	// allowed is how long a call may take whose etcd says nothing.
	allowed = 300 * time.Millisecond
	// patience is that of a store where its caller allows more; who keeps to his
	// caller's deadline is far below it on a busy machine, too.
	patience = 3 * time.Second
)

// arguments are what methods of the stores are called with, by type; for the
// tenant also by the method's name, when it wants one of a kind.
type arguments struct {
	of      map[reflect.Type]reflect.Value
	tenants map[string]ipam.Tenant
}

func with[T any](a arguments, v T) { a.of[reflect.TypeFor[T]()] = reflect.ValueOf(v) }

// TestFrozenEtcdIsUnavailableInTime calls every method of every store over an
// etcd that takes connections and never answers.
func TestFrozenEtcdIsUnavailableInTime(t *testing.T) {
	s, _ := start(t)
	p, err := etcdproxy.Start(s.Endpoint())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{p.Endpoint()}, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	kv := etcdkv.New(c, "/moat")
	l, pools := ledger.New(kv, ledger.Options{}), ledger.NewPools(kv, ledger.PoolOptions{})
	args := lived(t, l, pools)
	p.Freeze()
	t.Cleanup(p.Thaw)
	for _, of := range []struct {
		kind  reflect.Type
		store any
	}{
		{reflect.TypeFor[ipam.Store](), l},
		{reflect.TypeFor[ipam.PoolStore](), pools},
		{reflect.TypeFor[ipam.ReservationStore](), l},
		{reflect.TypeFor[ipam.Auditable](), l},
	} {
		for m := range of.kind.Methods() {
			t.Run(of.kind.Name()+"."+m.Name, func(t *testing.T) {
				if tenant, ok := args.tenants[m.Name]; ok {
					with(args, tenant)
				} else {
					with(args, args.tenants[""])
				}
				args.requireInTime(t, reflect.ValueOf(of.store).MethodByName(m.Name))
			})
		}
	}
}

// lived puts something into the stores, and returns arguments that are about it.
func lived(t *testing.T, l *ledger.Ledger, pools *ledger.Pools) arguments {
	ctx, a := t.Context(), arguments{map[reflect.Type]reflect.Value{}, map[string]ipam.Tenant{}}
	plan, err := l.EnsureInstallation(ctx, ipam.Defaults("test"))
	require.NoError(t, err)
	claim := ipam.Claim{Tenant: "blue", Generation: "g", Bridge: "b"}
	tenant, err := l.ClaimTenant(ctx, claim)
	require.NoError(t, err)
	at := ipam.Attachment{Node: "n", Network: "m", ContainerID: "c", IfName: "eth0"}
	record, err := l.Lease(ctx, tenant, ipam.Record{Attachment: at, Tenant: "blue", Generation: "g", Subnet: tenant.Subnets[0].Prefix})
	require.NoError(t, err)
	wish := ipam.Wish{Sets: []ipam.Set{fightSet()}}
	holding, err := pools.Hold(ctx, ipam.Holding{Pool: "p", Attachment: at}, wish)
	require.NoError(t, err)
	doomed, err := l.ClaimTenant(ctx, ipam.Claim{Tenant: "doomed", Generation: "g", Bridge: "b"})
	require.NoError(t, err)
	doomed, err = l.MarkDeleting(ctx, doomed)
	require.NoError(t, err)
	own := ipam.Claim{Tenant: "own", Generation: "g", Own: []ipam.Subnet{{Prefix: netip.MustParsePrefix("192.168.0.0/24"), Slot: ipam.NoSlot, Bridge: "b"}}}
	owner, err := l.ClaimTenant(ctx, own)
	require.NoError(t, err)
	a.tenants[""], a.tenants["DropTenant"], a.tenants["AddOwnSubnet"] = tenant, doomed, owner
	with(a, ipam.Subnet{Prefix: netip.MustParsePrefix("192.168.1.0/24"), Slot: ipam.NoSlot, Bridge: "c"})
	with(a, plan)
	with(a, claim)
	with(a, at)
	with(a, record)
	with(a, []ipam.Record{record})
	with(a, wish)
	with(a, holding)
	with(a, "blue")
	with(a, ipam.Built{Digest: "d"})
	with(a, ipam.Networks{})
	with(a, time.Now())
	scope := ipam.Scope{Kind: ipam.PoolScope, Name: "p"}
	kept, err := l.Reserve(ctx, ipam.Reservation{Scope: scope, Address: netip.MustParseAddr("10.0.0.99")})
	require.NoError(t, err)
	held := ipam.Held{Scope: scope, Address: holding.Leases[0].Address.Addr(), By: ipam.Ref{Kind: ipam.HoldingRef, Attachment: at}, Revision: holding.Revision}
	with(a, scope)
	with(a, kept)
	with(a, record.Address)
	with(a, ipam.Fix{Kind: ipam.FreeAddress, Held: held})
	return a
}

// requireInTime calls a method and requires that it says in time that it had no
// answer.
func (a arguments) requireInTime(t *testing.T, method reflect.Value) {
	ctx, cancel := context.WithTimeout(t.Context(), allowed)
	defer cancel()
	in := []reflect.Value{reflect.ValueOf(ctx)}
	for i := 1; i < method.Type().NumIn(); i++ {
		if method.Type().IsVariadic() && i == method.Type().NumIn()-1 {
			break
		}
		v, ok := a.of[method.Type().In(i)]
		require.True(t, ok, "there is no argument of type %s", method.Type().In(i))
		in = append(in, v)
	}
	begun := time.Now()
	out := method.Call(in)
	require.Less(t, time.Since(begun), patience)
	err, _ := out[len(out)-1].Interface().(error)
	require.ErrorIs(t, err, ipam.ErrUnavailable)
}
