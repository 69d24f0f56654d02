package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/cmd/internal/lab"
	"github.com/moatnet/moat/cmd/internal/world"
	"github.com/moatnet/moat/sdn"
)

// restoredWithin is the promise for what a foreign hand deletes, and some time for
// a busy machine.
const restoredWithin = 2 * time.Minute

// meddled is a node in which a foreign hand deletes things.
type meddled struct {
	*node
	one, two *lab.Pod
	place    world.Place
	device   sdn.RouterID
	bridge   sdn.BridgeID
	api      *lab.REST
}

func newMeddled(t *testing.T) *meddled {
	m := &meddled{node: newNode(t)}
	m.one, m.two = m.pod("red", "one"), m.pod("red", "two")
	m.place = world.Place{NetnsDir: m.daemon.NetnsDir(), Namespaces: map[string]string{
		"host": m.host.Path, "one": m.one.Path, "two": m.two.Path}}
	var tenant struct {
		Router sdn.RouterID `json:"router"`
	}
	m.cliJSON(&tenant, "tenant", "show", "red", "-o", "json")
	m.device = tenant.Router
	var shown struct {
		Bridges []struct {
			ID sdn.BridgeID `json:"id"`
		} `json:"bridges"`
	}
	m.cliJSON(&shown, "topology", "red", "-o", "json")
	require.Len(t, shown.Bridges, 1)
	m.bridge = shown.Bridges[0].ID
	var err error
	m.api, err = m.daemon.REST(t.Context(), listen)
	require.NoError(t, err)
	return m
}

func (m *meddled) cliJSON(into any, args ...string) {
	m.t.Helper()
	out, err := m.daemon.CLI(m.t.Context(), args...)
	require.NoError(m.t, err, out)
	require.NoError(m.t, json.Unmarshal([]byte(out), into))
}

func (m *meddled) look() []string {
	m.t.Helper()
	lines, err := m.place.Look(m.t.Context())
	require.NoError(m.t, err)
	return lines
}

// home is where the tenant's router is pinned.
func (m *meddled) home() string {
	return filepath.Join(m.daemon.NetnsDir(), sdn.NamespaceName(sdn.DeviceID(m.device)))
}

// router is f in the tenant's router, onHost on the host.
func (m *meddled) router(f func() error) func() error {
	return func() error { return lab.In(m.home(), f) }
}
func (m *meddled) onHost(f func() error) func() error { return func() error { return m.host.Do(f) } }

func (m *meddled) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	require.NoError(t, syscall.Kill(m.daemon.Pid(), s))
}

// whole is nil when pods reach one another and the outside, and are as they were
// made. What reaches the outside is a new connection each time: one that began
// without source NAT never gets it.
func (m *meddled) whole() error {
	c, err := lab.Dial(m.t.Context(), m.one.Namespace, netip.AddrPortFrom(outsideAddr.Addr(), tcpPort), answered)
	if err == nil {
		err = c.Close()
	}
	return errors.Join(err,
		lab.Ping(m.one.Namespace, m.two.Address, answered),
		lab.Ping(m.two.Namespace, m.one.Address, answered),
		m.rt.Check(m.t.Context(), m.one),
		m.rt.Check(m.t.Context(), m.two))
}

// restored waits until the world is as it was.
func (m *meddled) restored(t *testing.T, before []string) {
	t.Helper()
	start := time.Now()
	var diff []string
	require.Eventually(t, func() bool {
		now, err := m.place.Look(t.Context())
		if err != nil { // a namespace may be on its way in or out
			diff = []string{err.Error()}
			return false
		}
		diff = world.Differences(before, now)
		return len(diff) == 0
	}, restoredWithin, 20*time.Millisecond, "%s", lazily(func() string { return strings.Join(diff, "\n") }))
	t.Logf("restored after %s", time.Since(start).Round(time.Millisecond))
	m.becomesWhole(t)
}

func (m *meddled) becomesWhole(t *testing.T) {
	t.Helper()
	var err error
	require.Eventually(t, func() bool { err = m.whole(); return err == nil }, restoredWithin, 50*time.Millisecond,
		"%s", lazily(func() string { return fmt.Sprint(err) }))
}

// lazily is text that is made when it is printed.
type lazily func() string

func (f lazily) String() string { return f() }

func TestWhatAForeignHandDeletesIsRestored(t *testing.T) {
	m := newMeddled(t)
	before := m.look()
	damage := func(t *testing.T, do ...func() error) {
		for i, f := range do {
			was := m.look()
			require.NoError(t, f(), "%d", i)
			require.NotEmpty(t, world.Differences(was, m.look()), "the %dth does something", i)
		}
	}
	for name, do := range map[string][]func() error{
		"pieces": {
			m.router(onLink(m.one.Result.Interfaces[0].Name, netlink.LinkSetNoMaster)),
			m.router(onLink(m.two.Result.Interfaces[0].Name, netlink.LinkSetDown)),
			m.router(dropRule), m.router(dropElement), m.router(dropRoutes),
			m.router(onLink(sdn.InterfaceName(m.bridge), dropAddresses)),
			m.onHost(dropHostTable), m.onHost(flushForward),
		},
		"whole":           {m.router(flushRules), m.router(onLink(sdn.InterfaceName(m.bridge), netlink.LinkDel)), m.onHost(dropUplink)},
		"pod's interface": {func() error { return m.one.CutLink("eth0") }},
	} {
		t.Run(name, func(t *testing.T) {
			m.signal(t, syscall.SIGSTOP) // what is deleted is gone before anybody can restore it
			t.Cleanup(func() { m.signal(t, syscall.SIGCONT) })
			damage(t, do...)
			m.signal(t, syscall.SIGCONT)
			m.restored(t, before)
		})
	}
	t.Run("before a start", func(t *testing.T) {
		require.NoError(t, m.daemon.Kill())
		damage(t,
			m.router(setSysctl("net/ipv4/conf/all/send_redirects", "1")), m.router(setSysctl("net/ipv4/ip_forward", "0")),
			m.onHost(setSysctl("net/ipv4/ip_forward", "0")), m.onHost(dropHostTable), m.onHost(dropUplink),
			func() error { return m.one.CutLink("eth0") }, m.unpin)
		require.NoError(t, m.daemon.Start(t.Context()))
		m.restored(t, before)
	})
}

// An address or a route inside a pod is the pod's own, or of whoever may enter it:
// it stays away, and CHECK says so.
func TestWhatIsDeletedInsideAPodIsReported(t *testing.T) {
	m := newMeddled(t)
	require.NoError(t, m.one.Do(onLink("eth0", dropAddresses)))
	require.ErrorContains(t, m.rt.Check(t.Context(), m.one), m.one.Address.String())
	require.NoError(t, m.two.Do(dropRoutes))
	require.ErrorContains(t, m.rt.Check(t.Context(), m.two), "route")
}

func TestWhatAClientDeletesIsRestored(t *testing.T) {
	m := newMeddled(t)
	blue := m.pod("blue", "one")
	var red, provider struct{ Router, InChain, OutChain string }
	m.cliJSON(&red, "tenant", "show", "red", "-o", "json")
	m.cliJSON(&provider, "provider", "show", "-o", "json")
	for _, c := range []struct {
		name   string
		delete []string
	}{
		{"pieces", []string{"/chains/" + red.OutChain, m.last("/chains/"+red.InChain+"/rules", "Rule-v2", "/rules/"),
			m.last("/routers/"+red.Router+"/routes", "Route-v1", "/routes/"), "/ports/" + m.portOf(m.one)}},
		{"bridge and router", []string{"/bridges/" + string(m.bridge), "/routers/" + red.Router}},
		{"provider router", []string{"/routers/" + provider.Router}},
	} {
		t.Run(c.name, func(t *testing.T) {
			said := m.said()
			for _, path := range c.delete {
				require.NoError(t, m.api.Delete(t.Context(), "http://"+listen.String()+"/midonet-api"+path))
			}
			start := time.Now()
			require.Eventually(t, func() bool { return m.said() > said }, restoredWithin, 10*time.Millisecond, "it is gone, and somebody saw it")
			m.becomesWhole(t)
			t.Logf("restored after %s", time.Since(start).Round(time.Millisecond))
			require.Error(t, lab.Ping(blue.Namespace, m.one.Address, unanswered), "tenants are apart again")
		})
	}
	log, err := os.ReadFile(m.daemon.LogFile())
	require.NoError(t, err)
	require.Contains(t, string(log), `objects="chain red-out, filters of router red router`)
}

// said is how often the daemon said that it makes again what was deleted.
func (m *meddled) said() int {
	log, err := os.ReadFile(m.daemon.LogFile())
	require.NoError(m.t, err)
	return strings.Count(string(log), "made again")
}

// last is the path of the last object of a list.
func (m *meddled) last(list, media, path string) string {
	m.t.Helper()
	all, err := m.api.List(m.t.Context(), list, media)
	require.NoError(m.t, err)
	require.NotEmpty(m.t, all)
	return path + all[len(all)-1]["id"].(string)
}

func (m *meddled) portOf(p *lab.Pod) string {
	m.t.Helper()
	all, err := m.api.List(m.t.Context(), "/bridges/"+string(m.bridge)+"/ports", "Port-v3")
	require.NoError(m.t, err)
	for _, port := range all {
		if port["interfaceName"] == p.Result.Interfaces[0].Name {
			return port["id"].(string)
		}
	}
	require.FailNow(m.t, "the pod has no port")
	return ""
}

func (m *meddled) unpin() error {
	if err := unix.Unmount(m.home(), unix.MNT_DETACH); err != nil {
		return err
	}
	return os.Remove(m.home())
}

func onLink(name string, f func(netlink.Link) error) func() error {
	return func() error {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		return f(l)
	}
}

func dropAddresses(l netlink.Link) error {
	list, err := netlink.AddrList(l, netlink.FAMILY_V4)
	for _, a := range list {
		if err := netlink.AddrDel(l, &a); err != nil {
			return err
		}
	}
	return err
}

func dropRoutes() error {
	list, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	for _, r := range list {
		if err := netlink.RouteDel(&r); err != nil {
			return err
		}
	}
	return err
}

func setSysctl(key, value string) func() error {
	return func() error { return os.WriteFile("/proc/sys/"+key, []byte(value), 0) }
}

func flushRules() error {
	c, err := nftables.New()
	if err != nil {
		return err
	}
	c.FlushRuleset()
	return c.Flush()
}

// dropRule deletes the last rule of the last chain of the router's table.
func dropRule() error {
	c, err := nftables.New()
	if err != nil {
		return err
	}
	chains, err := c.ListChainsOfTableFamily(nftables.TableFamilyIPv4)
	if err != nil {
		return err
	}
	for _, ch := range chains {
		rules, err := c.GetRules(ch.Table, ch)
		if err != nil {
			return err
		}
		if len(rules) > 1 {
			if err := c.DelRule(rules[len(rules)-1]); err != nil {
				return err
			}
			return c.Flush()
		}
	}
	return os.ErrNotExist
}

// dropElement deletes one element of the set of the router's ports.
func dropElement() error {
	c, err := nftables.New()
	if err != nil {
		return err
	}
	tables, err := c.ListTablesOfFamily(nftables.TableFamilyIPv4)
	if err != nil {
		return err
	}
	set, err := c.GetSetByName(tables[0], "ports")
	if err != nil {
		return err
	}
	elements, err := c.GetSetElements(set)
	if err != nil {
		return err
	}
	if err := c.SetDeleteElements(set, elements[:1]); err != nil {
		return err
	}
	return c.Flush()
}

func dropHostTable() error {
	c, err := nftables.New()
	if err != nil {
		return err
	}
	tables, err := c.ListTables()
	for _, t := range tables {
		if strings.HasPrefix(t.Name, "moat-") {
			c.DelTable(t)
		}
	}
	if err != nil {
		return err
	}
	return c.Flush()
}

func flushForward() error {
	c, err := nftables.New()
	if err != nil {
		return err
	}
	c.FlushTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "filter"})
	return c.Flush()
}

// dropUplink deletes the interface by which the host reaches the installation.
func dropUplink() error {
	routes, err := netlink.RouteGet(netip.MustParseAddr("100.64.0.2").AsSlice())
	if err != nil {
		return err
	}
	l, err := netlink.LinkByIndex(routes[0].LinkIndex)
	if err != nil {
		return err
	}
	return netlink.LinkDel(l)
}
