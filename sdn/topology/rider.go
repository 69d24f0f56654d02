package topology

import (
	"context"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/sdn"
)

// Rider is a port that is created by the transaction of someone else, who writes
// to the same etcd for the same purpose, such as an address's lease: one durable
// write instead of two. Its conditions decide on the port alone.
type Rider struct {
	state *state
	etcd  *etcd
	op    clientv3.Op
	facts []fact
	rev   int64 // of the transaction that created the port; 0: none did
}

// RideCreatePort plans CreatePort for the transaction of another. It returns nil
// when that cannot be: the topology is not in etcd, or the port is refused as the
// picture is now, or has filters, which are checked one at a time. CreatePort
// says why, or does it.
func (t *Topology) RideCreatePort(p sdn.Port) *Rider {
	e, ok := t.store.(*etcd)
	if !ok || completePort(&p) != nil {
		return nil
	}
	x, err := t.plan(func(x *txn) error { return x.createPort(p) })
	if err != nil || len(x.chains) > 0 {
		return nil
	}
	ops, facts, err := e.ops(x)
	if err != nil {
		return nil
	}
	return &Rider{state: t.state, etcd: e, op: clientv3.OpTxn(e.compares(x), ops, nil), facts: facts}
}

// Op is the operation for the other's transaction, a clientv3.Op.
func (r *Rider) Op() any { return r.op }

// Carried hears that the transaction took place, with the answer to Op, a
// *etcdserverpb.ResponseOp.
func (r *Rider) Carried(revision int64, answer any) {
	own := answer.(*etcdserverpb.ResponseOp).GetResponseTxn()
	if own.GetSucceeded() {
		r.rev = revision
		r.etcd.committed(r.facts, revision, own.Responses)
	}
}

// Landed says whether the port was created, and returns when it is to be seen.
func (r *Rider) Landed(ctx context.Context) (bool, error) {
	if r.rev == 0 {
		return false, nil
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	return true, r.state.reach(ctx, r.rev)
}
