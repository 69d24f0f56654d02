package pool

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/moatnet/moat/ipam"
)

func cidr(s string) netip.Prefix { return netip.MustParsePrefix(s) }
func addr(s string) netip.Addr   { return netip.MustParseAddr(s) }

func TestBadRanges(t *testing.T) {
	many := make([]Range, MaxRanges+1)
	for i := range many {
		many[i] = Range{Subnet: cidr(fmt.Sprintf("10.%d.%d.0/24", i/256, i%256))}
	}
	net10 := cidr("10.0.0.0/24")
	for name, c := range map[string]struct {
		sets        [][]Range
		key, reason string
	}{
		"no set":                   {nil, "ipam.ranges", "at least one set"},
		"an empty set":             {[][]Range{{}}, "ipam.ranges[0]", "needs a range"},
		"too many":                 {[][]Range{many}, "ipam.ranges", "at most 256"},
		"no subnet":                {[][]Range{{{}}}, "ipam.ranges[0][0].subnet", "no CIDR"},
		"host bits":                {[][]Range{{{Subnet: cidr("10.0.0.1/24")}}}, "ipam.ranges[0][0].subnet", "meant is 10.0.0.0/24"},
		"IPv4 in IPv6":             {[][]Range{{{Subnet: cidr("::ffff:10.0.0.0/120")}}}, "ipam.ranges[0][0].subnet", "write it as IPv4"},
		"a /31":                    {[][]Range{{{Subnet: cidr("10.0.0.0/31")}}}, "ipam.ranges[0][0].subnet", "too small"},
		"a /32":                    {[][]Range{{{Subnet: cidr("10.0.0.0/32")}}}, "ipam.ranges[0][0].subnet", "too small"},
		"a /127":                   {[][]Range{{{Subnet: cidr("fd00::/127")}}}, "ipam.ranges[0][0].subnet", "too small"},
		"multicast":                {[][]Range{{{Subnet: cidr("224.1.0.0/24")}}}, "ipam.ranges[0][0].subnet", "unicast"},
		"starts outside":           {[][]Range{{{Subnet: net10, Start: addr("10.0.1.1")}}}, "ipam.ranges[0][0].rangeStart", "not in subnet"},
		"ends outside":             {[][]Range{{{Subnet: net10, End: addr("fd00::1")}}}, "ipam.ranges[0][0].rangeEnd", "not in subnet"},
		"starts at the network":    {[][]Range{{{Subnet: net10, Start: addr("10.0.0.0")}}}, "ipam.ranges[0][0].rangeStart", "network or broadcast"},
		"reversed":                 {[][]Range{{{Subnet: net10, Start: addr("10.0.0.9"), End: addr("10.0.0.5")}}}, "ipam.ranges[0][0].rangeEnd", "before rangeStart 10.0.0.9"},
		"gateway elsewhere":        {[][]Range{{{Subnet: net10, Gateway: "10.0.1.1"}}}, "ipam.ranges[0][0].gateway", "no host's address"},
		"gateway is the broadcast": {[][]Range{{{Subnet: net10, Gateway: "10.0.0.255"}}}, "ipam.ranges[0][0].gateway", "no host's address"},
		"gateway is a word":        {[][]Range{{{Subnet: net10, Gateway: "middle"}}}, "ipam.ranges[0][0].gateway", `"first" or "last"`},
		"gateway in the range":     {[][]Range{{{Subnet: net10, Start: addr("10.0.0.5"), End: addr("10.0.0.9"), Gateway: "10.0.0.7"}}}, "ipam.ranges[0][0].gateway", "lies in the range"},
		"exclusion elsewhere":      {[][]Range{{{Subnet: net10, Exclude: []string{"10.0.0.9", "10.1.0.0/24"}}}}, "ipam.ranges[0][0].exclude[1]", "not in subnet"},
		"exclusion is a word":      {[][]Range{{{Subnet: net10, Exclude: []string{"x"}}}}, "ipam.ranges[0][0].exclude[0]", "neither an address nor a CIDR"},
		"all excluded":             {[][]Range{{{Subnet: net10, Exclude: []string{"10.0.0.0/24"}}}}, "ipam.ranges[0][0]", "no address is left"},
		"all reserved":             {[][]Range{{{Subnet: net10, ReserveFirst: 200, ReserveLast: 60}}}, "ipam.ranges[0][0]", "no address is left"},
		"a negative reserve":       {[][]Range{{{Subnet: net10, ReserveLast: -1}}}, "ipam.ranges[0][0].reserveFirst", "negative"},
		"overlap in a set":         {[][]Range{{{Subnet: net10}, {Subnet: cidr("10.0.0.128/25")}}}, "ipam.ranges[0][1]", "overlaps ipam.ranges[0][0]"},
		"overlap of two sets":      {[][]Range{{{Subnet: net10}}, {{Subnet: net10, Start: addr("10.0.0.9")}}}, "ipam.ranges[1][0]", "overlaps ipam.ranges[0][0]"},
		"two families in one set":  {[][]Range{{{Subnet: net10}, {Subnet: cidr("fd00::/64")}}}, "ipam.ranges[0][1].subnet", "one address family"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New("ipam.ranges", c.sets)
			var bad *ipam.ConfigError
			require.ErrorAs(t, err, &bad)
			require.ErrorIs(t, err, ipam.ErrInvalid)
			require.Equal(t, c.key, bad.Key)
			require.ErrorContains(t, err, c.reason)
		})
	}
}

func TestWhatAPoolOffers(t *testing.T) {
	p, err := New("ranges", [][]Range{
		{{Subnet: cidr("10.0.0.0/29"), Gateway: "last"}, {Subnet: cidr("10.0.1.0/24"), Start: addr("10.0.1.10"), End: addr("10.0.1.20"), Exclude: []string{"10.0.1.12/30"}, ReserveFirst: 1, ReserveLast: 2}},
		{{Subnet: cidr("fd00::/64")}},
	})
	require.NoError(t, err)
	v4, v6 := p.Sets[0], p.Sets[1]
	var all []string
	for i := range v4.Len() {
		all = append(all, v4.At(i).String())
	}
	require.Equal(t, []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.1.11", "10.0.1.16", "10.0.1.17", "10.0.1.18"}, all)
	offer, ok := v4.Lease(addr("10.0.0.3"))
	require.True(t, ok)
	require.Equal(t, ipam.PoolLease{Address: cidr("10.0.0.3/29"), Gateway: addr("10.0.0.6")}, offer)
	_, ok = v4.Lease(addr("10.0.1.10"))
	require.True(t, ok, "reserved: for those who ask")
	for _, a := range []string{"10.0.0.6", "10.0.0.0", "10.0.0.7", "10.0.1.9", "10.0.1.12", "10.0.1.21", "fd00::5"} {
		_, ok = v4.Lease(addr(a))
		require.False(t, ok, a)
	}
	require.Equal(t, MaxPlaces, v6.Len())
	require.Equal(t, addr("fd00::2"), v6.At(0))
	require.Equal(t, addr("fd00::100:1"), v6.At(MaxPlaces-1))
	_, ok = v6.Place(addr("fd00::100:2"))
	require.False(t, ok)
	_, ok = v6.Lease(addr("fd00::ffff:ffff:ffff:ffff"))
	require.True(t, ok, "beyond what is leased in turn, for those who ask")
}

// TestPlacesAreAddresses compares places with a walk over every address.
func TestPlacesAreAddresses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		subnet := netip.PrefixFrom(addr("192.0.2.0"), rapid.IntRange(24, 30).Draw(t, "bits"))
		if rapid.Bool().Draw(t, "v6") {
			subnet = netip.PrefixFrom(addr("2001:db8::ff00"), rapid.IntRange(120, 126).Draw(t, "bits"))
		}
		r := Range{Subnet: subnet, Gateway: rapid.SampledFrom([]string{"", "first", "last"}).Draw(t, "gateway"),
			ReserveFirst: rapid.IntRange(0, 3).Draw(t, "first"), ReserveLast: rapid.IntRange(0, 3).Draw(t, "last")}
		for range rapid.IntRange(0, 3).Draw(t, "exclusions") {
			a := shift(subnet.Addr(), rapid.IntRange(0, 3).Draw(t, "excluded"), 1)
			r.Exclude = append(r.Exclude, a.String())
		}
		p, err := New("r", [][]Range{{r}})
		if err != nil {
			require.ErrorIs(t, err, ipam.ErrInvalid)
			return
		}
		set := p.Sets[0]
		var leased []netip.Addr
		for i := range set.Len() {
			a := set.At(i)
			place, ok := set.Place(a)
			require.True(t, ok)
			require.Equal(t, i, place)
			leased = append(leased, a)
		}
		require.True(t, slices.IsSortedFunc(leased, netip.Addr.Compare))
		for a := subnet.Addr(); subnet.Contains(a); a = a.Next() {
			_, offered := set.Lease(a)
			_, inTurn := set.Place(a)
			require.Equal(t, slices.Contains(leased, a), inTurn, a)
			require.False(t, inTurn && !offered, a)
			require.False(t, offered && slices.Contains(r.Exclude, a.String()), a)
		}
	})
}
