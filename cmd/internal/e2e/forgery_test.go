package e2e

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/moatnet/moat/cmd/internal/lab"
	"github.com/moatnet/moat/sdn/sdntest/forgery"
)

// What a pod of a default installation can send as another, as the router or as a
// server, plain and in VLANs, is heard nowhere beyond its port. The same frames are
// heard when the rule is not there.
func TestNoForgeryLeavesAPodsPort(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		pass bool
	}{{"by default", nil, false}, {"without port security", []string{"--port-security=false"}, true}} {
		t.Run(c.name, func(t *testing.T) {
			n := newNode(t, c.args...)
			forger, victim, listener := n.pod("red", "forger"), n.pod("red", "victim"), n.pod("red", "listener")
			wire, beyond := n.tap(forger), n.tap(listener)
			self, other := station(t, forger), station(t, victim)
			router := forgery.Station{Addr: forger.Gateway, MAC: neighbour(t, n.tap(victim), victim, victim.Gateway)}
			require.NotEmpty(t, router.MAC)
			last := forgery.Honest(self, other)[0]
			forged := forgery.Forgeries(self, other, router)
			batches := forgery.Tagged(forged)
			batches["no tag"] = forged
			for kind, frames := range batches {
				want := []string(nil)
				if c.pass {
					want = names(frames)
				}
				require.Equal(t, want, beyondPort(t, wire, beyond, frames, last), kind)
			}
		})
	}
}

// The gateway's MAC, as others know it, stays the router's whatever a pod answers:
// while they know it, and while they ask for it.
func TestAPodCannotAnswerForTheGateway(t *testing.T) {
	n := newNode(t)
	forger, victim := n.pod("red", "forger"), n.pod("red", "victim")
	n.reaches(victim.Namespace, outsideAddr.Addr())
	truth := known(t, victim, victim.Gateway)
	believes, asks := n.deceives(forger, victim)
	for end := time.Now().Add(believed); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		require.False(t, believes())
	}
	for range 20 {
		require.False(t, asks())
	}
	n.reaches(victim.Namespace, outsideAddr.Addr())
	require.Equal(t, truth, known(t, victim, victim.Gateway))
}

// believed is within what time an answer is believed that nobody asked for: the kernel
// keeps what it has learned for a second (locktime of arp(7)).
const believed = 3 * time.Second

// The same answers are believed, in both ways, where nobody looks at them.
func TestAPodAnswersForTheGatewayWithoutPortSecurity(t *testing.T) {
	n := newNode(t, "--port-security=false")
	forger, victim := n.pod("red", "forger"), n.pod("red", "victim")
	n.reaches(victim.Namespace, victim.Gateway)
	believes, asks := n.deceives(forger, victim)
	require.Eventually(t, believes, 30*time.Second, 20*time.Millisecond)
	require.Eventually(t, asks, 30*time.Second, 20*time.Millisecond)
}

// deceives makes functions that lie to a victim about its gateway, and say whether it
// takes the forger for that: believes of what it knows already, asks of what it has
// forgotten and asks for among the lies.
func (n *node) deceives(forger, victim *lab.Pod) (believes, asks func() bool) {
	n.t.Helper()
	lie := n.lies(forger, victim, mac(n.t, known(n.t, victim, victim.Gateway)))
	liar := net.HardwareAddr(podMAC(n.t, forger)).String()
	believes = func() bool {
		lie()
		return known(n.t, victim, victim.Gateway) == liar
	}
	asks = func() bool {
		require.NoError(n.t, victim.Do(func() error { return forgets(victim.Gateway) }))
		asked := make(chan error, 1)
		go func() { asked <- lab.Ping(victim.Namespace, victim.Gateway, time.Second) }()
		for {
			select {
			case <-asked: // the forger answers no ping
				return known(n.t, victim, victim.Gateway) == liar
			default:
				lie()
			}
		}
	}
	return believes, asks
}

// lies sends what makes one pod the gateway for another, to all and to it alone.
func (n *node) lies(forger, victim *lab.Pod, gateway []byte) func() {
	n.t.Helper()
	wire, to := n.tap(forger), station(n.t, victim)
	var lies [][]byte
	for _, f := range forgery.Forgeries(station(n.t, forger), to, forgery.Station{MAC: gateway, Addr: victim.Gateway}) {
		direct := slices.Clone(f.Bytes)
		copy(direct, to.MAC)
		lies = append(lies, f.Bytes, direct)
	}
	return func() { require.NoError(n.t, wire.SendInOrder(lies)) }
}

// beyondPort says which frames, sent by one wire, are heard by the other.
func beyondPort(t *testing.T, from, to *lab.Wire, frames []forgery.Frame, last forgery.Frame) (heard []string) {
	t.Helper()
	mark := func(i int) string { return fmt.Sprintf("<%p:%d>", frames, i) }
	var all [][]byte
	for i, f := range append(frames[:len(frames):len(frames)], last) {
		all = append(all, f.Marked(mark(i)))
	}
	require.NoError(t, from.SendInOrder(all))
	come, err := to.CollectUntil(func(f []byte) bool { return bytes.Contains(f, []byte(mark(len(frames)))) }, 10*time.Second)
	require.NoError(t, err, "the last frame, an honest one")
	for i, f := range frames {
		if slices.ContainsFunc(come, func(c []byte) bool { return bytes.Contains(c, []byte(mark(i))) }) {
			heard = append(heard, f.Name)
		}
	}
	return heard
}

func names(frames []forgery.Frame) (all []string) {
	for _, f := range frames {
		all = append(all, f.Name)
	}
	return all
}

func station(t *testing.T, p *lab.Pod) forgery.Station {
	t.Helper()
	return forgery.Station{MAC: podMAC(t, p), Addr: p.Address}
}

// known is the MAC that a pod has for a neighbour.
func known(t *testing.T, p *lab.Pod, of netip.Addr) (known string) {
	t.Helper()
	require.NoError(t, p.Do(func() error {
		all, err := netlink.NeighList(0, netlink.FAMILY_V4)
		for _, n := range all {
			if n.IP.Equal(of.AsSlice()) {
				known = n.HardwareAddr.String()
			}
		}
		return err
	}))
	return known
}

// forgets takes a neighbour out of the table of the calling thread's namespace.
func forgets(a netip.Addr) error {
	all, err := netlink.NeighList(0, netlink.FAMILY_V4)
	if err != nil {
		return err
	}
	for _, n := range all {
		if n.IP.Equal(a.AsSlice()) {
			return netlink.NeighDel(&n)
		}
	}
	return nil
}
