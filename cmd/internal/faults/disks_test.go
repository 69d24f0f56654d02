package faults

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/etcdcluster"
)

// quota is small, so that it is soon used up.
const quota = 16 << 20

// late is how much longer a slow disk takes for each sync: a call of a member that
// writes waits for it several times.
const late = 80 * time.Millisecond

// What can happen to the disks of an etcd cluster under the operations of a daemon:
// they are slow, which is to say that the kernel lets the members' syncs wait; or what
// may be stored is full.
func TestEtcdDisksGoWrong(t *testing.T) {
	s, e := newEnsemble(t, etcdcluster.Options{Disks: true, QuotaBytes: quota})
	s.matrix(slowFaults(e), 5)
	s.says = []string{"NOSPACE", "compact", "defrag", "disarm", "quota-backend-bytes"}
	s.matrix(fullFaults(e), 3)
	s.keep = nil
	s.owesToFull(e)
}

func slowFaults(e *ensemble) []fault {
	slow := func(m *etcdcluster.Member) error { return m.Disk(late) }
	fast := func(m *etcdcluster.Member) error { return m.Disk(0) }
	all := func(*site) []*etcdcluster.Member { return e.Members }
	return []fault{
		{"disk of a member of etcd slow", passing, e.lasts(e.next, slow, fast), nil, true},
		{"disk of etcd's leader slow", passing, e.lasts(e.first, slow, fast), nil, true},
		{"disks of etcd slow", passing, e.lasts(all, slow, fast), nil, true},
	}
}

func fullFaults(e *ensemble) []fault {
	full := func(m *etcdcluster.Member) error { return bounded(m.Full) }
	disarmed := func(*etcdcluster.Member) error { return bounded(e.MakeRoom) }
	return []fault{
		{"etcd full", passing, e.filled, again, true},
		{"alarm of a full etcd in mid-call", passing, e.at(e.next, full, disarmed), again, true},
	}
}

func bounded(f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), sweep)
	defer cancel()
	return f(ctx)
}

// filled is a quota that is used up from before the call until somebody made room.
func (e *ensemble) filled(s *site, _ operation, _ subject) func() bool {
	require.NoError(s.t, bounded(e.Fill))
	return func() bool {
		e.lift(s, e.Members[:1], func(*etcdcluster.Member) error { return bounded(e.MakeRoom) })
		return true
	}
}

// owesToFull requires that what DEL owes to a full etcd is done when somebody has made
// room, without another call.
func (s *site) owesToFull(e *ensemble) {
	s.t.Helper()
	s.cli("tenant", "create", "red")
	before := s.steady()
	p := s.living()
	require.NoError(s.t, bounded(e.Fill))
	s.refused(p)
	require.NoError(s.t, p.Remove())
	require.NoError(s.t, bounded(e.MakeRoom))
	require.Eventually(s.t, func() bool { return len(s.tombstones()) == 0 }, 2*sweep, 100*time.Millisecond)
	s.comesBackTo(before, 2*sweep, "a DEL in a full etcd")
}
