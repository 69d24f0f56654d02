package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/cmd/moat/internal/control"
)

// version of the daemon and its plugins.
const version = "0.1.0"

// downPatience bounds what taking down waits for.
const downPatience = 2 * time.Minute

// etcdPatience bounds a single answer of etcd.
const etcdPatience = 10 * time.Second

// daemon is a running `moat up`, as its operator sees it.
type daemon struct {
	*base
	operations
	sdn    *sdnPart
	engine *enginePart
	ready  atomic.Bool
	end    func() // ends the daemon
}

var _ control.Operations = (*daemon)(nil)

// Status implements control.Operations.
func (d *daemon) Status(ctx context.Context) (control.Status, error) {
	st := control.Status{
		Ready: d.ready.Load(), Installation: d.plan.ID, Name: d.plan.Name, Version: version,
		Listen: d.cfg.Listen, Etcd: d.store.where,
	}
	if !st.Ready {
		st.Reason = "starting"
		return st, nil
	}
	if err := d.manager.Status(ctx); err != nil {
		st.Ready, st.Reason = false, err.Error()
	}
	return st, nil
}

// TakeDown implements control.Operations: the kernel first, so that no traffic
// runs past filters, then the store and the files, then the daemon itself.
func (d *daemon) TakeDown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, downPatience)
	defer cancel()
	d.ready.Store(false)
	d.engine.halt()
	if err := d.engine.engine.TakeDown(ctx); err != nil {
		return fmt.Errorf("remove what is in the kernel: %w", err)
	}
	asked, cancelAsk := context.WithTimeout(ctx, etcdPatience)
	defer cancelAsk()
	if _, err := d.store.client.Delete(asked, d.cfg.Etcd.Prefix, clientv3.WithPrefix()); err != nil {
		return fmt.Errorf("remove what is in etcd: %w", err)
	}
	if d.cfg.CNIConfDir != "" {
		if err := os.Remove(ConfListPath(d.cfg)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove the CNI configuration: %w", err)
		}
	}
	d.log.Info("taken down")
	d.end()
	return nil
}
