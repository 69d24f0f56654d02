package node

import (
	"context"
	"errors"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"github.com/moatnet/moat/cmd/moat/internal/agent"
	"github.com/moatnet/moat/cmd/moat/internal/config"
	"github.com/moatnet/moat/cmd/moat/internal/control"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/tenant"
)

// SDN runs the SDN server alone.
func SDN(ctx context.Context, c config.Config, log *slog.Logger) error {
	b, err := openBase(ctx, c, log)
	if err != nil {
		return err
	}
	defer b.close()
	s, err := b.openSDN(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return b.store.watch(ctx) })
	g.Go(func() error { return hearLiveness(ctx, b.store.client, b.livenessPrefix(), s.topology, log) })
	g.Go(func() error { return serveREST(ctx, c.Listen, s.handler()) })
	log.Info("serving the REST API", "listen", c.Listen, "etcd", b.store.where)
	return ended(g.Wait())
}

// Engine runs the engine alone, over the etcd of an SDN server elsewhere.
func Engine(ctx context.Context, c config.Config, log *slog.Logger) error {
	b, err := openRemote(ctx, c, log)
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
	defer e.close()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return voice.Run(ctx) })
	g.Go(func() error { return e.run(ctx) })
	return ended(g.Wait())
}

// Agent runs the node agent alone.
func Agent(ctx context.Context, c config.Config, log *slog.Logger) error {
	b, err := openRemote(ctx, c, log)
	if err != nil {
		return err
	}
	defer b.close()
	m, api, err := b.remoteManager()
	if err != nil {
		return err
	}
	a, err := agent.New(agent.Options{Service: m, SocketPath: c.Socket, Node: b.nodeName, Logger: log})
	if err != nil {
		return err
	}
	if _, err := m.EnsureProvider(ctx); err != nil {
		return err
	}
	d := &agentDaemon{direct: direct{operations{m, api}, b}}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return m.Run(ctx) })
	g.Go(func() error { return a.Run(ctx) })
	g.Go(func() error { return control.Serve(ctx, control.SocketFor(c.Socket), d) })
	g.Go(func() error {
		select {
		case <-a.Ready():
		case <-ctx.Done():
			return nil
		}
		if c.CNIConfDir != "" {
			if err := writeConfList(c, b.mtu); err != nil {
				return err
			}
		}
		d.ready.Store(true)
		log.Info("ready", "socket", c.Socket, "endpoint", c.Endpoint.URLs, "etcd", b.store.where)
		return nil
	})
	return ended(g.Wait())
}

// ended turns the end that was asked for into success.
func ended(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// openRemote is openBase for a part that shares an external etcd.
func openRemote(ctx context.Context, c config.Config, log *slog.Logger) (*base, error) {
	if len(c.Etcd.Endpoints) == 0 {
		return nil, errors.New("a part that runs alone needs --etcd-endpoints: an embedded etcd belongs to `moat up`")
	}
	return openBase(ctx, c, log)
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
	m, err := b.newManager(api, tenant.Polling{API: api, Installation: b.plan.ID, MTU: b.mtu})
	return m, api, err
}

func (b *base) livenessPrefix() string { return b.cfg.Etcd.Prefix + "live/" }
