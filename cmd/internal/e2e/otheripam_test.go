package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// oursForOthers is a tenant whose subnet other IPAM plugins lease from.
const oursForOthers = `tenants: {blue: {subnets: [192.168.40.0/24]}}`

// delegating is a runtime for a network of Moat's whose "ipam" is another plugin's.
func (n *node) delegating(name, version, ipam string) *lab.Runtime {
	n.t.Helper()
	file := filepath.Join(n.lab.Dir, name+".conflist")
	conf := fmt.Sprintf(`{"cniVersion":%q,"name":%q,"plugins":[{"type":"moat-cni","socket":%q,"capabilities":{"mac":true},"ipam":%s}]}`,
		version, name, n.daemon.Socket(), ipam)
	require.NoError(n.t, os.WriteFile(file, []byte(conf), 0o600))
	rt, err := lab.NewRuntime(file, bin, filepath.Join(n.lab.Dir, "cache-"+name), n.host)
	require.NoError(n.t, err)
	return rt
}

// failedBy attaches a pod that must get nothing, and returns why.
func (n *node) failedBy(rt *lab.Runtime, tenant, name string) *types.Error {
	n.t.Helper()
	p, err := n.lab.NewPod(tenant, name)
	require.NoError(n.t, err)
	var cni *types.Error
	require.ErrorAs(n.t, rt.Add(n.t.Context(), p), &cni)
	require.NoError(n.t, n.host.Do(func() error { return rt.CNI.DelNetworkList(n.t.Context(), rt.List, p.Args) }), "as runtimes do after a failed ADD")
	return cni
}

// noted are the notes of what is delegated.
func (n *node) noted() int {
	n.t.Helper()
	files, err := filepath.Glob(filepath.Join(n.daemon.DataDir(), "delegations", "*.json"))
	require.NoError(n.t, err)
	return len(files)
}

func TestStaticGivesAddressesOfATenant(t *testing.T) {
	buildReference(t, "ipam/static")
	n := configured(t, oursForOthers)
	ipam := func(address, rest string) string {
		return `{"type":"static","addresses":[{"address":"` + address + `"` + rest + `}],"routes":[{"dst":"0.0.0.0/0"},{"dst":"10.9.0.0/16"}],"dns":{"nameservers":["192.168.40.53"]}}`
	}
	for name, test := range map[string]struct{ address, rest, says string }{
		"elsewhere":   {"10.1.2.3/24", ``, "tenants.blue.subnets"},
		"wrong-mask":  {"192.168.40.5/16", ``, "whose length is 24"},
		"ipv6":        {"fd00::5/64", ``, "IPv6 address fd00::5/64"},
		"the-gateway": {"192.168.40.1/24", ``, "is the gateway"},
		"far-gateway": {"192.168.40.5/24", `,"gateway":"10.0.0.1"`, "gateway 10.0.0.1"},
	} {
		e := n.failedBy(n.delegating(name, "1.1.0", ipam(test.address, test.rest)), "blue", name)
		require.EqualValues(t, 7, e.Code, "%s: %s", name, e.Msg)
		require.Contains(t, e.Msg, test.says)
	}
	for i, version := range []string{"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"} {
		address := fmt.Sprintf("192.168.40.%d", 10+i)
		rt := n.delegating(fmt.Sprint("static", i), version, ipam(address+"/24", `,"gateway":"192.168.40.1"`))
		p := n.podOf(rt, fmt.Sprint("static", i))
		require.Equal(t, address, p.Address.String())
		require.Equal(t, []string{"192.168.40.53"}, p.Result.DNS.Nameservers)
		require.Equal(t, "0.0.0.0/0 192.168.40.1, 10.9.0.0/16 192.168.40.1",
			fmt.Sprintf("%s %s, %s %s", &p.Result.Routes[0].Dst, p.Result.Routes[0].GW, &p.Result.Routes[1].Dst, p.Result.Routes[1].GW))
		n.reaches(p.Namespace, outsideAddr.Addr())
		if i >= 2 {
			require.NoError(t, rt.Check(t.Context(), p))
		}
		held := n.failedBy(rt, "blue", fmt.Sprint("second", i))
		require.EqualValues(t, 103, held.Code)
		require.Contains(t, held.Msg, p.ID, "the holder is named")
		n.reaches(p.Namespace, outsideAddr.Addr())
		require.NoError(t, rt.Del(t.Context(), p))
	}
	require.Zero(t, n.noted())
}

// leased are the addresses that host-local holds.
func leased(t *testing.T, dir, network string) (all []string) {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(dir, network))
	require.NoError(t, err)
	for _, f := range files {
		if _, err := netip.ParseAddr(f.Name()); err == nil {
			all = append(all, f.Name())
		}
	}
	return all
}

func TestHostLocalGivesAddressesOfATenant(t *testing.T) {
	buildReference(t, "ipam/host-local")
	n, dir, ctx := configured(t, oursForOthers), t.TempDir(), t.Context()
	rt := n.delegating("local", "1.1.0", fmt.Sprintf(
		`{"type":"host-local","dataDir":%q,"ranges":[[{"subnet":"192.168.40.0/24","rangeStart":"192.168.40.100","rangeEnd":"192.168.40.102"}]]}`, dir))
	var pods []*lab.Pod
	for i := range 3 {
		p := n.podOf(rt, fmt.Sprint("p", i))
		n.reaches(p.Namespace, p.Gateway)
		require.NoError(t, rt.Check(ctx, p))
		pods = append(pods, p)
	}
	n.reaches(pods[0].Namespace, pods[1].Address)
	full := n.failedBy(rt, "blue", "full")
	require.Contains(t, full.Msg, "no IP addresses available", "the plugin's own words")
	again := *pods[0]
	require.NoError(t, rt.Add(ctx, &again))
	require.Equal(t, pods[0].Result, again.Result, "a repeated ADD has the same answer")
	require.Len(t, leased(t, dir, "local"), 3)

	require.NoError(t, pods[1].Remove(), "the pod's namespace is gone before DEL")
	require.NoError(t, rt.Del(ctx, pods[1]))
	require.NoError(t, rt.Del(ctx, pods[1]), "repeated")
	require.Len(t, leased(t, dir, "local"), 2)
	require.NoError(t, n.host.Do(func() error { return rt.CNI.GetStatusNetworkList(ctx, rt.List) }))

	// GC by hand: libcni would send DEL for what it remembers.
	gc := fmt.Sprintf(`{"cniVersion":"1.1.0","name":"local","type":"moat-cni","socket":%q,"ipam":{"type":"host-local","dataDir":%q,"ranges":[[{"subnet":"192.168.40.0/24"}]]},
		"cni.dev/valid-attachments":[{"containerID":%q,"ifname":"eth0"}]}`, n.daemon.Socket(), dir, pods[0].ID)
	out, err := n.plugin(gc, map[string]string{"CNI_COMMAND": "GC"})
	require.NoError(t, err, out)
	require.Equal(t, []string{pods[0].Address.String()}, leased(t, dir, "local"))
	n.reaches(pods[0].Namespace, pods[0].Gateway)
	require.NoError(t, rt.Check(ctx, pods[0]))
	require.Error(t, rt.Check(ctx, pods[2]))
	require.NoError(t, rt.Del(ctx, pods[0]))
	require.Empty(t, leased(t, dir, "local"))
	require.Zero(t, n.noted())
}

// The plugin's process or the daemon is killed at some point of an ADD: nothing is
// left with the other plugin when the next daemon has looked, or DEL has come.
func TestKilledDuringAddWithHostLocalLeavesNothing(t *testing.T) {
	buildReference(t, "ipam/host-local")
	n, dir := configured(t, oursForOthers), t.TempDir()
	conf := func(version string) string {
		return n.entry(version, map[string]any{"ipam": map[string]any{"type": "host-local", "dataDir": dir,
			"ranges": [][]map[string]any{{{"subnet": "192.168.40.0/24"}}}}})
	}
	for i := range 30 {
		p, err := n.lab.NewPod("blue", fmt.Sprint("plugin", i))
		require.NoError(t, err)
		n.killedDuring(conf("1.1.0"), callEnv("ADD", p), time.Duration(2+i)*time.Millisecond)
	}
	for i := range 5 {
		p, err := n.lab.NewPod("blue", fmt.Sprint("daemon", i))
		require.NoError(t, err)
		killed := make(chan error, 1)
		time.AfterFunc(time.Duration(5+5*i)*time.Millisecond, func() { killed <- n.daemon.Kill() })
		_, _ = n.plugin(conf("1.1.0"), callEnv("ADD", p)) // in the middle of it, or just in time
		require.NoError(t, <-killed)
		require.NoError(t, n.daemon.Start(t.Context()))
		out, err := n.plugin(conf("1.1.0"), callEnv("DEL", p))
		require.NoError(t, err, out)
	}
	// Those that were complete as the plugin was killed are the runtime's to remove.
	gc := n.entry("1.1.0", map[string]any{"ipam": map[string]any{"type": "host-local", "dataDir": dir}, "cni.dev/valid-attachments": []any{}})
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		out, err := n.plugin(gc, map[string]string{"CNI_COMMAND": "GC"})
		assert.NoError(c, err, out)
		assert.Empty(c, leased(t, dir, "moat"))
		assert.Zero(c, n.noted())
	}, 40*time.Second, 500*time.Millisecond)
}
