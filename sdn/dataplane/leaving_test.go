package dataplane_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/moatnet/moat/sdn"
)

// leaveDelay is the time that an agent is given to take an interface away.
const leaveDelay = 100 * time.Millisecond

func (l *lab) index(n network, p sdn.PortID) int { return l.indexes(n)[sdn.InterfaceName(p)] }

func TestInterfaceOfAPortDeletedByTheAPIAloneGoesWithinASecond(t *testing.T) {
	l := newLab(t)
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	p := l.pod(e, red, "10.1.0.2/24")
	l.settled(e)
	begin := time.Now()
	require.NoError(t, l.topo.DeletePort(t.Context(), p.port))
	require.Eventually(t, func() bool { return l.index(red, p.port) == 0 }, time.Second, 5*time.Millisecond)
	require.GreaterOrEqual(t, time.Since(begin), leaveDelay, "an agent would have had time")
	l.settled(e)
}

func TestAgentThatRemovesItsInterfaceItselfIsNotDisturbed(t *testing.T) {
	l := newLab(t)
	m := l.metered()
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	p := l.pod(e, red, "10.1.0.2/24")
	l.settled(e)
	m.taken()
	require.NoError(t, l.topo.DeletePort(t.Context(), p.port))
	l.within(red, func() error {
		link, err := netlink.LinkByName(sdn.InterfaceName(p.port))
		if err != nil {
			return err
		}
		return netlink.LinkDel(link)
	})
	written := 0
	require.Never(t, func() bool {
		written += m.taken()["Write"]
		return written > 0
	}, 3*leaveDelay, 10*time.Millisecond)
	require.Zero(t, l.index(red, p.port))
}

func TestPortThatIsMadeAgainInTimeKeepsItsInterface(t *testing.T) {
	l := newLab(t)
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	p := l.pod(e, red, "10.1.0.2/24")
	l.settled(e)
	before := l.index(red, p.port)
	require.NotZero(t, before)
	require.NoError(t, l.topo.DeletePort(t.Context(), p.port))
	l.bind(red, p.port, sdn.InterfaceName(p.port))
	require.NoError(t, e.WaitActive(l.soon(), p.port))
	require.Never(t, func() bool { return l.index(red, p.port) != before }, 3*leaveDelay, 10*time.Millisecond)
	reaches(t, p.ns, red.gateway.Addr())
	got, err := l.topo.Port(t.Context(), p.port)
	require.NoError(t, err)
	require.True(t, got.Active)
	l.settled(e)
}
