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
	proto := 6
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
		`{"object":2}`:                                             {key: schemaKey, body: schemaVersion},
		`{"object":{"ID":"z","Name":"n","Type":"gre"}}`:            {key: key{sdn.KindTunnelZone, "z"}, body: sdn.TunnelZone{ID: "z", Name: "n", Type: "gre"}},
		`{"object":{"Zone":"z","Host":"h","Address":"192.0.2.1"}}`: {key: key{kindMember, "z/h"}, body: sdn.TunnelZoneHost{Zone: "z", Host: "h", Address: netip.MustParseAddr("192.0.2.1")}},
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

func TestUnknownKindCannotBeRead(t *testing.T) {
	f := fact{key: parseKey("balancer/x")}
	require.ErrorContains(t, f.decode([]byte(`{"object":{}}`)), `unknown kind "balancer"`)
}
