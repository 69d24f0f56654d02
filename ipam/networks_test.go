package ipam

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestBadNetworksNameTheirKey(t *testing.T) {
	prefix := netip.MustParsePrefix
	many := Networks{}
	for i := range MaxPools + 1 {
		many.Pools = append(many.Pools, TenantPool{Name: fmt.Sprint("p", i), Supernet: prefix(fmt.Sprintf("10.%d.%d.0/24", i/256, i%256)), SubnetLength: 28})
	}
	crowd := Networks{Tenants: map[string]OwnSubnets{}}
	for i := range 100 {
		var own OwnSubnets
		for k := range MaxOwnSubnets {
			own.Subnets = append(own.Subnets, Subnet{Prefix: prefix(fmt.Sprintf("172.%d.%d.0/24", 16+i/4, (i%4)*64+k))})
		}
		crowd.Tenants[fmt.Sprint("t", i)] = own
	}
	own := func(s Subnet) Networks {
		return Networks{Tenants: map[string]OwnSubnets{"acme": {Subnets: []Subnet{s}}}}
	}
	for name, c := range map[string]struct {
		n         Networks
		key, says string
	}{
		"257 pools":               {many, "pools", "at most 256"},
		"more than 4,096 subnets": {crowd, "tenants", "give tenants a pool instead"},
		"no own subnet":           {Networks{Tenants: map[string]OwnSubnets{"acme": {}}}, "tenants.acme.subnets", "at least one"},
		"a tenant of two names":   {Networks{Tenants: map[string]OwnSubnets{"a/b": {Subnets: []Subnet{{Prefix: prefix("192.168.0.0/24")}}}}}, "tenants", "namespace"},
		"a gateway of elsewhere":  {own(Subnet{Prefix: prefix("192.168.0.0/24"), Gateway: netip.MustParseAddr("192.168.1.1")}), "tenants.acme.subnets[0]", "no host's address"},
		"the broadcast address":   {own(Subnet{Prefix: prefix("192.168.0.0/24"), Gateway: netip.MustParseAddr("192.168.0.255")}), "tenants.acme.subnets[0]", "no host's address"},
		"v4-mapped":               {own(Subnet{Prefix: prefix("::ffff:192.168.0.0/120")}), "tenants.acme.subnets[0]", "write it as IPv4"},
		"a v4-mapped Service":     {Networks{Service: []netip.Prefix{prefix("::ffff:10.0.0.0/104")}}, "serviceNetworks[0]", "write it as IPv4"},
		"no node network":         {Networks{Node: []netip.Prefix{{}}}, "nodeNetworks[0]", "no CIDR"},
	} {
		t.Run(name, func(t *testing.T) {
			var err *ConfigError
			require.ErrorAs(t, c.n.Validate(Defaults("moat")), &err)
			require.Equal(t, c.key, err.Key)
			require.ErrorContains(t, err, c.says)
			require.ErrorIs(t, err, ErrInvalid)
		})
	}
}

func TestNetworksOfOthersMayOverlapEachOther(t *testing.T) {
	n := Networks{Service: []netip.Prefix{netip.MustParsePrefix("10.96.0.0/12")}, Node: []netip.Prefix{netip.MustParsePrefix("10.96.7.0/24")}}
	require.NoError(t, n.Validate(Defaults("moat")))
}

// TestDisjointFindsEveryOverlap compares it with a look at every pair.
func TestDisjointFindsEveryOverlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rs []Range
		for i := range rapid.IntRange(0, 8).Draw(t, "ranges") {
			bits := rapid.IntRange(24, 30).Draw(t, "bits")
			a := Nth(netip.MustParsePrefix("192.0.2.0/24"), rapid.IntRange(0, 255).Draw(t, "address"))
			r := Range{Prefix: netip.PrefixFrom(a, bits).Masked(), Key: fmt.Sprint("key", i)}
			switch rapid.IntRange(0, 3).Draw(t, "kind") {
			case 0:
				r.Foreign = true
			case 1:
			default:
				r.Tenant = rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "tenant")
				r.Overlap = rapid.Bool().Draw(t, "overlap")
			}
			rs = append(rs, r)
		}
		clash := false
		for i, r := range rs {
			for _, o := range rs[:i] {
				clash = clash || r.Conflict(o) != nil
				require.Equal(t, r.Conflict(o) == nil, o.Conflict(r) == nil, "it is mutual")
			}
		}
		require.Equal(t, clash, Disjoint(rs) != nil)
	})
}
