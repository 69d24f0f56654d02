package dataplane_test

import (
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	mdl "github.com/mdlayher/netlink"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// monitor records every notification of links, addresses, routes and nftables
// in some namespaces.
type monitor struct {
	mu    sync.Mutex
	heard []string
	conns []*mdl.Conn
	done  sync.WaitGroup
}

// carried waits until the kernel has announced the carrier of all interfaces that
// are up, which it does late.
func carried(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		n, err := ns.GetNS(netnsDir + "/" + name)
		require.NoError(t, err)
		eventually(t, func() (all bool) {
			require.NoError(t, n.Do(func(ns.NetNS) error {
				links, err := netlink.LinkList()
				all = !slices.ContainsFunc(links, func(l netlink.Link) bool {
					return l.Attrs().Flags&net.FlagUp != 0 && l.Attrs().OperState != netlink.OperUp
				})
				return err
			}))
			return all
		})
		n.Close()
	}
}

func watch(t *testing.T, names ...string) *monitor {
	t.Helper()
	m := &monitor{}
	for _, name := range names {
		n, err := ns.GetNS(netnsDir + "/" + name)
		require.NoError(t, err)
		groups := map[int][]uint32{
			unix.NETLINK_ROUTE:     {unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV4_ROUTE},
			unix.NETLINK_NETFILTER: {unix.NFNLGRP_NFTABLES},
		}
		for protocol, list := range groups {
			c, err := mdl.Dial(protocol, &mdl.Config{NetNS: int(n.Fd())})
			require.NoError(t, err)
			for _, g := range list {
				require.NoError(t, c.JoinGroup(g))
			}
			m.conns = append(m.conns, c)
			m.done.Go(func() { m.listen(name, c) })
		}
		n.Close()
	}
	return m
}

func (m *monitor) listen(name string, c *mdl.Conn) {
	for {
		msgs, err := c.Receive()
		if err != nil {
			return
		}
		m.mu.Lock()
		for _, msg := range msgs {
			m.heard = append(m.heard, name+": "+msg.Header.Type.String())
		}
		m.mu.Unlock()
	}
}

// stop returns what was heard. The kernel delivers before it answers a writer,
// so that what was written before is in the sockets already.
func (m *monitor) stop(t *testing.T) []string {
	t.Helper()
	for _, c := range m.conns {
		require.NoError(t, c.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	}
	m.done.Wait()
	for _, c := range m.conns {
		require.NoError(t, c.Close())
	}
	return m.heard
}
