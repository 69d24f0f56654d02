package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/moatnet/moat/cmd/moat/internal/config"
	"github.com/moatnet/moat/cmd/moat/internal/control"
	"github.com/moatnet/moat/tenant"
)

// The parts of `moat up`.
const (
	partStart   = "start"
	partAgent   = "agent"
	partManager = "attachments"
	partREST    = "REST API"
	partControl = "control"
	partEngine  = "engine"
	partStore   = "etcd"
)

// Up runs SDN server, engine and agent until ctx ends. The pods' traffic goes on
// after it.
func Up(ctx context.Context, c config.Config, log *slog.Logger) error {
	if err := refuseFirst(c); err != nil {
		return err
	}
	b, err := openBase(ctx, c, log, assigner)
	if err != nil {
		return err
	}
	defer b.close()
	at, err := openDoors(ctx, c, true)
	if err != nil {
		return err
	}
	defer at.close()
	if err := refuseOverlap(c, b.plan.ID); err != nil {
		return err
	}
	part, err := b.openSDN(ctx)
	if err != nil {
		return err
	}
	defer part.close()
	if err := part.openREST(c); err != nil {
		return err
	}
	eng, err := b.newEngine(ctx, part.topology, part.topology)
	if err != nil {
		return err
	}
	defer eng.Close()
	api := guarded{part.topology.Local(), part.lifeline}
	manager, err := b.newManager(api, part.topology, eng, riding(part.topology))
	if err != nil {
		return err
	}
	a, sweepers, err := b.newAgent(manager, api)
	if err != nil {
		return err
	}
	d := &daemon{base: b, operations: operations{manager, api}, addresses: b.newAddresses(manager, api, true), sdn: part, engine: eng, agent: a, sweepers: sweepers, at: at,
		tasks: newTasks(log), downs: make(chan chan<- error), ending: make(chan struct{})}
	if err := d.owns(ctx); err != nil {
		return err
	}
	return d.run(ctx)
}

// run starts all parts and ends them in the opposite order, when ctx ends, a
// part fails, or an operator wants the installation to be taken down.
func (d *daemon) run(ctx context.Context) error {
	d.tasks.start(partStore, d.store.watch)
	d.tasks.start(partPresence, d.attendance.watch)
	d.tasks.start(partEngine, d.engine.Run)
	d.tasks.start(partControl, func(ctx context.Context) error { return control.Serve(ctx, d.at.control, d) })
	d.tasks.start(partREST, func(ctx context.Context) error { return d.sdn.serveREST(ctx, d.at.rest) })
	d.tasks.start(partStart, d.begin)
	defer d.tasks.stopAll(partStart, partAgent, partCluster, partNetworks, partHoldings, partOrphans, partRestorer, partManager, partREST, partControl, partEngine, partPresence, partStore)
	defer close(d.ending)
	select {
	case <-ctx.Done():
		return nil
	case err := <-d.tasks.failed:
		return err
	case answer := <-d.downs:
		err := d.takeDown()
		answer <- err
		return err
	}
}

// begin makes the provider's network, starts what serves pods, and then says
// that the daemon is ready: to runtimes by the CNI configuration, last of all.
func (d *daemon) begin(ctx context.Context) error {
	if err := d.prepare(ctx); err != nil {
		return ended(err)
	}
	d.tasks.start(partManager, d.manager.Run)
	d.sweepers.start(d.tasks)
	d.tasks.start(partAgent, func(ctx context.Context) error { return d.agent.Serve(ctx, d.at.agent) })
	if d.cfg.CNIConfDir != "" {
		if err := writeConfList(d.cfg, d.mtu); err != nil {
			return err
		}
	}
	d.ready.Store(true)
	d.log.Info("ready", "installation", d.plan.ID, "rest", d.cfg.Listen, "socket", d.cfg.Socket, "etcd", d.store.where)
	return nil
}

// prepare waits for the engine and makes the provider router.
func (d *daemon) prepare(ctx context.Context) error {
	select {
	case <-d.engine.Ready():
	case <-ctx.Done():
		return ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	p, err := d.manager.EnsureProvider(ctx)
	if err != nil {
		return err
	}
	if err := d.owns(ctx); err != nil { // another host was faster
		return err
	}
	if err := d.engine.WaitActive(ctx, p.Uplink); err != nil {
		return fmt.Errorf("the uplink does not come up: %w", err)
	}
	return nil
}

// owns refuses an installation whose uplink is bound to another host: this
// host's engine would make all of its network a second time, without a way out.
func (d *daemon) owns(ctx context.Context) error {
	provider, err := d.manager.ShowProvider(ctx)
	if errors.Is(err, tenant.ErrNoProvider) {
		return nil
	}
	if err != nil {
		return err
	}
	p, err := d.api.Port(ctx, provider.Uplink)
	if err != nil {
		return fmt.Errorf("read the uplink: %w", err)
	}
	if p.Host != "" && p.Host != d.host {
		return fmt.Errorf("the uplink of installation %s is bound to host %s, and this is host %s: an installation's network is on one machine; "+
			"give this machine an --etcd-prefix of its own, or, if it was that host before, --host-id %s", d.plan.ID, p.Host, d.host, p.Host)
	}
	return nil
}

// startPatience bounds what a start waits for.
const startPatience = 30 * time.Second

// watch reports a failure of the embedded etcd.
func (s *store) watch(ctx context.Context) error {
	select {
	case err := <-s.err:
		return fmt.Errorf("embedded etcd: %w", err)
	case <-ctx.Done():
		return nil
	}
}

func nodeName(c config.Config) (string, error) {
	if c.Node != "" {
		return c.Node, nil
	}
	name, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("name of the node: %w; give one with --node", err)
	}
	return name, nil
}
