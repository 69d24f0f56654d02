package ipamtest

import (
	"fmt"
	"net/netip"
	"sync"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
)

func cidr(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// gold is a pool of four subnets of five addresses.
func gold() ipam.TenantPool {
	return ipam.TenantPool{Name: "gold", Supernet: cidr("10.9.0.0/27"), SubnetLength: 29}
}

func withPools(ps ...ipam.TenantPool) ipam.Networks { return ipam.Networks{Pools: ps} }

func own(tenant string, subnets ...string) ipam.Claim {
	c := ipam.Claim{Tenant: tenant, Generation: uuid.NewString()}
	for i, s := range subnets {
		c.Own = append(c.Own, ipam.Subnet{Prefix: cidr(s), Slot: ipam.NoSlot, Bridge: fmt.Sprint(tenant, i)})
	}
	return c
}

func overlapping(c ipam.Claim) ipam.Claim {
	c.Overlap = true
	return c
}

// wrongKey requires a *ConfigError of a key that says something.
func (f *fixture) wrongKey(err error, key, says string) {
	f.Helper()
	var config *ipam.ConfigError
	require.ErrorAs(f, err, &config)
	require.Equal(f, key, config.Key)
	require.ErrorContains(f, err, says)
}

func poolUnknown(f *fixture) {
	s := f.store(Options{})
	_, err := s.ClaimTenant(f.Context(), ipam.Claim{Tenant: "blue", Generation: "g", Pool: "gold", Bridge: "b"})
	f.wrongKey(err, ipam.KeyPools, `"gold"`)
	_, err = s.Tenant(f.Context(), "blue")
	require.ErrorIs(f, err, ipam.ErrNotFound)
}

func poolCarved(f *fixture) {
	s, other := f.store(Options{}), f.store(Options{})
	_, err := s.StateNetworks(f.Context(), withPools(gold()))
	require.NoError(f, err)
	seen := map[netip.Prefix]bool{}
	for i := range 4 {
		t, err := other.ClaimTenant(f.Context(), ipam.Claim{Tenant: name(i), Generation: uuid.NewString(), Pool: "gold", Bridge: "b"})
		require.NoError(f, err)
		require.Equal(f, "gold", t.Pool)
		require.True(f, gold().Supernet.Overlaps(t.Subnets[0].Prefix))
		require.Equal(f, 29, t.Subnets[0].Prefix.Bits())
		seen[t.Subnets[0].Prefix] = true
	}
	require.Len(f, seen, 4)
	_, err = s.ClaimTenant(f.Context(), ipam.Claim{Tenant: "blue", Generation: "g", Pool: "gold", Bridge: "b"})
	var none *ipam.ExhaustedError
	require.ErrorAs(f, err, &none)
	require.Equal(f, "pools.gold", none.Key)
	require.True(f, f.plan.Supernet.Overlaps(f.claim(s, "blue").Subnets[0].Prefix), "the supernet has room")
	first := must(s.Tenant(f.Context(), name(0)))(f)
	_, err = s.AddSubnet(f.Context(), first, "c")
	require.ErrorIs(f, err, ipam.ErrExhausted, "a further subnet is of the same pool")
}

func poolGrows(f *fixture) {
	s := f.store(Options{})
	_, err := s.StateNetworks(f.Context(), withPools(gold()))
	require.NoError(f, err)
	t, err := s.ClaimTenant(f.Context(), ipam.Claim{Tenant: "blue", Generation: "g", Pool: "gold", Bridge: "b"})
	require.NoError(f, err)
	t, err = s.AddSubnet(f.Context(), t, "second")
	require.NoError(f, err)
	require.True(f, gold().Supernet.Overlaps(t.Subnets[1].Prefix))
	require.NotEqual(f, t.Subnets[0].Prefix, t.Subnets[1].Prefix)
	again, err := s.ClaimTenant(f.Context(), ipam.Claim{Tenant: "blue", Generation: "h", Bridge: "b"})
	require.NoError(f, err)
	require.Equal(f, t, again, "a tenant keeps its pool")
	f.drop(s, t)
	_, err = s.Tenant(f.Context(), "blue")
	require.ErrorIs(f, err, ipam.ErrNotFound)
}

func poolsStated(f *fixture) {
	s := f.store(Options{})
	silver := ipam.TenantPool{Name: "silver", Supernet: cidr("10.10.0.0/24"), SubnetLength: 28}
	for i := range 2 {
		have, err := s.StateNetworks(f.Context(), withPools(gold(), silver))
		require.NoError(f, err, i)
		require.Equal(f, []ipam.TenantPool{gold(), silver}, have.Pools)
	}
	larger := gold()
	larger.Supernet = cidr("10.9.0.0/26")
	_, err := s.StateNetworks(f.Context(), withPools(larger, silver))
	require.NoError(f, err, "nothing was carved of it")
	_, err = s.StateNetworks(f.Context(), withPools(gold(), silver))
	require.NoError(f, err)
	t, err := s.ClaimTenant(f.Context(), ipam.Claim{Tenant: "blue", Generation: "g", Pool: "gold", Bridge: "b"})
	require.NoError(f, err)
	_, err = s.StateNetworks(f.Context(), withPools(silver, larger))
	f.wrongKey(err, "pools[1]", "10.9.0.0/27")
	have, err := s.StateNetworks(f.Context(), ipam.Networks{})
	require.NoError(f, err)
	require.Equal(f, []ipam.TenantPool{gold()}, have.Pools, "a pool in use stays")
	require.Equal(f, have, must(f.store(Options{}).Networks(f.Context()))(f))
	_, err = s.StateNetworks(f.Context(), ipam.Networks{Service: []netip.Prefix{gold().Supernet}})
	f.wrongKey(err, "serviceNetworks[0]", "pools.gold.supernet")
	_, err = s.AddSubnet(f.Context(), t, "c")
	require.NoError(f, err)
}

func ownSubnets(f *fixture) {
	s := f.store(Options{})
	c := own("acme", "192.168.10.0/29", "192.168.11.0/29")
	c.Own[0].Gateway = netip.MustParseAddr("192.168.10.6")
	c.Own[0].Exclude, c.Own[0].Reserved = []netip.Prefix{cidr("192.168.10.2/32")}, []netip.Prefix{cidr("192.168.10.3/32")}
	t, err := s.ClaimTenant(f.Context(), c)
	require.NoError(f, err)
	require.True(f, t.Own)
	require.Equal(f, c.Own, t.Subnets)
	require.Equal(f, t, must(s.Tenant(f.Context(), "acme"))(f))
	_, err = s.AddSubnet(f.Context(), t, "b")
	require.ErrorIs(f, err, ipam.ErrInvalid)

	for bad, says := range map[string]string{"192.168.10.2": "excluded", "192.168.10.6": "gateway", "192.168.10.7": "broadcast", "192.168.11.2": "not in subnet"} {
		r := want(t, "bad")
		r.Address = netip.MustParseAddr(bad)
		_, err := s.Lease(f.Context(), t, r)
		require.ErrorIs(f, err, ipam.ErrInvalid)
		require.ErrorContains(f, err, says)
	}
	reserved := want(t, "asks")
	reserved.Address = netip.MustParseAddr("192.168.10.3")
	asked, err := s.Lease(f.Context(), t, reserved)
	require.NoError(f, err)
	require.NoError(f, s.Release(f.Context(), asked))
	var got []string
	for i := range 3 {
		r := f.lease(s, t, name(i))
		require.Equal(f, "192.168.10.6", r.Gateway.String())
		got = append(got, r.Address.String())
	}
	require.ElementsMatch(f, []string{"192.168.10.1", "192.168.10.4", "192.168.10.5"}, got)
	_, err = s.Lease(f.Context(), t, want(t, "more"))
	var none *ipam.ExhaustedError
	require.ErrorAs(f, err, &none, "what is reserved is not leased in turn, also after it was given back")
	require.Equal(f, "tenants.acme.subnets", none.Key)
}

func ownOverlap(f *fixture) {
	s := f.store(Options{})
	_, err := s.StateNetworks(f.Context(), ipam.Networks{Pools: []ipam.TenantPool{gold()},
		Service: []netip.Prefix{cidr("10.96.0.0/12")}, Node: []netip.Prefix{cidr("192.0.2.0/24")}})
	require.NoError(f, err)
	for subnet, key := range map[string]string{
		f.plan.Supernet.String(): "supernet", "100.64.9.0/24": "transitPool", "10.9.0.16/28": "pools.gold.supernet",
		"10.100.0.0/16": "serviceNetworks[0]", "192.0.2.0/28": "nodeNetworks[0]",
	} {
		_, err := s.ClaimTenant(f.Context(), overlapping(own("acme", "192.168.1.0/24", subnet)))
		f.wrongKey(err, "tenants.acme.subnets", "overlaps "+key)
	}
	first, err := s.ClaimTenant(f.Context(), own("acme", "192.168.1.0/24"))
	require.NoError(f, err, "nothing is left of the refused ones")
	_, err = s.ClaimTenant(f.Context(), overlapping(own("beta", "192.168.0.0/16")))
	f.wrongKey(err, "tenants.beta.subnets", "both tenants say so")
	again, err := s.ClaimTenant(f.Context(), own("acme", "192.168.1.0/24"))
	require.NoError(f, err)
	require.Equal(f, first, again)
	_, err = s.StateNetworks(f.Context(), ipam.Networks{Service: []netip.Prefix{cidr("192.168.0.0/20")}})
	f.wrongKey(err, "serviceNetworks[0]", "tenants.acme.subnets")
	f.ownStated(s)
	f.drop(s, first)
	beta, err := s.ClaimTenant(f.Context(), overlapping(own("beta", "192.168.0.0/16")))
	require.NoError(f, err)
	gamma, err := s.ClaimTenant(f.Context(), overlapping(own("gamma", "192.168.0.0/16")))
	require.NoError(f, err)
	require.Equal(f, f.lease(s, beta, "b").Address, f.lease(s, gamma, "c").Address, "each has the address in its own network")
	_, err = s.AddOwnSubnet(f.Context(), gamma, ipam.Subnet{Prefix: cidr("192.168.4.0/24"), Slot: ipam.NoSlot, Bridge: "x"})
	f.wrongKey(err, "tenants.gamma.subnets", "tenants.gamma.subnets")
	gamma, err = s.AddOwnSubnet(f.Context(), gamma, ipam.Subnet{Prefix: cidr("172.16.0.0/24"), Slot: ipam.NoSlot, Bridge: "x"})
	require.NoError(f, err)
	require.Len(f, gamma.Subnets, 2)
}

// ownStated: a configuration is held against what tenants have when it is stated.
func (f *fixture) ownStated(s ipam.Store) {
	says := func(tenant string, subnets ...string) ipam.Networks {
		n := ipam.Networks{Tenants: map[string]ipam.OwnSubnets{}}
		var own ipam.OwnSubnets
		for _, p := range subnets {
			own.Subnets = append(own.Subnets, ipam.Subnet{Prefix: cidr(p)})
		}
		n.Tenants[tenant] = own
		return n
	}
	_, err := s.StateNetworks(f.Context(), says("acme", "192.168.7.0/24", "192.168.1.0/25"))
	f.wrongKey(err, "tenants.acme.subnets[1]", "tenant acme has 192.168.1.0/24, which cannot be changed")
	_, err = s.StateNetworks(f.Context(), says("beta", "192.168.0.0/16"))
	f.wrongKey(err, "tenants.beta.subnets[0]", "overlaps tenants.acme.subnets 192.168.1.0/24")
	_, err = s.StateNetworks(f.Context(), says("acme", "192.168.1.0/24", "192.168.7.0/24"))
	require.NoError(f, err, "a further one is added")
	_, err = s.StateNetworks(f.Context(), ipam.Networks{})
	require.NoError(f, err)
}

// ownRace has several stores claim ranges that overlap, for a tenant each, and
// one state a Service network that overlaps them too.
func ownRace(f *fixture) {
	for round := range 10 {
		subnet := fmt.Sprintf("172.20.%d.0/24", round)
		errs := make([]error, 9)
		var wg sync.WaitGroup
		for i := range errs {
			s := f.store(Options{})
			wg.Go(func() {
				if i == 0 {
					_, errs[i] = s.StateNetworks(f.Context(), ipam.Networks{Service: []netip.Prefix{cidr(subnet)}})
					return
				}
				c := own(fmt.Sprintf("t%d-%d", round, i), subnet)
				c.Overlap = i == 1 // alone that is not enough
				_, errs[i] = s.ClaimTenant(f.Context(), c)
			})
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
				continue
			}
			var config *ipam.ConfigError
			assert.ErrorAs(f, err, &config)
		}
		require.Equal(f, 1, won, "exactly one has %s: %v", subnet, errs)
	}
}
