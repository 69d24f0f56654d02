package dataplane_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/dataplane"
)

// planned counts how often a home is planned as a whole.
type planned struct {
	dataplane.Source
	homes atomic.Int64
}

func (p *planned) View(f func(sdn.View)) {
	p.Source.View(func(v sdn.View) { f(countedView{v, &p.homes}) })
}

type countedView struct {
	sdn.View
	homes *atomic.Int64
}

func (v countedView) BridgesAt(d sdn.DeviceID) []sdn.Bridge {
	v.homes.Add(1)
	return v.View.BridgesAt(d)
}

// Its entry in the table of senders is all that is written for a pod.
func TestWarmPodIsSeenThroughWithoutAPlanAndWithOneMessage(t *testing.T) {
	for name, portFirst := range map[string]bool{"port before veth": true, "veth before port": false} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			m := l.metered()
			p := &planned{Source: l.topo}
			l.config.Source = p
			e, _ := l.run(l.config)
			red := l.tenant("red", "10.1.0.1/24")
			l.pod(e, red, "10.1.0.2/24")
			l.settled(e)

			x := pod{ns: openNamespace(t), port: sdn.NewID[sdn.PortID](), address: red.gateway}
			w, err := e.Wiring(l.soon(), red.bridge, x.port)
			require.NoError(t, err)
			m.taken()
			p.homes.Store(0)
			if portFirst {
				l.bind(red, x.port, w.Interface)
			}
			l.wire(w, x, red.gateway.Addr().Next())
			if !portFirst {
				l.bind(red, x.port, w.Interface)
			}
			require.NoError(t, e.WaitActive(l.soon(), x.port))
			require.Zero(t, p.homes.Load(), "plans of the home")
			require.Equal(t, map[string]int{"SetTables": 1}, m.taken(), "netlink calls")

			l.within(red, func() error {
				link, err := netlink.LinkByName(w.Interface)
				if err != nil {
					return err
				}
				return netlink.LinkDel(link)
			})
			require.Eventually(t, func() bool {
				got, err := l.topo.Port(t.Context(), x.port)
				require.NoError(t, err)
				return !got.Active
			}, 5*time.Second, time.Millisecond)
			require.NoError(t, l.topo.DeletePort(t.Context(), x.port))
			l.pod(e, red, "10.1.0.3/24") // events and changes before it were worked on
			require.Zero(t, p.homes.Load(), "plans of the home")
			require.Equal(t, map[string]int{"SetTables": 2}, m.taken(), "one entry out, one in")
		})
	}
}

func TestWhatVanishesMeanwhileIsNoErrorUnlessItPersists(t *testing.T) {
	l := newLab(t)
	m := l.metered()
	l.tenant("red", "10.1.0.1/24")
	fails := 1
	m.fail = func(method, space string) error {
		if method == "Write" && fails > 0 {
			fails--
			return unix.ENODEV
		}
		return nil
	}
	e := l.engine(l.config)
	defer e.Close()
	_, err := e.Pass(t.Context())
	require.NoError(t, err)
	r, err := e.Pass(t.Context())
	require.NoError(t, err)
	require.Zero(t, r.Writes(), "%s", r)

	other := l.tenant("blue", "10.2.0.1/24")
	fails = 1000
	_, err = e.Pass(t.Context())
	require.ErrorIs(t, err, unix.ENODEV)
	fails = 0
	_, err = e.Pass(t.Context())
	require.NoError(t, err)
	require.Contains(t, l.indexes(other), sdn.InterfaceName(other.bridge))
}
