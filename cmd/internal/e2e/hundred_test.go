package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// monitors record every notification of links, addresses, routes and nftables
// in some namespaces.
type monitors struct {
	mu    sync.Mutex
	heard []string
	conns []*netlink.Conn
	done  sync.WaitGroup
}

// monitor subscribes in the namespace of the calling thread.
func (m *monitors) monitor(where string) error {
	groups := map[int][]uint32{
		unix.NETLINK_ROUTE:     {unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV4_ROUTE},
		unix.NETLINK_NETFILTER: {unix.NFNLGRP_NFTABLES},
	}
	for protocol, list := range groups {
		c, err := netlink.Dial(protocol, nil)
		if err != nil {
			return err
		}
		m.conns = append(m.conns, c)
		for _, g := range list {
			if err := c.JoinGroup(g); err != nil {
				return err
			}
		}
		m.done.Go(func() { m.listen(where, c) })
	}
	return nil
}

func (m *monitors) listen(where string, c *netlink.Conn) {
	for {
		msgs, err := c.Receive()
		m.mu.Lock()
		for _, msg := range msgs {
			m.heard = append(m.heard, fmt.Sprintf("%s: type %d: %q", where, msg.Header.Type, msg.Data))
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			m.heard = append(m.heard, where+": "+err.Error())
		}
		m.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// stop listens for a while yet and returns what was heard. The kernel delivers
// before it answers a writer, so that what was written before is in the sockets
// already.
func (m *monitors) stop(t *testing.T, yet time.Duration) []string {
	t.Helper()
	for _, c := range m.conns {
		require.NoError(t, c.SetReadDeadline(time.Now().Add(yet)))
	}
	m.done.Wait()
	for _, c := range m.conns {
		require.NoError(t, c.Close())
	}
	return m.heard
}

// watch subscribes on the host and in every namespace of the daemon.
func (n *node) watch() *monitors {
	n.t.Helper()
	m := &monitors{}
	require.NoError(n.t, n.host.Do(func() error { return m.monitor("host") }))
	homes, err := os.ReadDir(n.daemon.NetnsDir())
	require.NoError(n.t, err)
	for _, h := range homes {
		require.NoError(n.t, lab.In(filepath.Join(n.daemon.NetnsDir(), h.Name()), func() error { return m.monitor(h.Name()) }))
	}
	return m
}

func TestSecondStartWithAHundredTenantsWritesNothing(t *testing.T) {
	const tenants, podded, atOnce = 100, 5, 2 // more at once than a slow machine does within a call's 10 s is refused
	n := newNode(t)
	begin := time.Now()
	g := errgroup.Group{}
	g.SetLimit(atOnce)
	for i := range tenants {
		g.Go(func() error {
			out, err := n.daemon.CLI(t.Context(), "tenant", "create", fmt.Sprintf("tenant-%d", i))
			if err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			return nil
		})
	}
	require.NoError(t, g.Wait())
	t.Logf("%d tenants made in %s", tenants, time.Since(begin).Round(time.Millisecond))
	var pods []*lab.Pod
	for i := range podded {
		pods = append(pods, n.pod(fmt.Sprintf("tenant-%d", i), "pod"))
	}
	homes := func() int {
		entries, err := os.ReadDir(n.daemon.NetnsDir())
		require.NoError(t, err)
		return len(entries)
	}
	require.Eventually(t, func() bool { return homes() == tenants+1 }, 5*time.Minute, 50*time.Millisecond)
	require.Eventually(t, func() bool { return len(n.watch().stop(t, time.Second)) == 0 }, 5*time.Minute, 50*time.Millisecond, "the first daemon comes to rest")

	require.NoError(t, n.daemon.Kill())
	m := n.watch()
	begin = time.Now()
	require.NoError(t, n.daemon.Start(t.Context()))
	t.Logf("second start with %d tenants took %s", tenants, time.Since(begin).Round(time.Millisecond))
	require.Empty(t, m.stop(t, 50*time.Millisecond), "what a second daemon wrote")
	require.Equal(t, tenants+1, homes())
	for _, p := range pods {
		n.reaches(p.Namespace, p.Gateway)
	}

	control := n.watch()
	n.cli("tenant", "create", "one-more")
	require.NotEmpty(t, control.stop(t, 10*time.Second), "monitors hear what is written")
}
