package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// dhcpDaemon runs the reference's DHCP client for pods on the host, until the test
// ends, and returns its socket.
func (n *node) dhcpDaemon() (socket string) {
	n.t.Helper()
	socket = filepath.Join(n.lab.Dir, "dhcp.sock")
	logs, err := os.Create(filepath.Join(n.lab.Dir, "dhcp.log"))
	require.NoError(n.t, err)
	c := exec.Command(filepath.Join(bin, "dhcp"), "daemon", "-socketpath", socket, "-timeout", "2s", "-resendmax", "1s", "-resendtimeout", "4s")
	c.Stdout, c.Stderr = logs, logs
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(n.t, n.host.Do(c.Start))
	n.t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait() // it says that it was killed
		if b, err := os.ReadFile(logs.Name()); err == nil && n.t.Failed() {
			n.t.Logf("the DHCP daemon's log:\n%s", b)
		}
		_ = logs.Close()
	})
	require.Eventually(n.t, func() bool { _, err := os.Stat(socket); return err == nil }, time.Minute, 10*time.Millisecond)
	return socket
}

// dhcpServer has Moat answer DHCP clients of a tenant's only bridge.
func (n *node) dhcpServer(tenant string, prefix netip.Prefix, gateway netip.Addr, hosts map[string]string) {
	n.t.Helper()
	rest, err := n.daemon.REST(n.t.Context(), listen)
	require.NoError(n.t, err)
	bridges, err := rest.List(n.t.Context(), "/bridges?tenant_id="+tenant, "Bridge-v4")
	require.NoError(n.t, err)
	require.Len(n.t, bridges, 1)
	path := "/bridges/" + bridges[0]["id"].(string) + "/dhcp"
	_, err = rest.Post(n.t.Context(), path, "DhcpSubnet-v2", map[string]any{
		"subnetPrefix": prefix.Addr().String(), "subnetLength": prefix.Bits(), "defaultGateway": gateway.String(), "enabled": true})
	require.NoError(n.t, err)
	path += fmt.Sprintf("/%s_%d/hosts", prefix.Addr(), prefix.Bits())
	for mac, address := range hosts {
		_, err = rest.Post(n.t.Context(), path, "DhcpHost-v2", map[string]any{"macAddr": mac, "ipAddr": address, "name": "pod"})
		require.NoError(n.t, err)
	}
}

// client is a pod with a MAC of its own.
func (n *node) client(name, mac string) *lab.Pod {
	n.t.Helper()
	p, err := n.lab.NewPod("blue", name)
	require.NoError(n.t, err)
	p.Args.CapabilityArgs = map[string]any{"mac": mac}
	return p
}

// The reference's DHCP client asks by way of the pod's interface, and Moat's own
// server on the tenant's bridge answers: the pod has that address, leased to it.
func TestDHCPGivesAddressesOfATenant(t *testing.T) {
	buildReference(t, "ipam/dhcp")
	n, ctx := configured(t, oursForOthers), t.Context()
	first := n.pod("blue", "first") // the tenant's network is there, and one address held
	n.dhcpServer("blue", netip.MustParsePrefix("192.168.40.0/24"), first.Gateway, map[string]string{
		"02:00:00:00:40:01": "192.168.40.77",
		"02:00:00:00:40:02": first.Address.String(),
	})
	rt := n.delegating("dhcp", "1.1.0", `{"type":"dhcp","daemonSocketPath":"`+n.dhcpDaemon()+`"}`)

	stranger := n.client("stranger", "02:00:00:00:40:99")
	require.Error(t, rt.Add(ctx, stranger), "nobody answers it")
	require.NoError(t, rt.Del(ctx, stranger))
	held := n.client("held", "02:00:00:00:40:02")
	require.ErrorContains(t, rt.Add(ctx, held), first.ID, "the holder of what the server gives is named")
	require.NoError(t, rt.Del(ctx, held))
	require.Zero(t, n.noted())

	p := n.client("p", "02:00:00:00:40:01")
	require.NoError(t, rt.Add(ctx, p))
	require.Equal(t, "192.168.40.77", p.Address.String())
	require.Equal(t, first.Gateway, p.Gateway)
	n.reaches(p.Namespace, first.Address)
	n.reaches(p.Namespace, outsideAddr.Addr())
	require.NoError(t, rt.Check(ctx, p))
	again := *p
	require.NoError(t, rt.Add(ctx, &again))
	require.Equal(t, p.Result, again.Result)
	require.NoError(t, n.host.Do(func() error { return rt.CNI.GetStatusNetworkList(ctx, rt.List) }))

	require.NoError(t, n.daemon.Kill())
	require.NoError(t, n.daemon.Start(ctx))
	require.NoError(t, rt.Check(ctx, p), "the next daemon knows it")
	n.reaches(p.Namespace, outsideAddr.Addr())
	require.NoError(t, rt.Del(ctx, p))
	require.NoError(t, rt.Del(ctx, p), "repeated")
	require.Zero(t, n.noted())
	require.NoError(t, n.rt.Del(ctx, first))
}
