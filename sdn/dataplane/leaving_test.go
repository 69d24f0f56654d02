package dataplane_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/moatnet/moat/sdn"
)

// leaveDelay is the time that an agent is given to take an interface away.
const leaveDelay = 100 * time.Millisecond

func (l *lab) index(n network, p sdn.PortID) int { return l.indexes(n)[sdn.InterfaceName(p)] }

// inTime repeats with other pods what an agent does, until it was done within the time
// that an agent is given: a busy machine does not always let it.
func (l *lab) inTime(does func(address string) (took time.Duration)) {
	l.t.Helper()
	for i := range 50 {
		took := does(fmt.Sprintf("10.1.0.%d/24", 2+i))
		if took < leaveDelay {
			return
		}
		l.t.Logf("try %d took %s", i, took)
	}
	l.t.Fatal("it is never done in time")
}

// never holds all the time.
func never(t *testing.T, f func() bool, during time.Duration) {
	t.Helper()
	for end := time.Now().Add(during); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		require.False(t, f())
	}
}

func TestInterfaceOfAPortDeletedByTheAPIAloneGoesSoon(t *testing.T) {
	l := newLab(t)
	l.config.Interval = time.Hour // no full pass takes it away
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	p := l.pod(e, red, "10.1.0.2/24")
	l.settled(e)
	begin := time.Now()
	require.NoError(t, l.topo.DeletePort(t.Context(), p.port))
	require.Eventually(t, func() bool { return l.index(red, p.port) == 0 }, 30*time.Second, 5*time.Millisecond)
	require.GreaterOrEqual(t, time.Since(begin), leaveDelay, "an agent would have had time")
	l.settled(e)
}

func TestAgentThatRemovesItsInterfaceItselfIsNotDisturbed(t *testing.T) {
	l := newLab(t)
	m := l.metered()
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	var p pod
	l.inTime(func(address string) time.Duration {
		p = l.pod(e, red, address)
		l.settled(e)
		m.taken()
		begin := time.Now()
		require.NoError(t, l.topo.DeletePort(t.Context(), p.port))
		l.within(red, func() error {
			link, err := netlink.LinkByName(sdn.InterfaceName(p.port))
			if err == nil {
				err = netlink.LinkDel(link)
			}
			if time.Since(begin) >= leaveDelay {
				return nil // the engine may have been faster
			}
			return err
		})
		return time.Since(begin)
	})
	written := 0
	never(t, func() bool {
		written += m.taken()["Write"]
		return written > 0
	}, 3*leaveDelay)
	require.Zero(t, l.index(red, p.port))
}

func TestPortThatIsMadeAgainInTimeKeepsItsInterface(t *testing.T) {
	l := newLab(t)
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	var p pod
	before := 0
	l.inTime(func(address string) time.Duration {
		p = l.pod(e, red, address)
		l.settled(e)
		before = l.index(red, p.port)
		require.NotZero(t, before)
		begin := time.Now()
		require.NoError(t, l.topo.DeletePort(t.Context(), p.port))
		l.bind(red, p.port, sdn.InterfaceName(p.port))
		return time.Since(begin)
	})
	require.NoError(t, e.WaitActive(l.soon(), p.port))
	never(t, func() bool { return l.index(red, p.port) != before }, 3*leaveDelay)
	reaches(t, p.ns, red.gateway.Addr())
	got, err := l.topo.Port(t.Context(), p.port)
	require.NoError(t, err)
	require.True(t, got.Active)
	l.settled(e)
}
