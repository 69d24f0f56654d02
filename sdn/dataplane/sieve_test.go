package dataplane

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// passes runs a filter in the kernel, on a socket pair.
func passes(t *testing.T, program []unix.SockFilter, kind uint16, family byte) bool {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	require.NoError(t, sift(fds[1], program))
	msg := make([]byte, 32)
	binary.NativeEndian.PutUint16(msg[4:], kind)
	msg[16] = family
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
	for kind := uint16(unix.RTM_NEWLINK); kind < unix.RTM_NEWLINK+16; kind++ {
		for _, family := range []byte{unix.AF_UNSPEC, unix.AF_INET, unix.AF_BRIDGE} {
			data := make([]byte, 16)
			data[0] = family
			_, understood := routeEvent(kind, data)
			require.Equal(t, understood, passes(t, routeSieve(), kind, family), "type %d, family %d", kind, family)
		}
	}
	for kind := uint16(0); kind < 32; kind++ {
		kind |= unix.NFNL_SUBSYS_NFTABLES << 8
		_, understood := filterEvent(kind, nil)
		require.Equal(t, understood, passes(t, filterSieve(), kind, 0), "type %#x", kind)
	}
}
