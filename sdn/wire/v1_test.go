package wire_test

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

func media(name string) string { return "application/vnd.org.midonet." + name + "+json" }

// shown is a representation as a media type shows it, as JSON.
func shown(t *testing.T, name string, r wire.Release, body any) map[string]any {
	t.Helper()
	out, err := wire.Downgrade(media(name), r, body)
	require.NoError(t, err)
	data, err := json.Marshal(out)
	require.NoError(t, err)
	var m map[string]any
	require.NoError(t, json.Unmarshal(data, &m))
	return m
}

func TestVersionsOfTheRoot(t *testing.T) {
	for version, want := range map[string]wire.Release{
		"v1.7": wire.V1, "v1.9": wire.V1, "v1.10": wire.V1, "v5.0": wire.V5, "v5.8": wire.V5, "5.2": wire.V5, "v6": wire.V5,
	} {
		got, err := wire.ReleaseOf(version)
		require.NoError(t, err, version)
		require.Equal(t, want, got, version)
	}
	for _, version := range []string{"", "v", "v2.0", "v0.9", "vx.1", "v-1.0", "latest"} {
		_, err := wire.ReleaseOf(version)
		require.ErrorIs(t, err, sdn.ErrUnsupported, version)
	}
}

func TestMediaTypesOfReleases(t *testing.T) {
	for of5, of1 := range map[string]string{
		wire.RouterV3: media("Router-v2"), wire.BridgeV4: media("Bridge-v3"), wire.BridgeV5: media("Bridge-v3"),
		wire.PortV4: media("Port-v2"), wire.TenantV2: media("Tenant-v1"), wire.HostV3: wire.HostV3, wire.RuleV2: wire.RuleV2,
		wire.ChainV1: wire.ChainV1, wire.JSON: wire.JSON, wire.ApplicationV5: wire.ApplicationV5,
		wire.Collection(wire.RouterV3): media("collection.Router-v2"), media("QOSPolicy-v1"): "",
		media("collection.BgpPeer-v1"): "",
	} {
		require.Equal(t, of1, wire.V1.In(of5))
		require.Equal(t, of5, wire.V5.In(of5))
	}
	require.Equal(t, []string{wire.RouterV3, wire.JSON, media("Router-v2"), media("Router-v1")}, wire.Offers(wire.RouterV3, wire.JSON))
	require.Equal(t, []string{wire.PortV3, wire.PortV4, media("Port-v2"), media("Port-v1")}, wire.Offers(wire.PortV3, wire.PortV4))
	require.Equal(t, []string{wire.HostV3, media("Host-v2")}, wire.Offers(wire.HostV3), "the newest of 1.9 is the same")
	require.Equal(t, []string{wire.ChainV1}, wire.Offers(wire.ChainV1))

	require.Equal(t, []string{media("Router-v2"), media("Router-v1"), wire.JSON}, wire.V1.Only(wire.RouterV3, wire.JSON))
	require.Equal(t, []string{wire.RouterV3, wire.JSON}, wire.V5.Only(wire.RouterV3, wire.JSON))
	require.Equal(t, []string{wire.ChainV1, wire.JSON}, wire.V1.Only(wire.ChainV1, wire.JSON))

	require.Equal(t, media("Router-v2"), wire.V1.Means(wire.JSON, []string{wire.RouterV3, wire.JSON}))
	require.Equal(t, wire.RouterV3, wire.V5.Means(wire.JSON, []string{wire.RouterV3, wire.JSON}))
	require.Equal(t, media("Router-v1"), wire.V1.Means(media("Router-v1"), []string{wire.RouterV3}))
}

func TestFormsOfOneResourceDifferByTheirProperties(t *testing.T) {
	u := wire.NewURIs("http://h/midonet-api")
	router := u.Router(sdn.Router{ID: id1, Name: "r", TenantID: "t", ASNumber: 7})
	bridge := u.Bridge(sdn.Bridge{ID: id1, Name: "b"})
	port := u.Port(sdn.Port{ID: id1, Kind: sdn.RouterPort, Device: id2, Host: id2, Interface: "eth0", Address: netip.MustParsePrefix("10.0.0.1/24")})
	rule := u.Rule(sdn.Rule{ID: id1, Chain: id2, Type: sdn.RuleDrop, Condition: sdn.Condition{DLSrc: "02:00:00:00:00:01", DLSrcMask: "ffff.ffff.0000"}})
	host := u.Host(sdn.Host{ID: id1, Name: "h", ContainerWeight: 3})
	for _, c := range []struct {
		form      string
		body      any
		has, has5 []string
	}{
		{"Router-v1", router, []string{"name", "routes", "peerPorts", "inboundFilterId"}, []string{"asNumber", "localRedirectChainId", "bgpPeers", "loadBalancerId", "loadBalancer"}},
		{"Router-v2", router, []string{"loadBalancerId", "loadBalancer"}, []string{"asNumber", "forwardChain", "inboundMirrorIds"}},
		{"Bridge-v1", bridge, []string{"macTable", "arpTable", "dhcpSubnets"}, []string{"vxLanPortIds", "vxLanPorts", "qosPolicyId", "vxLanPortId"}},
		{"Bridge-v2", bridge, []string{"vxLanPortId"}, []string{"vxLanPortIds", "vxLanPorts", "outboundMirrorIds"}},
		{"Bridge-v3", bridge, []string{"vxLanPortIds", "vxLanPorts"}, []string{"vxLanPortId", "qosPolicy"}},
		{"Port-v1", port, []string{"portAddress", "networkLength", "portMac", "link", "bgps"}, []string{"hostId", "interfaceName", "host", "portSubnet", "qosPolicyId"}},
		{"Port-v2", port, []string{"hostId", "interfaceName", "host", "hostInterfacePort", "bgps"}, []string{"portSubnet", "peeringTable"}},
		{"Tenant-v1", u.Tenant("t"), []string{"id", "name", "routers", "chains"}, []string{"enabled", "description"}},
		{"Rule-v1", rule, []string{"dlSrc", "tpSrc", "portGroup", "ipAddrGroupSrc"}, []string{"dlSrcMask", "fragmentPolicy", "noVlan", "matchNwDstRewritten"}},
		{"Host-v2", host, []string{"alive", "interfaces", "floodingProxyWeight"}, []string{"hostInterfaces", "containerWeight"}},
		{"SystemState-v1", wire.NewState(), []string{"state"}, []string{"availability", "version"}},
	} {
		got := shown(t, c.form, wire.V5, c.body)
		for _, name := range c.has {
			require.Contains(t, got, name, c.form)
		}
		for _, name := range c.has5 {
			require.NotContains(t, got, name, c.form)
		}
	}
	require.Contains(t, shown(t, "Rule-v2", wire.V5, rule), "vlan")
	require.NotContains(t, shown(t, "Rule-v2", wire.V1, rule), "vlan")
	require.Contains(t, shown(t, "Rule-v2", wire.V1, rule), "dlSrcMask")
	require.Contains(t, shown(t, "Host-v3", wire.V5, host), "containerWeight")
	require.NotContains(t, shown(t, "Host-v3", wire.V1, host), "containerWeight")
	require.Contains(t, shown(t, "Host-v3", wire.V1, host), "hostInterfaces")
}

func TestTypesOfPortV1FollowTheLink(t *testing.T) {
	u := wire.NewURIs("")
	for _, c := range []struct {
		port sdn.Port
		want string
	}{
		{sdn.Port{ID: id1, Kind: sdn.RouterPort}, "ExteriorRouter"},
		{sdn.Port{ID: id1, Kind: sdn.BridgePort}, "ExteriorBridge"},
		{sdn.Port{ID: id1, Kind: sdn.RouterPort, Peer: id2}, "InteriorRouter"},
		{sdn.Port{ID: id1, Kind: sdn.BridgePort, Peer: id2}, "InteriorBridge"},
		{sdn.Port{ID: id1, Kind: sdn.BridgePort, Host: id2, Interface: "x"}, "ExteriorBridge"},
	} {
		shownV1 := shown(t, "Port-v1", wire.V1, u.Port(c.port))
		require.Equal(t, c.want, shownV1["type"])
		require.Equal(t, string(c.port.Kind), shown(t, "Port-v2", wire.V1, u.Port(c.port))["type"])

		data, err := json.Marshal(shownV1)
		require.NoError(t, err)
		data, err = wire.Upgrade(media("Port-v1"), wire.V1, data)
		require.NoError(t, err)
		var back wire.Port
		require.NoError(t, json.Unmarshal(data, &back))
		n, err := back.Noun()
		require.NoError(t, err)
		require.Equal(t, c.port.Kind, n.Kind)
		require.Equal(t, c.port.Peer, n.Peer)
	}
}

func TestListsAreTranslatedItemByItem(t *testing.T) {
	u := wire.NewURIs("")
	out, err := wire.Downgrade(wire.Collection(media("Port-v1")), wire.V1, []wire.Port{
		u.Port(sdn.Port{ID: id1, Kind: sdn.BridgePort, Peer: id2}), u.Port(sdn.Port{ID: id2, Kind: sdn.RouterPort})})
	require.NoError(t, err)
	data, err := json.Marshal(out)
	require.NoError(t, err)
	data, err = wire.Upgrade(wire.Collection(media("Port-v1")), wire.V1, data)
	require.NoError(t, err)
	var list []wire.Port
	require.NoError(t, json.Unmarshal(data, &list))
	require.Equal(t, wire.Text("Bridge"), list[0].Type)
	require.Equal(t, wire.Text("Router"), list[1].Type)
	out, err = wire.Downgrade(wire.Collection(media("Router-v2")), wire.V1, []wire.Router{})
	require.NoError(t, err)
	data, err = json.Marshal(out)
	require.NoError(t, err)
	require.Equal(t, "[]", string(data))
}

// TestModelsSurviveTheWayThereAndBack holds the forms of 1.9 to what they can
// show: nothing of it changes.
func TestModelsSurviveTheWayThereAndBack(t *testing.T) {
	proto := 6
	rule := sdn.Rule{ID: id1, Chain: id2, Type: sdn.RuleAccept, Position: 1, Condition: sdn.Condition{
		Proto: &proto, TPDst: &sdn.PortRange{Start: 80, End: 90}, InPorts: []sdn.PortID{id2}, Fragment: sdn.FragmentHeader,
		PortGroup: id1, InvPortGroup: true, SrcGroup: id2, Src: netip.MustParsePrefix("10.0.0.0/8"), InvSrc: true}}
	out, err := wire.Downgrade(wire.RuleV2, wire.V1, wire.NewRule(rule))
	require.NoError(t, err)
	data, err := json.Marshal(out)
	require.NoError(t, err)
	require.Contains(t, string(data), `"nwTos":0`, "1.9 knows no null here")
	data, err = wire.Upgrade(wire.RuleV2, wire.V1, data)
	require.NoError(t, err)
	var d wire.Rule
	require.NoError(t, json.Unmarshal(data, &d))
	back, err := d.Noun()
	require.NoError(t, err)
	back.Condition.OutPorts = nil
	require.Equal(t, rule, back)
	require.NoError(t, wire.Lost(wire.RuleV2, wire.V1, wire.NewRule(rule)))
}

func TestWhatAFormCannotShowIsNamed(t *testing.T) {
	none := 0
	for property, c := range map[string]sdn.Condition{
		"matchNwDstRewritten": {DstRewritten: true}, "noVlan": {NoVLAN: true}, "inPortGroup": {InPortGroup: id1},
		"outPortGroup": {OutPortGroup: id1}, "icmpDataSrcIpAddress": {ICMPDataSrc: netip.MustParsePrefix("10.0.0.0/8")},
	} {
		err := wire.Lost(wire.RuleV2, wire.V1, wire.NewRule(sdn.Rule{Type: sdn.RuleDrop, Condition: c}))
		require.ErrorIs(t, err, sdn.ErrUnsupported)
		require.ErrorContains(t, err, property)
		require.NoError(t, wire.Lost(wire.RuleV2, wire.V5, wire.NewRule(sdn.Rule{Type: sdn.RuleDrop, Condition: c})))
	}
	require.ErrorContains(t, wire.Lost(wire.RuleV2, wire.V1, wire.NewRule(sdn.Rule{Type: sdn.RuleDrop, Condition: sdn.Condition{Proto: &none}})), "nwProto")
	require.ErrorContains(t, wire.Lost(media("Router-v2"), wire.V1, wire.NewRouter(sdn.Router{ASNumber: 1})), "asNumber")
	require.NoError(t, wire.Lost(media("Router-v2"), wire.V1, wire.NewRouter(sdn.Router{Name: "r", AdminStateUp: true})))
	require.NoError(t, wire.Lost(media("Port-v2"), wire.V1, wire.NewPort(sdn.Port{Kind: sdn.RouterPort, Address: netip.MustParsePrefix("10.0.0.1/24")})))
	require.ErrorContains(t, wire.Lost(media("Port-v1"), wire.V1, wire.NewPort(sdn.Port{Kind: sdn.BridgePort, Host: id1})), "hostId")
}

func TestReplaceInAnOldFormKeepsWhatTheFormLacks(t *testing.T) {
	u := wire.NewURIs("")
	stored := u.Router(sdn.Router{ID: id1, Name: "r", TenantID: "t", ASNumber: 7, InboundFilter: id2})
	body, err := wire.Complete(media("Router-v2"), wire.V1, []byte(`{"name":"new","tenantId":"t"}`), stored)
	require.NoError(t, err)
	r, err := wire.ParseRouter(body)
	require.NoError(t, err)
	require.Equal(t, sdn.Router{Name: "new", TenantID: "t", AdminStateUp: true, ASNumber: 7}, r, "asNumber is kept, the filter was known and is gone")
	body, err = wire.Complete(wire.RouterV3, wire.V5, []byte(`{"name":"new"}`), stored)
	require.NoError(t, err)
	require.JSONEq(t, `{"name":"new"}`, string(body))

	host := u.Host(sdn.Host{ID: id1, FloodingProxyWeight: 1, ContainerWeight: 5, ContainerLimit: -1})
	body, err = wire.Complete(media("Host-v2"), wire.V1, []byte(`{"floodingProxyWeight":9}`), host)
	require.NoError(t, err)
	h, err := wire.ParseHost(body)
	require.NoError(t, err)
	require.Equal(t, 5, h.ContainerWeight)
	require.Equal(t, 9, h.FloodingProxyWeight)

	port := u.Port(sdn.Port{ID: id1, Kind: sdn.RouterPort, Address: netip.MustParsePrefix("10.0.0.1/24")})
	body, err = wire.Complete(media("Port-v2"), wire.V1, []byte(`{"type":"Router","portAddress":"10.0.0.2","networkLength":24}`), port)
	require.NoError(t, err)
	p, err := wire.ParsePort(body)
	require.NoError(t, err)
	require.Equal(t, "10.0.0.2/24", p.Address.String())
}

func TestBodiesThatAreNoObjectsAreLeftToTheirReaders(t *testing.T) {
	for _, body := range []string{"", "null", "7", "{", `{"type":[]}`, `[null]`, `[[{}]]`, `{"nwTos":{}}`} {
		for _, name := range []string{"Port-v1", "Rule-v1", "Bridge-v2", "Host-v2", "Router-v2"} {
			data, err := wire.Upgrade(media(name), wire.V1, []byte(body))
			if err != nil {
				require.ErrorIs(t, err, sdn.ErrInvalid)
				continue
			}
			_, err = wire.ParsePort(data)
			require.Error(t, err, body)
		}
	}
}

func TestRootOfOnePointNine(t *testing.T) {
	u := wire.NewURIs("http://h/midonet-api")
	root := u.ApplicationIn(wire.V1, media("Application-v4"))
	require.Equal(t, "v1.9", root["version"])
	require.Equal(t, "http://h/midonet-api/write_version", root["writeVersion"])
	require.Equal(t, "http://h/midonet-api/versions", root["hostVersions"])
	require.Equal(t, "http://h/midonet-api/ad_routes/{id}", root["adRouteTemplate"])
	require.Equal(t, "http://h/midonet-api/bgps/{id}", root["bgpTemplate"])
	require.Equal(t, "http://h/midonet-api/vteps/{ipAddr}", root["vtepTemplate"])
	require.Contains(t, root, "traceRequests")
	require.NotContains(t, root, "qosPolicies")
	require.NotContains(t, root, "bgpPeerTemplate")
	require.NotContains(t, root, "licenses")
	five := u.ApplicationIn(wire.V1, wire.ApplicationV5)
	for _, key := range []string{"licenses", "licenseTemplate", "licenseStatus"} {
		require.Contains(t, five, key)
		require.Nil(t, five[key])
	}
	for key, value := range u.Application() {
		require.Equal(t, value, u.ApplicationIn(wire.V5, wire.JSON)[key])
	}
	require.NotContains(t, u.ApplicationIn(wire.V5, wire.ApplicationV5), "writeVersion")
}
