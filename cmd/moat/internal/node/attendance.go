package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// partPresence is what a daemon says to restores.
const partPresence = "presence"

// attendance is a daemon's presence.
type attendance struct {
	*presence
	records int64 // the revision that wrote the installation's record
}

// attend makes this daemon present before it writes anything, unless a restore is
// under way or was cut short.
func (b *base) attend(ctx context.Context) error {
	p, err := newPresence(b.store.client, b.cfg.Etcd.Prefix, b.boot, b.nodeName, workDaemon, b.log)
	if err != nil {
		return err
	}
	b.attendance = &attendance{presence: p}
	return b.attendance.begin(ctx)
}

// begin writes the key. An etcd that is full takes none, and no restore's either:
// there it comes when there is room.
func (a *attendance) begin(ctx context.Context) error {
	entered, err := a.enter(ctx, a.undisturbed())
	if err != nil && !errors.Is(err, rpctypes.ErrNoSpace) {
		return fmt.Errorf("say to restores that this daemon is alive: %w", err)
	}
	if entered {
		return nil
	}
	if half := refuseHalfRestored(ctx, a.client, a.prefix); half != nil || err != nil {
		return half
	}
	return a.begin(ctx) // a restore has just ended
}

// undisturbed holds where no restore was begun since this daemon read the records.
func (a *attendance) undisturbed() []clientv3.Cmp {
	ifs := []clientv3.Cmp{clientv3.Compare(clientv3.CreateRevision(a.prefix+restoringKey), "=", 0)}
	if a.records != 0 {
		ifs = append(ifs, clientv3.Compare(clientv3.ModRevision(a.prefix+installationKey), "=", a.records))
	}
	return ifs
}

// stay keeps the key as long as the daemon lives.
func (a *attendance) stay(ctx context.Context) error {
	asked, cancel := context.WithTimeout(ctx, etcdPatience)
	defer cancel()
	res, err := a.client.Get(asked, a.prefix+installationKey, clientv3.WithKeysOnly())
	if err != nil {
		return fmt.Errorf("read when the installation was recorded: %w", err)
	}
	if len(res.Kvs) == 0 {
		return errRecordsReplaced
	}
	a.records = res.Kvs[0].ModRevision
	a.keep(ctx, a.again, func(err error) { a.failed <- err })
	return nil
}

// again writes the key anew, or returns why this daemon must not go on.
func (a *attendance) again(ctx context.Context) error {
	for said := false; ; pauseFor(ctx, time.Second) {
		entered, err := a.enter(ctx, a.undisturbed())
		if entered || ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			err = refuseHalfRestored(ctx, a.client, a.prefix)
			switch {
			case err == nil:
				return errRecordsReplaced
			case errors.Is(err, errHalfRestored):
				return err
			}
		}
		if !said {
			a.log.Warn("no restore is kept from beginning beside this daemon until etcd can be written", "error", err)
			said = true
		}
	}
}

// watch returns an error when this daemon must not go on. A nil attendance is that
// of a daemon with an etcd of its own.
func (a *attendance) watch(ctx context.Context) error {
	if a == nil {
		return nil
	}
	select {
	case err := <-a.failed:
		return err
	case <-ctx.Done():
		return nil
	}
}
