package node

import (
	"context"
	"errors"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// begin notes that a restore is under way, unless anything below the prefix was
// written since it was looked at: by a daemon that was started, or by another restore,
// of which so one alone begins. The context that it returns ends when others take this
// process for dead.
func (r *restore) begin(ctx context.Context) (under context.Context, end func(), err error) {
	same := clientv3.Compare(clientv3.ModRevision(r.c.Etcd.Prefix), "<", r.revision+1).WithPrefix()
	note := clientv3.OpPut(r.c.Etcd.Prefix+restoringKey, r.Sum)
	if len(r.c.Etcd.Endpoints) == 0 {
		res, err := r.client.Txn(ctx).If(same).Then(note).Commit()
		if err != nil {
			return nil, nil, fmt.Errorf("note that a restore is under way: %w", err)
		}
		if !res.Succeeded {
			return nil, nil, r.overtaken(ctx)
		}
		return ctx, func() {}, nil
	}
	p, err := r.presence()
	if err != nil {
		return nil, nil, err
	}
	entered, err := p.enter(ctx, []clientv3.Cmp{same}, note)
	if err == nil && !entered {
		err = r.overtaken(ctx)
	}
	if err != nil {
		p.leave()
		return nil, nil, fmt.Errorf("begin: %w", err)
	}
	r.while = []clientv3.Cmp{p.there()}
	under, cancel := context.WithCancelCause(ctx)
	p.keep(ctx, func(context.Context) error { return errPresenceLost }, cancel)
	return under, func() { p.leave(); cancel(nil) }, nil
}

func (r *restore) presence() (*presence, error) {
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	return newPresence(r.client, r.c.Etcd.Prefix, boot, r.Node, workRestore, r.log)
}

// overtaken says who wrote since it was looked.
func (r *restore) overtaken(ctx context.Context) error {
	if err := r.look(ctx); err != nil {
		return err
	}
	if len(r.living) > 0 {
		return aliveError(r.living)
	}
	return fmt.Errorf("a key below %s was written between the look at etcd and the beginning of the restore, and nothing was changed: "+
		"see that nobody runs moat commands, and repeat the restore", r.c.Etcd.Prefix)
}

// change writes to etcd as long as nobody takes this process for dead.
func (r *restore) change(ctx context.Context, ops ...clientv3.Op) error {
	res, err := r.client.Txn(ctx).If(r.while...).Then(ops...).Commit()
	if err != nil {
		return err
	}
	if !res.Succeeded {
		return errPresenceLost
	}
	return nil
}

// lost is why a restore's context ended, if that is because it is taken for dead.
func lost(ctx context.Context) error {
	if err := context.Cause(ctx); errors.Is(err, errPresenceLost) {
		return err
	}
	return nil
}
