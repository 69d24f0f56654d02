package plan_test

import (
	"context"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/ledger"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/dataplane"
	"github.com/moatnet/moat/sdn/filter"
	"github.com/moatnet/moat/sdn/plan"
	"github.com/moatnet/moat/sdn/topology"
	"github.com/moatnet/moat/tenant"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// installation gives all names and IDs of the golden network.
const installation = "11111111-1111-4111-8111-111111111111"

// fixed is a store whose tenants have no random part.
type fixed struct{ ipam.Store }

func (f fixed) ClaimTenant(ctx context.Context, c ipam.Claim) (ipam.Tenant, error) {
	c.Generation, c.Bridge = "22222222-2222-4222-8222-222222222222", string(bridge)
	return f.Store.ClaimTenant(ctx, c)
}

// named is a topology whose router ports get no random MACs.
type named struct{ *topology.Topology }

func (n named) CreatePort(ctx context.Context, p sdn.Port) (sdn.Port, error) {
	if p.MAC == "" && p.Kind == sdn.RouterPort {
		p.MAC = plan.MACOf(p.ID)
	}
	return n.Topology.CreatePort(ctx, p)
}

// willing is an engine and an agent's kernel that agree to everything.
type willing struct{}

func (willing) Wiring(_ context.Context, b sdn.BridgeID, p sdn.PortID) (sdn.Wiring, error) {
	return sdn.Wiring{Namespace: "n", Master: sdn.InterfaceName(b), Interface: sdn.InterfaceName(p), MTU: 1500}, nil
}
func (willing) WaitActive(context.Context, sdn.PortID) error                     { return nil }
func (willing) Prepare(context.Context, tenant.PodWire) (tenant.Prepared, error) { return nil, nil }
func (willing) Make(_ context.Context, w tenant.PodWire) (tenant.PodMade, error) {
	return tenant.PodMade{HostMAC: w.HostMAC, PodMAC: w.PodMAC}, nil
}
func (willing) Configure(context.Context, tenant.PodWire) error { return nil }

func (willing) Remove(context.Context, tenant.PodWire) error { return nil }
func (willing) Check(context.Context, tenant.PodWire) error  { return nil }

// defaultTenant is what Moat itself makes of one tenant with one pod, the
// configuration saying nothing. It returns the pod's port, too.
func defaultTenant(t *testing.T) (*topology.Topology, plan.Config, sdn.PortID) {
	t.Helper()
	topo := topology.NewMemory(topology.Options{AllowDeadHosts: true, Check: filter.Check})
	t.Cleanup(func() { require.NoError(t, topo.Close()) })
	_, err := topo.CreateHost(t.Context(), sdn.Host{ID: host, Name: "node"})
	require.NoError(t, err)
	want := ipam.Defaults("moat")
	want.ID = installation
	store := fixed{ledger.New(ledger.NewMemory(), ledger.Options{})}
	addresses, err := store.EnsureInstallation(t.Context(), want)
	require.NoError(t, err)
	m, err := tenant.New(tenant.Options{
		API: named{topo}, Store: store, Engine: willing{}, Pods: willing{}, Plan: ipam.Defaults("moat"),
		Node: "node", Host: host, TunnelAddress: netip.MustParseAddr("192.0.2.10"), MTU: 1500,
	})
	require.NoError(t, err)
	pod, err := os.Open("/proc/self/ns/net")
	require.NoError(t, err)
	defer pod.Close()
	_, err = m.Attach(t.Context(), tenant.AttachRequest{
		Attachment: ipam.Attachment{Node: "node", Network: "moat", ContainerID: "c1", IfName: "eth0"},
		Pod:        tenant.Pod{Namespace: "red", Name: "web", UID: "u"}, Tenant: "red", Netns: pod, NetnsPath: "/run/netns/web",
	})
	require.NoError(t, err)
	uplink, err := tenant.UplinkPort(addresses.ID)
	require.NoError(t, err)
	hostEnd, _ := addresses.Uplink()
	both := []netip.Prefix{addresses.Supernet, addresses.Transit}
	c := plan.Config{Installation: addresses.ID, Host: host, MTU: 1500, Uplink: plan.Uplink{
		Port: uplink, HostAddress: hostEnd, HostRoutes: both, Masquerade: both,
	}}
	ports, err := topo.Ports(t.Context(), "")
	require.NoError(t, err)
	for _, p := range ports {
		if p.Kind == sdn.BridgePort && p.Host != "" {
			return topo, c, p.ID
		}
	}
	t.Fatal("the pod has no port")
	return nil, c, ""
}

// describe prints plans under what they are of, with the provider router before
// the tenant's.
func describe(t *testing.T, topo *topology.Topology, plans []plan.Namespace) string {
	t.Helper()
	title := map[sdn.DeviceID]string{"": "the host"}
	routers, err := topo.Routers(t.Context(), "")
	require.NoError(t, err)
	for _, r := range routers {
		title[sdn.DeviceID(r.ID)] = r.Name
		if r.TenantID == "red" {
			title[sdn.DeviceID(r.ID)] = "the router of tenant red, with its bridge"
		}
	}
	text := map[string]string{}
	for _, n := range plans {
		text[title[n.Device]] = n.String()
	}
	require.Len(t, text, 3)
	var out []string
	for _, name := range []string{"the host", "moat provider", "the router of tenant red, with its bridge"} {
		require.NotEmpty(t, text[name], name)
		out = append(out, "# "+name+"\n"+text[name])
	}
	return strings.Join(out, "\n")
}

func TestPlanOfADefaultTenantAsCommands(t *testing.T) {
	topo, c, _ := defaultTenant(t)
	var plans []plan.Namespace
	topo.View(func(v sdn.View) {
		n, err := plan.Host(v, c)
		require.NoError(t, err)
		plans = append(plans, n)
		for _, d := range plan.Homes(v) {
			n, err := plan.Home(v, c, d)
			require.NoError(t, err)
			plans = append(plans, n)
		}
	})
	text := describe(t, topo, plans)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(golden, []byte(text), 0o644))
	}
	requireGolden(t, text)
}

const golden = "testdata/tenant.golden"

func requireGolden(t *testing.T, text string) {
	t.Helper()
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(strings.Split(string(want), "\n"), strings.Split(text, "\n")))
}

// The golden text is what a kernel says that the plan was applied to.
func TestKernelOfADefaultTenantPrintsAsItsPlan(t *testing.T) {
	topo, c, pod := defaultTenant(t)
	dir := filepath.Join(t.TempDir(), "netns")
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	var e *dataplane.Engine
	in(t, newHost(t), func() (err error) {
		e, err = dataplane.New(dataplane.Config{Source: topo, Reports: topo, Plan: c, NetnsDir: dir})
		return err
	})
	t.Cleanup(func() {
		require.NoError(t, e.TakeDown(context.WithoutCancel(t.Context())))
		require.NoError(t, e.Close())
	})
	_, err := e.Pass(t.Context())
	require.NoError(t, err)
	w, err := e.Wiring(t.Context(), bridge, pod)
	require.NoError(t, err)
	home, err := ns.GetNS(w.Namespace)
	require.NoError(t, err)
	defer home.Close()
	in(t, home, func() error {
		return netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: w.Interface}, PeerName: "eth0", PeerNamespace: netlink.NsFd(int(newHost(t).Fd()))})
	})
	_, err = e.Pass(t.Context())
	require.NoError(t, err)
	seen, err := e.Observe(t.Context())
	require.NoError(t, err)
	requireGolden(t, describe(t, topo, seen))
}

func in(t *testing.T, n ns.NetNS, f func() error) {
	t.Helper()
	require.NoError(t, n.Do(func(ns.NetNS) error { return f() }))
}

// newHost is a network namespace that ends with the test.
func newHost(t *testing.T) ns.NetNS {
	t.Helper()
	type result struct {
		ns  ns.NetNS
		err error
	}
	made := make(chan result, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			made <- result{nil, err}
			return
		}
		n, err := ns.GetNS("/proc/thread-self/ns/net")
		made <- result{n, err}
	}()
	r := <-made
	require.NoError(t, r.err)
	t.Cleanup(func() { require.NoError(t, r.ns.Close()) })
	return r.ns
}
