package faults

import (
	"context"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/etcdcluster"
	"github.com/moatnet/moat/cmd/internal/lab"
	"github.com/moatnet/moat/sdn/embedetcd/etcdproxy"
)

// ensemble is an etcd of three members, and what the daemon says to each of them.
type ensemble struct {
	*etcdcluster.Cluster
	proxies []*etcdproxy.Proxy
}

// newEnsemble is a host whose daemon knows all members of a cluster.
func newEnsemble(t *testing.T, o etcdcluster.Options) (*site, *ensemble) {
	l, err := lab.New()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	o.Bin = bin
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := etcdcluster.Start(ctx, l, o)
	require.NoError(t, err)
	e := &ensemble{Cluster: c}
	var endpoints []string
	for _, m := range c.Members {
		p := newProxy(t, m.Endpoint())
		e.proxies = append(e.proxies, p)
		endpoints = append(endpoints, p.Endpoint())
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("the log at %s:\n%s", m.Endpoint(), m.Log())
			}
		})
	}
	s := newSite(t, c.Endpoints()...)
	s.up(endpoints...)
	return s, e
}

// What can happen to the members of an etcd cluster under the operations of a daemon.
func TestEtcdClusterGoesWrong(t *testing.T) {
	s, e := newEnsemble(t, etcdcluster.Options{})
	s.matrix(clusterFaults(e), 10)
	s.refusals(fault{"one member of etcd parted, and no other known", short, e.deserted, again, true})
}

// refusals requires that no operation claims a success under a fault: what a member
// says that is alone is of yesterday.
func (s *site) refusals(f fault) {
	s.t.Helper()
	s.keep = s.pod("red")
	s.add(s.keep)
	before := s.look()
	for _, o := range operations() {
		if os.Getenv(wholeVar) == "" && o.name != "CHECK" {
			continue
		}
		c := s.once(f, o, before)
		s.t.Logf("%s / %s: %v in %s", f.name, o.name, c.code(), c.took.Round(time.Millisecond))
		require.NotNil(s.t, c.err, "%s under %s claims a success", o.name, f.name)
	}
	s.deleted(s.keep, form{prev: true})
	s.cli("tenant", "delete", "red")
}

// deserted parts a member from the others, which the daemon does not reach either.
func (e *ensemble) deserted(s *site, _ operation, _ subject) func() bool {
	left := e.next(s)[0]
	require.NoError(s.t, e.alone(left))
	var others []*etcdproxy.Proxy
	for i, m := range e.Members {
		if m != left {
			others = append(others, e.proxies[i])
		}
	}
	for _, p := range others {
		p.Refuse()
	}
	return func() bool {
		for _, p := range others {
			require.NoError(s.t, p.Admit())
		}
		e.lift(s, []*etcdcluster.Member{left}, (*etcdcluster.Member).Join)
		return true
	}
}

func clusterFaults(e *ensemble) []fault {
	kill, start := (*etcdcluster.Member).Kill, (*etcdcluster.Member).Start
	freeze, thaw := (*etcdcluster.Member).Freeze, (*etcdcluster.Member).Thaw
	part, join := (*etcdcluster.Member).Part, (*etcdcluster.Member).Join
	return []fault{
		{"quorum of etcd killed", short, e.lasts(e.two, kill, start), again, true},
		{"quorum of etcd frozen", short, e.lasts(e.two, freeze, thaw), again, true},
		{"quorum of etcd killed in mid-call", short, e.at(e.two, kill, start), again, true},
		{"one member of etcd killed", passing, e.lasts(e.next, kill, start), again, true},
		{"leader of etcd parted in mid-call", passing, e.at(e.first, part, join), again, true},
		{"leader of etcd moved in mid-call", passing, e.at(e.next, e.lead, nothing), again, true},
		{"leader of etcd killed in mid-call", passing, e.at(e.first, kill, start), again, true},
		{"one member of etcd parted", passing, e.lasts(e.next, part, join), again, true},
		{"one member of etcd parted for a while", passing, e.lasts(e.next, e.alone, join), nil, true},
		{"leader of etcd parted for a while", passing, e.lasts(e.first, e.alone, join), nil, true},
	}
}

// alone parts a member and waits until it knows, and the others have a leader.
func (e *ensemble) alone(m *etcdcluster.Member) error {
	if err := m.Part(); err != nil {
		return err
	}
	return bounded(func(ctx context.Context) error {
		if err := m.Alone(ctx); err != nil {
			return err
		}
		return e.Elected(ctx, m)
	})
}

func nothing(*etcdcluster.Member) error { return nil }

// first is the leader, next another member, two are the leader and another one.
func (e *ensemble) first(s *site) []*etcdcluster.Member { return e.from(s)[:1] }
func (e *ensemble) next(s *site) []*etcdcluster.Member  { return e.from(s)[1:2] }
func (e *ensemble) two(s *site) []*etcdcluster.Member   { return e.from(s)[:2] }

// from are the members, the leader first.
func (e *ensemble) from(s *site) []*etcdcluster.Member {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), sweep)
	defer cancel()
	leader, err := e.Leader(ctx)
	require.NoError(s.t, err)
	all := []*etcdcluster.Member{leader}
	for _, m := range e.Members {
		if m != leader {
			all = append(all, m)
		}
	}
	return all
}

func (e *ensemble) lead(m *etcdcluster.Member) error {
	return bounded(func(ctx context.Context) error { return e.Lead(ctx, m) })
}

type (
	choice func(*site) []*etcdcluster.Member
	change func(*etcdcluster.Member) error
)

// lasts is a fault of members that is there from before the call until it has ended.
func (e *ensemble) lasts(of choice, strike, lift change) func(*site, operation, subject) func() bool {
	return func(s *site, _ operation, _ subject) func() bool {
		members := of(s)
		for _, m := range members {
			require.NoError(s.t, strike(m))
		}
		return func() bool { e.lift(s, members, lift); return true }
	}
}

// at is a fault of members that begins at the operation's decisive step, whichever
// member it is said to.
func (e *ensemble) at(of choice, strike, lift change) func(*site, operation, subject) func() bool {
	return func(s *site, o operation, x subject) func() bool {
		members := of(s)
		var met atomic.Bool
		struck := make(chan error, len(members))
		for _, p := range e.proxies {
			p.At(o.effect(x), func() {
				if met.Swap(true) {
					return
				}
				for _, m := range members {
					struck <- strike(m)
				}
			})
		}
		return func() bool {
			for _, p := range e.proxies {
				p.Thaw()
			}
			if met.Load() {
				for range members {
					require.NoError(s.t, <-struck)
				}
				e.lift(s, members, lift)
			}
			return met.Load()
		}
	}
}

// lift ends a fault and waits until the cluster is one again.
func (e *ensemble) lift(s *site, members []*etcdcluster.Member, lift change) {
	s.t.Helper()
	for _, m := range members {
		require.NoError(s.t, lift(m))
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*sweep)
	defer cancel()
	require.NoError(s.t, e.Agree(ctx))
}
