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
	id    sdn.PortID
	plan  *txn
	facts []fact
	rev   int64 // of the transaction that created the port; 0: none did
}

// RideCreatePort plans CreatePort for the transaction of another. It returns nil
// when that cannot be: the topology is not in etcd, or the port is refused as the
// picture is now, or has filters, which are checked one at a time. CreatePort
// says why, or does it. The port's senders may be known later: Op names them.
func (t *Topology) RideCreatePort(p sdn.Port) *Rider {
	e, ok := t.store.(*etcd)
	if !ok || completePort(&p) != nil {
		return nil
	}
	x, err := t.plan(func(x *txn) error { return x.createPort(p) })
	if err != nil || len(x.chains) > 0 {
		return nil
	}
	return &Rider{state: t.state, etcd: e, id: p.ID, plan: x}
}

// Op is the operation for the other's transaction, a clientv3.Op, that creates
// the port with these senders. When they are wrong it does nothing, and
// CreatePort says why.
func (r *Rider) Op(senders []sdn.Sender) any {
	k := key{sdn.KindPort, string(r.id)}
	f := r.plan.writes[k]
	p, _ := f.body.(sdn.Port)
	p.Senders = senders
	if err := validPort(&p); err != nil {
		return r.nothing()
	}
	f.body = p
	r.plan.writes[k] = f
	ops, facts, err := r.etcd.ops(r.plan)
	if err != nil {
		return r.nothing()
	}
	r.facts = facts
	return clientv3.OpTxn(r.etcd.compares(r.plan), ops, nil)
}

// nothing is a read, which Carried does not take for a creation.
func (r *Rider) nothing() clientv3.Op {
	return clientv3.OpGet(r.etcd.path(headKey), clientv3.WithKeysOnly())
}

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
