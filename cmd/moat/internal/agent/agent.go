package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/tenant"
)

const (
	defaultTimeout = time.Minute
	defaultTenant  = "default"
	// stopGrace is how long calls under way may go on when the daemon stops.
	stopGrace = 10 * time.Second
	// socketMode keeps everybody but root and its group away.
	socketMode = 0o660
)

// Options of an Agent. Service, Node and Logger must be given.
type Options struct {
	Service    tenant.Service
	SocketPath string // "": cniconf.DefaultSocket
	Node       string // name of this node in attachments
	Logger     *slog.Logger
	Timeout    time.Duration // longest time for one call; 0: a minute
	Tenant     sdn.TenantID  // of pods whose runtime names no namespace, unless the configuration does; "": "default"
}

// Agent serves CNI calls.
type Agent struct {
	service tenant.Service
	socket  string
	node    string
	log     *slog.Logger
	timeout time.Duration
	tenant  sdn.TenantID
	ready   chan struct{}
}

// New makes an agent that does not listen yet.
func New(o Options) (*Agent, error) {
	if o.Service == nil || o.Node == "" || o.Logger == nil {
		return nil, errors.New("new agent: service, node and logger are needed")
	}
	return &Agent{
		service: o.Service,
		socket:  cmp.Or(o.SocketPath, cniconf.DefaultSocket),
		node:    o.Node,
		log:     o.Logger,
		timeout: cmp.Or(o.Timeout, defaultTimeout),
		tenant:  cmp.Or(o.Tenant, defaultTenant),
		ready:   make(chan struct{}),
	}, nil
}

// Ready is closed when the socket takes calls.
func (a *Agent) Ready() <-chan struct{} { return a.ready }

func (a *Agent) String() string { return "agent on " + a.socket }

// Run serves the socket until the context ends; then it takes no more calls,
// and calls under way have some time to finish. It may be called once.
func (a *Agent) Run(ctx context.Context) error {
	l, err := listen(ctx, a.socket)
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	stopped := context.AfterFunc(ctx, func() { l.Close() })
	defer stopped()
	defer l.Close()
	calls, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var wg sync.WaitGroup
	defer func() {
		timer := time.AfterFunc(stopGrace, cancel)
		defer timer.Stop()
		wg.Wait()
	}()
	close(a.ready)
	for {
		c, err := l.AcceptUnix()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ECONNABORTED):
			a.log.Error("accept a CNI call", "error", err)
			pause(ctx)
		case err != nil:
			return fmt.Errorf("agent: accept on %s: %w", a.socket, err)
		default:
			wg.Go(func() { a.serve(calls, c) })
		}
	}
}

// pause lets other calls give back descriptors.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(100 * time.Millisecond):
	}
}

// listen takes the socket over from a daemon that died; a living one keeps it.
func listen(ctx context.Context, path string) (*net.UnixListener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	var d net.Dialer
	if c, err := d.DialContext(ctx, "unix", path); err == nil {
		c.Close()
		return nil, fmt.Errorf("another daemon listens on %s", path)
	} else if errors.Is(err, syscall.ECONNREFUSED) {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, socketMode); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}
