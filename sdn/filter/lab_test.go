package filter_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn/nft"
	"github.com/moatnet/moat/sdn/nftnl"
)

// lab is a router's namespace with three ports and a host behind each. The
// hosts have no addresses, so that nothing answers but what a test sends; they
// send and receive raw packets.
type lab struct {
	t      *testing.T
	router netns.NsHandle
	links  *netlink.Handle
	nft    *nftnl.Conn
	hosts  map[string]*host // by the name of the router's interface
}

// host is a namespace at the far end of a router's port.
type host struct {
	ns     netns.NsHandle
	send   int // raw IPv4
	listen int // every frame that arrives
	bell   int // interface index of a veth pair within the host
}

const (
	bellProto = 0x88b5 // EtherType for local experiments
	bellRings = 3      // more than the hops of any packet
)

// do runs f in a namespace. Sockets that f opens stay there.
func do(t *testing.T, ns netns.NsHandle, f func() error) {
	t.Helper()
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := unix.Setns(int(ns), unix.CLONE_NEWNET); err != nil {
			result <- err
			return
		}
		result <- f()
	}()
	require.NoError(t, <-result)
}

func newNamespace(t *testing.T) netns.NsHandle {
	t.Helper()
	result := make(chan int)
	go func() {
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			result <- -1
			return
		}
		fd, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			fd = -1
		}
		result <- fd
	}()
	ns := netns.NsHandle(<-result)
	require.True(t, ns.IsOpen(), "network namespace")
	t.Cleanup(func() { require.NoError(t, ns.Close()) })
	return ns
}

// newLab makes the router 10.1.0.1 (interface pods), 10.2.0.1 (uplink) and
// 10.3.0.1 (third); it sends 10.N.0.0/16 to the Nth host and all else to uplink.
func newLab(t *testing.T) *lab {
	t.Helper()
	pin(t)
	l := &lab{t: t, router: newNamespace(t), hosts: map[string]*host{}}
	var err error
	l.links, err = netlink.NewHandleAt(l.router, unix.NETLINK_ROUTE, unix.NETLINK_NETFILTER)
	require.NoError(t, err)
	t.Cleanup(l.links.Close)
	l.nft, err = nftnl.Dial(int(l.router))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.nft.Close()) })
	for i, name := range []string{"pods", "uplink", "third"} {
		l.addHost(i+1, name)
	}
	l.sysctl("net/ipv4/ip_forward", "1")
	l.sysctl("net/ipv4/icmp_ratemask", "0") // else ICMP errors are limited in number
	l.sysctl("net/ipv4/conf/all/rp_filter", "0")
	l.sysctl("net/ipv4/conf/all/send_redirects", "0")
	return l
}

// pin keeps the test on one processor, whose queue of packets is in order.
func pin(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	var before, one unix.CPUSet
	require.NoError(t, unix.SchedGetaffinity(0, &before))
	for i := 0; one.Count() == 0; i++ {
		if before.IsSet(i) {
			one.Set(i)
		}
	}
	require.NoError(t, unix.SchedSetaffinity(0, &one))
	t.Cleanup(func() {
		require.NoError(t, unix.SchedSetaffinity(0, &before))
		runtime.UnlockOSThread()
	})
}

func (l *lab) sysctl(name, value string) {
	do(l.t, l.router, func() error { return os.WriteFile("/proc/sys/"+name, []byte(value), 0o644) })
}

func (l *lab) addHost(n int, name string) {
	t := l.t
	h := &host{ns: newNamespace(t)}
	l.hosts[name] = h
	links, err := netlink.NewHandleAt(h.ns, unix.NETLINK_ROUTE)
	require.NoError(t, err)
	defer links.Close()
	routerMAC, hostMAC := net.HardwareAddr{2, 0, 0, 0, 0, byte(n)}, net.HardwareAddr{2, 0, 0, 0, 1, byte(n)}
	require.NoError(t, l.links.LinkAdd(&netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: name, HardwareAddr: routerMAC}, PeerName: "port", PeerHardwareAddr: hostMAC, PeerNamespace: netlink.NsFd(h.ns)}))
	router := netip.AddrFrom4([4]byte{10, byte(n), 0, 1})
	far := netip.AddrFrom4([4]byte{10, byte(n), 0, 254})
	port := up(t, l.links, name)
	require.NoError(t, l.links.AddrAdd(port, &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(router, 32))}))
	neighbour(t, l.links, port, far, hostMAC)
	to := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n)}), 16)
	if name == "uplink" {
		to = prefix("0.0.0.0/0")
	}
	require.NoError(t, l.links.RouteAdd(&netlink.Route{LinkIndex: port.Attrs().Index, Dst: ipNet(to), Gw: far.AsSlice(), Flags: int(netlink.FLAG_ONLINK)}))

	up(t, links, "lo") // without it the kernel has no routing table yet
	end := up(t, links, "port")
	neighbour(t, links, end, router, routerMAC)
	require.NoError(t, links.RouteAdd(&netlink.Route{LinkIndex: end.Attrs().Index, Dst: ipNet(prefix("0.0.0.0/0")), Gw: router.AsSlice(), Flags: int(netlink.FLAG_ONLINK)}))
	require.NoError(t, links.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "bell"}, PeerName: "ear"}))
	up(t, links, "ear")
	h.bell = up(t, links, "bell").Attrs().Index
	carrier(t, l.links, name)
	for _, end := range []string{"port", "bell", "ear"} {
		carrier(t, links, end)
	}
	l.sockets(h)
}

func up(t *testing.T, h *netlink.Handle, name string) netlink.Link {
	t.Helper()
	link, err := h.LinkByName(name)
	require.NoError(t, err)
	require.NoError(t, h.LinkSetUp(link))
	return link
}

// carrier waits until the kernel sends what it is given on a link.
func carrier(t *testing.T, h *netlink.Handle, name string) {
	t.Helper()
	require.Eventually(t, func() bool {
		link, err := h.LinkByName(name)
		return err == nil && link.Attrs().OperState == netlink.OperUp
	}, 5*time.Second, time.Millisecond)
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), 32)}
}

func neighbour(t *testing.T, h *netlink.Handle, l netlink.Link, a netip.Addr, mac net.HardwareAddr) {
	t.Helper()
	require.NoError(t, h.NeighSet(&netlink.Neigh{LinkIndex: l.Attrs().Index, IP: a.AsSlice(), HardwareAddr: mac, State: netlink.NUD_PERMANENT}))
}

func bigEndian(n uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, n))
}

func (l *lab) sockets(h *host) {
	do(l.t, h.ns, func() (err error) {
		if h.send, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW); err != nil {
			return err
		}
		h.listen, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(bigEndian(unix.ETH_P_ALL)))
		return err
	})
	require.NoError(l.t, unix.SetsockoptTimeval(h.listen, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5}))
	l.t.Cleanup(func() {
		require.NoError(l.t, unix.Close(h.send))
		require.NoError(l.t, unix.Close(h.listen))
	})
}

// apply makes the router's nftables these, and reads them back.
func (l *lab) apply(tables []nft.Table) {
	l.t.Helper()
	ctx := context.Background()
	have, err := l.nft.Tables(ctx, "moat/")
	require.NoError(l.t, err)
	_, err = l.nft.Apply(ctx, have, tables)
	require.NoError(l.t, err, nft.Print(tables))
	have, err = l.nft.Tables(ctx, "moat/")
	require.NoError(l.t, err)
	require.Equal(l.t, nft.Print(tables), nft.Print(have))
}

// forget empties the router's connection tracking.
func (l *lab) forget() {
	require.NoError(l.t, l.links.ConntrackTableFlush(netlink.ConntrackTable))
}

// send sends packets from the host behind an interface and returns what arrived
// at each host, by the name of the router's interface.
func (l *lab) send(from string, ps ...packet) map[string][]packet {
	l.t.Helper()
	for _, p := range ps {
		require.NoError(l.t, unix.Sendto(l.hosts[from].send, p.bytes(), 0, &unix.SockaddrInet4{Addr: p.dst.As4()}), p)
	}
	got := map[string][]packet{}
	for name, h := range l.hosts {
		for range bellRings {
			got[name] = append(got[name], l.drain(h)...)
		}
	}
	return got
}

// drain rings the host's bell and returns what arrived before the sound of it:
// all that was on its way passed the same processor's queue earlier.
func (l *lab) drain(h *host) []packet {
	l.t.Helper()
	require.NoError(l.t, unix.Sendto(h.listen, []byte("ding"), 0, &unix.SockaddrLinklayer{
		Protocol: bigEndian(bellProto), Ifindex: h.bell, Halen: 6, Addr: [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}))
	var out []packet
	b := make([]byte, 65536)
	for {
		n, from, err := unix.Recvfrom(h.listen, b, 0)
		require.NoError(l.t, err)
		ll := from.(*unix.SockaddrLinklayer)
		switch {
		case ll.Pkttype == unix.PACKET_OUTGOING:
		case ll.Protocol == bigEndian(bellProto):
			return out
		case ll.Protocol == bigEndian(unix.ETH_P_IP):
			p, ok := parse(b[:n])
			require.True(l.t, ok, fmt.Sprintf("%x", b[:n]))
			if p.proto != igmp { // an interface that came up joins groups
				out = append(out, p)
			}
		}
	}
}
