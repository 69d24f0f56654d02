package holdings

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn/effect"
)

const (
	every = 8 * time.Second // twice, before something is given back
	// young is how long a holding is left alone: its ADD may be under way.
	young = 10 * time.Second
)

// Reservations ends the reservations whose time is over, of all nodes.
type Reservations interface {
	EndReservations(ctx context.Context) (int, error)
}

// Sweeper looks after the holdings of one node, and after reservations.
type Sweeper struct {
	Store        ipam.PoolStore
	Reservations Reservations
	Node         string
	Pods         Pods
	// Cluster is asked before anything is given back; nil: there is none.
	Cluster Cluster
	Log     *slog.Logger
	Now     func() time.Time // nil: time.Now

	gone map[ipam.Attachment]int64 // seen to be gone the last time, and their revisions
}

// Run sweeps until ctx ends.
func (s *Sweeper) Run(ctx context.Context) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.Log.Warn("look for addresses whose pods are gone", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Sweep gives back what two sweeps in a row found to be of no living pod, and ends
// reservations whose time is over.
func (s *Sweeper) Sweep(ctx context.Context) error {
	return errors.Join(s.giveBack(ctx), s.end(ctx))
}

func (s *Sweeper) end(ctx context.Context) error {
	n, err := s.Reservations.EndReservations(ctx)
	if n > 0 {
		s.Log.Info("addresses are not kept any longer; their time is over", "addresses", n)
	}
	return err
}

func (s *Sweeper) giveBack(ctx context.Context) error {
	held, err := s.Store.Holdings(ctx, s.Node, "")
	if err != nil {
		return err
	}
	before := s.gone
	s.gone = make(map[ipam.Attachment]int64)
	var twice []ipam.Holding
	for _, h := range held {
		if s.now().Sub(h.At) < young || !s.Pods.Gone(h.PodNetns, h.PodInode, h.BootID) {
			continue
		}
		if before[h.Attachment] == h.Revision {
			twice = append(twice, h)
		}
		s.gone[h.Attachment] = h.Revision
	}
	if len(twice) == 0 {
		return nil
	}
	listed, err := Listed(ctx, s.Cluster)
	if err != nil {
		return err
	}
	var errs []error
	for _, h := range twice {
		if listed[h.PodUID] && s.perhaps(h, held) {
			continue
		}
		s.Log.Info("the pod of a holding is gone; its addresses are given back", "attachment", h.Attachment.String(), "pool", h.Pool)
		errs = append(errs, effect.Undo("give back the addresses of a pod that is gone", func() error { return s.Store.GiveBack(ctx, h) }))
	}
	return errors.Join(errs...)
}

// perhaps says whether a pod that the cluster has may live though its namespace is not
// at its path, which is all that is known of a holding: it was made in this boot, and
// no later sandbox of the pod has one. What hides the folder of namespaces, such as a
// mount over it, must not free the addresses of pods that live.
func (s *Sweeper) perhaps(h ipam.Holding, all []ipam.Holding) bool {
	return h.BootID == s.Pods.BootID && !slices.ContainsFunc(all, func(other ipam.Holding) bool {
		return other.PodUID == h.PodUID && other.ContainerID != h.ContainerID && other.At.After(h.At)
	})
}

func (s *Sweeper) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}
