package etcdcluster

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// ballast is below which keys Fill stores what nobody needs.
const ballast = "/ballast/"

// Full raises the alarm NOSPACE of a member, as it does itself when its quota is used
// up.
func (m *Member) Full(ctx context.Context) error {
	st, err := m.status(ctx)
	if err != nil {
		return err
	}
	return m.ask(func(c *clientv3.Client) error {
		_, err := etcdserverpb.NewMaintenanceClient(c.ActiveConnection()).Alarm(ctx, &etcdserverpb.AlarmRequest{
			Action: etcdserverpb.AlarmRequest_ACTIVATE, MemberID: st.Header.MemberId, Alarm: etcdserverpb.AlarmType_NOSPACE})
		return err
	})
}

// Fill stores what nobody needs until the members' quota is used up.
func (c *Cluster) Fill(ctx context.Context) error {
	chunk := strings.Repeat("x", 1<<20)
	return c.Members[0].ask(func(client *clientv3.Client) error {
		for n := 0; ; n++ {
			_, err := client.Put(ctx, fmt.Sprint(ballast, n), chunk)
			if errors.Is(err, rpctypes.ErrNoSpace) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("fill etcd: %w", err)
			}
		}
	})
}

// MakeRoom does what an operator of a full etcd does: it deletes what nobody needs,
// compacts, defragments each member, and disarms the alarm.
func (c *Cluster) MakeRoom(ctx context.Context) error {
	err := c.Members[0].ask(func(client *clientv3.Client) error {
		res, err := client.Delete(ctx, ballast, clientv3.WithPrefix())
		if err != nil {
			return err
		}
		_, err = client.Compact(ctx, res.Header.Revision, clientv3.WithCompactPhysical())
		return err
	})
	if err != nil && !errors.Is(err, rpctypes.ErrCompacted) {
		return fmt.Errorf("make room in etcd: %w", err)
	}
	for _, m := range c.Members {
		err := m.ask(func(client *clientv3.Client) error {
			_, err := client.Defragment(ctx, m.Endpoint())
			return err
		})
		if err != nil {
			return fmt.Errorf("defragment %s: %w", m.name, err)
		}
	}
	return c.Members[0].ask(func(client *clientv3.Client) error {
		_, err := client.AlarmDisarm(ctx, &clientv3.AlarmMember{})
		return err
	})
}
