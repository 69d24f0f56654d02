package node

import (
	"context"
	"errors"
	"log/slog"

	"github.com/moatnet/moat/cmd/moat/internal/config"
	"github.com/moatnet/moat/cmd/moat/internal/control"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/tenant"
)

// SDN runs the SDN server alone.
func SDN(ctx context.Context, c config.Config, log *slog.Logger) error {
	b, err := openBase(ctx, c, log, helper)
	if err != nil {
		return err
	}
	defer b.close()
	s, err := b.openSDN(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.openREST(c); err != nil {
		return err
	}
	l, err := listenREST(ctx, c.Listen)
	if err != nil {
		return err
	}
	t := newTasks(log)
	t.start(partPresence, b.attendance.watch)
	t.start(partLiveness, func(ctx context.Context) error {
		return hearLiveness(ctx, b.store.client, b.livenessPrefix(), s.topology, log)
	})
	t.start(partREST, func(ctx context.Context) error { return s.serveREST(ctx, l) })
	defer t.stopAll(partREST, partLiveness, partPresence)
	log.Info("serving the REST API", "listen", c.Listen, "etcd", b.store.where)
	return t.wait(ctx)
}

// Engine runs the engine alone, over the etcd of an SDN server elsewhere.
func Engine(ctx context.Context, c config.Config, log *slog.Logger) error {
	b, err := openRemote(ctx, c, log, helper)
	if err != nil {
		return err
	}
	defer b.close()
	if err := refuseOverlap(c, b.plan.ID); err != nil {
		return err
	}
	s, err := b.openSDN(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	voice := newVoice(b.store.client, b.livenessPrefix(), s.topology, log)
	e, err := b.newEngine(ctx, s.topology, voice)
	if err != nil {
		return err
	}
	defer e.Close()
	t := newTasks(log)
	t.start(partPresence, b.attendance.watch)
	t.start(partLiveness, voice.Run)
	t.start(partEngine, e.Run)
	defer t.stopAll(partEngine, partLiveness, partPresence)
	return t.wait(ctx)
}

// Agent runs the node agent alone.
func Agent(ctx context.Context, c config.Config, log *slog.Logger) error {
	b, err := openRemote(ctx, c, log, assigner)
	if err != nil {
		return err
	}
	defer b.close()
	at, err := openDoors(ctx, c, false)
	if err != nil {
		return err
	}
	defer at.close()
	m, api, err := b.remoteManager()
	if err != nil {
		return err
	}
	a, sweepers, err := b.newAgent(m, api)
	if err != nil {
		return err
	}
	d := &agentDaemon{direct: direct{operations{m, api}, b.newAddresses(m, api, true), b}}
	t := newTasks(log)
	t.start(partPresence, b.attendance.watch)
	t.start(partControl, func(ctx context.Context) error { return control.Serve(ctx, at.control, d) })
	defer t.stopAll(partAgent, partCluster, partNetworks, partHoldings, partOrphans, partRestorer, partManager, partControl, partPresence)
	if _, err := m.EnsureProvider(ctx); err != nil {
		return err
	}
	t.start(partManager, m.Run)
	sweepers.start(t)
	t.start(partAgent, func(ctx context.Context) error { return a.Serve(ctx, at.agent) })
	if c.CNIConfDir != "" {
		if err := writeConfList(c, b.mtu); err != nil {
			return err
		}
	}
	d.ready.Store(true)
	log.Info("ready", "socket", c.Socket, "endpoint", c.Endpoint.URLs, "etcd", b.store.where)
	return t.wait(ctx)
}

// ended turns the end that was asked for into success.
func ended(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// openRemote is openBase for a part that shares an external etcd.
func openRemote(ctx context.Context, c config.Config, log *slog.Logger, as role) (*base, error) {
	if len(c.Etcd.Endpoints) == 0 {
		return nil, errors.New("a part that runs alone needs --etcd-endpoints: an embedded etcd belongs to `moat up`")
	}
	return openBase(ctx, c, log, as)
}

// remoteManager drives the endpoint that the configuration names.
func (b *base) remoteManager() (*tenant.Manager, sdn.API, error) {
	if len(b.cfg.Endpoint.URLs) == 0 {
		return nil, nil, errors.New("an agent needs --endpoint: the REST API that it drives")
	}
	api, err := newClient(b.cfg.Endpoint, b.log)
	if err != nil {
		return nil, nil, err
	}
	m, err := b.newManager(api, nil, tenant.Polling{API: api, Installation: b.plan.ID, MTU: b.mtu}, nil)
	return m, api, err
}

// partLiveness is what engine and SDN server tell each other, in two processes.
const partLiveness = "liveness"

func (b *base) livenessPrefix() string { return b.cfg.Etcd.Prefix + liveFolder }
