package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/lab"
	"github.com/moatnet/moat/sdn/embedetcd"
)

// SDN server, engine and agent as three processes over one etcd.
func TestPartsAlone(t *testing.T) {
	n, etcd := newHostWithEtcd(t)
	sdn := n.part("sdn", "sdn", "--etcd-endpoints", etcd)
	require.Eventually(t, func() bool {
		_, err := sdn.REST(t.Context(), listen)
		return err == nil
	}, 20*time.Second, 50*time.Millisecond)
	engine := n.part("engine", "engine", "--etcd-endpoints", etcd)
	n.daemon = &lab.Daemon{Bin: bin, Dir: filepath.Join(n.lab.Dir, "agent"), Host: n.host, Command: "agent", Args: []string{
		"--etcd-endpoints", etcd, "--endpoint", "http://" + listen.String() + "/midonet-api",
		"--password-file", filepath.Join(sdn.DataDir(), "admin.password"), "--host-id", hostIDOf(t, engine),
	}}
	require.NoError(t, os.Mkdir(n.daemon.Dir, 0o700))
	require.NoError(t, n.daemon.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, n.daemon.Stop()) })
	var err error
	n.rt, err = n.daemon.Runtime()
	require.NoError(t, err)

	red, second, blue := n.pod("red", "one"), n.pod("red", "two"), n.pod("blue", "one")
	n.reaches(red.Namespace, second.Address)
	n.reaches(red.Namespace, outsideAddr.Addr())
	n.reaches(n.host, blue.Address)
	n.reachesNot(red.Namespace, blue.Address)
	require.NoError(t, n.rt.Check(t.Context(), red))
	first := red.Result
	require.NoError(t, n.rt.Add(t.Context(), red))
	require.Equal(t, first, red.Result, "a repeated ADD answers the same")
	for _, p := range []*lab.Pod{red, second, blue} {
		require.NoError(t, n.rt.Del(t.Context(), p))
	}
	for _, tenant := range []string{"red", "blue"} {
		n.cli("tenant", "delete", tenant)
	}
}

// A plugin without a daemon on its node, over an etcd and an endpoint.
func TestStandalone(t *testing.T) {
	n, etcd := newNodeOverEtcd(t)
	credentials := filepath.Join(n.lab.Dir, "credentials.yaml")
	require.NoError(t, os.WriteFile(credentials, fmt.Appendf(nil,
		"dataDir: %s\nhostID: %s\nnode: alone\netcd: {endpoints: [%s]}\nendpoint: {urls: [http://%s/midonet-api], passwordFile: %s}\n",
		filepath.Join(n.lab.Dir, "alone"), hostIDOf(t, n.daemon), etcd, listen, filepath.Join(n.daemon.DataDir(), "admin.password")), 0o600))
	conf := n.entry("1.1.0", map[string]any{"standalone": true, "credentials": credentials})

	p, err := n.lab.NewPod("red", "one")
	require.NoError(t, err)
	out, err := n.plugin(conf, callEnv("ADD", p))
	require.NoError(t, err, out)
	var result struct {
		IPs []struct{ Address, Gateway string }
	}
	require.NoError(t, json.Unmarshal([]byte(out), &result))
	n.reaches(p.Namespace, netip.MustParseAddr(result.IPs[0].Gateway))
	n.reaches(p.Namespace, outsideAddr.Addr())
	again, err := n.plugin(conf, callEnv("ADD", p))
	require.NoError(t, err, again)
	require.Equal(t, out, again)
	out, err = n.plugin(conf, callEnv("STATUS", p))
	require.NoError(t, err, out)

	for range 2 {
		out, err = n.plugin(conf, callEnv("DEL", p))
		require.NoError(t, err, out)
	}
	require.Contains(t, n.cli("tenant", "show", "red", "-o", "json"), `"pods": 0`)

	require.NoError(t, os.Chmod(credentials, 0o644))
	e := n.refused(conf, callEnv("ADD", p))
	require.Contains(t, e.Msg+e.Details, "open to others")
}

// The CLI without a daemon's socket: straight to an endpoint and an etcd.
func TestCLIStraightToAnEndpoint(t *testing.T) {
	n, etcd := newNodeOverEtcd(t)
	direct := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "moat"), append(args,
			"--endpoint", "http://"+listen.String()+"/midonet-api", "--password-file", filepath.Join(n.daemon.DataDir(), "admin.password"),
			"--etcd-endpoints", etcd, "--host-id", hostIDOf(t, n.daemon), "--data-dir", filepath.Join(n.lab.Dir, "direct"))...)
		var out []byte
		err := n.host.Do(func() (err error) {
			out, err = cmd.CombinedOutput()
			return err
		})
		require.NoError(t, err, string(out))
		return string(out)
	}
	first := direct("tenant", "create", "green", "-o", "json")
	require.Equal(t, first, direct("tenant", "create", "green", "-o", "json"), "creating is idempotent")
	require.Equal(t, first, n.cli("tenant", "show", "green", "-o", "json"), "the daemon sees the same")
	require.Contains(t, direct("topology", "green"), "green router")
	require.Equal(t, direct("provider", "create"), direct("provider", "show"))
	direct("tenant", "delete", "green")
	direct("tenant", "delete", "green")
	require.NotContains(t, n.cli("tenant", "list"), "green")
}

// What somebody else's masquerading sends to a pod is not the host's own.
func TestContainersOfTheHostAreNotTheHost(t *testing.T) {
	n := newHost(t)
	container, err := n.lab.Namespace("container")
	require.NoError(t, err)
	require.NoError(t, n.lab.Cable(lab.End{In: n.host, Interface: "docker0", Address: netip.MustParsePrefix("172.17.0.1/16")},
		lab.End{In: container, Interface: "eth0", Address: netip.MustParsePrefix("172.17.0.2/16")}))
	require.NoError(t, container.Route(everywhere, netip.MustParseAddr("172.17.0.1")))
	require.NoError(t, n.host.Masquerade(netip.MustParsePrefix("172.17.0.0/16")))
	n.start()
	p := n.pod("red", "one")

	n.reaches(container, netip.MustParseAddr("172.17.0.1"))
	n.reaches(n.host, p.Address)
	n.reachesNot(container, p.Address)
}

// A real interface as the provider router's uplink.
func TestRealInterfaceAsUplink(t *testing.T) {
	n := newHost(t)
	far, err := n.lab.Namespace("far")
	require.NoError(t, err)
	farAddr := netip.MustParsePrefix("203.0.113.1/24")
	require.NoError(t, n.lab.Cable(lab.End{In: n.host, Interface: "eth1"}, lab.End{In: far, Interface: "eth0", Address: farAddr}))
	require.NoError(t, n.lab.Serve(far, tcpPort))
	require.NoError(t, far.Route(netip.MustParsePrefix("100.64.0.0/16"), netip.MustParseAddr("203.0.113.2")))
	require.NoError(t, far.Route(netip.MustParsePrefix("10.128.0.0/9"), netip.MustParseAddr("203.0.113.2")))
	n.start("--uplink", "eth1", "--uplink-address", "203.0.113.2/24", "--uplink-gateway", "203.0.113.1", "--mtu", "1500")
	p := n.pod("red", "one")
	seen, err := lab.Connect(t.Context(), p.Namespace, netip.AddrPortFrom(farAddr.Addr(), tcpPort), answered)
	require.NoError(t, err)
	require.True(t, netip.MustParsePrefix("100.64.0.0/16").Contains(seen), "the outside sees the tenant's transit address, not %s", seen)
	n.reachesNot(far, p.Address)
}

// part starts a process that has no operations to ask.
func (n *node) part(dir, command string, args ...string) *lab.Daemon {
	n.t.Helper()
	d := &lab.Daemon{Bin: bin, Dir: filepath.Join(n.lab.Dir, dir), Host: n.host, Command: command, Args: args}
	require.NoError(n.t, os.Mkdir(d.Dir, 0o700))
	require.NoError(n.t, d.Launch())
	n.t.Cleanup(func() { require.NoError(n.t, d.Stop()) })
	return d
}

func hostIDOf(t *testing.T, d *lab.Daemon) string {
	t.Helper()
	var id []byte
	require.Eventually(t, func() bool {
		var err error
		id, err = os.ReadFile(filepath.Join(d.DataDir(), "host_id"))
		return err == nil
	}, 20*time.Second, 20*time.Millisecond)
	return strings.TrimSpace(string(id))
}

// newHostWithEtcd is a host without a daemon, and an etcd of the test's.
func newHostWithEtcd(t *testing.T) (*node, string) {
	dir, err := os.MkdirTemp("", "etcd")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	etcd, err := embedetcd.Start(ctx, embedetcd.Config{Dir: dir})
	require.NoError(t, err)
	t.Cleanup(etcd.Close)
	return newHost(t), etcd.Endpoint()
}
