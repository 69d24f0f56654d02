package faults

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/embedetcd"
	"github.com/moatnet/moat/sdn/embedetcd/etcdproxy"
)

// What a connection to etcd can do to the operations of a daemon.
func TestEtcdGoesWrong(t *testing.T) {
	etcd := newEtcd(t, embedetcd.Config{})
	p := newProxy(t, etcd.Endpoint())
	s := newSite(t, etcd.Endpoint())
	s.up(p.Endpoint())
	s.matrix(etcdFaults(p), 6)
}

func etcdFaults(p *etcdproxy.Proxy) []fault {
	return []fault{
		{"etcd refused", short, lasts(p.Refuse, func(s *site) { require.NoError(s.t, p.Admit()) }), again, true},
		{"etcd hanging", short, lasts(p.Freeze, func(*site) { p.Thaw() }), again, true},
		{"etcd frozen in mid-call", short, at(p, p.Freeze), again, true},
		{"etcd reset before the effect", passing, at(p, p.Cut), again, true},
		{"etcd reset after the effect", passing, resetAfter(p), again, true},
		{"etcd mute", short, at(p, p.Mute), again, true},
		{"etcd silent on its connections", short, lasts(p.Sever, func(*site) { p.Cut() }), again, true},
		{"etcd slow by 200 ms a write", passing, lasts(func() { p.Delay(200 * time.Millisecond) }, func(*site) { p.Thaw() }), nil, true},
		{"compaction under a watch", passing, compacted(p), again, true},
	}
}

// lasts is a fault that is there from before the call until it has ended.
func lasts(strike func(), lift func(*site)) func(*site, operation, subject) func() bool {
	return func(s *site, _ operation, _ subject) func() bool {
		strike()
		return func() bool { lift(s); return true }
	}
}

// at is a fault that begins at the operation's decisive step.
func at(p *etcdproxy.Proxy, strike func()) func(*site, operation, subject) func() bool {
	return func(_ *site, o operation, x subject) func() bool {
		var met atomic.Bool
		p.At(o.effect(x), func() { met.Store(true); strike() })
		return func() bool { p.Thaw(); return met.Load() }
	}
}

// resetAfter lets the step take effect, holds the answer and cuts the connection.
// An operation that changes nothing waits for no effect.
func resetAfter(p *etcdproxy.Proxy) func(*site, operation, subject) func() bool {
	return func(s *site, o operation, x subject) func() bool {
		var met atomic.Bool
		struck, done, ended := make(chan int64, 1), make(chan struct{}), make(chan struct{})
		p.At(o.effect(x), func() {
			met.Store(true)
			p.Mute()
			struck <- s.revision()
		})
		go func() {
			defer close(ended)
			select {
			case from := <-struck:
				for n := 0; n < 20 && o.name != "CHECK" && s.revision() == from; n++ {
					time.Sleep(10 * time.Millisecond)
				}
				p.Thaw()
				p.Cut()
			case <-done:
				p.Thaw()
			}
		}()
		return func() bool {
			close(done)
			<-ended
			return met.Load()
		}
	}
}

// revision is etcd's; 0: it does not answer.
func (s *site) revision() int64 {
	res, err := s.place.Etcd.Get(s.t.Context(), "/")
	if err != nil {
		return 0
	}
	return res.Header.Revision
}

// compacted has the revision at which a watch would go on be gone when it can.
func compacted(p *etcdproxy.Proxy) func(*site, operation, subject) func() bool {
	return func(s *site, _ operation, _ subject) func() bool {
		p.Refuse()
		for range 3 {
			_, err := s.place.Etcd.Put(s.t.Context(), "other", "x")
			require.NoError(s.t, err)
		}
		res, err := s.place.Etcd.Delete(s.t.Context(), "other")
		require.NoError(s.t, err)
		_, err = s.place.Etcd.Compact(s.t.Context(), res.Header.Revision)
		require.NoError(s.t, err)
		require.NoError(s.t, p.Admit())
		return func() bool { return true }
	}
}
