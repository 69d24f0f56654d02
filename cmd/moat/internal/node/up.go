package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/moatnet/moat/cmd/moat/internal/agent"
	"github.com/moatnet/moat/cmd/moat/internal/config"
	"github.com/moatnet/moat/cmd/moat/internal/control"
	"github.com/moatnet/moat/sdn/server"
)

// errDown ends a daemon that was taken down on an operator's word.
var errDown = errors.New("taken down")

// Up runs SDN server, engine and agent until ctx ends. The pods' traffic goes on
// after it.
func Up(ctx context.Context, c config.Config, log *slog.Logger) (err error) {
	b, err := openBase(ctx, c, log)
	if err != nil {
		return err
	}
	defer b.close()
	if err := refuseOverlap(c, b.plan.ID); err != nil {
		return err
	}
	part, err := b.openSDN(ctx)
	if err != nil {
		return err
	}
	defer part.close()
	eng, err := b.newEngine(ctx, part.topology, part.topology)
	if err != nil {
		return err
	}
	defer eng.close()
	api := guarded{part.topology.Local()}
	manager, err := b.newManager(api, eng.engine)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	d := &daemon{base: b, operations: operations{manager, api}, sdn: part, engine: eng, end: func() { cancel(errDown) }}
	err = d.run(ctx)
	if errors.Is(context.Cause(ctx), errDown) {
		return nil
	}
	return err
}

// run starts all tasks, makes the provider's network, then says that it is
// ready: to runtimes by the CNI configuration, last of all.
func (d *daemon) run(ctx context.Context) error {
	a, err := agent.New(agent.Options{Service: d.manager, SocketPath: d.cfg.Socket, Node: d.nodeName, Logger: d.log})
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.store.watch(ctx) })
	g.Go(func() error { return d.engine.run(ctx) })
	g.Go(func() error { return serveREST(ctx, d.cfg.Listen, d.sdn.handler()) })
	g.Go(func() error { return control.Serve(ctx, control.SocketFor(d.cfg.Socket), d) })
	g.Go(func() error {
		if err := d.prepare(ctx); err != nil {
			return err
		}
		g.Go(func() error { return d.manager.Run(ctx) })
		g.Go(func() error { return a.Run(ctx) })
		select {
		case <-a.Ready():
		case <-ctx.Done():
			return nil
		}
		return d.announce()
	})
	return ended(g.Wait())
}

// prepare waits for the engine and makes the provider router.
func (d *daemon) prepare(ctx context.Context) error {
	select {
	case <-d.engine.engine.Ready():
	case <-ctx.Done():
		return ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	p, err := d.manager.EnsureProvider(ctx)
	if err != nil {
		return err
	}
	if err := d.engine.engine.WaitActive(ctx, p.Uplink); err != nil {
		return fmt.Errorf("the uplink does not come up: %w", err)
	}
	return nil
}

// announce tells CLI and runtimes that an ADD can be served.
func (d *daemon) announce() error {
	if d.cfg.CNIConfDir != "" {
		if err := writeConfList(d.cfg, d.mtu); err != nil {
			return err
		}
	}
	d.ready.Store(true)
	d.log.Info("ready", "installation", d.plan.ID, "rest", d.cfg.Listen, "socket", d.cfg.Socket, "etcd", d.store.where)
	return nil
}

// startPatience bounds what a start waits for.
const startPatience = 30 * time.Second

// loginTTL is how long a token of the REST API lives.
const loginTTL = 24 * time.Hour

func (s *sdnPart) handler() http.Handler {
	return server.New(server.Options{
		API: guarded{s.topology}, Auth: server.NewPasswordAuth("admin", s.password, loginTTL), Logger: s.log,
	})
}

// serveREST serves the API until ctx ends.
func serveREST(ctx context.Context, listen string, h http.Handler) error {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("REST API: %w", err)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = srv.Shutdown(grace)
	}()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("REST API: %w", err)
	}
	<-stopped
	return nil
}

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
