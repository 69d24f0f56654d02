package node

import (
	"context"
	"fmt"

	"go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/moatnet/moat/ipam"
)

// reserved is the share of the embedded etcd's quota, in percent, from which on
// no address is leased: giving back has to write too, and must always have room.
const reserved = 90

// spare is how much of the embedded etcd's disk is left for what gives back: etcd
// takes 64 MiB at a time for its log, and ends the daemon when it finds no space.
const spare = 128 << 20

// room returns nil when something new may be stored in the embedded etcd, else
// an error that wraps ipam.ErrFull. An external etcd says it itself, when it is
// asked to store it.
func (s *store) room() error {
	if s.usage == nil {
		return nil
	}
	u := s.usage()
	switch {
	case u.Full:
		return fmt.Errorf("etcd %s: %w: its quota of %d MiB is used up (configuration embedded.quotaBytes)", s.where, ipam.ErrFull, u.Quota>>20)
	case u.InUse*100 >= u.Quota*reserved:
		return fmt.Errorf("etcd %s: %w: %d of %d MiB are in use, and the rest is for what gives back (configuration embedded.quotaBytes)",
			s.where, ipam.ErrFull, u.InUse>>20, u.Quota>>20)
	case u.Free < spare:
		return fmt.Errorf("etcd %s: %w: its disk has %d MiB left, and the last %d are for what gives back: make room on the disk (configuration dataDir)",
			s.where, ipam.ErrFull, u.Free>>20, spare>>20)
	}
	return nil
}

// alarmed is room for any etcd, also one that refused somebody else's writes.
func (s *store) alarmed(ctx context.Context) error {
	if s.usage != nil {
		return s.room()
	}
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	res, err := s.client.AlarmList(ctx)
	if err != nil {
		return fmt.Errorf("ask etcd at %s for alarms: %w: %w", s.where, ipam.ErrUnavailable, err)
	}
	for _, a := range res.Alarms {
		if a.Alarm == etcdserverpb.AlarmType_NOSPACE {
			return fmt.Errorf("etcd at %s: %w: member %x has the alarm NOSPACE", s.where, ipam.ErrFull, a.MemberID)
		}
	}
	return nil
}

// roomyStore leases nothing when only what gives back has room.
type roomyStore struct {
	ipam.Store
	etcd *store
}

// Ping implements ipam.Store: it is an error when nothing could be leased.
func (s roomyStore) Ping(ctx context.Context) error {
	if err := s.Store.Ping(ctx); err != nil {
		return err
	}
	return s.etcd.alarmed(ctx)
}

// Lease implements ipam.Store.
func (s roomyStore) Lease(ctx context.Context, t ipam.Tenant, r ipam.Record, with ...ipam.Rider) (ipam.Record, error) {
	if err := s.etcd.room(); err != nil {
		return ipam.Record{}, fmt.Errorf("lease for attachment %s: %w", r.Attachment, err)
	}
	return s.Store.Lease(ctx, t, r, with...)
}

// ClaimTenant implements ipam.Store. A tenant that is there is returned.
func (s roomyStore) ClaimTenant(ctx context.Context, c ipam.Claim) (ipam.Tenant, error) {
	full := s.etcd.room()
	if full == nil {
		return s.Store.ClaimTenant(ctx, c)
	}
	if t, err := s.Tenant(ctx, c.Tenant); err == nil {
		return t, nil
	}
	return ipam.Tenant{}, fmt.Errorf("set up tenant %s: %w", c.Tenant, full)
}

// AddSubnet implements ipam.Store.
func (s roomyStore) AddSubnet(ctx context.Context, t ipam.Tenant, bridge string) (ipam.Tenant, error) {
	if err := s.etcd.room(); err != nil {
		return ipam.Tenant{}, fmt.Errorf("give tenant %s another subnet: %w", t.Name, err)
	}
	return s.Store.AddSubnet(ctx, t, bridge)
}

// AddOwnSubnet implements ipam.Store.
func (s roomyStore) AddOwnSubnet(ctx context.Context, t ipam.Tenant, own ipam.Subnet) (ipam.Tenant, error) {
	if err := s.etcd.room(); err != nil {
		return ipam.Tenant{}, fmt.Errorf("give tenant %s another subnet: %w", t.Name, err)
	}
	return s.Store.AddOwnSubnet(ctx, t, own)
}

// roomyPools is roomyStore for pools.
type roomyPools struct {
	ipam.PoolStore
	etcd *store
}

// Ping implements ipam.PoolStore: it is an error when nothing could be leased.
func (p roomyPools) Ping(ctx context.Context) error {
	if err := p.PoolStore.Ping(ctx); err != nil {
		return err
	}
	return p.etcd.alarmed(ctx)
}

// Hold implements ipam.PoolStore.
func (p roomyPools) Hold(ctx context.Context, h ipam.Holding, w ipam.Wish) (ipam.Holding, error) {
	if err := p.etcd.room(); err != nil {
		return ipam.Holding{}, fmt.Errorf("lease for attachment %s: %w", h.Attachment, err)
	}
	return p.PoolStore.Hold(ctx, h, w)
}
