package holdings

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/netns"
	"github.com/moatnet/moat/sdn"
)

const (
	restoreEvery    = 5 * time.Second
	restoring       = 4               // at once
	restorePatience = 5 * time.Second // of one
)

// DevicePorts lists the ports of one device of the SDN.
type DevicePorts interface {
	Ports(ctx context.Context, device sdn.DeviceID) ([]sdn.Port, error)
}

// Maker makes again what is missing of an attachment: its port, and its pair if a
// namespace is given, if its record still is what was read.
type Maker interface {
	Restore(ctx context.Context, rec ipam.Record, netns *os.File) (bool, error)
}

// Restorer makes again what somebody deleted of the pods of one node that live: a
// pair of which neither end is left, a port. What is changed inside a pod, its
// addresses and routes, is the pod's own doing, or of who may enter it: CHECK says
// that it differs.
type Restorer struct {
	Store Attachments
	Ports DevicePorts
	Maker Maker
	Node  string
	Pods  Pods
	Log   *slog.Logger
}

// Run sweeps until ctx ends.
func (r *Restorer) Run(ctx context.Context) error {
	tick := time.NewTicker(restoreEvery)
	defer tick.Stop()
	for {
		if err := r.Sweep(ctx); err != nil && ctx.Err() == nil {
			r.Log.Warn("make again what is missing of pods", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Sweep restores what is missing. It goes on after errors and joins them.
func (r *Restorer) Sweep(ctx context.Context) error {
	recs, err := r.Store.Attachments(ctx, r.Node, "")
	if err != nil {
		return err
	}
	bridges := map[string][]ipam.Record{}
	for _, rec := range recs {
		if rec.State == ipam.Added {
			bridges[rec.Bridge] = append(bridges[rec.Bridge], rec)
		}
	}
	var mu sync.Mutex
	var errs []error
	g := errgroup.Group{}
	g.SetLimit(restoring)
	for bridge, recs := range bridges {
		ports, err := r.Ports.Ports(ctx, sdn.DeviceID(bridge))
		if errors.Is(err, sdn.ErrNotFound) {
			continue // its network is made again first
		}
		if err != nil {
			mu.Lock()
			errs = append(errs, fmt.Errorf("list the ports of bridge %s: %w", bridge, err))
			mu.Unlock()
			continue
		}
		for _, rec := range wanting(recs, ports) {
			g.Go(func() error {
				err := r.restore(ctx, rec.Record, rec.port)
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
				return nil
			})
		}
	}
	_ = g.Wait() // errors are collected one by one above
	return errors.Join(errs...)
}

// doubtful is an attachment whose port is not active, or, if port is not set, not
// there.
type doubtful struct {
	ipam.Record
	port bool
}

func wanting(recs []ipam.Record, ports []sdn.Port) (out []doubtful) {
	active, there := map[string]bool{}, map[string]bool{}
	for _, p := range ports {
		there[string(p.ID)], active[string(p.ID)] = true, p.Active
	}
	for _, rec := range recs {
		if !active[rec.Port] {
			out = append(out, doubtful{rec, there[rec.Port]})
		}
	}
	return out
}

func (r *Restorer) restore(ctx context.Context, rec ipam.Record, port bool) error {
	if !r.Pods.Living(rec.PodNetns, rec.PodInode, rec.BootID) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, restorePatience)
	defer cancel()
	ns, err := r.unplugged(ctx, rec)
	if err != nil || ns == nil && port {
		return err // a port that is not active is the engine's
	}
	if ns != nil {
		defer ns.Close()
	}
	done, err := r.Maker.Restore(ctx, rec, ns)
	if done {
		r.Log.Warn("the interface of a living pod was deleted; it is made again, as it was", "attachment", rec.Attachment.String(),
			"pod", rec.PodNamespace+"/"+rec.PodName, "address", rec.Address.String(), "portDeleted", !port, "interfaceDeleted", ns != nil)
	}
	return err
}

// unplugged opens the namespace of a pod if no end of its pair is left.
func (r *Restorer) unplugged(ctx context.Context, rec ipam.Record) (*os.File, error) {
	for _, path := range []string{rec.HostNS, rec.PodNetns} {
		ends, err := netns.Ends(ctx, path, rec.HostAlias)
		if errors.Is(err, netns.ErrNoNamespace) && path == rec.HostNS {
			continue // with all that was in it
		}
		if err != nil {
			return nil, fmt.Errorf("attachment %s: %w", rec.Attachment, err)
		}
		if len(ends) > 0 {
			return nil, nil
		}
	}
	ns, err := os.Open(rec.PodNetns)
	if err != nil {
		return nil, fmt.Errorf("attachment %s: open the pod's namespace: %w", rec.Attachment, err)
	}
	if _, inode, err := netns.Inode(ns); err != nil || inode != rec.PodInode {
		_ = ns.Close()
		return nil, err
	}
	return ns, nil
}
