package ipam

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBadPlansNameTheirKey(t *testing.T) {
	prefix := netip.MustParsePrefix
	for name, c := range map[string]struct {
		change func(*Installation)
		key    string
		says   string
	}{
		"no name":               {func(p *Installation) { p.Name = "" }, KeyName, "1 to 32"},
		"name of a path":        {func(p *Installation) { p.Name = "a/b" }, KeyName, "a/b"},
		"no supernet":           {func(p *Installation) { p.Supernet = netip.Prefix{} }, KeySupernet, "no CIDR"},
		"host bits":             {func(p *Installation) { p.Supernet = prefix("10.1.2.3/9") }, KeySupernet, "meant is 10.0.0.0/9"},
		"IPv6":                  {func(p *Installation) { p.Supernet = prefix("fd00::/48") }, KeySupernet, "not IPv4"},
		"multicast":             {func(p *Installation) { p.Supernet = prefix("224.0.0.0/9") }, KeySupernet, "unicast"},
		"loopback":              {func(p *Installation) { p.Transit = prefix("127.0.0.0/16") }, KeyTransit, "unicast"},
		"supernet too small":    {func(p *Installation) { p.Supernet = prefix("10.0.0.0/23") }, KeySupernet, "too small"},
		"subnet too small":      {func(p *Installation) { p.SubnetLength = 30 }, KeySubnetLength, "too small"},
		"subnet too large":      {func(p *Installation) { p.SubnetLength = 12 }, KeySubnetLength, "too large"},
		"no subnet":             {func(p *Installation) { p.SubnetLength = 0 }, KeySubnetLength, "too large"},
		"transit too small":     {func(p *Installation) { p.Transit = prefix("100.64.0.0/30") }, KeyTransit, "too small"},
		"pools overlap":         {func(p *Installation) { p.Transit = prefix("10.200.0.0/16") }, KeyTransit, "overlaps supernet 10.128.0.0/9"},
		"pools overlap outside": {func(p *Installation) { p.Supernet = prefix("100.64.0.0/10") }, KeyTransit, "overlaps"},
	} {
		t.Run(name, func(t *testing.T) {
			p := Defaults("moat")
			c.change(&p)
			var err *ConfigError
			require.ErrorAs(t, p.Validate(), &err)
			require.Equal(t, c.key, err.Key)
			require.ErrorContains(t, err, c.says)
			require.ErrorIs(t, err, ErrInvalid)
		})
	}
}

func TestPlanOfTheDefaults(t *testing.T) {
	p := Defaults("moat")
	require.NoError(t, p.Validate())
	host, provider := p.Uplink()
	require.Equal(t, "100.64.0.1/30 100.64.0.2/30", host.String()+" "+provider.String())
	require.Equal(t, Pair{netip.MustParseAddr("100.64.0.4"), netip.MustParseAddr("100.64.0.5")}, p.Pair(0))
	require.Equal(t, Pair{netip.MustParseAddr("100.64.255.254"), netip.MustParseAddr("100.64.255.255")}, p.Pair(p.Pairs()-1))
	require.Equal(t, "10.128.0.0/22", p.DefaultPool().Subnet(0).String())
	require.Equal(t, "10.255.252.0/22", p.DefaultPool().Subnet(p.DefaultPool().Subnets()-1).String())
	require.Equal(t, "0a:58:0a:80:00:02", MAC(netip.MustParseAddr("10.128.0.2")))
}
