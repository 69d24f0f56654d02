package dataplane

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// passes runs a filter in the kernel, on a socket pair.
func passes(t *testing.T, program []unix.SockFilter, kind uint16, data []byte) bool {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	require.NoError(t, sift(fds[1], program))
	msg := append(make([]byte, unix.SizeofNlMsghdr, 32), data...)
	binary.NativeEndian.PutUint16(msg[4:], kind)
	_, err = unix.Write(fds[0], msg)
	require.NoError(t, err)
	_, _, err = unix.Recvfrom(fds[1], msg, unix.MSG_DONTWAIT) // it was delivered, or thrown away, at once
	if err != nil {
		require.ErrorIs(t, err, unix.EAGAIN)
	}
	return err == nil
}

// TestSievesLetPassExactlyWhatIsUnderstood compares filters and parsers over
// all types of their protocols.
func TestSievesLetPassExactlyWhatIsUnderstood(t *testing.T) {
	for kind := uint16(unix.RTM_NEWLINK); kind < unix.RTM_NEWLINK+24; kind++ {
		for _, family := range []byte{unix.AF_UNSPEC, unix.AF_INET, unix.AF_BRIDGE} {
			for _, state := range []uint16{0, unix.NUD_REACHABLE, unix.NUD_NOARP, unix.NUD_PERMANENT} {
				data := make([]byte, 16)
				data[0] = family
				binary.NativeEndian.PutUint16(data[8:], state)
				_, understood := routeEvent(kind, data)
				require.Equal(t, understood, passes(t, routeSieve(), kind, data), "type %d, family %d, state %d", kind, family, state)
			}
		}
	}
	for kind := uint16(0); kind < 32; kind++ {
		kind |= unix.NFNL_SUBSYS_NFTABLES << 8
		_, understood := filterEvent(kind, nil)
		require.Equal(t, understood, passes(t, filterSieve(), kind, make([]byte, 16)), "type %#x", kind)
	}
}
