// Package etcdeffect leads the writes of an etcd client through package effect.
//
// It changes nothing about them. Whoever makes a client of etcd wraps it here; it
// imports nothing else of Moat.
package etcdeffect

import (
	"context"
	"slices"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/sdn/effect"
)

const what = "write to etcd"

// Wrap has the writes of a client led through package effect, and what begins and
// ends its leases.
func Wrap(c *clientv3.Client) { c.KV, c.Lease = wrapped{c.KV}, lease{c.Lease} }

type wrapped struct{ clientv3.KV }

func (w wrapped) Put(ctx context.Context, key, value string, opts ...clientv3.OpOption) (res *clientv3.PutResponse, err error) {
	err = effect.Do(effect.Etcd, what, func() (err error) {
		res, err = w.KV.Put(ctx, key, value, opts...)
		return err
	})
	return res, err
}

func (w wrapped) Delete(ctx context.Context, key string, opts ...clientv3.OpOption) (res *clientv3.DeleteResponse, err error) {
	err = effect.Do(effect.Etcd, what, func() (err error) {
		res, err = w.KV.Delete(ctx, key, opts...)
		return err
	})
	return res, err
}

func (w wrapped) Do(ctx context.Context, op clientv3.Op) (res clientv3.OpResponse, err error) {
	do := func() (err error) {
		res, err = w.KV.Do(ctx, op)
		return err
	}
	if writes(op) {
		err = effect.Do(effect.Etcd, what, do)
	} else {
		err = do()
	}
	return res, err
}

func (w wrapped) Txn(ctx context.Context) clientv3.Txn { return &txn{Txn: w.KV.Txn(ctx)} }

// txn is a transaction that knows whether it may write.
type txn struct {
	clientv3.Txn
	writes bool
}

func (t *txn) If(cs ...clientv3.Cmp) clientv3.Txn {
	t.Txn = t.Txn.If(cs...)
	return t
}

func (t *txn) Then(ops ...clientv3.Op) clientv3.Txn {
	t.Txn, t.writes = t.Txn.Then(ops...), t.writes || slices.ContainsFunc(ops, writes)
	return t
}

func (t *txn) Else(ops ...clientv3.Op) clientv3.Txn {
	t.Txn, t.writes = t.Txn.Else(ops...), t.writes || slices.ContainsFunc(ops, writes)
	return t
}

func (t *txn) Commit() (res *clientv3.TxnResponse, err error) {
	if !t.writes {
		return t.Txn.Commit()
	}
	err = effect.Do(effect.Etcd, what, func() (err error) {
		res, err = t.Txn.Commit()
		return err
	})
	return res, err
}

func writes(op clientv3.Op) bool {
	if op.IsTxn() {
		_, then, otherwise := op.Txn()
		return slices.ContainsFunc(append(slices.Clone(then), otherwise...), writes)
	}
	return !op.IsGet()
}
