package tenant

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/ipam/etcdkv"
	"github.com/moatnet/moat/ipam/ledger"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/topology"
)

// creations counts the pods' ports that are made by a call of their own.
type creations struct {
	sdn.API
	n *atomic.Int64
}

func (c creations) CreatePort(ctx context.Context, p sdn.Port) (sdn.Port, error) {
	if p.Interface != "" && p.Kind == sdn.BridgePort {
		c.n.Add(1)
	}
	return c.API.CreatePort(ctx, p)
}

// shy is a rider of which nobody hears that it was carried.
type shy struct{ PortRider }

func (shy) Landed(context.Context) (bool, error) { return false, errors.New("not seen yet") }

// ridingWorld is one whose managers let ports ride, with a tenant's network made.
// plan, if given, stands between a manager and the topology.
func ridingWorld(t *testing.T, plan func(*topology.Topology, sdn.Port, PortRider) PortRider) (w *world, manager func(...func(*Options)) *Manager, made *atomic.Int64) {
	w, _ = newEtcdWorld(t)
	made = &atomic.Int64{}
	manager = func(change ...func(*Options)) *Manager {
		return w.manager(t, append([]func(*Options){func(o *Options) {
			o.API = creations{w.topo, made}
			o.Ride = func(p sdn.Port) PortRider {
				r := w.topo.RideCreatePort(p)
				require.NotNil(t, r)
				if plan != nil {
					return plan(w.topo, p, r)
				}
				return r
			}
		}}, change...)...)
	}
	_, err := manager().EnsureTenant(t.Context(), "blue")
	require.NoError(t, err)
	return w, manager, made
}

// inPlace requires that a record's port is there, bound and active.
func (w *world) inPlace(t *testing.T, container string) (port sdn.Port, created int64) {
	rec, err := ledger.New(w.kv, ledger.Options{}).Attachment(t.Context(), attachment(container))
	require.NoError(t, err)
	port, err = w.topo.Port(t.Context(), sdn.PortID(rec.Port))
	require.NoError(t, err)
	require.Equal(t, w.host, port.Host)
	require.True(t, port.Active)
	return port, rec.Created
}

func TestPortIsCreatedByTheTransactionOfItsLease(t *testing.T) {
	w, manager, made := ridingWorld(t, nil)
	before := w.everything(t)
	m := manager()
	_, err := m.Attach(t.Context(), request(t, "blue", "c1"))
	require.NoError(t, err)
	port, created := w.inPlace(t, "c1")
	require.Equal(t, created, port.TunnelKey, "a port's tunnel key is the revision that created it")
	require.Zero(t, made.Load(), "ports created by a call of their own")
	require.NoError(t, m.Detach(t.Context(), attachment("c1")))
	require.Equal(t, before, w.everything(t))
}

// An SDN that cannot let the port ride says so by planning nothing.
func TestPortThatCannotRideIsCreatedAfterItsLease(t *testing.T) {
	w, manager, made := ridingWorld(t, nil)
	_, err := manager(func(o *Options) { o.Ride = func(sdn.Port) PortRider { return nil } }).Attach(t.Context(), request(t, "blue", "c1"))
	require.NoError(t, err)
	port, created := w.inPlace(t, "c1")
	require.Greater(t, port.TunnelKey, created)
	require.EqualValues(t, 1, made.Load())
}

// The bridge changes between the plan and the transaction: the lease is given, the
// port is not, and is made by a call of its own.
func TestPortWhosePlanIsStaleIsCreatedAfterItsLease(t *testing.T) {
	w, manager, made := ridingWorld(t, func(topo *topology.Topology, p sdn.Port, r PortRider) PortRider {
		b, err := topo.Bridge(t.Context(), sdn.BridgeID(p.Device))
		require.NoError(t, err)
		b.Name += "x"
		require.NoError(t, topo.UpdateBridge(t.Context(), b))
		return r
	})
	_, err := manager().Attach(t.Context(), request(t, "blue", "c1"))
	require.NoError(t, err)
	port, created := w.inPlace(t, "c1")
	require.Greater(t, port.TunnelKey, created)
	require.EqualValues(t, 1, made.Load())
	require.Len(t, w.leases(t), 1)
}

// A topology that does not say in time that it has the port is no reason to make
// another one, nor to fail.
func TestPortThatIsNotSeenYetIsNotCreatedTwice(t *testing.T) {
	w, manager, made := ridingWorld(t, func(_ *topology.Topology, _ sdn.Port, r PortRider) PortRider { return shy{r} })
	_, err := manager().Attach(t.Context(), request(t, "blue", "c1"))
	require.NoError(t, err)
	port, created := w.inPlace(t, "c1")
	require.Equal(t, created, port.TunnelKey, "it is the one of the lease's transaction")
	require.EqualValues(t, 1, made.Load(), "looked at by creating it again")
	ports, err := w.topo.Ports(t.Context(), port.Device)
	require.NoError(t, err)
	require.Len(t, ports, 2, "the bridge's link to its router, and the pod's port")
}

// Another node takes the address that a lease was to have: the next try carries
// the port.
func TestPortRidesTheTryThatSucceeds(t *testing.T) {
	w, manager, made := ridingWorld(t, nil)
	m, other := manager(), manager()
	for _, a := range []struct {
		by        *Manager
		container string
	}{{m, "c1"}, {other, "c2"}, {m, "c3"}} { // c3 is tried with the address of c2
		_, err := a.by.Attach(t.Context(), request(t, "blue", a.container))
		require.NoError(t, err)
		port, created := w.inPlace(t, a.container)
		require.Equal(t, created, port.TunnelKey)
	}
	require.Zero(t, made.Load())
	require.Len(t, w.leases(t), 3)
}

// The same ADD again, in a process that knows nothing of the first: its lease is
// refused and the port must not ride.
func TestPortOfAnAttachmentThatIsRecordedDoesNotRideAgain(t *testing.T) {
	w, manager, made := ridingWorld(t, nil)
	r := request(t, "blue", "c1")
	m := w.manager(t) // without a rider, so that the second has one to plan
	first, err := m.Attach(t.Context(), r)
	require.NoError(t, err)
	before := w.everything(t)
	again, err := manager(func(o *Options) {
		o.Ride = func(p sdn.Port) PortRider {
			p.ID = sdn.NewID[sdn.PortID]() // so that it could be made
			p.Interface = sdn.InterfaceName(p.ID)
			rider := w.topo.RideCreatePort(p)
			require.NotNil(t, rider)
			return rider
		}
	}).Attach(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.Equal(t, before, w.everything(t), "a port was made by a lease that was refused")
	require.Zero(t, made.Load())
}

// The answer to a transaction, or the transaction itself, is lost on the way to
// etcd and back: who cannot know undoes both record and port.
func TestAttachWithARiderThatFailsAnywhereLeavesNothingBehind(t *testing.T) {
	w, manager, _ := ridingWorld(t, nil)
	f := &fault{}
	client := w.client
	m := manager(func(o *Options) {
		o.Store = ledger.New(etcdkv.New(lossy{client, f}, "/moat"), ledger.Options{})
	})
	before := w.everything(t)
	inTurn(t, f, func(t *testing.T, failed func() bool) {
		_, err := m.Attach(t.Context(), request(t, "blue", "c1"))
		if !failed() {
			require.NoError(t, err)
			w.inPlace(t, "c1")
		} else {
			require.Equal(t, CodeTryAgain, code(t, err), "%v", err)
			require.Empty(t, w.leases(t))
			require.Equal(t, before, w.everything(t), "%v", err)
			require.Empty(t, w.pods.pairs)
			_, err = m.Attach(t.Context(), request(t, "blue", "c1"))
			require.NoError(t, err, "tried again")
			port, created := w.inPlace(t, "c1")
			require.Equal(t, created, port.TunnelKey)
		}
		require.NoError(t, m.Detach(t.Context(), attachment("c1")))
		require.Empty(t, w.leases(t))
		require.Empty(t, w.pods.pairs)
		require.Equal(t, before, w.everything(t))
	})
}

// lossy is an etcd whose transactions fail as its fault says.
type lossy struct {
	clientv3.KV
	*fault
}

func (l lossy) Txn(ctx context.Context) clientv3.Txn { return &lossyTxn{l.KV.Txn(ctx), l.fault} }

type lossyTxn struct {
	clientv3.Txn
	fault *fault
}

func (t *lossyTxn) If(cs ...clientv3.Cmp) clientv3.Txn   { t.Txn = t.Txn.If(cs...); return t }
func (t *lossyTxn) Then(ops ...clientv3.Op) clientv3.Txn { t.Txn = t.Txn.Then(ops...); return t }
func (t *lossyTxn) Else(ops ...clientv3.Op) clientv3.Txn { t.Txn = t.Txn.Else(ops...); return t }
func (t *lossyTxn) Commit() (*clientv3.TxnResponse, error) {
	return called(t.fault, "transaction", t.Txn.Commit)
}
