package topology

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

// TestStoredForm pins what is written: a field of sdn that is renamed would
// lose what is stored, and needs a new schema version.
func TestStoredForm(t *testing.T) {
	proto, vlan := 6, 9
	for want, f := range map[string]fact{
		`{"object":{"ID":"r","TenantID":"t","Name":"n","AdminStateUp":true,"InboundFilter":"i","OutboundFilter":"o","ASNumber":1}}`: {key: key{sdn.KindRouter, "r"},
			body: sdn.Router{ID: "r", TenantID: "t", Name: "n", AdminStateUp: true, InboundFilter: "i", OutboundFilter: "o", ASNumber: 1}},
		`{"deleted":true,"object":{"ID":"b","TenantID":"t","Name":"","AdminStateUp":false,"InboundFilter":"","OutboundFilter":"","Home":{"Device":"d","Self":"s"}}}`: {key: key{sdn.KindBridge, "b"},
			deleted: true, body: sdn.Bridge{ID: "b", TenantID: "t", Home: sdn.Home{Device: "d", Self: "s"}}},
		`{"object":{"ID":"p","Kind":"Router","Device":"d","AdminStateUp":false,"InboundFilter":"","OutboundFilter":"","TunnelKey":0,"VIF":"","Host":"h","Interface":"e","Peer":"q","Active":false,"Address":"10.0.0.1/24","MAC":"m","VLAN":0}}`: {key: key{sdn.KindPort, "p"},
			body: sdn.Port{ID: "p", Kind: sdn.RouterPort, Device: "d", Host: "h", Interface: "e", Peer: "q", Address: netip.MustParsePrefix("10.0.0.1/24"), MAC: "m"}},
		`{"object":{"ID":"x","Router":"r","Type":"Normal","Src":"0.0.0.0/0","Dst":"10.0.0.0/8","NextHopPort":"p","Gateway":"10.0.0.1","Weight":1,"Attributes":"a"}}`: {key: key{sdn.KindRoute, "x"},
			body: sdn.Route{ID: "x", Router: "r", Type: sdn.RouteNormal, Src: netip.MustParsePrefix("0.0.0.0/0"), Dst: netip.MustParsePrefix("10.0.0.0/8"),
				NextHopPort: "p", Gateway: netip.MustParseAddr("10.0.0.1"), Weight: 1, Attributes: "a"}},
		`{"object":{"ID":"c","TenantID":"t","Name":"n"}}`:          {key: key{sdn.KindChain, "c"}, body: sdn.Chain{ID: "c", TenantID: "t", Name: "n"}},
		`{"object":["a","b"]}`:                                     {key: key{kindOrder, "c"}, body: []string{"a", "b"}},
		`{"object":"p"}`:                                           {key: key{kindBind, "h/e"}, body: "p"},
		`{"object":3}`:                                             {key: schemaKey, body: schemaVersion},
		`{"object":{"ID":"z","Name":"n","Type":"gre"}}`:            {key: key{sdn.KindTunnelZone, "z"}, body: sdn.TunnelZone{ID: "z", Name: "n", Type: "gre"}},
		`{"object":{"Zone":"z","Host":"h","Address":"192.0.2.1"}}`: {key: key{kindMember, "z/h"}, body: sdn.TunnelZoneHost{Zone: "z", Host: "h", Address: netip.MustParseAddr("192.0.2.1")}},
		`{"object":{"ID":"r","TenantID":"","Name":"","AdminStateUp":false,"InboundFilter":"","OutboundFilter":"","ASNumber":0,"LocalRedirect":"l","Forward":"f"}}`: {
			key: key{sdn.KindRouter, "r"}, body: sdn.Router{ID: "r", LocalRedirect: "l", Forward: "f"}},
		`{"object":{"ID":"g","TenantID":"t","Name":"n","Stateful":true}}`: {key: key{sdn.KindPortGroup, "g"},
			body: sdn.PortGroup{ID: "g", TenantID: "t", Name: "n", Stateful: true}},
		`{"object":{"Group":"g","Port":"p"}}`:                     {key: key{sdn.KindPortGroupPort, "g/p"}, body: sdn.PortGroupPort{Group: "g", Port: "p"}},
		`{"object":{"ID":"g","Name":"n"}}`:                        {key: key{sdn.KindIPAddrGroup, "g"}, body: sdn.IPAddrGroup{ID: "g", Name: "n"}},
		`{"object":{"Group":"g","Addr":"2001:db8::1"}}`:           {key: key{sdn.KindIPAddrGroupAddr, "g/2001:db8::1"}, body: sdn.IPAddrGroupAddr{Group: "g", Addr: netip.MustParseAddr("2001:db8::1")}},
		`{"object":{"Bridge":"b","VLAN":9,"MAC":"m","Port":"p"}}`: {key: key{sdn.KindMACPort, "b/9/m/p"}, body: sdn.MACPort{Bridge: "b", VLAN: 9, MAC: "m", Port: "p"}},
		`{"object":{"Bridge":"b","Addr":"192.0.2.1","MAC":"m"}}`:  {key: key{sdn.KindIP4MAC, "b/192.0.2.1/m"}, body: sdn.IP4MAC{Bridge: "b", Addr: netip.MustParseAddr("192.0.2.1"), MAC: "m"}},
		`{"object":"s"}`: {key: key{kindPrefix, "b/10.0.0.0_8"}, body: "s"},
		`{"object":{"Bridge":"b","Prefix":"10.0.0.0/8","Gateway":"10.0.0.1","Server":"","DNS":["192.0.2.53"],"MTU":1400,"Routes":[{"Dst":"192.0.2.0/24","Gateway":"10.0.0.1"}],"Enabled":true}}`: {
			key: key{sdn.KindDHCPSubnet, "s"}, body: sdn.DHCPSubnet{Bridge: "b", Prefix: netip.MustParsePrefix("10.0.0.0/8"), Gateway: netip.MustParseAddr("10.0.0.1"),
				DNS: []netip.Addr{netip.MustParseAddr("192.0.2.53")}, MTU: 1400, Routes: []sdn.DHCPRoute{{Dst: netip.MustParsePrefix("192.0.2.0/24"), Gateway: netip.MustParseAddr("10.0.0.1")}}, Enabled: true}},
		`{"object":{"Subnet":"s","Host":{"Bridge":"","Subnet":"","MAC":"m","Addr":"10.0.0.9","Name":"n","Options":[{"Name":"o","Value":"v"}]}}}`: {
			key: key{sdn.KindDHCPHost, "s/m"}, body: dhcpHost{"s", sdn.DHCPHost{MAC: "m", Addr: netip.MustParseAddr("10.0.0.9"), Name: "n", Options: []sdn.DHCPOption{{Name: "o", Value: "v"}}}}},
		storedFurther: {key: key{sdn.KindRule, "l"}, body: sdn.Rule{ID: "l", Chain: "c", Type: sdn.RuleDrop, Condition: sdn.Condition{
			PortGroup: "g", InvInPortGroup: true, SrcGroup: "a", InvDstGroup: true, NoVLAN: true, VLAN: &vlan,
			ICMPDataDst: netip.MustParsePrefix("10.0.0.0/8"), InvICMPDataDst: true, DstRewritten: true}}},
		storedRule: {key: key{sdn.KindRule, "l"}, body: sdn.Rule{ID: "l", Chain: "c", Type: sdn.RuleSNAT, FlowAction: sdn.FlowAccept,
			NATTargets: []sdn.NATTarget{{AddressFrom: netip.MustParseAddr("192.0.2.1"), AddressTo: netip.MustParseAddr("192.0.2.1"), PortFrom: 1, PortTo: 2}},
			Condition:  sdn.Condition{Proto: &proto, TPDst: &sdn.PortRange{Start: 80, End: 81}, InPorts: []sdn.PortID{"p"}, Fragment: sdn.FragmentUnfragmented}}},
	} {
		t.Run(f.key.String(), func(t *testing.T) {
			got, err := encode(f)
			require.NoError(t, err)
			require.Equal(t, want, string(got))
			back := fact{key: f.key}
			require.NoError(t, back.decode(got))
			require.Equal(t, f, back)
			require.Equal(t, f.key, parseKey(f.key.String()))
		})
	}
}

const storedRule = `{"object":{"ID":"l","Chain":"c","Type":"snat","Position":0,"Condition":{"Invert":false,"MatchForwardFlow":false,"MatchReturnFlow":false,` +
	`"InPorts":["p"],"OutPorts":null,"InvInPorts":false,"InvOutPorts":false,"DLType":null,"InvDLType":false,"DLSrc":"","DLDst":"","DLSrcMask":"","DLDstMask":"",` +
	`"InvDLSrc":false,"InvDLDst":false,"TOS":null,"InvTOS":false,"Proto":6,"InvProto":false,"Src":"","Dst":"","InvSrc":false,"InvDst":false,"TPSrc":null,` +
	`"TPDst":{"Start":80,"End":81},"InvTPSrc":false,"InvTPDst":false,"Fragment":"unfragmented"},"JumpChain":"","JumpChainName":"",` +
	`"FlowAction":"accept","NATTargets":[{"AddressFrom":"192.0.2.1","AddressTo":"192.0.2.1","PortFrom":1,"PortTo":2}]}}`

const storedFurther = `{"object":{"ID":"l","Chain":"c","Type":"drop","Position":0,"Condition":{"Invert":false,"MatchForwardFlow":false,"MatchReturnFlow":false,` +
	`"InPorts":null,"OutPorts":null,"InvInPorts":false,"InvOutPorts":false,"DLType":null,"InvDLType":false,"DLSrc":"","DLDst":"","DLSrcMask":"","DLDstMask":"",` +
	`"InvDLSrc":false,"InvDLDst":false,"TOS":null,"InvTOS":false,"Proto":null,"InvProto":false,"Src":"","Dst":"","InvSrc":false,"InvDst":false,"TPSrc":null,` +
	`"TPDst":null,"InvTPSrc":false,"InvTPDst":false,"Fragment":"","PortGroup":"g","InvInPortGroup":true,"SrcGroup":"a","InvDstGroup":true,"NoVLAN":true,"VLAN":9,` +
	`"ICMPDataDst":"10.0.0.0/8","InvICMPDataDst":true,"DstRewritten":true},"JumpChain":"","JumpChainName":"","FlowAction":"","NATTargets":null}}`

// TestEveryKindHasItsOwnName keeps a key from being read as another kind's.
func TestEveryKindHasItsOwnName(t *testing.T) {
	require.Len(t, kindNamed, len(forms))
	for kind := range forms {
		require.Equal(t, key{kind, "a/b"}, parseKey(key{kind, "a/b"}.String()))
		if !decision(kind) {
			require.NotEmpty(t, typeName[kind], "%s", kind)
		}
	}
}

func TestUnknownKindCannotBeRead(t *testing.T) {
	f := fact{key: parseKey("balancer/x")}
	require.ErrorContains(t, f.decode([]byte(`{"object":{}}`)), `unknown kind "balancer"`)
}
