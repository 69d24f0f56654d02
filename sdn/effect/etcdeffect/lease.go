package etcdeffect

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/sdn/effect"
)

// lease is a client's leases. What keeps one alive changes nothing.
type lease struct{ clientv3.Lease }

func (l lease) Grant(ctx context.Context, ttl int64) (res *clientv3.LeaseGrantResponse, err error) {
	err = effect.Do(effect.Etcd, "begin a lease of etcd", func() (err error) {
		res, err = l.Lease.Grant(ctx, ttl)
		return err
	})
	return res, err
}

func (l lease) Revoke(ctx context.Context, id clientv3.LeaseID) (res *clientv3.LeaseRevokeResponse, err error) {
	err = effect.Do(effect.Etcd, "end a lease of etcd", func() (err error) {
		res, err = l.Lease.Revoke(ctx, id)
		return err
	})
	return res, err
}
