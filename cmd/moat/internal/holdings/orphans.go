package holdings

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/netns"
	"github.com/moatnet/moat/sdn"
)

// Ports reads ports of the SDN.
type Ports interface {
	Port(ctx context.Context, id sdn.PortID) (sdn.Port, error)
}

// Orphan proves that the pod of an attachment is gone: its namespace is neither at
// its path nor behind its veth pair, as far as this node and the SDN's engine see.
type Orphan struct {
	Pods  Pods
	Ports Ports
}

// Gone says whether it is proven. An error, and an attachment that is being made,
// prove nothing.
func (o Orphan) Gone(ctx context.Context, rec ipam.Record) (bool, error) {
	if rec.State != ipam.Added || !o.Pods.Gone(rec.PodNetns, rec.PodInode, rec.BootID) {
		return false, nil
	}
	ends, err := netns.Ends(ctx, rec.HostNS, rec.HostAlias)
	if err != nil && !errors.Is(err, netns.ErrNoNamespace) || len(ends) > 0 {
		return false, err
	}
	// An SDN may keep the host end where this process does not see it.
	p, err := o.Ports.Port(ctx, sdn.PortID(rec.Port))
	if errors.Is(err, sdn.ErrNotFound) {
		return true, nil
	}
	return err == nil && !p.Active, err
}

// Attachments lists a node's records.
type Attachments interface {
	Attachments(ctx context.Context, node, network string) ([]ipam.Record, error)
}

// Detacher ends an attachment if it still is what was read, and gone says so.
type Detacher interface {
	DetachIf(ctx context.Context, rec ipam.Record, gone func(context.Context, ipam.Record) (bool, error)) (bool, error)
}

// Orphans detaches pods of one node that are gone without a DEL.
type Orphans struct {
	Store  Attachments
	Detach Detacher
	Node   string
	Orphan Orphan
	// Cluster is asked before anything is detached; nil: there is none.
	Cluster Cluster
	Log     *slog.Logger

	gone map[ipam.Attachment]int64 // seen to be gone the last time, and their revisions
}

// Run sweeps until ctx ends.
func (o *Orphans) Run(ctx context.Context) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := o.Sweep(ctx); err != nil && ctx.Err() == nil {
			o.Log.Warn("look for attachments whose pods are gone", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Sweep detaches what two sweeps in a row found to be of no living pod.
func (o *Orphans) Sweep(ctx context.Context) error {
	rs, err := o.Store.Attachments(ctx, o.Node, "")
	if err != nil {
		return err
	}
	before := o.gone
	o.gone = make(map[ipam.Attachment]int64)
	var errs []error
	var twice []ipam.Record
	for _, rec := range rs {
		gone, err := o.Orphan.Gone(ctx, rec)
		if err != nil {
			errs = append(errs, fmt.Errorf("attachment %s: %w", rec.Attachment, err))
		}
		if err != nil || !gone {
			continue
		}
		if before[rec.Attachment] == rec.Revision {
			twice = append(twice, rec)
		}
		o.gone[rec.Attachment] = rec.Revision
	}
	return errors.Join(append(errs, o.detach(ctx, twice))...)
}

func (o *Orphans) detach(ctx context.Context, all []ipam.Record) error {
	if len(all) == 0 {
		return nil
	}
	listed, err := Listed(ctx, o.Cluster)
	if err != nil {
		return err
	}
	var errs []error
	for _, rec := range all {
		done, err := o.Detach.DetachIf(ctx, rec, o.Orphan.Gone)
		if done {
			o.Log.Info("the pod of an attachment is gone; it is detached", "attachment", rec.Attachment.String(),
				"pod", rec.PodNamespace+"/"+rec.PodName, "address", rec.Address.String(), "listed", listed[rec.PodUID])
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
