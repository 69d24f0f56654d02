package topology

import (
	"context"
	"fmt"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/sdn"
)

// found writes the schema version, or checks the one that is there before
// anything else is read, and raises one that is older. A program that knows only
// the older one notices: its writes rely on the version, and its watch brings it
// the new one.
func (e *etcd) found(ctx context.Context) error {
	for {
		stored, err := e.declared(ctx)
		if err != nil || stored == nil {
			return err
		}
		f, err := e.fact(stored)
		if err != nil || f.body == schemaVersion {
			return err
		}
		e.log.Info("raising the version of the stored topology", "from", f.body, "to", schemaVersion)
		stored, err = e.declare(ctx, clientv3.Compare(clientv3.ModRevision(e.path(schemaKey)), "=", f.mod))
		if err != nil || stored == nil {
			return err
		}
	}
}

// declared returns the version that is stored; nil when this program has just
// written its own. It reads first: a full etcd refuses what may write.
func (e *etcd) declared(ctx context.Context) (*mvccpb.KeyValue, error) {
	resp, err := e.client.Get(ctx, e.path(schemaKey))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", sdn.ErrUnavailable, err)
	}
	if len(resp.Kvs) > 0 {
		return resp.Kvs[0], nil
	}
	return e.declare(ctx, clientv3.Compare(clientv3.CreateRevision(e.path(schemaKey)), "=", 0))
}

// declare writes this program's version under a condition, or returns the one
// that is stored.
func (e *etcd) declare(ctx context.Context, when clientv3.Cmp) (*mvccpb.KeyValue, error) {
	schema, err := encode(fact{body: schemaVersion})
	if err != nil {
		return nil, err
	}
	head, err := encode(fact{body: 0})
	if err != nil {
		return nil, err
	}
	resp, err := e.client.Txn(ctx).
		If(when).
		Then(clientv3.OpPut(e.path(schemaKey), string(schema)), clientv3.OpPut(e.path(headKey), string(head))).
		Else(clientv3.OpGet(e.path(schemaKey))).
		Commit()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", sdn.ErrUnavailable, err)
	}
	if resp.Succeeded {
		return nil, nil
	}
	if kvs := resp.Responses[0].GetResponseRange().Kvs; len(kvs) > 0 {
		return kvs[0], nil
	}
	return nil, fmt.Errorf("%s is gone: the store is being emptied: %w", e.path(schemaKey), sdn.ErrUnavailable)
}

// checkSchema refuses a store that a newer program wrote.
func checkSchema(version int) error {
	if version > schemaVersion {
		return fmt.Errorf("%w: its schema has version %d, this program knows %d", errNewerSchema, version, schemaVersion)
	}
	return nil
}

// Readable returns why this program cannot read a stored key, without the prefix,
// and its value; nil: it can.
func Readable(name string, value []byte) error {
	_, err := new(etcd).fact(&mvccpb.KeyValue{Key: []byte(name), Value: value})
	return err
}
