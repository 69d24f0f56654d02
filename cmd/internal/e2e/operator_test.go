package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// The CLI over an endpoint and an etcd, from a place that is no host of the
// installation and has no data directory.
func TestCLIFromAnywhere(t *testing.T) {
	n, etcd := newHostWithEtcd(t)
	n.start("--etcd-endpoints", etcd)
	dataDir := filepath.Join(n.lab.Dir, "nowhere")
	from := func(args ...string) (string, error) {
		return n.moat(append(args, "--endpoint", "http://"+listen.String()+"/midonet-api", "--data-dir", dataDir,
			"--password-file", filepath.Join(n.daemon.DataDir(), "admin.password"), "--etcd-endpoints", etcd)...)
	}
	must := func(args ...string) string {
		t.Helper()
		out, err := from(args...)
		require.NoError(t, err, out)
		return out
	}
	must("status")
	require.Equal(t, n.cli("provider", "show"), must("provider", "show"))
	require.Equal(t, n.cli("provider", "show"), must("provider", "create"), "what is there stays as it is")
	first := must("tenant", "create", "green", "-o", "json")
	require.Equal(t, first, must("tenant", "show", "green", "-o", "json"))
	require.Equal(t, first, n.cli("tenant", "show", "green", "-o", "json"))
	require.Contains(t, must("tenant", "list"), "green")
	require.Contains(t, must("topology", "green"), "green router")
	p := n.pod("green", "one")
	n.reaches(n.host, p.Address)
	out, err := from("tenant", "delete", "green")
	require.Error(t, err, "a pod is attached")
	require.Contains(t, out, "in use")
	require.Contains(t, out, "moat tenant delete NAME --force")
	require.NoError(t, n.rt.Del(t.Context(), p))
	must("tenant", "delete", "green")
	require.NotContains(t, n.cli("tenant", "list"), "green")

	cut := n.pod("green", "two")
	must("tenant", "delete", "green", "--force")
	require.NotContains(t, n.cli("tenant", "list"), "green")
	require.Error(t, cut.Do(func() error { _, err := net1(cut); return err }), "the pod is cut off")
	require.NoError(t, n.rt.Del(t.Context(), cut), "what the runtime does later")
	require.NoDirExists(t, dataDir)
}

func TestDeleteByForceCutsPodsOff(t *testing.T) {
	n := newNode(t)
	stays, goes := n.pod("blue", "one"), n.pod("red", "one")
	out, err := n.daemon.CLI(t.Context(), "tenant", "delete", "red")
	require.Error(t, err)
	require.Contains(t, out, "moat tenant delete NAME --force")
	n.reaches(goes.Namespace, goes.Gateway)
	n.cli("tenant", "delete", "red", "--force")
	require.Error(t, goes.Do(func() error { _, err := net1(goes); return err }))
	require.NotContains(t, n.cli("tenant", "list"), "red")
	n.reaches(stays.Namespace, outsideAddr.Addr())
	require.NoError(t, n.rt.Del(t.Context(), goes))
	n.pod("red", "two") // the tenant comes back as a new one
}

func TestTopologyAsJSONHasTheNamesOfTheAPI(t *testing.T) {
	n := newNode(t)
	p := n.pod("red", "one")
	out := n.cli("topology", "red", "-o", "json")
	require.NotRegexp(t, `"[A-Z]\w*":`, out)
	var got struct {
		Routers []struct {
			Name, TenantID, Namespace string
			InboundRules              []struct{ Type string }
		}
		Bridges []struct {
			Ports []struct{ InterfaceName string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	require.Equal(t, "red", got.Routers[0].TenantID)
	require.NotEmpty(t, got.Routers[0].InboundRules)
	require.Contains(t, got.Bridges[0].Ports, struct{ InterfaceName string }{p.Result.Interfaces[0].Name})
}

// Showing the provider router makes none, and one that an operator made before
// any host was there becomes the first host's.
func TestProviderIsShownWithoutBeingMade(t *testing.T) {
	n, etcd := newHostWithEtcd(t)
	sdn := n.part("sdn", "sdn", "--etcd-endpoints", etcd)
	require.Eventually(t, func() bool {
		_, err := sdn.REST(t.Context(), listen)
		return err == nil
	}, 20*time.Second, 50*time.Millisecond)
	endpoint := []string{"--endpoint", "http://" + listen.String() + "/midonet-api",
		"--password-file", filepath.Join(sdn.DataDir(), "admin.password"), "--etcd-endpoints", etcd}
	from := func(args ...string) (string, error) { return n.moat(append(args, endpoint...)...) }

	out, err := from("provider", "show")
	require.Error(t, err)
	require.Contains(t, out, "there is none")
	out, err = from("topology", "-o", "json")
	require.NoError(t, err, out)
	require.Contains(t, out, `"routers": []`)
	out, err = from("status")
	require.Error(t, err, out)
	require.Contains(t, out, "not ready")

	made, err := from("provider", "create")
	require.NoError(t, err, made)
	engine := n.part("engine", "engine", "--etcd-endpoints", etcd)
	n.daemon = &lab.Daemon{Bin: bin, Dir: filepath.Join(n.lab.Dir, "agent"), Host: n.host, Command: "agent",
		Args: append(endpoint, "--host-id", hostIDOf(t, engine))}
	require.NoError(t, os.Mkdir(n.daemon.Dir, 0o700))
	require.NoError(t, n.daemon.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, n.daemon.Stop()) })
	n.rt, err = n.daemon.Runtime()
	require.NoError(t, err)
	n.reaches(n.pod("red", "one").Namespace, outsideAddr.Addr())
}
