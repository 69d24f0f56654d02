package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/moatnet/moat/cmd/internal/lab"
)

const (
	rounds    = 10
	firstPods = 32
)

// Pods of a tenant that does not exist yet, all at once, through two agents
// that share nothing but etcd and the REST API.
func TestFirstPodsOfOneTenantFromTwoAgents(t *testing.T) {
	n, etcd := newNodeOverEtcd(t)
	agents := [2]*lab.Runtime{n.agent("a", etcd), n.agent("b", etcd)}
	rest, err := n.daemon.REST(t.Context(), listen)
	require.NoError(t, err)
	bare := n.objects(rest, "")
	kept := newRecords(t, etcd)

	for round := range rounds {
		tenant := fmt.Sprintf("crowd%d", round)
		pods := make([]*lab.Pod, firstPods)
		for i := range pods {
			pods[i], err = n.lab.NewPod(tenant, fmt.Sprintf("p%d", i))
			require.NoError(t, err)
		}
		var all errgroup.Group
		for i, p := range pods {
			all.Go(func() error { return agents[i%len(agents)].Add(t.Context(), p) })
		}
		require.NoError(t, all.Wait())
		seen := map[string]bool{}
		for _, p := range pods {
			require.False(t, seen[p.Address.String()], "address %s is held twice", p.Address)
			seen[p.Address.String()] = true
		}
		n.reaches(pods[0].Namespace, pods[firstPods-1].Address)
		n.exactlyOneTenant(rest, tenant, bare)
		require.Equal(t, map[string]int{
			"tenants": 1, "subnet slots": 1, "transit slots": 1, "addresses": firstPods, "attachments": firstPods,
		}, kept.of(tenant))

		var gone errgroup.Group
		for i, p := range pods {
			gone.Go(func() error { return agents[i%len(agents)].Del(t.Context(), p) })
		}
		require.NoError(t, gone.Wait())
		require.Equal(t, map[string]int{"tenants": 1, "subnet slots": 1, "transit slots": 1, "freed": firstPods}, kept.of(tenant))
		n.cli("tenant", "delete", tenant)
		require.Empty(t, kept.of(tenant), "records of a tenant that is gone")
		require.Equal(t, 2*(round+1), kept.freedSlots(), "its subnet and its transit pair cool down, and no other")
		require.Equal(t, bare, n.objects(rest, ""), "after the tenant's end nothing of it is left")
		for _, p := range pods {
			require.NoError(t, p.Remove())
		}
	}
}

// objects counts every list of the API.
func (n *node) objects(rest *lab.REST, tenant string) map[string]int {
	n.t.Helper()
	count := map[string]int{}
	query := ""
	if tenant != "" {
		query = "?tenant_id=" + tenant
	}
	list := func(kind, path, media string) []map[string]any {
		found, err := rest.List(n.t.Context(), path, media)
		require.NoError(n.t, err, path)
		count[kind] += len(found)
		return found
	}
	for _, r := range list("routers", "/routers"+query, "Router-v3") {
		list("router ports", fmt.Sprintf("/routers/%s/ports", r["id"]), "Port-v3")
		list("routes", fmt.Sprintf("/routers/%s/routes", r["id"]), "Route-v1")
	}
	for _, b := range list("bridges", "/bridges"+query, "Bridge-v4") {
		list("bridge ports", fmt.Sprintf("/bridges/%s/ports", b["id"]), "Port-v3")
	}
	for _, c := range list("chains", "/chains"+query, "Chain-v1") {
		list("rules", fmt.Sprintf("/chains/%s/rules", c["id"]), "Rule-v2")
	}
	return count
}

func (n *node) exactlyOneTenant(rest *lab.REST, tenant string, bare map[string]int) {
	n.t.Helper()
	own := n.objects(rest, tenant)
	require.Equal(n.t, map[string]int{
		"routers": 1, "router ports": 2, "routes": 4, "bridges": 1, "bridge ports": 1 + firstPods, "chains": 2, "rules": 10,
	}, own)
	whole := n.objects(rest, "")
	for kind := range own {
		extra := whole[kind] - bare[kind] - own[kind]
		switch kind {
		case "router ports": // the provider's side of the link
			require.Equal(n.t, 1, extra, kind)
		case "routes": // to the transit address, to the subnet, and the port's own
			require.Equal(n.t, 3, extra, kind)
		default:
			require.Zero(n.t, extra, kind)
		}
	}
	require.Contains(n.t, n.cli("tenant", "show", tenant, "-o", "json"), fmt.Sprintf(`"pods": %d`, firstPods))
}

// newNodeOverEtcd is a node whose daemon uses an etcd of the test's.
func newNodeOverEtcd(t *testing.T) (*node, string) {
	n, etcd := newHostWithEtcd(t)
	n.start("--etcd-endpoints", etcd)
	return n, etcd
}

// agent starts `moat agent` over the node's REST API and etcd.
func (n *node) agent(name, etcd string) *lab.Runtime {
	n.t.Helper()
	return n.agentWith(name, etcd, filepath.Join(n.daemon.DataDir(), "admin.password"))
}

func (n *node) agentWith(name, etcd, passwordFile string) *lab.Runtime {
	n.t.Helper()
	a := &lab.Daemon{Bin: bin, Dir: filepath.Join(n.lab.Dir, name), Host: n.host, Command: "agent", Args: []string{
		"--etcd-endpoints", etcd, "--endpoint", "http://" + listen.String() + "/midonet-api",
		"--password-file", passwordFile, "--host-id", hostIDOf(n.t, n.daemon), "--node", name,
	}}
	require.NoError(n.t, os.Mkdir(a.Dir, 0o700))
	require.NoError(n.t, a.Start(n.t.Context()))
	n.t.Cleanup(func() { require.NoError(n.t, a.Stop()) })
	rt, err := a.Runtime()
	require.NoError(n.t, err)
	return rt
}
