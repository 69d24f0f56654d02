package netns_test

import (
	"net"
	"net/netip"
	"os"
	"testing"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/containernetworking/plugins/pkg/testutils"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/netns"
)

const (
	bridgeName = "br0"
	stamp      = "moat:test:port:00000000-0000-4000-8000-000000000001"
)

// space is a network namespace of the test's own.
type space struct {
	ns.NetNS
	file *os.File
}

func newSpace(t testing.TB) *space {
	t.Helper()
	n, err := testutils.NewNS()
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, n.Close())
		unpin(t, n.Path())
	})
	f, err := os.Open(n.Path())
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return &space{NetNS: n, file: f}
}

// unpin takes a namespace's name away also while somebody has it open.
func unpin(t testing.TB, path string) {
	t.Helper()
	require.NoError(t, unix.Unmount(path, unix.MNT_DETACH))
	require.NoError(t, os.Remove(path))
}

// do runs f inside the namespace.
func (s *space) do(t testing.TB, f func()) {
	t.Helper()
	require.NoError(t, s.Do(func(ns.NetNS) error { f(); return nil }))
}

// newHost is a namespace with a bridge that holds the gateway address.
func newHost(t testing.TB) *space {
	t.Helper()
	s := newSpace(t)
	s.do(t, func() {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = bridgeName
		attrs.HardwareAddr = net.HardwareAddr{2, 0, 0, 0, 0, 1}
		bridge := &netlink.Bridge{LinkAttrs: attrs}
		require.NoError(t, netlink.LinkAdd(bridge))
		require.NoError(t, netlink.LinkSetUp(bridge))
		addr, err := netlink.ParseAddr("10.9.0.1/24")
		require.NoError(t, err)
		require.NoError(t, netlink.AddrAdd(bridge, addr))
	})
	return s
}

// wanted is the pair between host's bridge and a pod, fit to be varied.
func wanted(host, pod *space) netns.Veth {
	return netns.Veth{
		HostNS: host.Path(), Master: bridgeName, HostName: "moat00000000001", HostAlias: stamp,
		PodNS: pod.file, PodName: "eth0", MTU: 1400,
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.9.0.2/24")},
		Gateway:   netip.MustParseAddr("10.9.0.1"),
		Routes:    []netip.Prefix{netip.MustParsePrefix("172.20.0.0/16")},
	}
}

// links are the names of all interfaces but lo.
func (s *space) links(t testing.TB) []string {
	t.Helper()
	names := []string{}
	s.do(t, func() {
		all, err := netlink.LinkList()
		require.NoError(t, err)
		for _, l := range all {
			if l.Attrs().Name != "lo" {
				names = append(names, l.Attrs().Name)
			}
		}
	})
	return names
}

// link is one interface of the namespace.
func (s *space) link(t testing.TB, name string) netlink.Link {
	t.Helper()
	var l netlink.Link
	s.do(t, func() {
		var err error
		l, err = netlink.LinkByName(name)
		require.NoError(t, err)
	})
	return l
}

// foreign puts an interface of someone else's into the namespace.
func (s *space) foreign(t testing.TB, name, alias string) {
	t.Helper()
	s.do(t, func() {
		d := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name}}
		require.NoError(t, netlink.LinkAdd(d))
		require.NoError(t, netlink.LinkSetAlias(d, alias))
	})
}
