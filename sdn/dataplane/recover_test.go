package dataplane_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/google/nftables"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/moatnet/moat/sdn"
)

func (l *lab) home(n network) string { return sdn.NamespaceName(sdn.DeviceID(n.router)) }

// within runs f in the namespace of a network's router.
func (l *lab) within(n network, f func() error) {
	l.t.Helper()
	home, err := ns.GetNS(filepath.Join(netnsDir, l.home(n)))
	require.NoError(l.t, err)
	defer home.Close()
	require.NoError(l.t, home.Do(func(ns.NetNS) error { return f() }))
}

// indexes are the interfaces of a network's router, by name.
func (l *lab) indexes(n network) map[string]int {
	out := make(map[string]int)
	l.within(n, func() error {
		links, err := netlink.LinkList()
		for _, link := range links {
			out[link.Attrs().Name] = link.Attrs().Index
		}
		return err
	})
	return out
}

func TestSecondEngineTakesOverAndWritesNothing(t *testing.T) {
	l := newLab(t)
	provider, _ := l.provider()
	e, stop := l.run(l.config)
	red, blue := l.tenant("red", "10.1.0.1/24"), l.tenant("blue", "10.2.0.1/24")
	l.join(provider, red, "100.64.1.0/31", "100.64.1.1/31")
	p, q := l.pod(e, red, "10.1.0.2/24"), l.pod(e, red, "10.1.0.3/24")
	l.pod(e, blue, "10.2.0.2/24")
	require.Eventually(t, func() bool { return echo(t, l.host, p.address.Addr(), time.Second) }, 10*time.Second, 10*time.Millisecond)
	l.settled(e)
	stop()
	reaches(t, p.ns, q.address.Addr())
	before := l.indexes(red)

	names := []string{l.home(red), l.home(blue), sdn.NamespaceName(sdn.DeviceID(provider))}
	carried(t, names...)
	m := watch(t, names...)
	second := l.engine(l.config)
	defer second.Close()
	for range 2 {
		r, err := second.Pass(t.Context())
		require.NoError(t, err)
		require.Zero(t, r.Writes(), "%s", r)
	}
	require.Empty(t, m.stop(t))
	require.Equal(t, before, l.indexes(red))
	require.NoError(t, second.WaitActive(l.soon(), p.port))
}

func TestDeletedRouterTakesItsNamespaceWithIt(t *testing.T) {
	l := newLab(t)
	provider, up := l.provider()
	e, _ := l.run(l.config)
	require.NoError(t, e.WaitActive(l.soon(), up))
	red := l.tenant("red", "10.1.0.1/24")
	l.join(provider, red, "100.64.1.0/31", "100.64.1.1/31")
	l.pod(e, red, "10.1.0.2/24")

	require.NoError(t, l.topo.DeleteBridge(t.Context(), red.bridge))
	require.NoError(t, l.topo.DeleteRouter(t.Context(), red.router))
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(netnsDir, l.home(red)))
		return errors.Is(err, os.ErrNotExist)
	}, 15*time.Second, 5*time.Millisecond)
}

func TestDeletedPortTakesItsInterfaceWithIt(t *testing.T) {
	l := newLab(t)
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	p := l.pod(e, red, "10.1.0.2/24")
	require.Contains(t, l.indexes(red), sdn.InterfaceName(p.port))

	require.NoError(t, l.topo.DeletePort(t.Context(), p.port))
	require.Eventually(t, func() bool {
		_, there := l.indexes(red)[sdn.InterfaceName(p.port)]
		return !there
	}, 15*time.Second, 5*time.Millisecond)
}

func TestInterfaceOfAnAgentIsNotAnOrphanBeforeItsPortIs(t *testing.T) {
	l := newLab(t)
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	p := pod{ns: openNamespace(t), port: sdn.NewID[sdn.PortID](), address: red.gateway}
	w, err := e.Wiring(l.soon(), red.bridge, p.port)
	require.NoError(t, err)
	l.wire(w, p, red.gateway.Addr().Next())

	r, err := e.Pass(t.Context())
	require.NoError(t, err)
	require.Zero(t, r.Writes(), "%s", r)
	require.Contains(t, l.indexes(red), w.Interface)
	l.bind(red, p.port, w.Interface)
	require.NoError(t, e.WaitActive(l.soon(), p.port))
}

func TestOrphanOfAnEarlierLifeGoesAfterTheGraceTime(t *testing.T) {
	l := newLab(t)
	l.config.Grace = time.Nanosecond
	e, stop := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	p := l.pod(e, red, "10.1.0.2/24")
	stop()
	require.NoError(t, l.topo.DeletePort(t.Context(), p.port))

	second := l.engine(l.config)
	defer second.Close()
	require.Eventually(t, func() bool {
		_, err := second.Pass(t.Context())
		require.NoError(t, err)
		_, there := l.indexes(red)[sdn.InterfaceName(p.port)]
		return !there
	}, 15*time.Second, time.Millisecond)
}

func TestWhatAForeignHandRemovesComesBack(t *testing.T) {
	l := newLab(t)
	provider, up := l.provider()
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	l.join(provider, red, "100.64.1.0/31", "100.64.1.1/31")
	p := l.pod(e, red, "10.1.0.2/24")
	hostReaches := func() bool { return echo(t, l.host, p.address.Addr(), 200*time.Millisecond) }
	soonAgain := func() { t.Helper(); require.Eventually(t, hostReaches, 10*time.Second, 10*time.Millisecond) }
	soonAgain()

	t.Run("link to the provider", func(t *testing.T) {
		l.within(red, func() error {
			links, err := netlink.LinkList()
			for _, link := range links {
				if link.Type() == "veth" && link.Attrs().MasterIndex == 0 {
					return netlink.LinkDel(link)
				}
			}
			return err
		})
		soonAgain()
	})
	t.Run("bridge", func(t *testing.T) {
		l.within(red, func() error {
			link, err := netlink.LinkByName(sdn.InterfaceName(red.bridge))
			if err != nil {
				return err
			}
			return netlink.LinkDel(link)
		})
		soonAgain()
	})
	t.Run("routes", func(t *testing.T) {
		l.within(red, func() error {
			routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
			for _, r := range routes {
				if err := netlink.RouteDel(&r); err != nil {
					return err
				}
			}
			return err
		})
		soonAgain()
	})
	t.Run("pod's host end is down", func(t *testing.T) {
		l.within(red, func() error {
			link, err := netlink.LinkByName(sdn.InterfaceName(p.port))
			if err != nil {
				return err
			}
			return netlink.LinkSetDown(link)
		})
		soonAgain()
	})
	t.Run("filters", func(t *testing.T) {
		l.within(red, func() error {
			c, err := nftables.New()
			if err != nil {
				return err
			}
			c.FlushRuleset()
			return c.Flush()
		})
		require.Eventually(t, func() bool { return l.tables(red) == 3 }, 15*time.Second, 10*time.Millisecond)
	})
	t.Run("uplink", func(t *testing.T) {
		require.NoError(t, l.host.Do(func(ns.NetNS) error {
			link, err := netlink.LinkByName(sdn.InterfaceName(up))
			if err != nil {
				return err
			}
			return netlink.LinkDel(link)
		}))
		soonAgain()
	})
}

// tables counts the tables of Moat's in the namespace of a network's router.
func (l *lab) tables(n network) (count int) {
	l.within(n, func() error {
		c, err := nftables.New()
		if err != nil {
			return err
		}
		tables, err := c.ListTables()
		for _, table := range tables {
			if strings.HasPrefix(table.Name, l.config.Plan.TablePrefix()) {
				count++
			}
		}
		return err
	})
	return count
}

func TestPortWhosePodDiedIsNotActiveAndComesBack(t *testing.T) {
	l := newLab(t)
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	p := l.pod(e, red, "10.1.0.2/24")
	l.within(red, func() error {
		link, err := netlink.LinkByName(sdn.InterfaceName(p.port))
		if err != nil {
			return err
		}
		return netlink.LinkDel(link)
	})
	active := func() bool {
		got, err := l.topo.Port(t.Context(), p.port)
		require.NoError(t, err)
		return got.Active
	}
	require.Eventually(t, func() bool { return !active() }, 15*time.Second, 5*time.Millisecond)
	w, err := e.Wiring(l.soon(), red.bridge, p.port)
	require.NoError(t, err)
	p.ns = openNamespace(t)
	l.wire(w, p, red.gateway.Addr())
	require.NoError(t, e.WaitActive(l.soon(), p.port))
	require.Eventually(t, active, 15*time.Second, 5*time.Millisecond)
	reaches(t, p.ns, red.gateway.Addr())
}

func TestOneBrokenNamespaceDoesNotKeepTheOthers(t *testing.T) {
	l := newLab(t)
	red, blue := l.tenant("red", "10.1.0.1/24"), l.tenant("blue", "10.2.0.1/24")
	m := l.metered()
	broken := errors.New("refused")
	m.fail = func(method, space string) error {
		if space == l.home(red) && method == "Write" {
			return broken
		}
		return nil
	}
	e := l.engine(l.config)
	defer e.Close()
	_, err := e.Pass(t.Context())
	require.ErrorIs(t, err, broken)
	require.Contains(t, l.indexes(blue), sdn.InterfaceName(blue.bridge))
	require.NotContains(t, l.indexes(red), sdn.InterfaceName(red.bridge))

	m.fail = nil
	_, err = e.Pass(t.Context())
	require.NoError(t, err)
	require.Contains(t, l.indexes(red), sdn.InterfaceName(red.bridge))
}
