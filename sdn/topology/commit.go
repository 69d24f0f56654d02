package topology

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
)

func (e *etcd) commit(ctx context.Context, x *txn) (int64, bool, error) {
	ops, err := e.ops(x)
	if err != nil {
		return 0, false, err
	}
	resp, err := e.client.Txn(ctx).
		If(e.compares(x)...).
		Then(ops...).
		Else(clientv3.OpGet(e.path(headKey), clientv3.WithKeysOnly())).
		Commit()
	if err != nil {
		return 0, false, err
	}
	if resp.Succeeded {
		return resp.Header.Revision, true, e.feedBack(x, resp)
	}
	head := resp.Responses[0].GetResponseRange()
	if len(head.Kvs) == 0 {
		return 0, false, fmt.Errorf("%s is gone: the store was emptied", e.path(headKey))
	}
	return head.Kvs[0].ModRevision, false, nil
}

// feedBack hands what was committed to the sink at once, in the form in which it
// is stored: the watch brings it several goroutines later. The head that it
// replaced tells the sink whether anything is missing in between.
func (e *etcd) feedBack(x *txn, resp *clientv3.TxnResponse) error {
	before := resp.Responses[len(resp.Responses)-1].GetResponsePut().GetPrevKv()
	if before == nil {
		return nil
	}
	rev := resp.Header.Revision
	facts := x.list(rev)
	for i, f := range facts {
		if f.body == nil {
			continue
		}
		value, err := encode(f)
		if err != nil {
			return err
		}
		if err := facts[i].decode(value); err != nil {
			return err
		}
	}
	e.sink.take(facts, before.ModRevision, rev)
	return nil
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

func (e *etcd) ops(x *txn) ([]clientv3.Op, error) {
	writes := append(x.list(0), fact{key: headKey, body: 0})
	list := make([]clientv3.Op, 0, len(writes))
	for _, w := range writes {
		if w.body == nil {
			list = append(list, clientv3.OpDelete(e.path(w.key)))
			continue
		}
		value, err := encode(w)
		if err != nil {
			return nil, err
		}
		var opts []clientv3.OpOption
		if w.key == headKey {
			opts = append(opts, clientv3.WithPrevKV())
		}
		list = append(list, clientv3.OpPut(e.path(w.key), string(value), opts...))
	}
	return list, nil
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
