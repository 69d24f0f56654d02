package dataplane_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/google/nftables"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/plan"
)

// outside is a stand-in for the world: a namespace on a wire to the host, which
// knows no way back to pods.
type outside struct {
	ns   ns.NetNS
	addr netip.Addr
}

func (l *lab) outside() outside {
	t := l.t
	o := outside{ns: openNamespace(t), addr: netip.MustParseAddr("192.0.2.10")}
	require.NoError(t, l.host.Do(func(ns.NetNS) error {
		return netlink.LinkAdd(&netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: "world"}, PeerName: "wire", PeerNamespace: netlink.NsFd(int(o.ns.Fd())),
		})
	}))
	give(t, l.host, "world", "192.0.2.1/24")
	give(t, o.ns, "wire", "192.0.2.10/24")
	return o
}

func give(t *testing.T, in ns.NetNS, dev, address string) {
	require.NoError(t, in.Do(func(ns.NetNS) error {
		link, err := netlink.LinkByName(dev)
		if err != nil {
			return err
		}
		addr, err := netlink.ParseAddr(address)
		if err != nil {
			return err
		}
		if err := netlink.AddrAdd(link, addr); err != nil {
			return err
		}
		return netlink.LinkSetUp(link)
	}))
}

func (l *lab) wayTo(in ns.NetNS, dst, via string) {
	require.NoError(l.t, in.Do(func(ns.NetNS) error {
		_, to, err := net.ParseCIDR(dst)
		if err != nil {
			return err
		}
		return netlink.RouteAdd(&netlink.Route{Dst: to, Gw: netip.MustParseAddr(via).AsSlice()})
	}))
}

// dropForward gives the host a forward chain that drops what it does not know,
// as Docker and Kubernetes do.
func (l *lab) dropForward() {
	require.NoError(l.t, l.host.Do(func(ns.NetNS) error {
		c, err := nftables.New()
		if err != nil {
			return err
		}
		drop := nftables.ChainPolicyDrop
		table := c.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "filter"})
		c.AddChain(&nftables.Chain{
			Name: "FORWARD", Table: table, Type: nftables.ChainTypeFilter,
			Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter, Policy: &drop,
		})
		return c.Flush()
	}))
}

// foreignRules counts the rules in that chain.
func (l *lab) foreignRules() (n int) {
	require.NoError(l.t, l.host.Do(func(ns.NetNS) error {
		c, err := nftables.New()
		if err != nil {
			return err
		}
		table := &nftables.Table{Family: nftables.TableFamilyIPv4, Name: "filter"}
		rules, err := c.GetRules(table, &nftables.Chain{Name: "FORWARD", Table: table})
		n = len(rules)
		return err
	}))
	return n
}

// provider makes the provider router with an uplink to the host, and links a
// tenant's router to it, which translates nothing: its subnet is known.
func (l *lab) provider() (sdn.RouterID, sdn.PortID) {
	t, ctx := l.t, l.t.Context()
	up := sdn.NewID[sdn.PortID]()
	l.config.Plan.Uplink = plan.Uplink{
		Port: up, HostAddress: netip.MustParsePrefix("100.64.0.2/30"),
		HostRoutes: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/16")},
		Masquerade: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/16")},
	}
	r, err := l.topo.CreateRouter(ctx, sdn.Router{TenantID: "provider", Name: "provider", AdminStateUp: true})
	require.NoError(t, err)
	_, err = l.topo.CreatePort(ctx, sdn.Port{
		ID: up, Kind: sdn.RouterPort, Device: sdn.DeviceID(r.ID), AdminStateUp: true,
		Address: netip.MustParsePrefix("100.64.0.1/30"), Host: l.config.Plan.Host, Interface: sdn.InterfaceName(up),
	})
	require.NoError(t, err)
	l.route(r.ID, "0.0.0.0/0", up, "100.64.0.2")
	return r.ID, up
}

func (l *lab) join(provider sdn.RouterID, n network, near, far string) {
	t, ctx := l.t, l.t.Context()
	p, err := l.topo.CreatePort(ctx, sdn.Port{Kind: sdn.RouterPort, Device: sdn.DeviceID(provider), AdminStateUp: true, Address: netip.MustParsePrefix(near)})
	require.NoError(t, err)
	q, err := l.topo.CreatePort(ctx, sdn.Port{Kind: sdn.RouterPort, Device: sdn.DeviceID(n.router), AdminStateUp: true, Address: netip.MustParsePrefix(far)})
	require.NoError(t, err)
	require.NoError(t, l.topo.Link(ctx, p.ID, q.ID))
	l.route(provider, n.gateway.Masked().String(), p.ID, netip.MustParsePrefix(far).Addr().String())
	l.route(n.router, "0.0.0.0/0", q.ID, netip.MustParsePrefix(near).Addr().String())
}

func TestUplinkOnAHostThatDropsWhatItForwards(t *testing.T) {
	l := newLab(t)
	world := l.outside()
	l.dropForward()
	provider, up := l.provider()
	e, stop := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	l.join(provider, red, "100.64.1.0/31", "100.64.1.1/31")
	require.NoError(t, e.WaitActive(l.soon(), up))
	p := l.pod(e, red, "10.1.0.2/24")

	require.Eventually(t, func() bool { return echo(t, l.host, p.address.Addr(), time.Second) }, 10*time.Second, 10*time.Millisecond)
	reaches(t, p.ns, world.addr)
	l.wayTo(world.ns, "10.0.0.0/8", "192.0.2.1")
	reaches(t, world.ns, p.address.Addr()) // this tenant has no chain that forbids it
	require.Equal(t, 2, l.foreignRules())

	l.settled(e)
	stop()
	e = l.engine(l.config)
	defer e.Close()
	r, err := e.Pass(t.Context())
	require.NoError(t, err)
	require.Zero(t, r.Writes(), "a second engine changes nothing: %s", r)
	require.NoError(t, e.TakeDown(t.Context()))
	require.Zero(t, l.foreignRules())
	unreached(t, l.host, p.address.Addr())
}

func TestForwardChainThatComesLaterIsOpenedToo(t *testing.T) {
	l := newLab(t)
	world := l.outside()
	provider, _ := l.provider()
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	l.join(provider, red, "100.64.1.0/31", "100.64.1.1/31")
	p := l.pod(e, red, "10.1.0.2/24")
	require.Eventually(t, func() bool { return echo(t, p.ns, world.addr, time.Second) }, 10*time.Second, 10*time.Millisecond)

	l.dropForward()
	require.Eventually(t, func() bool { return l.foreignRules() == 2 }, 15*time.Second, 10*time.Millisecond)
	reaches(t, p.ns, world.addr)
}
