package filter_test

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/filter"
	"github.com/moatnet/moat/sdn/nftnl"
)

// newBridgeLab makes a bridge with the hosts a (10.1.0.11), b (10.1.0.12) and
// c (10.1.0.13) on it. The bridge's own interface is called like the bridge and
// has the address 10.1.0.1, as the router port of a tenant has.
func newBridgeLab(t *testing.T) *lab {
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
	up(t, l.links, "lo")
	own := sdn.InterfaceName(bridgeID(1))
	require.NoError(t, l.links.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: own, HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 1}}}))
	l.sysctl("net/ipv4/icmp_ratemask", "0")
	l.sysctl("net/bridge/bridge-nf-call-iptables", "0")
	for i, name := range []string{"a", "b", "c"} {
		l.addMember(i+1, name, own)
	}
	bridge := up(t, l.links, own)
	require.NoError(t, l.links.AddrAdd(bridge, &netlink.Addr{IPNet: ipNet(prefix("10.1.0.1/24"))}))
	for n := range 3 {
		neighbour(t, l.links, bridge, memberAddr(n+1), memberMAC(n+1))
	}
	return l
}

func memberMAC(n int) net.HardwareAddr { return net.HardwareAddr{2, 0, 0, 0, 1, byte(n)} }

func memberAddr(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 1, 0, byte(10 + n)}) }

func (l *lab) addMember(n int, name, bridge string) {
	t := l.t
	h := &host{ns: newNamespace(t)}
	l.hosts[name] = h
	links, err := netlink.NewHandleAt(h.ns, unix.NETLINK_ROUTE)
	require.NoError(t, err)
	defer links.Close()
	master, err := l.links.LinkByName(bridge)
	require.NoError(t, err)
	require.NoError(t, l.links.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name, MasterIndex: master.Attrs().Index},
		PeerName: "port", PeerHardwareAddr: memberMAC(n), PeerNamespace: netlink.NsFd(h.ns)}))
	port := up(t, l.links, name)
	require.NoError(t, l.links.LinkSetMaster(port, master))
	up(t, links, "lo")
	end := up(t, links, "port")
	neighbour(t, links, end, addr("10.1.0.1"), net.HardwareAddr{2, 0, 0, 0, 0, 1})
	for m := range 3 {
		neighbour(t, links, end, memberAddr(m+1), memberMAC(m+1))
	}
	require.NoError(t, links.RouteAdd(&netlink.Route{LinkIndex: end.Attrs().Index, Dst: ipNet(prefix("10.1.0.0/24")), Scope: netlink.SCOPE_LINK}))
	require.NoError(t, links.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "bell"}, PeerName: "ear"}))
	up(t, links, "ear")
	h.bell = up(t, links, "bell").Attrs().Index
	carrier(t, l.links, name)
	for _, end := range []string{"port", "bell", "ear"} {
		carrier(t, links, end)
	}
	l.sockets(h)
	// The bridge has to know the host, or it floods.
	require.NoError(t, l.links.NeighSet(&netlink.Neigh{LinkIndex: port.Attrs().Index, Family: unix.AF_BRIDGE, HardwareAddr: memberMAC(n), State: netlink.NUD_NOARP, Flags: netlink.NTF_MASTER}))
}

// The ports of the bridge in the lab; bridgeOwn is the one that the bridge's
// own interface plays, at the other end of the router's port gateway.
var (
	portA     = portID(11)
	portB     = portID(12)
	portC     = portID(13)
	bridgeOwn = portID(14)
	gateway   = portID(15)
)

func bridgeTopology(in, out []sdn.Rule, changes ...func(*topology)) *topology {
	t := newTopology()
	b := sdn.Bridge{ID: bridgeID(1), AdminStateUp: true, Home: sdn.Home{Device: sdn.DeviceID(routerID(1)), Self: gateway}}
	for id, name := range map[sdn.PortID]string{portA: "a", portB: "b", portC: "c"} {
		t.ports[id] = sdn.Port{ID: id, Kind: sdn.BridgePort, Device: sdn.DeviceID(b.ID), AdminStateUp: true, Host: "h", Interface: name}
	}
	t.ports[bridgeOwn] = sdn.Port{ID: bridgeOwn, Kind: sdn.BridgePort, Device: sdn.DeviceID(b.ID), AdminStateUp: true, Peer: gateway}
	t.ports[gateway] = sdn.Port{ID: gateway, Kind: sdn.RouterPort, Device: sdn.DeviceID(routerID(1)), AdminStateUp: true, Peer: bridgeOwn}
	t.routers[routerID(1)] = sdn.Router{ID: routerID(1), AdminStateUp: true}
	if in != nil {
		b.InboundFilter = t.chain(1, in...)
	}
	if out != nil {
		b.OutboundFilter = t.chain(2, out...)
	}
	t.bridges[b.ID] = b
	for _, change := range changes {
		change(t)
	}
	return t
}

func runBridge(t *testing.T, l *lab, top *topology, steps ...step) {
	t.Helper()
	tables, err := filter.Bridge(top, "test", bridgeID(1))
	require.NoError(t, err)
	l.apply(tables)
	have, err := l.nft.Tables(t.Context(), "moat/")
	require.NoError(t, err)
	require.Equal(t, tables, have)
	for i, s := range steps {
		if s.want == nil {
			s.want = []string{}
		}
		require.Equal(t, s.want, text(l.send(s.from, s.send...)), "step %d", i+1)
	}
}
