package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/moatnet/moat/cmd/moat/internal/delegations"
	"github.com/moatnet/moat/cmd/moat/internal/socket"
	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/queue"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/tenant"
)

const (
	defaultTimeout = time.Minute
	defaultTenant  = "default"
	// stopGrace is how long calls under way may go on when the daemon stops,
	// undoGrace how long those that it ended may take to undo what they did, and
	// lastGrace how long those that ran into that may take to notice.
	stopGrace = 7 * time.Second
	undoGrace = 2500 * time.Millisecond
	lastGrace = 500 * time.Millisecond
	// socketMode keeps everybody but root and its group away.
	socketMode = 0o660
)

// Options of an Agent. Service, Node and Logger must be given.
type Options struct {
	Service tenant.Service
	Node    string // name of this node in attachments
	Logger  *slog.Logger
	Timeout time.Duration // longest time for one call; 0: a minute
	Tenant  sdn.TenantID  // of pods whose runtime names no namespace, unless the configuration does; "": "default"
	// Pools are what the IPAM plugin leases from; nil: it is refused.
	Pools ipam.PoolStore
	// BootID tells this boot of the node from others (random(4)); "": holdings do
	// not say when their pod was started.
	BootID string
	// Cluster knows pods' annotations; nil: they are not read.
	Cluster Cluster
	// StickyFor is how long a sticky address is kept where its pod does not say it.
	StickyFor time.Duration
	// DNS is what the configuration says of a tenant's: the DNS of its results, and
	// the file that says it instead; nil: nothing of any tenant.
	DNS func(sdn.TenantID) (*types.DNS, string)
	// Delegations keeps what attachments had other plugins do; nil: configurations
	// that delegate are refused.
	Delegations *delegations.Store
	// Source says which networks pods get; nil: each gets its tenant's.
	Source *NetworkSource
	// NetworksDir is where the networks of pods that have several are recorded, on
	// disk; it is made. "": none are, which Source does not allow.
	NetworksDir string
}

// Agent serves CNI calls.
type Agent struct {
	service tenant.Service
	node    string
	log     *slog.Logger
	timeout time.Duration
	tenant  sdn.TenantID
	pools   ipam.PoolStore
	boot    string
	turns   turns

	sightings sightings

	cluster   Cluster
	stickyFor time.Duration
	dns       func(sdn.TenantID) (*types.DNS, string)
	busy      queue.Queue[ipam.Attachment]

	delegations *delegations.Store
	source      *NetworkSource
	networks    networkRecords
}

// New makes an agent that does not listen yet.
func New(o Options) (*Agent, error) {
	if o.Service == nil || o.Node == "" || o.Logger == nil {
		return nil, errors.New("new agent: service, node and logger are needed")
	}
	if o.Source != nil && o.NetworksDir == "" {
		return nil, errors.New("new agent: a network source needs a directory for records")
	}
	return &Agent{
		service: o.Service,
		node:    o.Node,
		log:     o.Logger,
		timeout: cmp.Or(o.Timeout, defaultTimeout),
		tenant:  cmp.Or(o.Tenant, defaultTenant),
		pools:   o.Pools,
		boot:    o.BootID,

		cluster:     o.Cluster,
		stickyFor:   o.StickyFor,
		dns:         o.DNS,
		delegations: o.Delegations,
		source:      o.Source,
		networks:    networkRecords{dir: o.NetworksDir},
	}, nil
}

// Listen takes the socket that plugins call; plugins wait from then on until
// they are served.
func Listen(ctx context.Context, path string) (*net.UnixListener, error) {
	return socket.Listen(ctx, path, socketMode)
}

// Serve answers calls until ctx ends. Then it takes no more; calls under way may
// go on for stopGrace, then they end and have undoGrace to take back what they
// did. It closes the listener.
func (a *Agent) Serve(ctx context.Context, l *net.UnixListener) error {
	defer context.AfterFunc(ctx, func() { l.Close() })()
	defer l.Close()
	forever := context.WithoutCancel(ctx)
	undoing, giveUp := context.WithCancel(forever)
	defer giveUp()
	calls, cancel := context.WithCancel(undoing)
	defer cancel()
	var wg sync.WaitGroup
	if a.delegations != nil {
		wg.Go(func() { a.settle(ctx) })
	}
	err := a.take(ctx, l, func(c *net.UnixConn) { wg.Go(func() { a.serve(calls, undoing, c) }) })
	ended := make(chan struct{})
	go func() { wg.Wait(); close(ended) }()
	for _, stage := range []struct {
		grace time.Duration
		then  func()
	}{{stopGrace, cancel}, {undoGrace, giveUp}, {lastGrace, func() { a.log.Error("CNI calls are given up as the daemon ends; a later start finishes them") }}} {
		select {
		case <-ended:
			return err
		case <-time.After(stage.grace):
			stage.then()
		}
	}
	return err
}

// take accepts calls until ctx ends.
func (a *Agent) take(ctx context.Context, l *net.UnixListener, serve func(*net.UnixConn)) error {
	for {
		c, err := l.AcceptUnix()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				c.Close()
			}
			return nil
		case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ECONNABORTED):
			a.log.Error("accept a CNI call", "error", err)
			pause(ctx)
		case err != nil:
			return fmt.Errorf("agent: accept on %s: %w", l.Addr(), err)
		default:
			serve(c)
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
