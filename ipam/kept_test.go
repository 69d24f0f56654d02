package ipam

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatTenantsKeepAgainstTheConfigurationIsSaid(t *testing.T) {
	prefix := netip.MustParsePrefix
	plain := Subnet{Prefix: prefix("192.168.1.0/24"), Bridge: "b"}
	own := Tenant{Name: "acme", Own: true, Subnets: []Subnet{plain}}
	carved := Tenant{Name: "acme", Subnets: []Subnet{{Prefix: prefix("10.128.0.0/22"), Bridge: "b"}}}
	says := func(overlap bool, subnets ...Subnet) Networks {
		return Networks{Tenants: map[string]OwnSubnets{"acme": {Overlap: overlap, Subnets: subnets}}}
	}
	mapped := func(pool string) Networks {
		return Networks{Namespaces: Namespaces{Pools: map[string]string{"acme": pool}}}
	}
	changed := func(f func(*Subnet)) Networks {
		s := Subnet{Prefix: plain.Prefix}
		f(&s)
		return says(false, s)
	}
	for name, c := range map[string]struct {
		n    Networks
		has  Tenant
		says string
	}{
		"another gateway":     {changed(func(s *Subnet) { s.Gateway = netip.MustParseAddr("192.168.1.254") }), own, "tenants.acme.subnets[0]: 192.168.1.0/24: tenant acme has it with gateway 192.168.1.1"},
		"further exclusions":  {changed(func(s *Subnet) { s.Exclude = []netip.Prefix{prefix("192.168.1.8/32")} }), own, "exclude []"},
		"further reserved":    {changed(func(s *Subnet) { s.Reserved = []netip.Prefix{prefix("192.168.1.8/32")} }), own, "reserved []"},
		"overlap":             {says(true, plain), own, "tenants.acme.overlap: true: tenant acme was made with false"},
		"a subnet less":       {says(false, Subnet{Prefix: prefix("192.168.2.0/24")}), own, "tenants.acme.subnets: names no 192.168.1.0/24"},
		"no own ones":         {Networks{}, own, "tenants.acme.subnets: is not given; tenant acme keeps [192.168.1.0/24]"},
		"own ones for carved": {says(false, plain), carved, "tenants.acme.subnets: tenant acme has subnets of pool default"},
		"another pool":        {mapped("gold"), carved, "namespaces.pools.acme: gold: tenant acme has subnets of pool default"},
	} {
		t.Run(name, func(t *testing.T) {
			list := c.n.Kept([]Tenant{c.has})
			require.Len(t, list, 1)
			require.Contains(t, list[0], c.says)
			require.Contains(t, list[0], "until it is deleted")
			c.has.State = TenantDeleting
			require.Empty(t, c.n.Kept([]Tenant{c.has}))
		})
	}
	same := plain
	same.Gateway, same.Bridge = netip.MustParseAddr("192.168.1.1"), ""
	require.Empty(t, says(false, same, Subnet{Prefix: prefix("192.168.9.0/24")}).Kept([]Tenant{own}), "what is the same, said otherwise, and what is to come")
	require.Empty(t, mapped(DefaultPool).Kept([]Tenant{carved}))
	require.Empty(t, Networks{Namespaces: Namespaces{Default: "gold"}}.Kept([]Tenant{carved}), "the default is for tenants to come")
}
