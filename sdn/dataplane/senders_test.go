package dataplane_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/sdntest/forgery"
)

// secure makes a pod's interface the only sender of its port.
func (l *lab) secure(p pod, senders ...sdn.Sender) {
	l.t.Helper()
	port, err := l.topo.Port(l.t.Context(), p.port)
	require.NoError(l.t, err)
	port.Senders = senders
	require.NoError(l.t, l.topo.UpdatePort(l.t.Context(), port))
}

func (p pod) sender(t *testing.T) sdn.Sender {
	return sdn.Sender{MAC: p.station(t).MAC.String(), Addrs: []netip.Addr{p.address.Addr()}}
}

func (p pod) station(t *testing.T) forgery.Station {
	t.Helper()
	s := forgery.Station{Addr: p.address.Addr()}
	require.NoError(t, p.ns.Do(func(ns.NetNS) error {
		eth, err := net.InterfaceByName("eth0")
		if err == nil {
			s.MAC = eth.HardwareAddr
		}
		return err
	}))
	return s
}

// routerOf is the station that a network's router is on its bridge.
func (l *lab) routerOf(n network) forgery.Station {
	l.t.Helper()
	p, err := l.topo.Port(l.t.Context(), n.port)
	require.NoError(l.t, err)
	mac, err := net.ParseMAC(p.MAC)
	require.NoError(l.t, err)
	return forgery.Station{MAC: mac, Addr: n.gateway.Addr()}
}

// through says which of the frames, sent by one pod, another hears. The last
// frame is let in whatever the others are, and behind it nothing is on its way:
// all are sent by one processor.
func through(t *testing.T, from, to wire, frames []forgery.Frame, last forgery.Frame) []string {
	t.Helper()
	mark := func(i int) string { return fmt.Sprintf("<%p:%d>", t, i) }
	sent := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		var may, one unix.CPUSet
		err := unix.SchedGetaffinity(0, &may)
		for cpu := 0; err == nil && one.Count() == 0; cpu++ { // the first that this process may use
			if may.IsSet(cpu) {
				one.Set(cpu)
			}
		}
		if err := errors.Join(err, unix.SchedSetaffinity(0, &one)); err != nil {
			sent <- err
			return
		}
		for i, f := range append(frames[:len(frames):len(frames)], last) {
			if err := unix.Sendto(from.fd, f.Marked(mark(i)), 0, &unix.SockaddrLinklayer{Ifindex: from.index}); err != nil {
				sent <- fmt.Errorf("%s: %w", f.Name, err)
				return
			}
		}
		sent <- nil
	}()
	require.NoError(t, <-sent)
	var heard []string
	require.True(t, to.sees(5*time.Second, func(frame []byte) bool {
		for i, f := range frames {
			if bytes.Contains(frame, []byte(mark(i))) {
				heard = append(heard, f.Name)
			}
		}
		return bytes.Contains(frame, []byte(mark(len(frames))))
	}), "the last frame was not heard")
	return heard
}

func names(frames []forgery.Frame) (out []string) {
	for _, f := range frames {
		out = append(out, f.Name)
	}
	return out
}

func TestAPodForgesNothing(t *testing.T) {
	l := newLab(t)
	e, stop := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	a, b, c := l.pod(e, red, "10.1.0.2/24"), l.pod(e, red, "10.1.0.3/24"), l.pod(e, red, "10.1.0.4/24")
	self, other, router := a.station(t), b.station(t), l.routerOf(red)
	forged, honest := forgery.Forgeries(self, other, router), forgery.Honest(self, other)
	from, to := tap(t, a.ns), tap(t, c.ns)

	require.Equal(t, names(forged), through(t, from, to, forged, honest[0]), "without senders everything passes, and so each frame is one that can be heard")
	for kind, tagged := range forgery.Tagged(forged) {
		require.Equal(t, names(tagged), through(t, from, to, tagged, honest[0]), "without senders, %s", kind)
	}

	l.secure(a, a.sender(t))
	l.settled(e)
	require.Empty(t, through(t, from, to, forged, honest[0]))
	for _, tagged := range forgery.Tagged(append(forged[:len(forged):len(forged)], honest...)) {
		require.Empty(t, through(t, from, to, tagged, honest[0]))
	}
	require.Equal(t, names(honest), through(t, from, to, honest, honest[0]))
	reaches(t, a.ns, red.gateway.Addr())
	reaches(t, a.ns, b.address.Addr())

	stop()
	require.Empty(t, through(t, from, to, forged, honest[0]), "nobody runs")
	e, _ = l.run(l.config)
	l.settled(e)
	require.Empty(t, through(t, from, to, forged, honest[0]), "after a restart")

	l.secure(a)
	l.settled(e)
	require.Equal(t, names(forged), through(t, from, to, forged, honest[0]), "the senders are taken out")
}

// Frames to the group addresses of IEEE 802.1D pass no hook of nftables on their
// way into the bridge's table of MACs.
func TestAPodCannotDrawAnothersFrames(t *testing.T) {
	l := newLab(t)
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	a, b, c := l.pod(e, red, "10.1.0.2/24"), l.pod(e, red, "10.1.0.3/24"), l.pod(e, red, "10.1.0.4/24")
	l.secure(a, a.sender(t))
	l.settled(e)
	from, victim, sender := tap(t, a.ns), tap(t, b.ns), tap(t, c.ns)
	for group := range byte(16) {
		from.send(append(ether(net.HardwareAddr{1, 0x80, 0xc2, 0, 0, group}, victim.mac, ""), make([]byte, 46)...))
		from.send(append(append(net.HardwareAddr{1, 0x80, 0xc2, 0, 0, group}, victim.mac...), append([]byte{0x88, 0xcc}, make([]byte, 46)...)...))
	}
	text := fmt.Sprintf("to the victim %p", t)
	sender.send(ether(victim.mac, sender.mac, text))
	require.True(t, victim.sees(5*time.Second, holds(text)))
}
