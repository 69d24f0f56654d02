package e2e

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// configured starts a node whose daemon has a configuration file.
func configured(t *testing.T, yaml string) *node {
	n := newHost(t)
	file := filepath.Join(n.lab.Dir, "moat.yaml")
	require.NoError(t, os.WriteFile(file, []byte(yaml), 0o600))
	n.start("--config", file)
	return n
}

// seenFrom is the address that a server sees a client of another namespace with.
func (n *node) seenFrom(from *lab.Namespace, to netip.Addr) netip.Addr {
	n.t.Helper()
	seen, err := lab.Connect(n.t.Context(), from, netip.AddrPortFrom(to, tcpPort), answered)
	require.NoError(n.t, err)
	return seen
}

// podAt attaches a pod that asks for an address.
func (n *node) podAt(tenant, name, address string) *lab.Pod {
	n.t.Helper()
	p, err := n.lab.NewPod(tenant, name)
	require.NoError(n.t, err)
	p.Args.Args = append(p.Args.Args, [2]string{"IP", address})
	require.NoError(n.t, n.rt.Add(n.t.Context(), p))
	require.NoError(n.t, n.lab.Serve(p.Namespace, tcpPort))
	return p
}

// Two tenants have the same subnet, and their pods the same addresses. Each
// reaches its own pods and the outside, and never the other.
func TestTenantsWithTheSameSubnet(t *testing.T) {
	n := configured(t, `
tenants:
  acme: {overlap: true, subnets: [{subnet: 192.168.10.0/29, gateway: last}]}
  beta: {overlap: true, subnets: [192.168.10.0/29, 192.168.11.0/29]}
`)
	acme1, acme2 := n.pod("acme", "one"), n.pod("acme", "two")
	beta1, beta2, beta3 := n.pod("beta", "one"), n.pod("beta", "two"), n.podAt("beta", "three", "192.168.11.2")
	red := n.pod("red", "one")
	require.Equal(t, netip.MustParseAddr("192.168.10.6"), acme1.Gateway)
	require.Equal(t, netip.MustParseAddr("192.168.10.1"), beta1.Gateway)
	require.Equal(t, acme2.Address, beta1.Address, "the same address in both networks")
	shared := acme2.Address

	require.Equal(t, acme1.Address, n.seenFrom(acme1.Namespace, shared))
	require.Equal(t, beta2.Address, n.seenFrom(beta2.Namespace, shared))
	for _, p := range []*lab.Pod{acme1, acme2, beta1, beta2, beta3} {
		n.reaches(p.Namespace, p.Gateway)
		require.Equal(t, hostAddr.Addr(), n.seenFrom(p.Namespace, outsideAddr.Addr()))
		require.NoError(t, n.rt.Check(t.Context(), p))
	}
	n.reaches(beta1.Namespace, beta3.Address)
	n.reachesNot(acme1.Namespace, beta3.Address)
	n.reachesNot(acme1.Namespace, n.show("beta").Transit)
	for _, stranger := range []*lab.Namespace{red.Namespace, n.host, n.outside} {
		n.reachesNot(stranger, shared)
		n.reachesNot(stranger, beta3.Address)
	}

	wire, acmeWire, betaWire := n.tap(acme1), n.tap(acme2), n.tap(beta1)
	send := func(hop []byte, payload string) {
		require.NoError(t, wire.Send(echoFrame(t, podMAC(t, acme1), hop, acme1.Address, shared, payload)))
	}
	send(podMAC(t, acme2), "of acme on its bridge")
	send(neighbour(t, wire, acme1, acme1.Gateway), "of acme through its router")
	acmeHeard, err := acmeWire.Collect(unanswered)
	require.NoError(t, err)
	heard := string(bytes.Join(acmeHeard, nil))
	require.Contains(t, heard, "of acme on its bridge", "what acme sends arrives in acme")
	require.Contains(t, heard, "of acme through its router")
	require.False(t, hears(t, betaWire, "of acme"), "and not in beta, where the address is, too")
}

func TestPoolsAndWhoGetsThem(t *testing.T) {
	n := configured(t, `
pools: [{name: gold, supernet: 10.64.0.0/16, tenantPrefix: 29}]
namespaces: {autoAssign: false, pools: {team-a: gold, red: default}}
tenants: {solo: {subnets: [{subnet: 192.168.20.0/29, exclude: [192.168.20.2]}]}}
serviceNetworks: [10.96.0.0/12]
`)
	denied := n.failedBy(n.rt, "nobody", "one")
	require.Equal(t, uint(104), denied.Code, denied)
	require.Contains(t, denied.Msg, "namespace nobody has no pool: namespaces.autoAssign is false")
	out, err := n.daemon.CLI(t.Context(), "tenant", "create", "nobody")
	require.Error(t, err)
	require.Contains(t, out, "namespaces.autoAssign", "an operator is told the same")

	gold, red, solo := n.pod("team-a", "one"), n.pod("red", "one"), n.pod("solo", "one")
	require.True(t, netip.MustParsePrefix("10.64.0.0/16").Contains(gold.Address))
	require.True(t, netip.MustParsePrefix("10.128.0.0/9").Contains(red.Address))
	require.Equal(t, netip.MustParseAddr("192.168.20.3"), solo.Address)
	for i := range 5 { // six addresses without the gateway: more than one subnet has
		p := n.pod("team-a", fmt.Sprint("more", i))
		require.True(t, netip.MustParsePrefix("10.64.0.0/16").Contains(p.Address), "a further subnet of the same pool")
		n.reaches(p.Namespace, gold.Address)
	}
	for i := range 3 {
		n.pod("solo", fmt.Sprint("more", i))
	}
	full := n.failedBy(n.rt, "solo", "toomany")
	require.Equal(t, uint(102), full.Code, full)
	require.Contains(t, full.Msg, "tenants.solo.subnets")
	require.Contains(t, n.cli("tenant", "show", "team-a"), "gold")
	require.Contains(t, n.cli("tenant", "show", "solo"), "(own)")

	pods := []*lab.Pod{gold, red, solo}
	for i, p := range pods {
		n.reaches(n.host, p.Address)
		require.Equal(t, hostAddr.Addr(), n.seenFrom(p.Namespace, outsideAddr.Addr()))
		n.reachesNot(n.outside, p.Address)
		n.reachesNot(p.Namespace, pods[(i+1)%3].Address)
		n.reachesNot(p.Namespace, pods[(i+2)%3].Address)
	}
	n.letIn("solo", map[string]any{"nwSrcAddress": outsideAddr.Addr().String(), "nwSrcLength": 32})
	require.Eventually(t, func() bool { return lab.Ping(n.outside, solo.Address, unanswered) == nil }, answered, unanswered,
		"what the chain admits arrives: there is a way")
	n.letIn("solo", map[string]any{"nwSrcAddress": n.show("red").Transit.String(), "nwSrcLength": 32})
	n.reachesNot(red.Namespace, solo.Address)
	n.letIn("solo", map[string]any{"nwSrcAddress": red.Address.String(), "nwSrcLength": 32})
	n.letOut("red", towards(red.Address, solo.Address))
	require.Eventually(t, func() bool {
		seen, err := lab.Connect(t.Context(), red.Namespace, netip.AddrPortFrom(solo.Address, tcpPort), unanswered)
		return err == nil && seen == red.Address
	}, answered, unanswered, "two tenants that both say so reach each other")
}
