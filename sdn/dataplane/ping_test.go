package dataplane_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// echo sends one ICMP echo request from a namespace and says whether the answer
// came in time.
func echo(t *testing.T, from ns.NetNS, to netip.Addr, wait time.Duration) bool {
	t.Helper()
	answered := false
	require.NoError(t, from.Do(func(ns.NetNS) error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		id := uint16(time.Now().UnixNano())
		msg := []byte{8, 0, 0, 0, byte(id >> 8), byte(id), 0, 1}
		c := checksum(msg)
		msg[2], msg[3] = byte(c>>8), byte(c)
		if err := unix.Sendto(fd, msg, 0, &unix.SockaddrInet4{Addr: to.As4()}); err != nil {
			return nil // no route, or refused: not answered
		}
		deadline := time.Now().Add(wait)
		buf := make([]byte, 1500)
		for {
			left := time.Until(deadline)
			if left <= 0 {
				return nil
			}
			tv := unix.NsecToTimeval(left.Nanoseconds())
			if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
				return err
			}
			n, _, err := unix.Recvfrom(fd, buf, 0)
			if err != nil {
				continue
			}
			head := int(buf[0]&0xf) * 4
			if n < head+8 {
				continue
			}
			icmp := buf[head:n]
			if icmp[0] == 0 && icmp[4] == byte(id>>8) && icmp[5] == byte(id) && netip.AddrFrom4([4]byte(buf[12:16])) == to {
				answered = true
				return nil
			}
		}
	}))
	return answered
}

func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

func reaches(t *testing.T, from ns.NetNS, to netip.Addr) {
	t.Helper()
	require.True(t, echo(t, from, to, 3*time.Second), "no answer from %s", to)
}

func unreached(t *testing.T, from ns.NetNS, to netip.Addr) {
	t.Helper()
	require.False(t, echo(t, from, to, 300*time.Millisecond), "an answer from %s", to)
}
