package dataplane_test

import (
	"errors"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/plan"
)

// An engine that dies at any write leaves what the next one completes.
func TestDeathAtAnyWriteIsHealedByTheNextEngine(t *testing.T) {
	dead := errors.New("dead")
	writes := map[string]bool{"CreateNamespace": true, "Write": true, "SetSysctls": true, "SetTables": true}
	for at, finished := 1, false; !finished; at++ {
		func() {
			l := newLab(t)
			provider, _ := l.provider()
			red := l.tenant("red", "10.1.0.1/24")
			l.join(provider, red, "100.64.1.0/31", "100.64.1.1/31")
			m := l.metered()
			seen := 0
			m.fail = func(method, _ string) error {
				if !writes[method] {
					return nil
				}
				if seen++; seen >= at {
					return dead
				}
				return nil
			}
			e := l.engine(l.config)
			_, err := e.Pass(t.Context())
			require.NoError(t, e.Close())
			finished = err == nil
			if !finished {
				require.ErrorIs(t, err, dead)
			}

			l.config.Kernel = nil
			second := l.engine(l.config)
			defer second.Close()
			_, err = second.Pass(t.Context())
			require.NoError(t, err, "after death at write %d", at)
			r, err := second.Pass(t.Context())
			require.NoError(t, err)
			require.Zero(t, r.Writes(), "after death at write %d: %s", at, r)
		}()
	}
}

func TestPortIsConfirmedAgainAfterItWasBoundAnew(t *testing.T) {
	l := newLab(t)
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	p := l.pod(e, red, "10.1.0.2/24")
	for range 10 {
		require.NoError(t, l.topo.Unbind(t.Context(), p.port))
		require.NoError(t, l.topo.Bind(t.Context(), sdn.Binding{Host: l.config.Plan.Host, Port: p.port, Interface: sdn.InterfaceName(p.port)}))
		require.Eventually(t, func() bool {
			got, err := l.topo.Port(t.Context(), p.port)
			require.NoError(t, err)
			_, there := l.indexes(red)[sdn.InterfaceName(p.port)]
			return got.Active || !there // the engine may have seen it unbound, and taken it away
		}, 15*time.Second, time.Millisecond)
		if _, there := l.indexes(red)[sdn.InterfaceName(p.port)]; !there {
			return
		}
	}
}

func TestUplinkThatIsAnInterfaceOfTheHostMovesToTheProviderAndBack(t *testing.T) {
	l := newLab(t)
	world := openNamespace(t)
	require.NoError(t, l.host.Do(func(ns.NetNS) error {
		return netlink.LinkAdd(&netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: "wan0"}, PeerName: "wire", PeerNamespace: netlink.NsFd(int(world.Fd())),
		})
	}))
	give(t, world, "wire", "192.0.2.10/24")
	r, err := l.topo.CreateRouter(t.Context(), sdn.Router{TenantID: "provider", Name: "provider", AdminStateUp: true})
	require.NoError(t, err)
	e, _ := l.run(l.config)
	p, err := l.topo.CreatePort(t.Context(), sdn.Port{
		Kind: sdn.RouterPort, Device: sdn.DeviceID(r.ID), AdminStateUp: true, Address: netip.MustParsePrefix("192.0.2.2/24"),
		Host: l.config.Plan.Host, Interface: "wan0",
	})
	require.NoError(t, err)
	l.route(r.ID, "192.0.2.0/24", p.ID, "")
	require.NoError(t, e.WaitActive(l.soon(), p.ID))
	eventually(t, func() bool { return echo(t, world, netip.MustParseAddr("192.0.2.2"), 200*time.Millisecond) })
	l.settled(e)

	require.NoError(t, l.topo.DeleteRouter(t.Context(), r.ID))
	eventually(t, func() (back bool) {
		require.NoError(t, l.host.Do(func(ns.NetNS) error {
			link, err := netlink.LinkByName("wan0")
			back = err == nil && link.Attrs().Alias == ""
			return nil
		}))
		return back
	})
	eventually(t, func() bool {
		_, err := ns.GetNS(filepath.Join(netnsDir, sdn.NamespaceName(sdn.DeviceID(r.ID))))
		return err != nil
	})
}

func TestRouteOfTheHostIsNotReplaced(t *testing.T) {
	l := newLab(t)
	l.provider()
	l.outside()
	l.wayTo(l.host, "10.0.0.0/8", "192.0.2.10")
	e := l.engine(l.config)
	defer e.Close()
	_, err := e.Pass(t.Context())
	require.ErrorContains(t, err, "add route 10.0.0.0/8")
	require.NoError(t, l.host.Do(func(ns.NetNS) error {
		routes, err := netlink.RouteGet(netip.MustParseAddr("10.9.9.9").AsSlice())
		require.NoError(t, err)
		require.Equal(t, "192.0.2.10", routes[0].Gw.String())
		return nil
	}))
}

func TestPortsOfAnotherHostAreNotReportedActive(t *testing.T) {
	l := newLab(t)
	e, _ := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	p := l.pod(e, red, "10.1.0.2/24")
	c := l.config
	c.Plan.Host = sdn.NewID[sdn.HostID]()
	c.Plan.Uplink = plan.Uplink{}
	other := l.engine(c)
	defer other.Close()
	_, err := other.Pass(t.Context())
	require.NoError(t, err)
	got, err := l.topo.Port(t.Context(), p.port)
	require.NoError(t, err)
	require.True(t, got.Active)
}
