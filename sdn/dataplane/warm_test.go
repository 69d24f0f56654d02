package dataplane_test

import (
	"fmt"
	"net/netip"
	"reflect"
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

// cost is what seeing a pod in, and then out and another in, took.
type cost struct {
	plans   int64 // of the home
	in, out map[string]int
}

// Its entry in the table of senders is all that is written for a pod.
func TestWarmPodIsSeenThroughWithoutAPlanAndWithOneMessage(t *testing.T) {
	want := cost{0, map[string]int{"SetTables": 1}, map[string]int{"SetTables": 2}} // one entry in; one out, one in
	for name, portFirst := range map[string]bool{"port before veth": true, "veth before port": false} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			m := l.metered()
			p := &planned{Source: l.topo}
			l.config.Source = p
			e, _ := l.run(l.config)
			red := l.tenant("red", "10.1.0.1/24")
			l.pod(e, red, "10.1.0.200/24")

			var got cost
			for i := 0; i < 30 && !reflect.DeepEqual(want, got); i++ { // of a machine so busy that the engine does an agent's part the best counts
				address := fmt.Sprintf("10.1.0.%d/24", 2+i)
				l.settled(e)
				p.homes.Store(0)
				m.taken()
				x := l.arrive(e, red, address, portFirst)
				got.in = m.taken()
				l.depart(red, x)
				l.pod(e, red, address) // events and changes before it were worked on
				got.plans, got.out = p.homes.Load(), m.taken()
			}
			require.Equal(t, want, got)
		})
	}
}

// arrive makes a pod as an agent does, its port before its interface or after it.
func (l *lab) arrive(e *dataplane.Engine, n network, address string, portFirst bool) pod {
	x := pod{ns: openNamespace(l.t), port: sdn.NewID[sdn.PortID](), address: netip.MustParsePrefix(address)}
	w, err := e.Wiring(l.soon(), n.bridge, x.port)
	require.NoError(l.t, err)
	if portFirst {
		l.bind(n, x.port, w.Interface)
	}
	l.wire(w, x, n.gateway.Addr())
	if !portFirst {
		l.bind(n, x.port, w.Interface)
	}
	require.NoError(l.t, e.WaitActive(l.soon(), x.port))
	return x
}

// depart takes a pod's interface away, and then its port.
func (l *lab) depart(n network, x pod) {
	l.within(n, func() error {
		link, err := netlink.LinkByName(sdn.InterfaceName(x.port))
		if err != nil {
			return err
		}
		return netlink.LinkDel(link)
	})
	require.Eventually(l.t, func() bool {
		got, err := l.topo.Port(l.t.Context(), x.port)
		require.NoError(l.t, err)
		return !got.Active
	}, 15*time.Second, time.Millisecond)
	require.NoError(l.t, l.topo.DeletePort(l.t.Context(), x.port))
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
