package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/lab"
	"github.com/moatnet/moat/sdn/embedetcd"
)

// Without etcd an ADD is refused in time, whether the tenant is known or not, and
// leaves nothing that etcd's return would bring to light.
func TestAddWithoutEtcdIsRefusedAndLeavesNothing(t *testing.T) {
	dir, err := os.MkdirTemp("", "etcd")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	etcd, err := embedetcd.Start(t.Context(), embedetcd.Config{Dir: dir})
	require.NoError(t, err)
	t.Cleanup(func() { etcd.Close() })
	n := newHost(t)
	n.start("--etcd-endpoints", etcd.Endpoint())
	n.pod("red", "before")
	rest, err := n.daemon.REST(t.Context(), listen)
	require.NoError(t, err)
	objects, leases := n.objects(rest, ""), newRecords(t, etcd.Endpoint()).of("red")

	etcd.Close()
	refused := map[string]*lab.Pod{}
	for _, tenant := range []string{"red", "green"} {
		p, err := n.lab.NewPod(tenant, "late")
		require.NoError(t, err)
		refused[tenant] = p
		start := time.Now()
		e := n.refused(n.entry("1.1.0", nil), callEnv("ADD", p))
		require.Equal(t, 11, e.Code, "%+v", e)
		require.Contains(t, e.Msg, tenant+"/"+p.Name, "the message names pod and tenant")
		require.Contains(t, e.Details, "check that etcd is running")
		require.Less(t, time.Since(start), 15*time.Second, "the runtime waits for a refusal")
		require.Error(t, p.Do(func() error { _, err := net1(p); return err }), "an interface is left in the pod")
	}

	etcd, err = embedetcd.Start(t.Context(), embedetcd.Config{Dir: dir})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		return n.host.Do(func() error { return n.rt.CNI.GetStatusNetworkList(t.Context(), n.rt.List) }) == nil
	}, time.Minute, 100*time.Millisecond)
	kept := newRecords(t, etcd.Endpoint())
	require.Equal(t, leases, kept.of("red"))
	require.Empty(t, kept.of("green"))
	require.Equal(t, objects, n.objects(rest, ""))
	for _, p := range refused {
		require.NoError(t, n.rt.Add(t.Context(), p))
		n.reaches(p.Namespace, p.Gateway)
	}
}

// An API that refuses the login is no reason to try again.
func TestAddOverAnAPIThatRefusesTheLogin(t *testing.T) {
	n, etcd := newNodeOverEtcd(t)
	wrong := filepath.Join(n.lab.Dir, "wrong.password")
	require.NoError(t, os.WriteFile(wrong, []byte("not-the-password\n"), 0o600))
	credentials := filepath.Join(n.lab.Dir, "credentials.yaml")
	require.NoError(t, os.WriteFile(credentials, fmt.Appendf(nil,
		"dataDir: %s\nhostID: %s\nnode: alone\netcd: {endpoints: [%s]}\nendpoint: {urls: [http://%s/midonet-api], passwordFile: %s}\n",
		filepath.Join(n.lab.Dir, "alone"), hostIDOf(t, n.daemon), etcd, listen, wrong), 0o600))
	p, err := n.lab.NewPod("red", "one")
	require.NoError(t, err)
	e := n.refused(n.entry("1.1.0", map[string]any{"standalone": true, "credentials": credentials}), callEnv("ADD", p))
	require.Equal(t, 100, e.Code, "%+v", e)
	require.Contains(t, e.Msg, "red/"+p.Name, "the message names pod and tenant")
	require.NotContains(t, e.Msg+e.Details, "not-the-password")
	require.Empty(t, newRecords(t, etcd).of("red"))

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	agent := exec.CommandContext(ctx, filepath.Join(bin, "moat"), "agent", "--data-dir", filepath.Join(n.lab.Dir, "agent"),
		"--socket", filepath.Join(n.lab.Dir, "agent.sock"), "--node", "agent", "--host-id", hostIDOf(t, n.daemon), "--etcd-endpoints", etcd,
		"--endpoint", "http://"+listen.String()+"/midonet-api", "--password-file", wrong)
	var out []byte
	err = n.host.Do(func() (err error) {
		out, err = agent.CombinedOutput()
		return err
	})
	var status *exec.ExitError
	require.True(t, errors.As(err, &status), "%v: %s", err, out)
	require.Equal(t, 1, status.ExitCode(), string(out))
	require.Contains(t, string(out), "check user and password of the SDN API")
	require.NotContains(t, string(out), "not-the-password")
}

// The API's password is changed under a running agent.
func TestAddWhenTheAPITakesTheLoginNoMore(t *testing.T) {
	n, etcd := newNodeOverEtcd(t)
	current := filepath.Join(n.daemon.DataDir(), "admin.password")
	password, err := os.ReadFile(current)
	require.NoError(t, err)
	old := filepath.Join(n.lab.Dir, "old.password")
	require.NoError(t, os.WriteFile(old, password, 0o600))
	agent := n.agentWith("a", etcd, old)
	before, err := n.lab.NewPod("red", "before")
	require.NoError(t, err)
	require.NoError(t, agent.Add(t.Context(), before))

	require.NoError(t, n.daemon.Stop())
	require.NoError(t, os.WriteFile(current, []byte("another-password\n"), 0o600))
	require.NoError(t, n.daemon.Start(t.Context()))
	for _, tenant := range []string{"red", "green"} {
		p, err := n.lab.NewPod(tenant, "late")
		require.NoError(t, err)
		var refused *types.Error
		require.True(t, asCNI(agent.Add(t.Context(), p), &refused))
		require.Equal(t, uint(100), refused.Code, refused.Error())
		require.Contains(t, refused.Msg, tenant+"/late", "the message names pod and tenant")
		require.Contains(t, refused.Details, "password")
		require.Error(t, p.Do(func() error { _, err := net1(p); return err }), "an interface is left in the pod")
	}
	n.reaches(before.Namespace, outsideAddr.Addr())

	require.NoError(t, n.daemon.Stop())
	require.NoError(t, os.WriteFile(current, password, 0o600))
	require.NoError(t, n.daemon.Start(t.Context()))
	require.Eventually(t, func() bool { return agent.Del(t.Context(), before) == nil }, 20*time.Second, 100*time.Millisecond)
	kept := newRecords(t, etcd)
	require.Eventually(t, func() bool { return kept.of("red")["attachments"] == 0 }, time.Minute, time.Second,
		"the agent undoes the refused ADD by itself when it is let in again")
	for _, tenant := range []string{"red", "green"} {
		n.cli("tenant", "delete", tenant)
	}
}

// An installation has one way out: a second machine over the same etcd is told so
// at once, and the first one keeps it.
func TestSecondMachineOverOneEtcdIsRefused(t *testing.T) {
	n, etcd := newNodeOverEtcd(t)
	other := newHost(t)
	second := &lab.Daemon{Bin: bin, Dir: other.lab.Dir, Host: other.host, Args: []string{"--etcd-endpoints", etcd, "--node", "second"}}
	before, err := second.Inventory()
	require.NoError(t, err)
	start := time.Now()
	err = second.Start(t.Context())
	require.ErrorContains(t, err, "this is host "+hostIDOf(t, second))
	require.ErrorContains(t, err, "is bound to host "+hostIDOf(t, n.daemon))
	require.ErrorContains(t, err, "--etcd-prefix")
	require.Less(t, time.Since(start), 20*time.Second)
	after, err := second.Inventory()
	require.NoError(t, err)
	require.Equal(t, before, after)
	n.pod("red", "p1")
}
