package node

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/topology"
)

// Where server and engine are two processes, the engine says which hosts are
// alive and which ports active by keys of an etcd lease, and the server listens.
// When the engine dies they vanish with the lease.
const (
	leaseSeconds = 10
	hostKey      = "hosts/"
	portKey      = "ports/"
	// writePatience bounds one write: the lease may be gone by then.
	writePatience = 3 * time.Second
)

// voice is an engine's reports: into its own topology and into etcd.
type voice struct {
	local  *topology.Topology
	client *clientv3.Client
	prefix string
	log    *slog.Logger

	mu      sync.Mutex
	wanted  map[string]bool // keys that must be there
	pending map[string]bool // keys that changed since the last write
	wake    chan struct{}
}

func newVoice(c *clientv3.Client, prefix string, local *topology.Topology, log *slog.Logger) *voice {
	return &voice{
		local: local, client: c, prefix: prefix, log: log,
		wanted: map[string]bool{}, pending: map[string]bool{}, wake: make(chan struct{}, 1),
	}
}

// SetActive implements dataplane.Reports.
func (v *voice) SetActive(p sdn.PortID, active bool) {
	v.local.SetActive(p, active)
	v.say(portKey+string(p), active)
}

// SetAlive implements dataplane.Reports.
func (v *voice) SetAlive(h sdn.HostID, alive bool) {
	v.local.SetAlive(h, alive)
	v.say(hostKey+string(h), alive)
}

// SetInterfaces implements dataplane.Reports.
func (v *voice) SetInterfaces(h sdn.HostID, addrs []netip.Addr, ifs []sdn.HostInterface) {
	v.local.SetInterfaces(h, addrs, ifs)
}

func (v *voice) say(key string, there bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if there {
		v.wanted[key] = true
	} else {
		delete(v.wanted, key)
	}
	v.pending[key] = there
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

// Run writes what is said, and all of it again under a new lease when the old
// one is lost, until ctx ends.
func (v *voice) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := v.session(ctx); err != nil && ctx.Err() == nil {
			v.log.Warn("the engine's liveness cannot be written", "error", err)
			pauseFor(ctx, time.Second)
		}
	}
	return nil
}

func pauseFor(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// session writes under one lease until that is lost, a write fails or ctx ends.
// At ctx's end the lease ends, and all that was written under it. Otherwise it
// is kept alive no longer and the next session takes over what it holds: a write
// that was slow makes no port inactive.
func (v *voice) session(ctx context.Context) error {
	asked, cancelAsk := context.WithTimeout(ctx, writePatience)
	defer cancelAsk()
	lease, err := v.client.Grant(asked, leaseSeconds)
	if err != nil {
		return fmt.Errorf("lease: %w", err)
	}
	keeping, stop := context.WithCancel(ctx)
	defer func() {
		stop()
		if ctx.Err() != nil {
			v.revoke(ctx, lease.ID)
		}
	}()
	alive, err := v.client.KeepAlive(clientv3.WithRequireLeader(keeping), lease.ID)
	if err != nil {
		return fmt.Errorf("lease: %w", err)
	}
	v.repeatAll()
	for {
		if err := v.flush(ctx, lease.ID); err != nil {
			return err
		}
		select {
		case <-v.wake:
		case _, ok := <-alive:
			if !ok {
				return fmt.Errorf("lease %x was lost", lease.ID)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// revoke ends a lease. One that cannot be reached ends by itself.
func (v *voice) revoke(ctx context.Context, lease clientv3.LeaseID) {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if _, err := v.client.Revoke(last, lease); err != nil {
		v.log.Warn("the engine's liveness ends some seconds later than the engine", "error", err)
	}
}

func (v *voice) repeatAll() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for key := range v.wanted {
		v.pending[key] = true
	}
}

// flush writes what is pending. What it could not write stays pending, unless
// something newer was said meanwhile.
func (v *voice) flush(ctx context.Context, lease clientv3.LeaseID) error {
	v.mu.Lock()
	pending := v.pending
	v.pending = map[string]bool{}
	v.mu.Unlock()
	for key, there := range pending {
		if err := v.write(ctx, lease, key, there); err != nil {
			v.mu.Lock()
			maps.Copy(pending, v.pending)
			v.pending = pending
			v.mu.Unlock()
			return fmt.Errorf("write %s: %w", key, err)
		}
		delete(pending, key)
	}
	return nil
}

func (v *voice) write(ctx context.Context, lease clientv3.LeaseID, key string, there bool) (err error) {
	ctx, cancel := context.WithTimeout(ctx, writePatience)
	defer cancel()
	if there {
		_, err = v.client.Put(ctx, v.prefix+key, "", clientv3.WithLease(lease))
	} else {
		_, err = v.client.Delete(ctx, v.prefix+key)
	}
	return err
}

// hearLiveness keeps t's overlay as the engines say, until ctx ends.
func hearLiveness(ctx context.Context, c *clientv3.Client, prefix string, t *topology.Topology, log *slog.Logger) error {
	for ctx.Err() == nil {
		if err := hearOnce(ctx, c, prefix, t); err != nil && ctx.Err() == nil {
			log.Warn("the engines' liveness cannot be read", "error", err)
			pauseFor(ctx, time.Second)
		}
	}
	return nil
}

func hearOnce(ctx context.Context, c *clientv3.Client, prefix string, t *topology.Topology) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	asked, cancelAsk := context.WithTimeout(ctx, etcdPatience)
	defer cancelAsk()
	now, err := c.Get(asked, prefix, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return err
	}
	heard := map[string]bool{}
	for _, kv := range now.Kvs {
		heard[string(kv.Key)] = true
		overlay(t, strings.TrimPrefix(string(kv.Key), prefix), true)
	}
	defer func() {
		for key := range heard {
			overlay(t, strings.TrimPrefix(key, prefix), false)
		}
	}()
	for res := range c.Watch(clientv3.WithRequireLeader(ctx), prefix, clientv3.WithPrefix(), clientv3.WithRev(now.Header.Revision+1)) {
		if err := res.Err(); err != nil {
			return err
		}
		for _, ev := range res.Events {
			there := ev.Type == clientv3.EventTypePut
			heard[string(ev.Kv.Key)] = there
			overlay(t, strings.TrimPrefix(string(ev.Kv.Key), prefix), there)
		}
	}
	return nil
}

func overlay(t *topology.Topology, key string, there bool) {
	if id, ok := strings.CutPrefix(key, hostKey); ok {
		t.SetAlive(sdn.HostID(id), there)
	}
	if id, ok := strings.CutPrefix(key, portKey); ok {
		t.SetActive(sdn.PortID(id), there)
	}
}
