package etcdkv

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/ledger"
)

// KV is a ledger.KV in etcd; all its keys begin with a prefix.
type KV struct {
	client clientv3.KV
	prefix string
}

// New returns a KV over client with all keys below prefix, such as "/moat/".
func New(client clientv3.KV, prefix string) *KV {
	return &KV{client: client, prefix: strings.TrimSuffix(prefix, "/") + "/ipam/v1/"}
}

var _ ledger.KV = (*KV)(nil)

// Commit implements ledger.KV. Every failure of etcd is ipam.ErrUnavailable:
// whatever the cause, the caller does not know what was decided. That holds for
// ipam.ErrFull too: etcd says so also of the transaction that makes it full.
func (k *KV) Commit(ctx context.Context, t ledger.Txn) (ledger.Result, error) {
	res, err := k.client.Txn(ctx).If(k.conds(t.If)...).Then(k.ops(t.Then)...).Else(k.ops(t.Else)...).Commit()
	if err != nil {
		kind := ipam.ErrUnavailable
		if errors.Is(err, rpctypes.ErrNoSpace) {
			kind = fmt.Errorf("%w (etcd's alarm NOSPACE)", ipam.ErrFull)
		}
		return ledger.Result{}, fmt.Errorf("etcd: %w: %w", kind, err)
	}
	if res.Succeeded {
		for i, op := range t.Then {
			if op.Kind == ledger.OpRide {
				op.Rider.Carried(res.Header.GetRevision(), res.Responses[i])
			}
		}
	}
	return k.result(res, res.Header.GetRevision()), nil
}

func (k *KV) conds(cs []ledger.Cond) []clientv3.Cmp {
	cmps := make([]clientv3.Cmp, len(cs))
	for i, c := range cs {
		key := k.prefix + c.Key
		switch c.On {
		case ledger.CreateRevision:
			cmps[i] = clientv3.Compare(clientv3.CreateRevision(key), "=", c.Want)
		case ledger.NoNewer:
			cmps[i] = clientv3.Compare(clientv3.ModRevision(key), "<", c.Want+1)
		case ledger.Value:
			cmps[i] = clientv3.Compare(clientv3.Value(key), "=", c.Is)
		default:
			cmps[i] = clientv3.Compare(clientv3.ModRevision(key), "=", c.Want)
		}
		if c.End != "" {
			cmps[i] = cmps[i].WithRange(k.prefix + c.End)
		}
	}
	return cmps
}

func (k *KV) ops(ops []ledger.Op) []clientv3.Op {
	all := make([]clientv3.Op, len(ops))
	for i, op := range ops {
		all[i] = k.op(op)
	}
	return all
}

func (k *KV) op(op ledger.Op) clientv3.Op {
	key := k.prefix + op.Key
	var opts []clientv3.OpOption
	if op.End != "" {
		opts = append(opts, clientv3.WithRange(k.prefix+op.End))
	}
	switch op.Kind {
	case ledger.OpPut:
		return clientv3.OpPut(key, string(op.Value))
	case ledger.OpDelete:
		return clientv3.OpDelete(key, opts...)
	case ledger.OpRide:
		return op.Rider.Op(op.Record).(clientv3.Op)
	case ledger.OpTxn:
		return clientv3.OpTxn(k.conds(op.Txn.If), k.ops(op.Txn.Then), k.ops(op.Txn.Else))
	default:
		return clientv3.OpGet(key, append(opts, clientv3.WithLimit(int64(op.Limit)), clientv3.WithMinModRev(op.Since), clientv3.WithRev(op.At))...)
	}
}

func (k *KV) result(t *clientv3.TxnResponse, revision int64) ledger.Result {
	res := ledger.Result{OK: t.Succeeded, Revision: revision, Out: make([]ledger.Out, len(t.Responses))}
	for i, r := range t.Responses {
		if sub := r.GetResponseTxn(); sub != nil {
			inner := k.result((*clientv3.TxnResponse)(sub), revision)
			res.Out[i].Txn = &inner
		}
		for _, kv := range r.GetResponseRange().GetKvs() {
			res.Out[i].Pairs = append(res.Out[i].Pairs, ledger.Pair{
				Key: strings.TrimPrefix(string(kv.Key), k.prefix), Value: kv.Value,
				Create: kv.CreateRevision, Mod: kv.ModRevision,
			})
		}
	}
	return res
}
