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
		return resp.Header.Revision, true, nil
	}
	head := resp.Responses[0].GetResponseRange()
	if len(head.Kvs) == 0 {
		return 0, false, fmt.Errorf("%s is gone: the store was emptied", e.path(headKey))
	}
	return head.Kvs[0].ModRevision, false, nil
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
		list = append(list, clientv3.OpPut(e.path(w.key), string(value)))
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
