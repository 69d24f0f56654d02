package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/cmd/moat/internal/agent"
	"github.com/moatnet/moat/cmd/moat/internal/control"
	"github.com/moatnet/moat/sdn/dataplane"
	"github.com/moatnet/moat/sdn/effect"
)

// Version of the daemon and its plugins.
const Version = "0.1.0"

// downPatience bounds what taking down waits for.
const downPatience = 2 * time.Minute

// etcdPatience bounds a single answer of etcd.
const etcdPatience = 10 * time.Second

// daemon is a running `moat up`, as its operator sees it.
type daemon struct {
	*base
	operations
	addresses
	sdn      *sdnPart
	engine   *dataplane.Engine
	agent    *agent.Agent
	sweepers *sweepers
	at       *doors
	tasks    *tasks
	ready    atomic.Bool

	downs  chan chan<- error // wishes to take the installation down
	ending chan struct{}     // closed when no wish is heard any more

	changing sync.RWMutex // read-locked by operations that change the topology
	closed   bool         // no such operation begins any more
}

var _ control.Operations = (*daemon)(nil)

// Status implements control.Operations.
func (d *daemon) Status(ctx context.Context) (control.Status, error) {
	st := control.Status{
		Ready: d.ready.Load(), Installation: d.plan.ID, Name: d.plan.Name, Version: Version, Engine: true,
		Listen: d.cfg.Listen, Etcd: d.store.where,
	}
	if !st.Ready {
		st.Reason = "starting"
		return st, nil
	}
	if err := d.manager.Status(ctx); err != nil {
		st.Ready, st.Reason = false, err.Error()
	}
	st.Warnings = append(d.store.warnings(ctx), d.keptWarnings(ctx)...)
	return st, nil
}

var errEnding = errors.New("the daemon is ending")

// change runs an operation, unless the installation is being taken down.
func change[T any](d *daemon, f func() (T, error)) (T, error) {
	d.changing.RLock()
	defer d.changing.RUnlock()
	if d.closed {
		var none T
		return none, errEnding
	}
	return f()
}

// CreateTenant implements control.Operations.
func (d *daemon) CreateTenant(ctx context.Context, name string) (control.Tenant, error) {
	return change(d, func() (control.Tenant, error) { return d.operations.CreateTenant(ctx, name) })
}

// DeleteTenant implements control.Operations.
func (d *daemon) DeleteTenant(ctx context.Context, name string, force bool) error {
	_, err := change(d, func() (any, error) { return nil, d.operations.DeleteTenant(ctx, name, force) })
	return err
}

// CreateProvider implements control.Operations.
func (d *daemon) CreateProvider(ctx context.Context) (control.Provider, error) {
	return change(d, func() (control.Provider, error) { return d.operations.CreateProvider(ctx) })
}

// TakeDown implements control.Operations. It is done by run, which owns the
// parts; from then on it goes on whatever becomes of this request, and the
// daemon ends after it.
func (d *daemon) TakeDown(ctx context.Context, force bool) error {
	if !force {
		if err := d.refuseWhileOthersUseIt(ctx); err != nil {
			return err
		}
	}
	answer := make(chan error, 1)
	select {
	case d.downs <- answer:
		return <-answer
	case <-d.ending:
		return errEnding
	case <-ctx.Done():
		return ctx.Err()
	}
}

// refuseWhileOthersUseIt is an error while pods of other nodes are attached.
func (d *daemon) refuseWhileOthersUseIt(ctx context.Context) error {
	tenants, err := d.manager.ListTenants(ctx)
	if err != nil {
		return fmt.Errorf("look for pods of other nodes: %w", err)
	}
	pods, nodes := 0, []string{}
	for _, t := range tenants {
		as, err := d.ledger.TenantAttachments(ctx, t.Name)
		if err != nil {
			return fmt.Errorf("look for pods of other nodes: %w", err)
		}
		for _, a := range as {
			if a.Node != d.nodeName {
				pods++
				nodes = append(nodes, a.Node)
			}
		}
	}
	if pods == 0 {
		return nil
	}
	slices.Sort(nodes)
	return fmt.Errorf("%w: %d pods of other nodes (%s) are attached; remove them first, or cut them off with --force",
		control.ErrInUse, pods, strings.Join(slices.Compact(nodes), ", "))
}

// takeDown stops whatever could make something, and removes what was made: the
// kernel's first, so that no traffic runs past filters, then the store's. What
// is in the store stays when the kernel's could not be removed: a later start
// needs it to know what is its own.
func (d *daemon) takeDown() error {
	ctx, cancel := context.WithTimeout(context.Background(), downPatience)
	defer cancel()
	d.log.Info("taking the installation down")
	d.tasks.stopAll(partStart)
	d.ready.Store(false)
	errs := []error{d.removeConfList()}
	d.tasks.stopAll(partAgent, partCluster, partNetworks, partOrphans, partRestorer, partManager, partREST)
	d.changing.Lock()
	d.closed = true
	d.changing.Unlock()
	d.tasks.stopAll(partEngine)
	if err := d.engine.TakeDown(ctx); err != nil {
		return errors.Join(append(errs, fmt.Errorf("remove what is in the kernel: %w; start again to repeat it", err))...)
	}
	if err := d.removeRecords(ctx); err != nil {
		return errors.Join(append(errs, fmt.Errorf("remove what is in etcd: %w", err))...)
	}
	err := effect.Do(effect.File, "remove the folder of tombstones", func() error { return os.RemoveAll(d.tombstones) })
	if err != nil {
		errs = append(errs, fmt.Errorf("remove tombstones: %w", err))
	}
	d.log.Info("taken down")
	return errors.Join(errs...)
}

// removeRecords removes all keys but those by which processes say that they are alive,
// which go with them.
func (d *daemon) removeRecords(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, etcdPatience)
	defer cancel()
	all := d.cfg.Etcd.Prefix
	live := all + liveFolder
	_, err := d.store.client.Txn(ctx).Then(
		clientv3.OpDelete(all, clientv3.WithRange(live)),
		clientv3.OpDelete(clientv3.GetPrefixRangeEnd(live), clientv3.WithRange(clientv3.GetPrefixRangeEnd(all))),
	).Commit()
	return err
}

func (d *daemon) removeConfList() error {
	if d.cfg.CNIConfDir == "" {
		return nil
	}
	err := effect.Do(effect.File, "remove the CNI configuration", func() error { return os.Remove(ConfListPath(d.cfg)) })
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the CNI configuration: %w", err)
	}
	return nil
}
