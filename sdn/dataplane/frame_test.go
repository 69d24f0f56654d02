package dataplane_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// wire is a raw socket at a pod's interface.
type wire struct {
	t     *testing.T
	fd    int
	index int
	mac   net.HardwareAddr
}

func tap(t *testing.T, in ns.NetNS) wire {
	t.Helper()
	w := wire{t: t}
	require.NoError(t, in.Do(func(ns.NetNS) error {
		eth, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		w.index, w.mac = eth.Index, eth.HardwareAddr
		all := int(binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_ALL)))
		if w.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all); err != nil {
			return err
		}
		return unix.Bind(w.fd, &unix.SockaddrLinklayer{Protocol: uint16(all), Ifindex: eth.Index})
	}))
	t.Cleanup(func() { unix.Close(w.fd) })
	return w
}

func (w wire) send(frame []byte) {
	w.t.Helper()
	require.NoError(w.t, unix.Sendto(w.fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: w.index}))
}

// sees says whether a frame comes in that suits, in time: all that came by then is
// looked at, also when this process was not let run meanwhile.
func (w wire) sees(wait time.Duration, suits func(frame []byte) bool) bool {
	w.t.Helper()
	deadline := time.Now().Add(wait)
	buf := make([]byte, 2048)
	for {
		left, flags := time.Until(deadline), 0
		if left < time.Microsecond { // shorter than the kernel counts, and 0 is for ever
			left, flags = time.Microsecond, unix.MSG_DONTWAIT
		}
		tv := unix.NsecToTimeval(left.Nanoseconds())
		require.NoError(w.t, unix.SetsockoptTimeval(w.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv))
		n, from, err := unix.Recvfrom(w.fd, buf, flags)
		if err == unix.EAGAIN && flags != 0 {
			return false
		}
		if at, ok := from.(*unix.SockaddrLinklayer); err != nil || ok && at.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		if suits(buf[:n]) {
			return true
		}
	}
}

const testProtocol = 0x88b5 // for experiments, IEEE 802

// ether is a frame of the experimental protocol.
func ether(dst, src net.HardwareAddr, text string) []byte {
	out := append(bytes.Clone(dst), src...)
	return append(binary.BigEndian.AppendUint16(out, testProtocol), text...)
}

func holds(text string) func([]byte) bool {
	return func(frame []byte) bool {
		return len(frame) > 14 && binary.BigEndian.Uint16(frame[12:]) == testProtocol && string(frame[14:14+len(text)]) == text
	}
}

// arp is a message of ARP for Ethernet and IPv4.
type arp struct {
	operation          uint16
	fromMAC, toMAC     net.HardwareAddr
	fromAddr, toAddr   netip.Addr
	frameDst, frameSrc net.HardwareAddr
}

const (
	arpRequest = 1
	arpReply   = 2
)

var everyone = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

func (w wire) ask(from, about netip.Addr) {
	w.t.Helper()
	out := append(bytes.Clone(everyone), w.mac...)
	out = append(out, 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, arpRequest)
	out = append(append(out, w.mac...), from.AsSlice()...)
	out = append(append(out, make([]byte, 6)...), about.AsSlice()...)
	w.send(out)
}

func parseARP(frame []byte) (arp, bool) {
	if len(frame) < 42 || frame[12] != 0x08 || frame[13] != 0x06 {
		return arp{}, false
	}
	addr := func(at int) netip.Addr { return netip.AddrFrom4([4]byte(frame[at : at+4])) }
	mac := func(at int) net.HardwareAddr { return bytes.Clone(frame[at : at+6]) }
	return arp{
		operation: binary.BigEndian.Uint16(frame[20:]), frameDst: mac(0), frameSrc: mac(6),
		fromMAC: mac(22), fromAddr: addr(28), toMAC: mac(32), toAddr: addr(38),
	}, true
}

// asked suits a request for an address.
func asked(about netip.Addr) func([]byte) bool {
	return func(frame []byte) bool {
		m, ok := parseARP(frame)
		return ok && m.operation == arpRequest && m.toAddr == about
	}
}

// answered suits a reply about an address, with that MAC.
func answered(addr netip.Addr, mac string) func([]byte) bool {
	return func(frame []byte) bool {
		m, ok := parseARP(frame)
		return ok && m.operation == arpReply && m.fromAddr == addr && m.fromMAC.String() == mac
	}
}
