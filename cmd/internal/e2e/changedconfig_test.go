package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// The configuration changes under pods that live. What cannot be is refused at the
// start, by its key; what tenants keep is said; and no pod notices any of it.
func TestConfigurationThatChangesUnderLivingPods(t *testing.T) {
	n := configured(t, `
pools: [{name: gold, supernet: 10.64.0.0/16, tenantPrefix: 24}]
namespaces: {pools: {team: gold}}
tenants: {acme: {subnets: [192.168.10.0/24]}}
`)
	pods := []*lab.Pod{n.pod("acme", "one"), n.pod("team", "one"), n.pod("red", "one")}
	file := filepath.Join(n.lab.Dir, "moat.yaml")
	start := func(yaml string) error {
		require.NoError(t, os.WriteFile(file, []byte(yaml), 0o600))
		return n.daemon.Start(t.Context())
	}
	require.NoError(t, n.daemon.Stop())
	for yaml, key := range map[string]string{
		"tenants: {acme: {subnets: [192.168.10.0/25]}}":                     "tenants.acme.subnets[0]: 192.168.10.0/25: tenant acme has 192.168.10.0/24",
		"tenants: {beta: {subnets: [192.168.10.128/25]}}":                   "tenants.beta.subnets[0]: 192.168.10.128/25: overlaps tenants.acme.subnets 192.168.10.0/24",
		"pools: [{name: gold, supernet: 10.64.0.0/17, tenantPrefix: 24}]":   "pools[0]: gold, 10.64.0.0/17 in /24: tenants have had subnets of it",
		"pools: [{name: silver, supernet: 10.64.0.0/16, tenantPrefix: 24}]": "pools.gold.supernet: 10.64.0.0/16: overlaps pools.silver.supernet",
		"serviceNetworks: [192.168.10.0/26]":                                "serviceNetworks[0]: 192.168.10.0/26: overlaps tenants.acme.subnets",
		"supernet: 10.0.0.0/10":                                             "supernet: 10.0.0.0/10: this installation was set up with 10.128.0.0/9",
	} {
		require.ErrorContains(t, start(yaml), "configuration "+key)
		require.Error(t, n.daemon.Wait(), "it has ended")
	}
	require.NoError(t, start(`
coolDown: 0
tenants:
  acme: {subnets: [{subnet: 192.168.10.0/24, gateway: last, exclude: [192.168.10.0/26]}]}
  red: {subnets: [192.168.30.0/24]}
`))
	said := n.cli("status")
	for _, says := range []string{
		"configuration tenants.acme.subnets[0]: 192.168.10.0/24: tenant acme has it with gateway 192.168.10.1",
		"configuration tenants.red.subnets: tenant red has subnets of pool default",
	} {
		require.Contains(t, said, says)
	}
	for _, p := range pods {
		first := p.Result
		require.NoError(t, n.rt.Check(t.Context(), p))
		require.NoError(t, n.rt.Add(t.Context(), p))
		require.Equal(t, first, p.Result)
		n.reaches(p.Namespace, p.Gateway)
		another := n.pod(p.Tenant, "another")
		require.Equal(t, p.Gateway, another.Gateway)
		n.reaches(p.Namespace, another.Address)
	}
	_, status := n.audit()
	require.Zero(t, status, "the audit finds nothing")
	require.Equal(t, 2, strings.Count(n.cli("ip", "list", "--tenant", "team"), "team/"))
}
