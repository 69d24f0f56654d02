package config

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
)

func parsed(t *testing.T, text string) (Config, error) {
	f := filepath.Join(t.TempDir(), "moat.yaml")
	require.NoError(t, os.WriteFile(f, []byte(text), 0o600))
	raw, err := Defaults().ReadFile(f)
	if err != nil {
		return Config{}, err
	}
	return raw.Valid()
}

func TestBadRangesNameTheirKey(t *testing.T) {
	thousand := "tenants: {acme: {subnets: ["
	for i := range 1000 {
		thousand += fmt.Sprintf("192.%d.%d.0/24, ", 168+i/256, i%256)
	}
	thousand += "]}}"
	for name, c := range map[string]struct{ text, key, says string }{
		"a pool without a name":      {"pools: [{supernet: 10.64.0.0/12, tenantPrefix: 24}]", "pools[0].name", "want 1 to 32"},
		"a pool called default":      {"pools: [{name: default, supernet: 10.64.0.0/12, tenantPrefix: 24}]", "pools[0].name", "want another name"},
		"two pools of one name":      {"pools: [{name: a, supernet: 10.64.0.0/12, tenantPrefix: 24}, {name: a, supernet: 10.80.0.0/12, tenantPrefix: 24}]", "pools[1].name", "pools[0] is called so too"},
		"a pool without supernet":    {"pools: [{name: a, tenantPrefix: 24}]", "pools[0].supernet", "no '/'"},
		"a pool with host bits":      {"pools: [{name: a, supernet: 10.64.0.1/12, tenantPrefix: 24}]", "pools[0].supernet", "did you mean 10.64.0.0/12"},
		"a pool of zero":             {"pools: [{name: a, supernet: 10.64.0.0/26, tenantPrefix: 24}]", "pools[0].supernet", "too small for one tenant subnet"},
		"a pool of /31s":             {"pools: [{name: a, supernet: 10.64.0.0/16, tenantPrefix: 31}]", "pools[0].tenantPrefix", "too small"},
		"a pool without length":      {"pools: [{name: a, supernet: 10.64.0.0/16}]", "pools[0].tenantPrefix", "too large"},
		"a pool of IPv6":             {"pools: [{name: a, supernet: 'fd00::/48', tenantPrefix: 64}]", "pools[0].supernet", "not IPv4"},
		"a pool over the supernet":   {"pools: [{name: a, supernet: 10.200.0.0/16, tenantPrefix: 24}]", "pools.a.supernet", "overlaps supernet 10.128.0.0/9"},
		"pools that overlap":         {"pools: [{name: a, supernet: 10.64.0.0/12, tenantPrefix: 24}, {name: b, supernet: 10.64.0.0/16, tenantPrefix: 24}]", "pools.b.supernet", "overlaps pools.a.supernet"},
		"a pool over the transit":    {"pools: [{name: a, supernet: 100.64.0.0/12, tenantPrefix: 24}]", "pools.a.supernet", "overlaps transitPool"},
		"an unknown key of a pool":   {"pools: [{name: a, supernet: 10.64.0.0/12, prefix: 24}]", `"prefix"`, "unknown field"},
		"an unknown default":         {"namespaces: {default: gold}", "namespaces.default", `"gold": no such pool; there are [default]`},
		"an unknown pool":            {"namespaces: {pools: {team-a: gold}}", "namespaces.pools.team-a", "no such pool"},
		"a pool of no name":          {"namespaces: {pools: {team-a: ''}}", "namespaces.pools.team-a", "no such pool"},
		"no namespace":               {"namespaces: {pools: {Team_A: default}}", "namespaces.pools", "not the name of a namespace"},
		"a pool and own subnets":     {"namespaces: {pools: {acme: default}}\ntenants: {acme: {subnets: [192.168.1.0/24]}}", "namespaces.pools.acme", "tenants.acme.subnets"},
		"a Service network overlaps": {"serviceNetworks: [10.128.0.0/12]", "serviceNetworks[0]", "overlaps supernet"},
		"a node network overlaps":    {"pools: [{name: a, supernet: 10.64.0.0/12, tenantPrefix: 24}]\nnodeNetworks: [192.0.2.0/24, 10.64.3.0/24]", "nodeNetworks[1]", "overlaps pools.a.supernet"},
		"a Service network of text":  {"serviceNetworks: [x]", "serviceNetworks[0]", "no CIDR"},
		"everything is a node":       {"nodeNetworks: [0.0.0.0/0]", "nodeNetworks[0]", "is everything"},
		"host bits of a node":        {"nodeNetworks: [192.0.2.1/24]", "nodeNetworks[0]", "meant is 192.0.2.0/24"},

		"no tenant's name":            {"tenants: {A_B: {subnets: [192.168.1.0/24]}}", "tenants", "not the name of a namespace"},
		"a subnet of text":            {"tenants: {acme: {subnets: [x]}}", "tenants.acme.subnets[0]", "no CIDR"},
		"a subnet of a number":        {"tenants: {acme: {subnets: [5]}}", "tenants: subnets", "5 is neither a CIDR"},
		"a subnet with host bits":     {"tenants: {acme: {subnets: [192.168.1.1/24]}}", "tenants.acme.subnets[0].subnet", "meant is 192.168.1.0/24"},
		"a /31":                       {"tenants: {acme: {subnets: [192.168.1.0/31]}}", "tenants.acme.subnets[0].subnet", "too small"},
		"a /32":                       {"tenants: {acme: {subnets: [192.168.1.0/32]}}", "tenants.acme.subnets[0].subnet", "too small"},
		"a /8":                        {"tenants: {acme: {subnets: [11.0.0.0/8]}}", "tenants.acme.subnets[0]", "too large"},
		"IPv6":                        {"tenants: {acme: {subnets: ['fd00::/64']}}", "tenants.acme.subnets[0]", "not IPv4"},
		"v4-mapped":                   {"tenants: {acme: {subnets: ['::ffff:192.168.1.0/120']}}", "tenants.acme.subnets[0].subnet", "write it as IPv4"},
		"multicast":                   {"tenants: {acme: {subnets: [224.1.0.0/16]}}", "tenants.acme.subnets[0].subnet", "unicast"},
		"a gateway elsewhere":         {"tenants: {acme: {subnets: [{subnet: 192.168.1.0/24, gateway: 192.168.2.1}]}}", "tenants.acme.subnets[0].gateway", "no host's address"},
		"a gateway in the range":      {"tenants: {acme: {subnets: [{subnet: 192.168.1.0/24, rangeStart: 192.168.1.5, gateway: 192.168.1.9}]}}", "tenants.acme.subnets[0].gateway", "lies in the range"},
		"a range outside":             {"tenants: {acme: {subnets: [{subnet: 192.168.1.0/24, rangeStart: 192.168.2.5}]}}", "tenants.acme.subnets[0].rangeStart", "not in subnet"},
		"a reversed range":            {"tenants: {acme: {subnets: [{subnet: 192.168.1.0/24, rangeStart: 192.168.1.9, rangeEnd: 192.168.1.5}]}}", "tenants.acme.subnets[0].rangeEnd", "before rangeStart"},
		"a range of text":             {"tenants: {acme: {subnets: [{subnet: 192.168.1.0/24, rangeEnd: x}]}}", "tenants.acme.subnets[0].rangeEnd", "no address"},
		"an exclusion elsewhere":      {"tenants: {acme: {subnets: [{subnet: 192.168.1.0/24, exclude: [192.168.2.0/28]}]}}", "tenants.acme.subnets[0].exclude[0]", "not in subnet"},
		"nothing left":                {"tenants: {acme: {subnets: [{subnet: 192.168.1.0/29, reserveFirst: 6}]}}", "tenants.acme.subnets[0]", "no address is left"},
		"an unknown key of a subnet":  {"tenants: {acme: {subnets: [{subnet: 192.168.1.0/24, gatewy: first}]}}", `"gatewy"`, "unknown field"},
		"a thousand subnets":          {thousand, "tenants.acme.subnets", "1000 subnets: at most 64"},
		"a tenant over itself":        {"tenants: {acme: {overlap: true, subnets: [192.168.0.0/16, 192.168.1.0/24]}}", "tenants.acme.subnets[1]", "overlaps tenants.acme.subnets[0]"},
		"a tenant over the supernet":  {"tenants: {acme: {overlap: true, subnets: [10.128.1.0/24]}}", "tenants.acme.subnets[0]", "overlaps supernet"},
		"a tenant over Services":      {"serviceNetworks: [10.96.0.0/12]\ntenants: {acme: {overlap: true, subnets: [10.100.0.0/24]}}", "tenants.acme.subnets[0]", "overlaps serviceNetworks[0]"},
		"a tenant over another":       {"tenants: {acme: {subnets: [192.168.1.0/24]}, beta: {overlap: true, subnets: [192.168.0.0/16]}}", "tenants.beta.subnets[0]", "tenants.beta.overlap and tenants.acme.overlap"},
		"a destination without NAT":   {"noNAT: [192.168.0.0/16]\ntenants: {acme: {subnets: [192.168.1.0/24]}}", "noNAT[0]", "tenants.acme.subnets"},
		"overlap of what is carved":   {"tenants: {acme: {overlap: true}}", "tenants.acme.overlap", "no own subnets"},
		"a relative resolvConf":       {"tenants: {acme: {resolvConf: resolv.conf}}", "tenants.acme.resolvConf", "absolute"},
		"DNS twice":                   {"tenants: {acme: {resolvConf: /r, dns: {nameservers: [192.0.2.1]}}}", "tenants.acme", "give one"},
		"a nameserver's name":         {"tenants: {acme: {dns: {nameservers: [192.0.2.1, ns1]}}}", "tenants.acme.dns.nameservers[1]", `"ns1" is no IP address`},
		"an unknown key of a tenant":  {"tenants: {acme: {subnet: 192.168.1.0/24}}", `"subnet"`, "unknown field"},
		"a tenant that is said twice": {"tenants: {acme: {resolvConf: /a}, acme: {resolvConf: /b}}", `"acme"`, "already"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parsed(t, c.text)
			require.ErrorContains(t, err, c.key)
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestNothingSaidIsSilent(t *testing.T) {
	for _, text := range []string{"", "pools: []\nnamespaces: {autoAssign: true, default: default, pools: {}}\ntenants: {}\n", "tenants: {acme: {resolvConf: /r}}"} {
		c, err := parsed(t, text)
		require.NoError(t, err)
		require.True(t, c.Networks.Silent(), text)
	}
}

func TestWhoGetsWhichSubnets(t *testing.T) {
	c, err := parsed(t, `
pools: [{name: gold, supernet: 10.64.0.0/12, tenantPrefix: 24}]
namespaces: {autoAssign: false, pools: {team-a: gold, team-b: default}}
serviceNetworks: [10.96.0.0/12, "fd00:1::/108"]
nodeNetworks: [10.96.0.0/16]
tenants:
  acme: {overlap: true, subnets: [192.168.10.0/24], dns: {nameservers: [192.0.2.53], search: [acme.test]}}
  beta:
    overlap: true
    resolvConf: /etc/beta.conf
    subnets: [{subnet: 192.168.10.0/24, gateway: last, rangeStart: 192.168.10.16, rangeEnd: 192.168.10.127, exclude: [192.168.10.20], reserveFirst: 2}, 192.168.9.0/24]
`)
	require.NoError(t, err)
	n := c.Networks
	for namespace, pool := range map[string]string{"team-a": "gold", "team-b": "default"} {
		got, err := n.Assign(namespace)
		require.NoError(t, err)
		require.Equal(t, ipam.Assignment{Pool: pool}, got)
	}
	_, err = n.Assign("team-c")
	require.EqualError(t, err, "namespace team-c has no pool: namespaces.autoAssign is false, and neither namespaces.pools nor tenants.team-c.subnets names it")
	got, err := n.Assign("beta")
	require.NoError(t, err)
	s := got.Own.Subnets[0]
	require.Equal(t, "192.168.10.254", s.Router().String())
	for address, in := range map[string]bool{"192.168.10.15": true, "192.168.10.16": false, "192.168.10.20": true, "192.168.10.127": false, "192.168.10.128": true, "192.168.10.253": true} {
		require.Equal(t, in, s.Excludes(netip.MustParseAddr(address)), address)
	}
	require.Equal(t, []netip.Prefix{netip.MustParsePrefix("192.168.10.16/31")}, s.Reserved)
	require.Equal(t, ipam.Subnet{Prefix: netip.MustParsePrefix("192.168.9.0/24"), Slot: ipam.NoSlot}, got.Own.Subnets[1])
	require.Equal(t, map[string]Tenant{
		"acme": {DNS: types.DNS{Nameservers: []string{"192.0.2.53"}, Search: []string{"acme.test"}}},
		"beta": {ResolvConf: "/etc/beta.conf"},
	}, c.Tenants)
}
