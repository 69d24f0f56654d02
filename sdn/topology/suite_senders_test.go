package topology

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

func testSenders(t *testing.T, open opener) {
	s := newSite(t, open)
	ctx, b := t.Context(), s.bridge(t)
	addrs := func(as ...string) (out []netip.Addr) {
		for _, a := range as {
			out = append(out, netip.MustParseAddr(a))
		}
		return out
	}
	const mac = "0a:58:0a:80:00:02"
	for name, bad := range map[string][]sdn.Sender{
		"no MAC":               {{}},
		"no MAC at all":        {{MAC: "eth0"}},
		"EUI-64":               {{MAC: "02:00:5e:10:00:00:00:01"}},
		"multicast MAC":        {{MAC: "01:00:5e:00:00:01"}},
		"broadcast MAC":        {{MAC: "ff:ff:ff:ff:ff:ff"}},
		"a MAC twice":          {{MAC: mac}, {MAC: "0A-58-0A-80-00-02"}},
		"no address":           {{MAC: mac, Addrs: []netip.Addr{{}}}},
		"unspecified":          {{MAC: mac, Addrs: addrs("0.0.0.0")}},
		"unspecified IPv6":     {{MAC: mac, Addrs: addrs("::")}},
		"broadcast":            {{MAC: mac, Addrs: addrs("255.255.255.255")}},
		"multicast":            {{MAC: mac, Addrs: addrs("224.0.0.1")}},
		"IPv4 in IPv6":         {{MAC: mac, Addrs: addrs("::ffff:10.0.0.1")}},
		"zone":                 {{MAC: mac, Addrs: addrs("fe80::1%eth0")}},
		"too many of them":     make([]sdn.Sender, 65),
		"too many addresses":   {{MAC: mac, Addrs: make([]netip.Addr, 65)}},
		"one of two is broken": {{MAC: mac}, {MAC: "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := bridgePort(b)
			p.Senders = bad
			_, err := s.CreatePort(t.Context(), p)
			require.ErrorIs(t, err, sdn.ErrInvalid)
			require.ErrorContains(t, err, "senders")
		})
	}

	given := []sdn.Sender{{MAC: "0A-58-0A-80-00-02", Addrs: addrs("fd00::2", "10.128.0.3", "10.128.0.2", "10.128.0.3")}}
	stored := []sdn.Sender{{MAC: mac, Addrs: addrs("10.128.0.2", "10.128.0.3", "fd00::2")}}
	p := bridgePort(b)
	p.Senders = given
	p = s.port(t, p)
	require.Equal(t, stored, p.Senders)
	given[0].Addrs[0] = netip.MustParseAddr("10.128.0.9")
	got, err := s.Port(ctx, p.ID)
	require.NoError(t, err)
	require.Equal(t, p, got, "the caller's list is the caller's")
	p.Senders = nil
	require.NoError(t, s.UpdatePort(ctx, p))
	got, err = s.Port(ctx, p.ID)
	require.NoError(t, err)
	require.Empty(t, got.Senders)

	r := routerPort(s.router(t))
	r.Senders = stored
	require.Empty(t, s.port(t, r).Senders, "a router port has none, and drops them as it does a VLAN")
}
