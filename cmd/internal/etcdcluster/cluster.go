package etcdcluster

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// Program is the package of the program that a member is, below cmd.
const Program = "internal/etcdcluster/member"

// Options of a cluster.
type Options struct {
	Bin string // folder of the program
	// QuotaBytes bounds each member's database; 0 is etcd's own bound.
	QuotaBytes int64
	// Disks has members ask for leave before they sync a file, so that Member.Disk can
	// make them slow. Without it they sync nothing.
	Disks bool
}

// Cluster is an etcd of three members.
type Cluster struct {
	Members []*Member
}

// size is the least that goes on without one of its members.
const size = 3

// Start starts a cluster that ends with the lab, and waits until all of its members
// have the same leader.
func Start(ctx context.Context, l *lab.Lab, o Options) (*Cluster, error) {
	hub, err := l.Namespace("etcd-hub")
	if err != nil {
		return nil, err
	}
	if err := hub.Do(bridge); err != nil {
		return nil, fmt.Errorf("bridge of etcd's members: %w", err)
	}
	c := &Cluster{}
	var all []string
	for i := range size {
		m := &Member{name: fmt.Sprintf("etcd%d", i+1), dir: filepath.Join(l.Dir, fmt.Sprintf("etcd%d", i+1)), hub: hub, options: o}
		m.peer = netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, 0, byte(i + 1)}), 2380)
		if m.host, err = l.Namespace(m.name); err != nil {
			return nil, err
		}
		if err := m.plug(l); err != nil {
			return nil, err
		}
		c.Members = append(c.Members, m)
		all = append(all, fmt.Sprintf("%s=http://%s", m.name, m.peer))
	}
	for _, m := range c.Members {
		m.cluster = strings.Join(all, ",")
		l.Defer(m.Kill)
		if err := m.Start(); err != nil {
			return nil, err
		}
	}
	return c, c.Agree(ctx)
}

const bridgeName = "br0"

func bridge() error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = bridgeName
	if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil {
		return err
	}
	return lab.Up(bridgeName)
}

// Endpoints are where clients find the members.
func (c *Cluster) Endpoints() []string {
	var all []string
	for _, m := range c.Members {
		all = append(all, m.Endpoint())
	}
	return all
}

// Leader is the member that leads, as a majority says.
func (c *Cluster) Leader(ctx context.Context) (*Member, error) {
	votes, byID := map[uint64]int{}, map[uint64]*Member{}
	for _, m := range c.Members {
		res, err := m.status(ctx)
		if err != nil {
			continue
		}
		votes[res.Leader]++
		byID[res.Header.MemberId] = m
	}
	for id, n := range votes {
		if m := byID[id]; m != nil && n > len(c.Members)/2 {
			return m, nil
		}
	}
	return nil, fmt.Errorf("leader of etcd: no majority of its %d members agrees, or it does not answer itself: %v", len(c.Members), votes)
}

// Elected waits until another member leads.
func (c *Cluster) Elected(ctx context.Context, not *Member) error {
	for {
		m, err := c.Leader(ctx)
		if err == nil && m != not {
			return nil
		}
		if pause(ctx) != nil {
			return fmt.Errorf("no other member than %s leads: %w", not.name, errors.Join(err, context.Cause(ctx)))
		}
	}
}

// Lead has a member lead.
func (c *Cluster) Lead(ctx context.Context, m *Member) error {
	leader, err := c.Leader(ctx)
	if err != nil || leader == m {
		return err
	}
	to, err := m.status(ctx)
	if err != nil {
		return err
	}
	return leader.ask(func(client *clientv3.Client) error {
		_, err := client.MoveLeader(ctx, to.Header.MemberId)
		return err
	})
}

// Agree waits until all members have the same leader and everything that is stored.
func (c *Cluster) Agree(ctx context.Context) error {
	for {
		err := c.agree(ctx)
		if err == nil {
			return nil
		}
		if pause(ctx) != nil {
			return fmt.Errorf("etcd's members do not agree: %w", err)
		}
	}
}

func (c *Cluster) agree(ctx context.Context) error {
	var first *clientv3.StatusResponse
	for _, m := range c.Members {
		res, err := m.status(ctx)
		switch {
		case err != nil:
			return err
		case res.Leader == 0:
			return fmt.Errorf("%s has no leader", m.name)
		case first == nil:
			first = res
		case res.Leader != first.Leader || res.Header.Revision != first.Header.Revision:
			return fmt.Errorf("%s has leader %x and revision %d, %s leader %x and revision %d", m.name, res.Leader, res.Header.Revision,
				c.Members[0].name, first.Leader, first.Header.Revision)
		}
	}
	return nil
}

// Alone waits until the member knows of no leader.
func (m *Member) Alone(ctx context.Context) error {
	for {
		res, err := m.status(ctx)
		if err == nil && res.Leader == 0 {
			return nil
		}
		if pause(ctx) != nil {
			return fmt.Errorf("%s still knows a leader: %w", m.name, errors.Join(err, context.Cause(ctx)))
		}
	}
}

func (m *Member) status(ctx context.Context) (res *clientv3.StatusResponse, err error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	err = m.ask(func(c *clientv3.Client) error {
		res, err = c.Status(ctx, m.Endpoint())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", m.name, err)
	}
	return res, nil
}

// ask has a client of this member alone.
func (m *Member) ask(f func(*clientv3.Client) error) error {
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{m.Endpoint()}, Logger: zap.NewNop()})
	if err != nil {
		return err
	}
	defer c.Close()
	return f(c)
}
