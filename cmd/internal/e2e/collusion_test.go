package e2e

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// Both sides want to talk: each sends the flow that would be the answer to the
// other's. Connection tracking must not take the one for the other.
func TestTenantsThatColludeStayApart(t *testing.T) {
	n := newNode(t)
	red, blue := n.pod("red", "one"), n.pod("blue", "one")
	a := n.bound(red.Namespace, netip.AddrPortFrom(red.Address, 7001), netip.AddrPortFrom(blue.Address, 7002))
	b := n.bound(blue.Namespace, netip.AddrPortFrom(blue.Address, 7002), netip.AddrPortFrom(red.Address, 7001))
	require.False(t, hear(t, a, b, 20), "blue heard red")
	require.False(t, hear(t, b, a, 20), "red heard blue")

	n.letOut("red", towards(red.Address, blue.Address))
	n.letIn("blue", towards(red.Address, blue.Address))
	require.True(t, hear(t, a, b, 100), "with rules on both sides the same datagrams pass")
	require.True(t, hear(t, b, a, 100), "and so do the answers")
}

// A transit address is no way around.
func TestTransitAddressesAreNoWayIntoAnotherTenant(t *testing.T) {
	n := newNode(t)
	red, blue := n.pod("red", "one"), n.pod("blue", "one")
	outside := n.bound(blue.Namespace, netip.AddrPortFrom(blue.Address, 7002), netip.AddrPortFrom(outsideAddr.Addr(), udpPort))
	require.True(t, hear(t, outside, outside, 100), "blue has a flow to the outside, whose source is its transit address")
	transit := n.show("blue").Transit
	forged := n.bound(red.Namespace, netip.AddrPortFrom(red.Address, 7003), netip.AddrPortFrom(transit, 7002))
	require.False(t, hear(t, forged, outside, 20))
	n.reachesNot(red.Namespace, transit)
}

// bound is a connected socket with both addresses given.
func (n *node) bound(in *lab.Namespace, local, remote netip.AddrPort) *net.UDPConn {
	n.t.Helper()
	var c *net.UDPConn
	require.NoError(n.t, in.Do(func() (err error) {
		c, err = net.DialUDP("udp4", net.UDPAddrFromAddrPort(local), net.UDPAddrFromAddrPort(remote))
		return err
	}))
	n.t.Cleanup(func() { require.NoError(n.t, c.Close()) })
	return c
}

// hear says whether what one socket sends, up to so many times, makes the other
// receive something.
func hear(t *testing.T, from, to *net.UDPConn, times int) bool {
	t.Helper()
	buf := make([]byte, 16)
	for range times {
		if _, err := from.Write([]byte("psst")); err != nil {
			var refused *net.OpError
			require.True(t, errors.As(err, &refused), err)
		}
		require.NoError(t, to.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
		_, err := to.Read(buf)
		if err == nil {
			return true
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			require.ErrorContains(t, err, "refused")
		}
	}
	return false
}
