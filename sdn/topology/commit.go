package topology

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/sdn"
)

// commit hands what it wrote to the sink itself, instead of waiting until the
// watch brings it, when nothing that the sink lacks was written before.
func (e *etcd) commit(ctx context.Context, x *txn) (int64, bool, error) {
	ops, facts, err := e.ops(x)
	if err != nil {
		return 0, false, err
	}
	resp, err := e.client.Txn(ctx).
		If(e.compares(x)...).
		Then(ops...).
		Else(clientv3.OpGet(e.path(headKey), clientv3.WithKeysOnly())).
		Commit()
	if errors.Is(err, rpctypes.ErrNoSpace) {
		return 0, false, fmt.Errorf("%w (etcd's alarm NOSPACE): %w", sdn.ErrFull, err)
	}
	if err != nil {
		return 0, false, err
	}
	if resp.Succeeded {
		e.committed(facts, resp.Header.Revision, resp.Responses)
		return resp.Header.Revision, true, nil
	}
	head := resp.Responses[0].GetResponseRange()
	if len(head.Kvs) == 0 {
		return 0, false, fmt.Errorf("%s is gone: the store was emptied", e.path(headKey))
	}
	return head.Kvs[0].ModRevision, false, nil
}

// committed hands over what was written at a revision, by the answers to its ops.
func (e *etcd) committed(facts []fact, rev int64, answers []*etcdserverpb.ResponseOp) {
	head := answers[len(answers)-1].GetResponsePut().PrevKv
	e.sink.takeOwn(dated(facts, rev, head), rev, head.GetModRevision())
}

func (e *etcd) compares(x *txn) []clientv3.Cmp {
	list := make([]clientv3.Cmp, 0, len(x.relied)+len(x.vacant))
	for k, mod := range x.relied {
		list = append(list, clientv3.Compare(clientv3.ModRevision(e.path(k)), "=", mod))
	}
	for _, prefix := range x.vacant {
		list = append(list, clientv3.Compare(clientv3.CreateRevision(e.prefix+prefix), "=", 0).WithPrefix())
	}
	return list
}

// ops returns the operations of a write, the head's last, and what will be
// stored: through the stored form where something could be shared with the caller.
func (e *etcd) ops(x *txn) ([]clientv3.Op, []fact, error) {
	facts := append(x.list(0), fact{key: headKey, body: 0})
	list := make([]clientv3.Op, 0, len(facts))
	for i, f := range facts {
		if f.body == nil {
			list = append(list, clientv3.OpDelete(e.path(f.key)))
			continue
		}
		value, err := encode(f)
		if err != nil {
			return nil, nil, err
		}
		if !plain(f.body) {
			if err := facts[i].decode(value); err != nil {
				return nil, nil, err
			}
		}
		var opts []clientv3.OpOption
		if f.key == headKey {
			opts = append(opts, clientv3.WithPrevKV())
		}
		list = append(list, clientv3.OpPut(e.path(f.key), string(value), opts...))
	}
	return list, facts, nil
}

// plain says that a body refers to nothing.
func plain(body any) bool {
	switch body.(type) {
	case sdn.Port, string, int:
		return true
	}
	return false
}

// dated gives facts the revision of their transaction.
func dated(facts []fact, rev int64, head *mvccpb.KeyValue) []fact {
	for i := range facts {
		facts[i].mod = rev
		if facts[i].created == 0 {
			facts[i].created = rev
		}
	}
	facts[len(facts)-1].created = head.GetCreateRevision()
	return facts
}

func (e *etcd) head(ctx context.Context) (int64, error) {
	resp, err := e.client.Get(ctx, e.path(headKey), clientv3.WithKeysOnly())
	if err != nil {
		return 0, err
	}
	if len(resp.Kvs) == 0 {
		return 0, fmt.Errorf("%s is gone: the store was emptied", e.path(headKey))
	}
	return resp.Kvs[0].ModRevision, nil
}
