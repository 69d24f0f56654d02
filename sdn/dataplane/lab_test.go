package dataplane_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/dataplane"
	"github.com/moatnet/moat/sdn/plan"
	"github.com/moatnet/moat/sdn/topology"
)

const netnsDir = "/run/netns"

// lab is a topology, and a host of its own with an engine.
type lab struct {
	t      *testing.T
	topo   *topology.Topology
	host   ns.NetNS
	config dataplane.Config
}

// openNamespace makes a network namespace that is pinned nowhere.
func openNamespace(t *testing.T) ns.NetNS {
	t.Helper()
	var made ns.NetNS
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		var err error
		made, err = ns.GetNS(fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid()))
		done <- err
	}()
	require.NoError(t, <-done)
	t.Cleanup(func() { made.Close() })
	require.NoError(t, made.Do(func(ns.NetNS) error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(lo)
	}))
	return made
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{t: t, topo: topology.NewMemory(topology.Options{AllowDeadHosts: true}), host: openNamespace(t)}
	t.Cleanup(func() { require.NoError(t, l.topo.Close()) })
	l.config = dataplane.Config{
		Source: l.topo, Reports: l.topo, NetnsDir: netnsDir,
		Plan: plan.Config{
			Installation: string(sdn.NewID[sdn.RouterID]()), Host: sdn.NewID[sdn.HostID](), MTU: 1500,
		},
		Logger: slog.New(slog.NewTextHandler(testWriter{t}, nil)),
	}
	_, err := l.topo.CreateHost(t.Context(), sdn.Host{ID: l.config.Plan.Host, Name: "lab"})
	require.NoError(t, err)
	zone, err := l.topo.CreateTunnelZone(t.Context(), sdn.TunnelZone{Name: "lab", Type: "vxlan"})
	require.NoError(t, err)
	require.NoError(t, l.topo.AddTunnelZoneHost(t.Context(), sdn.TunnelZoneHost{
		Zone: zone.ID, Host: l.config.Plan.Host, Address: netip.MustParseAddr("192.0.2.1"),
	}))
	t.Cleanup(func() {
		c := l.config
		c.Kernel = nil
		e := l.engine(c)
		defer e.Close()
		require.NoError(t, e.TakeDown(context.WithoutCancel(t.Context())))
	})
	return l
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	fmt.Fprintf(os.Stderr, "%s: %s", w.t.Name(), b)
	return len(b), nil
}

// engine makes an engine whose host is the lab's.
func (l *lab) engine(c dataplane.Config) *dataplane.Engine {
	l.t.Helper()
	var e *dataplane.Engine
	require.NoError(l.t, l.host.Do(func(ns.NetNS) (err error) {
		e, err = dataplane.New(c)
		return err
	}))
	return e
}

// run starts an engine and returns it with a function that stops it.
func (l *lab) run(c dataplane.Config) (*dataplane.Engine, func()) {
	l.t.Helper()
	e := l.engine(c)
	return e, l.start(e)
}

// start runs an engine and returns a function that stops it.
func (l *lab) start(e *dataplane.Engine) func() {
	l.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(l.t.Context()))
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		require.NoError(l.t, <-done)
		require.NoError(l.t, e.Close())
	}
	l.t.Cleanup(stop)
	select {
	case <-e.Ready():
	case <-time.After(time.Minute):
		l.t.Fatal("the engine is not ready")
	}
	return stop
}

func (l *lab) soon() context.Context {
	ctx, cancel := context.WithTimeout(l.t.Context(), 30*time.Second)
	l.t.Cleanup(cancel)
	return ctx
}

// network is a tenant's network: a router with a bridge.
type network struct {
	router  sdn.RouterID
	port    sdn.PortID // of the router, to the bridge
	bridge  sdn.BridgeID
	gateway netip.Prefix
}

// tenant makes a router and a bridge that are linked, with the gateway's
// address and the subnet's route.
func (l *lab) tenant(name, gateway string) network {
	t, ctx := l.t, l.t.Context()
	n := network{gateway: netip.MustParsePrefix(gateway)}
	r, err := l.topo.CreateRouter(ctx, sdn.Router{TenantID: sdn.TenantID(name), Name: name, AdminStateUp: true})
	require.NoError(t, err)
	b, err := l.topo.CreateBridge(ctx, sdn.Bridge{TenantID: sdn.TenantID(name), Name: name, AdminStateUp: true})
	require.NoError(t, err)
	n.router, n.bridge = r.ID, b.ID
	rp, err := l.topo.CreatePort(ctx, sdn.Port{Kind: sdn.RouterPort, Device: sdn.DeviceID(r.ID), AdminStateUp: true, Address: n.gateway})
	require.NoError(t, err)
	bp, err := l.topo.CreatePort(ctx, sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(b.ID), AdminStateUp: true})
	require.NoError(t, err)
	require.NoError(t, l.topo.Link(ctx, rp.ID, bp.ID))
	n.port = rp.ID
	l.route(r.ID, n.gateway.Masked().String(), rp.ID, "")
	return n
}

func (l *lab) route(r sdn.RouterID, dst string, port sdn.PortID, gateway string) sdn.RouteID {
	rt := sdn.Route{Router: r, Type: sdn.RouteNormal, Src: netip.MustParsePrefix("0.0.0.0/0"), Dst: netip.MustParsePrefix(dst), NextHopPort: port}
	if gateway != "" {
		rt.Gateway = netip.MustParseAddr(gateway)
	}
	out, err := l.topo.CreateRoute(l.t.Context(), rt)
	require.NoError(l.t, err)
	return out.ID
}

// pod is a namespace with an interface on a bridge.
type pod struct {
	ns      ns.NetNS
	port    sdn.PortID
	address netip.Prefix
}

// pod makes one as an agent does: wiring, pair in place, bound port.
func (l *lab) pod(e *dataplane.Engine, n network, address string) pod {
	t := l.t
	p := pod{ns: openNamespace(t), port: sdn.NewID[sdn.PortID](), address: netip.MustParsePrefix(address)}
	w, err := e.Wiring(l.soon(), n.bridge, p.port)
	require.NoError(t, err)
	l.wire(w, p, n.gateway.Addr())
	l.bind(n, p.port, w.Interface)
	require.NoError(t, e.WaitActive(l.soon(), p.port))
	return p
}

func (l *lab) bind(n network, id sdn.PortID, iface string) {
	_, err := l.topo.CreatePort(l.t.Context(), sdn.Port{
		ID: id, Kind: sdn.BridgePort, Device: sdn.DeviceID(n.bridge), AdminStateUp: true,
		Host: l.config.Plan.Host, Interface: iface,
	})
	require.NoError(l.t, err)
}

// wire makes the pair of a pod as the engine said.
func (l *lab) wire(w sdn.Wiring, p pod, gateway netip.Addr) {
	t := l.t
	home, err := ns.GetNS(w.Namespace)
	require.NoError(t, err)
	defer home.Close()
	require.NoError(t, home.Do(func(ns.NetNS) error {
		master, err := netlink.LinkByName(w.Master)
		if err != nil {
			return err
		}
		pair := &netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: w.Interface, MTU: w.MTU, MasterIndex: master.Attrs().Index},
			PeerName:  "eth0", PeerNamespace: netlink.NsFd(int(p.ns.Fd())), PeerMTU: uint32(w.MTU),
		}
		if err := netlink.LinkAdd(pair); err != nil {
			return err
		}
		if err := netlink.LinkSetAlias(pair, w.Alias); err != nil {
			return err
		}
		return netlink.LinkSetUp(pair)
	}))
	configure(t, p, gateway)
}

// configure gives a pod's eth0 its address and default route.
func configure(t *testing.T, p pod, gateway netip.Addr) {
	require.NoError(t, p.ns.Do(func(ns.NetNS) error {
		eth, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		addr, err := netlink.ParseAddr(p.address.String())
		if err != nil {
			return err
		}
		if err := netlink.AddrAdd(eth, addr); err != nil {
			return err
		}
		if err := netlink.LinkSetUp(eth); err != nil {
			return err
		}
		return netlink.RouteAdd(&netlink.Route{LinkIndex: eth.Attrs().Index, Gw: gateway.AsSlice()})
	}))
}

// kernel is the machine's, with the lab's host.
func (l *lab) kernel() *dataplane.Linux {
	l.t.Helper()
	var k *dataplane.Linux
	require.NoError(l.t, l.host.Do(func(ns.NetNS) (err error) {
		k, err = dataplane.NewLinux(netnsDir, l.config.Plan)
		return err
	}))
	l.t.Cleanup(func() { require.NoError(l.t, k.Close()) })
	return k
}

// settled waits until a full pass finds nothing to write.
func (l *lab) settled(e *dataplane.Engine) {
	l.t.Helper()
	require.Eventually(l.t, func() bool {
		r, err := e.Pass(l.t.Context())
		return err == nil && r.Writes() == 0
	}, 30*time.Second, 10*time.Millisecond)
}
