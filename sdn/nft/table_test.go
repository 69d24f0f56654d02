package nft_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/nft"
)

func TestStatementsPrintAsNftReadsThem(t *testing.T) {
	ten8 := netip.MustParsePrefix("10.0.0.0/8")
	one, four := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.4")
	for want, s := range map[string]nft.Statement{
		`iifname "moat1"`:                                       nft.Match{Field: nft.IIfName, Value: nft.Iface("moat1")},
		`oifname != @ports`:                                     nft.Match{Field: nft.OIfName, Set: "ports", Not: true},
		`ip saddr 10.0.0.1`:                                     nft.Match{Field: nft.IPSrc, Value: nft.Addr(one)},
		`ip daddr != 10.0.0.0/8`:                                nft.Match{Field: nft.IPDst, Mask: nft.PrefixMask(ten8), Value: nft.Addr(ten8.Addr()), Not: true},
		`ip saddr & 255.0.255.0 == 10.0.1.0`:                    nft.Match{Field: nft.IPSrc, Mask: "\xff\x00\xff\x00", Value: "\x0a\x00\x01\x00"},
		`ip saddr != 10.0.0.1-10.0.0.4`:                         nft.Match{Field: nft.IPSrc, Value: nft.Addr(one), To: nft.Addr(four), Not: true},
		`ip6 saddr fd00::1`:                                     nft.Match{Field: nft.IP6Src, Value: nft.Addr(netip.MustParseAddr("fd00::1"))},
		`ip protocol tcp`:                                       nft.Match{Field: nft.IPProto, Value: nft.Uint8(6)},
		`ip protocol 47`:                                        nft.Match{Field: nft.IPProto, Value: nft.Uint8(47)},
		`th dport 80-90`:                                        nft.Match{Field: nft.DstPort, Value: nft.Uint16(80), To: nft.Uint16(90)},
		`icmp type echo-request`:                                nft.Match{Field: nft.ICMPType, Value: nft.Uint8(8)},
		`icmp code 13`:                                          nft.Match{Field: nft.ICMPCode, Value: nft.Uint8(13)},
		`ct state invalid,untracked`:                            nft.Match{Field: nft.CTState, Value: nft.Uint32(nft.StateInvalid | nft.StateUntracked)},
		`ct status != dnat`:                                     nft.Match{Field: nft.CTStatus, Value: nft.Uint32(nft.StatusDNAT), Not: true},
		`ct state 0x100`:                                        nft.Match{Field: nft.CTState, Value: nft.Uint32(0x100)},
		`ct direction reply`:                                    nft.Match{Field: nft.CTDirection, Value: nft.Uint8(nft.DirReply)},
		`ether type 0x0806`:                                     nft.Match{Field: nft.EtherType, Value: nft.Uint16(0x0806)},
		`ether saddr 02:00:00:00:00:01`:                         nft.Match{Field: nft.EtherSrc, Value: "\x02\x00\x00\x00\x00\x01"},
		`ip frag-off & 8191 == 0`:                               nft.Match{Field: nft.IPFragment, Mask: nft.Uint16(0x1fff), Value: nft.Uint16(0)},
		`meta pkttype broadcast`:                                nft.Match{Field: nft.PktType, Value: nft.Uint8(1)},
		`meta mark & 0x80000000 != 0x00000000`:                  nft.Match{Field: nft.Mark, Mask: nft.Uint32(1 << 31), Value: nft.Uint32(0), Not: true},
		`meta mark & 0x3fffffff vmap @rules`:                    nft.Vmap{Field: nft.Mark, Mask: nft.Uint32(0x3fffffff), Map: "rules"},
		`meta mark set 0x00000007`:                              nft.SetMark{Value: 7},
		`meta mark set meta mark & 0xc0000000 | 0x00000007`:     nft.SetMark{Keep: 0xc0000000, Value: 7},
		`ip saddr . th dport @flows`:                            nft.Lookup{Key: nft.Tuple{nft.IPSrc, nft.DstPort}, Set: "flows"},
		`update @flows { ip saddr . th dport timeout 90000ms }`: nft.Update{Key: nft.Tuple{nft.IPSrc, nft.DstPort}, Set: "flows", Timeout: 90 * time.Second},
		`delete @flows { ip saddr }`:                            nft.Remove{Key: nft.Tuple{nft.IPSrc}, Set: "flows"},
		`@th,160,32 & 0xffff0000 == 0x0a010000`:                 nft.Match{Field: nft.QuotedSrc, Mask: "\xff\xff\x00\x00", Value: "\x0a\x01\x00\x00"},
		`counter`:                                               nft.Counter{},
		`jump sub`:                                              nft.Jump("sub"),
		`goto sub`:                                              nft.Goto("sub"),
		`return`:                                                nft.Return(),
		`reject with icmp admin-prohibited`:                     nft.Reject{Code: nft.CodeAdminProhibited},
		`reject with icmp 7`:                                    nft.Reject{Code: 7},
		`snat to 10.0.0.1`:                                      nft.NAT{Kind: nft.SNAT, From: one, To: one},
		`dnat to 10.0.0.1:80`:                                   nft.NAT{Kind: nft.DNAT, From: one, To: one, PortFrom: 80, PortTo: 80},
		`snat to 10.0.0.1-10.0.0.4:1024-65535`:                  nft.NAT{Kind: nft.SNAT, From: one, To: four, PortFrom: 1024, PortTo: 65535},
		`dnat to ip daddr map @public`:                          nft.NATMap{Kind: nft.DNAT, Field: nft.IPDst, Map: "public"},
		`masquerade`:                                            nft.Masquerade{},
		`# unknown: limit`:                                      nft.Unknown{What: "limit"},
	} {
		require.Equal(t, want, s.String())
	}
	require.Equal(t, `drop comment "why"`, nft.NewRule(nft.Drop()).WithComment("why").String())
}

func TestNormalOrdersAndLeavesTheReceiverAlone(t *testing.T) {
	hook := func(h nft.Hook, prio int32) *nft.Base {
		return &nft.Base{Type: nft.FilterChain, Hook: h, Priority: prio, Policy: nft.PolicyAccept}
	}
	table := nft.Table{Family: nft.IP, Name: "t",
		Sets: []nft.Set{{Name: "z", Key: nft.TypeMark, Elements: []nft.Element{}}, {Name: "a", Key: nft.TypeProto, Elements: []nft.Element{{Key: nft.Uint8(17)}, {Key: nft.Uint8(6)}}}},
		Chains: []nft.Chain{{Name: "sub", Rules: []nft.Rule{}}, {Name: "late", Base: hook(nft.Postrouting, 100)}, {Name: "b", Base: hook(nft.Prerouting, 0)},
			{Name: "first", Base: hook(nft.Prerouting, -450)}, {Name: "other"}, {Name: "a", Base: hook(nft.Prerouting, 0)}}}
	n := table.Normal()
	var names []string
	for _, c := range n.Chains {
		names = append(names, c.Name)
	}
	require.Equal(t, []string{"first", "a", "b", "late", "other", "sub"}, names)
	require.Nil(t, n.Chains[5].Rules)
	require.Equal(t, []nft.Element{{Key: nft.Uint8(6)}, {Key: nft.Uint8(17)}}, n.Sets[0].Elements)
	require.Nil(t, n.Sets[1].Elements)
	require.Equal(t, "sub", table.Chains[0].Name)
	require.Equal(t, nft.Uint8(17), table.Sets[1].Elements[0].Key)
	require.Equal(t, n, n.Normal())
}

func TestTablePrints(t *testing.T) {
	table := nft.Table{Family: nft.IP, Name: "moat/x/t", Flags: nft.Dormant,
		Sets: []nft.Set{{Name: "f", Key: nft.TypeFlow, Room: 9}, {Name: "m", Key: nft.TypeMark, Data: nft.TypeVerdict, Elements: []nft.Element{{Key: nft.Uint32(1), Verdict: nft.Drop()}}},
			{Name: "p", Key: nft.TypeIPv4, Data: nft.TypeIPv4, Elements: []nft.Element{{Key: "\x0a\x00\x00\x01", Data: "\x0a\x00\x00\x02"}}}},
		Chains: []nft.Chain{{Name: "c", Base: &nft.Base{Type: nft.NATChain, Hook: nft.Postrouting, Priority: 100, Policy: nft.PolicyAccept},
			Rules: []nft.Rule{nft.NewRule(nft.Masquerade{})}}}}
	require.Equal(t, `table ip moat/x/t {
	flags dormant
	set f {
		type ipv4_addr . ipv4_addr . inet_proto . inet_service . inet_service
		size 9
		flags dynamic,timeout
	}
	map m {
		type mark : verdict
		elements = { 0x00000001 : drop }
	}
	map p {
		type ipv4_addr : ipv4_addr
		elements = { 10.0.0.1 : 10.0.0.2 }
	}
	chain c {
		type nat hook postrouting priority 100; policy accept;
		masquerade
	}
}
`, nft.Print([]nft.Table{table}))
}
