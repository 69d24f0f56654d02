package agent

import (
	"context"
	"errors"
	"time"

	"github.com/moatnet/moat/cmd/moat/internal/holdings"
	"github.com/moatnet/moat/ipam"
)

// sweepEvery is how often records of networks are looked through. What two looks
// in a row find to be of no living pod is undone.
const sweepEvery = 12 * time.Second

// SweepNetworks undoes, until ctx ends, the networks of pods that are gone without
// a DEL, and those of an ADD that came to no end and that nobody undid: its plugin
// and this daemon may both have been killed.
func (a *Agent) SweepNetworks(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	var gone map[ipam.Attachment]time.Time
	for {
		var err error
		if gone, err = a.sweepNetworks(ctx, gone); err != nil && ctx.Err() == nil {
			a.log.Warn("look for networks whose pods are gone", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// sweepNetworks looks once. before is what the last look found to be gone; each
// is told from a later ADD of its name by its time.
func (a *Agent) sweepNetworks(ctx context.Context, before map[ipam.Attachment]time.Time) (gone map[ipam.Attachment]time.Time, err error) {
	all, err := a.networks.list()
	errs := []error{err}
	gone = map[ipam.Attachment]time.Time{}
	var twice []networkRecord
	for _, rec := range all {
		if rec.Attachment.Node != a.node || !a.abandoned(rec) {
			continue
		}
		if at, again := before[rec.Attachment]; again && at.Equal(rec.At) {
			twice = append(twice, rec)
		}
		gone[rec.Attachment] = rec.At
	}
	if len(twice) == 0 {
		return gone, err
	}
	if _, err := holdings.Listed(ctx, a.cluster); err != nil {
		return gone, errors.Join(append(errs, err)...)
	}
	for _, rec := range twice {
		a.log.Info("networks of a pod that is gone are undone", "attachment", rec.Attachment.String(), "complete", rec.Done)
		limit, cancel := context.WithTimeout(ctx, a.timeout)
		errs = append(errs, a.undoRecorded(limit, rec, a.runHere))
		cancel()
	}
	return gone, errors.Join(errs...)
}

// abandoned says whether nobody needs what is recorded: the pod is gone, or its
// ADD cannot be under way any more.
func (a *Agent) abandoned(rec networkRecord) bool {
	if !rec.Done {
		return time.Since(rec.At) > 2*a.timeout
	}
	return holdings.Pods{BootID: a.boot}.Gone(rec.Env.Netns, rec.PodInode, rec.BootID)
}
