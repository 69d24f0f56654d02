package netns_test

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
)

// reply sends one datagram from the pod to the gateway at once and returns how
// long the answer took.
func reply(t testing.TB, host, pod *space) time.Duration {
	t.Helper()
	var server, client net.PacketConn
	listen := func(s *space) (c net.PacketConn) {
		s.do(t, func() {
			var err error
			c, err = net.ListenPacket("udp4", "0.0.0.0:0")
			require.NoError(t, err)
		})
		return c
	}
	server, client = listen(host), listen(pod)
	defer client.Close()
	done := make(chan error, 1)
	go func() {
		buf := make([]byte, 16)
		n, from, err := server.ReadFrom(buf)
		if err == nil {
			_, err = server.WriteTo(buf[:n], from)
		}
		done <- err
	}()
	to := &net.UDPAddr{IP: net.IPv4(10, 9, 0, 1), Port: server.LocalAddr().(*net.UDPAddr).Port}
	start := time.Now()
	require.NoError(t, client.SetDeadline(start.Add(5*time.Second)))
	_, err := client.WriteTo([]byte("first"), to)
	require.NoError(t, err)
	_, _, err = client.ReadFrom(make([]byte, 16))
	took := time.Since(start)
	server.Close()
	<-done
	require.NoError(t, err)
	return took
}

// gateways maps each route's destination to its gateway.
func (s *space) gateways(t testing.TB) map[string]string {
	t.Helper()
	found := map[string]string{}
	s.do(t, func() {
		routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
		require.NoError(t, err)
		for _, r := range routes {
			if r.Gw != nil {
				found[r.Dst.String()] = r.Gw.String()
			}
		}
	})
	return found
}
