package wire_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

const (
	id1 = "11111111-1111-4111-8111-111111111111"
	id2 = "22222222-2222-4222-8222-222222222222"
)

func TestEveryKindOfErrorHasItsStatusAndBack(t *testing.T) {
	for kind, status := range map[error]int{
		sdn.ErrNotFound: 404, sdn.ErrExists: 409, sdn.ErrConflict: 409, sdn.ErrInvalid: 400, sdn.ErrForbidden: 403,
		sdn.ErrUnauthorized: 401, sdn.ErrUnsupported: 501, sdn.ErrUnavailable: 503,
	} {
		require.Equal(t, status, wire.Status(fmt.Errorf("do x: %w", kind)))
		if status != http.StatusConflict {
			require.Equal(t, kind, wire.Kind(status))
		}
	}
	require.Equal(t, sdn.ErrConflict, wire.Kind(409))
	require.Equal(t, 500, wire.Status(errors.New("x")))
	require.ErrorIs(t, wire.Kind(500), sdn.ErrUnavailable, "a server that has a fault says nothing of what was asked")
	require.NoError(t, wire.Kind(418))
}

func TestErrorBodies(t *testing.T) {
	data, err := json.Marshal(wire.NewError(errors.New("internal matter")))
	require.NoError(t, err)
	require.JSONEq(t, `{"message":"Internal server error.","code":500}`, string(data))
	data, err = json.Marshal(wire.NewError(&sdn.ValidationError{Violations: []sdn.Violation{{Property: "name", Message: "m"}}}))
	require.NoError(t, err)
	require.JSONEq(t, `{"message":"Validation error(s) found","code":400,"violations":[{"property":"name","message":"m"}]}`, string(data))

	message, kind := wire.ReadError(400, data)
	require.Equal(t, "Validation error(s) found", message)
	var invalid *sdn.ValidationError
	require.ErrorAs(t, kind, &invalid)
	require.Equal(t, "name", invalid.Violations[0].Property)
	message, kind = wire.ReadError(404, []byte("<html>"))
	require.Empty(t, message)
	require.Equal(t, sdn.ErrNotFound, kind)
}

func TestNullsAndDefaults(t *testing.T) {
	r, err := wire.ParseRouter([]byte(`{}`))
	require.NoError(t, err)
	require.True(t, r.AdminStateUp, "missing is the default")
	r, err = wire.ParseRouter([]byte(`{"adminStateUp":null,"asNumber":null,"name":null}`))
	require.NoError(t, err)
	require.Equal(t, sdn.Router{}, r, "null is 0, false, nothing")
	r, err = wire.ParseRouter([]byte(`{"asNumber":"64512","name":7,"adminStateUp":"true","nonsense":[{}]}`))
	require.NoError(t, err)
	require.Equal(t, sdn.Router{ASNumber: 64512, Name: "7", AdminStateUp: true}, r)
	for _, bad := range []string{`{"asNumber":1.5}`, `{"asNumber":"x"}`, `{"asNumber":-1}`, `{"adminStateUp":2}`, `{"name":[]}`, `{"id":"x"}`} {
		_, err := wire.ParseRouter([]byte(bad))
		require.ErrorIs(t, err, sdn.ErrInvalid, bad)
	}
}

func TestAddressesOfRouterPorts(t *testing.T) {
	for body, want := range map[string]string{
		`"portAddress":"10.0.0.1","networkLength":24`:                                                      "10.0.0.1/24",
		`"portAddress":"10.0.0.1","networkLength":24,"networkAddress":"10.9.9.9"`:                          "10.0.0.1/24",
		`"portSubnet":["10.0.0.2/30"]`:                                                                     "10.0.0.2/30",
		`"portSubnet":["10.0.0.2/30"],"portAddress":"10.0.0.1","networkLength":24`:                         "10.0.0.2/30",
		`"portSubnet":[],"portAddress":"10.0.0.1","networkLength":"32"`:                                    "10.0.0.1/32",
		`"portSubnet":null,"portAddress":"10.0.0.1"`:                                                       "10.0.0.1/0",
		`"type":"InteriorRouter","portAddress":"10.0.0.1","networkLength":24,"rtrPortVni":null,"active":1`: "",
	} {
		p, err := wire.ParsePort([]byte(`{"type":"Router",` + body + `}`))
		if want == "" {
			require.ErrorIs(t, err, sdn.ErrInvalid, body)
			continue
		}
		require.NoError(t, err, body)
		require.Equal(t, netip.MustParsePrefix(want), p.Address, body)
	}
	p, err := wire.ParsePort([]byte(`{"type":"InteriorRouter","portAddress":"10.0.0.1","networkLength":24}`))
	require.NoError(t, err)
	require.Equal(t, sdn.RouterPort, p.Kind, "the names of the 1.x API are aliases")
	_, err = wire.ParsePort([]byte(`{"type":"router"}`))
	require.ErrorIs(t, err, sdn.ErrInvalid)
}

func TestFurtherConditionsAreKept(t *testing.T) {
	for field, value := range map[string]string{
		"portGroup": `"` + id1 + `"`, "inPortGroup": `"` + id1 + `"`, "outPortGroup": `"` + id1 + `"`,
		"ipAddrGroupSrc": `"` + id1 + `"`, "ipAddrGroupDst": `"` + id1 + `"`, "traversedDevice": `"` + id1 + `"`,
		"noVlan": "true", "vlan": "7", "icmpDataSrcIpAddress": `"10.0.0.1"`, "icmpDataDstIpAddress": `"10.0.0.1"`,
		"matchNwDstRewritten": "true",
	} {
		r, err := wire.ParseRule([]byte(`{"type":"drop","` + field + `":` + value + `}`))
		require.NoError(t, err, field)
		shown, err := json.Marshal(wire.NewRule(r))
		require.NoError(t, err)
		require.Contains(t, string(shown), `"`+field+`":`+value)
	}
	for _, kind := range []string{"trace", "l2_transform"} {
		_, err := wire.ParseRule([]byte(`{"type":"` + kind + `"}`))
		require.ErrorIs(t, err, sdn.ErrUnsupported)
	}
	for _, field := range []string{"qosPolicyId", "inboundMirrorIds", "preOutFilterMirrorIds"} {
		value := `"` + id1 + `"`
		if field != "qosPolicyId" {
			value = "[" + value + "]"
		}
		_, err := wire.ParsePort([]byte(`{"type":"Bridge","` + field + `":` + value + `}`))
		require.ErrorIs(t, err, sdn.ErrUnsupported)
		require.ErrorContains(t, err, field)
	}
}

// TestRepresentationsCanBeSentBack reads and PUTs, or POSTs, what the server
// shows, as clients do.
func TestRepresentationsCanBeSentBack(t *testing.T) {
	u := wire.NewURIs("http://h/midonet-api/")
	router := sdn.Router{ID: id1, TenantID: "t", Name: "n", AdminStateUp: true, InboundFilter: id2}
	same(t, router, u.Router(router), wire.ParseRouter)
	bridge := sdn.Bridge{ID: id1, TenantID: "t", OutboundFilter: id2}
	same(t, bridge, u.Bridge(bridge), wire.ParseBridge)
	chain := sdn.Chain{ID: id1, Name: "c"}
	same(t, chain, u.Chain(chain), wire.ParseChain)
	port := sdn.Port{ID: id1, Kind: sdn.RouterPort, Device: id2, TunnelKey: 9, VIF: id1, Host: id2, Interface: "eth0", Peer: id2,
		Active: true, Address: netip.MustParsePrefix("10.0.0.1/24"), MAC: "ac:ca:ba:00:00:01"}
	same(t, port, u.Port(port), wire.ParsePort)
	port = sdn.Port{ID: id1, Kind: sdn.BridgePort, Device: id2, VLAN: 12, AdminStateUp: true}
	same(t, port, u.Port(port), wire.ParsePort)
	route := sdn.Route{ID: id1, Router: id2, Type: sdn.RouteNormal, NextHopPort: id1, Weight: 3, Attributes: "a",
		Src: netip.MustParsePrefix("0.0.0.0/0"), Dst: netip.MustParsePrefix("10.0.0.0/8"), Gateway: netip.MustParseAddr("10.0.0.1")}
	same(t, route, u.Route(route), wire.ParseRoute)
	binding := sdn.Binding{Host: id1, Port: id2, Interface: "eth0"}
	same(t, binding, u.Binding(binding), wire.ParseBinding)
	zone := sdn.TunnelZone{ID: id1, Name: "z", Type: "vtep"}
	same(t, zone, u.TunnelZone(zone), wire.ParseTunnelZone)
	member := sdn.TunnelZoneHost{Zone: id1, Host: id2, Address: netip.MustParseAddr("192.0.2.1")}
	same(t, member, u.TunnelZoneHost(member), wire.ParseTunnelZoneHost)
}

// TestRepresentationsBelowOthersCanBeSentBack: what the URI says is no part of
// the body.
func TestRepresentationsBelowOthersCanBeSentBack(t *testing.T) {
	u := wire.NewURIs("http://h/midonet-api/")
	router := sdn.Router{ID: id1, LocalRedirect: id2, Forward: id1}
	same(t, router, u.Router(router), wire.ParseRouter)
	group := sdn.PortGroup{ID: id1, TenantID: "t", Name: "n", Stateful: true}
	same(t, group, u.PortGroup(group), wire.ParsePortGroup)
	same(t, sdn.PortGroupPort{Port: id2}, u.PortGroupPort(sdn.PortGroupPort{Group: id1, Port: id2}), wire.ParsePortGroupPort)
	addrs := sdn.IPAddrGroup{ID: id1, Name: "n"}
	same(t, addrs, u.IPAddrGroup(addrs), wire.ParseIPAddrGroup)
	for _, text := range []string{"10.0.0.1", "fd00::1", "::ffff:10.0.0.1"} {
		a := netip.MustParseAddr(text)
		same(t, sdn.IPAddrGroupAddr{Addr: a}, u.IPAddrGroupAddr(sdn.IPAddrGroupAddr{Group: id1, Addr: a}), wire.ParseIPAddrGroupAddr)
	}
	const mac = "aa:bb:cc:dd:ee:01"
	same(t, sdn.MACPort{VLAN: 7, MAC: mac, Port: id1}, u.MACPort(sdn.MACPort{Bridge: id2, VLAN: 7, MAC: mac, Port: id1}), wire.ParseMACPort)
	ip := netip.MustParseAddr("10.0.0.1")
	same(t, sdn.IP4MAC{Addr: ip, MAC: mac}, u.IP4MAC(sdn.IP4MAC{Bridge: id2, Addr: ip, MAC: mac}), wire.ParseIP4MAC)
	subnet := sdn.DHCPSubnet{Prefix: netip.MustParsePrefix("10.0.0.0/24"), Gateway: ip, Server: ip, DNS: []netip.Addr{ip}, MTU: 1450,
		Routes: []sdn.DHCPRoute{{Dst: netip.MustParsePrefix("10.0.0.0/8"), Gateway: ip}}, Enabled: true}
	same(t, subnet, u.DHCPSubnet(subnet), wire.ParseDHCPSubnet)
	subnet = sdn.DHCPSubnet{Prefix: netip.MustParsePrefix("0.0.0.0/0")}
	same(t, subnet, u.DHCPSubnet(subnet), wire.ParseDHCPSubnet)
	host := sdn.DHCPHost{MAC: mac, Addr: ip, Name: "n", Options: []sdn.DHCPOption{{Name: "router"}, {Name: "66", Value: "x"}}}
	same(t, host, u.DHCPHost(host), wire.ParseDHCPHost)
	rule := sdn.Rule{ID: id1, Chain: id2, Type: sdn.RuleAccept, Position: 3, Condition: sdn.Condition{
		InPorts: []sdn.PortID{id1}, OutPorts: []sdn.PortID{id1}, PortGroup: id1, InvInPortGroup: true, OutPortGroup: id2, SrcGroup: id1,
		InvDstGroup: true, TraversedDevice: id2, NoVLAN: true, VLAN: new(int), ICMPDataSrc: netip.MustParsePrefix("10.0.0.0/8"),
		InvICMPDataDst: true, DstRewritten: true}}
	same(t, rule, u.Rule(rule), wire.ParseRule)
}

func TestKeysOfURIs(t *testing.T) {
	mac, port, err := wire.ParseMACPortKey("AA-BB-CC-DD-EE-01_" + id1)
	require.NoError(t, err)
	require.Equal(t, []string{"aa:bb:cc:dd:ee:01", id1}, []string{mac, string(port)})
	addr, mac, err := wire.ParseIP4MACKey("10.0.0.1_aa:bb:cc:dd:ee:01")
	require.NoError(t, err)
	require.Equal(t, []string{"10.0.0.1", "aa:bb:cc:dd:ee:01"}, []string{addr.String(), mac})
	p, err := wire.ParsePrefixKey("10.0.0.9_24")
	require.NoError(t, err)
	require.Equal(t, "10.0.0.0/24", p.String())
	a, err := wire.ParseVersionedAddr("6", "FD00:0::1")
	require.NoError(t, err)
	require.Equal(t, "fd00::1", a.String())
	u := wire.NewURIs("http://h")
	require.Equal(t, "http://h/bridges/b/vlans/7/mac_table", u.MACTableOf("b", 7))
	require.Equal(t, "http://h/bridges/b/mac_table", u.MACTableOf("b", 0))
}

func same[N, D any](t *testing.T, want N, d D, parse func([]byte) (N, error)) {
	t.Helper()
	data, err := json.Marshal(d)
	require.NoError(t, err)
	got, err := parse(data)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestURIsEscapeAndStandOnTheirBase(t *testing.T) {
	u := wire.NewURIs("http://h/x/")
	require.Equal(t, "http://h/x/hosts/a%2F..%2Fb", u.At(wire.Hosts, "a/../b"))
	require.Equal(t, "http://h/x/routers?tenant_id=a%26b", u.Of(wire.Routers, "a&b"))
	require.Equal(t, "/routers", wire.NewURIs("").Of(wire.Routers, ""))
	require.Equal(t, "application/vnd.org.midonet.collection.Port-v3+json", wire.Collection(wire.PortV3))
	require.Equal(t, wire.JSON, wire.Collection(wire.JSON))
}

// TestPropertiesAreThoseOfTheContract compares names, not values.
func TestPropertiesAreThoseOfTheContract(t *testing.T) {
	u := wire.NewURIs("http://h")
	for _, c := range []struct {
		dto  any
		want []string
	}{
		{u.Chain(sdn.Chain{ID: id1}), []string{"id", "name", "rules", "tenantId", "uri"}},
		{u.TunnelZone(sdn.TunnelZone{ID: id1}), []string{"hosts", "id", "name", "type", "uri"}},
		{u.Binding(sdn.Binding{Host: id1, Port: id2}), []string{"host", "hostId", "interfaceName", "port", "portId", "uri"}},
		{u.Route(sdn.Route{ID: id1}), []string{"attributes", "dstNetworkAddr", "dstNetworkLength", "id", "learned", "nextHopGateway",
			"nextHopPort", "router", "routerId", "srcNetworkAddr", "srcNetworkLength", "type", "uri", "weight"}},
		{wire.NewState(), []string{"availability", "information", "state", "version"}},
		{u.PortGroup(sdn.PortGroup{}), []string{"id", "name", "ports", "stateful", "tenantId", "uri"}},
		{u.PortGroupPort(sdn.PortGroupPort{}), []string{"port", "portGroup", "portGroupId", "portId", "uri"}},
		{u.IPAddrGroup(sdn.IPAddrGroup{}), []string{"addrs", "id", "inboundChainId", "ipAddrPorts", "name", "outboundChainId", "ruleIds", "uri"}},
		{u.IPAddrGroupAddr(sdn.IPAddrGroupAddr{}), []string{"addr", "ipAddrGroupId", "uri", "version"}},
		{u.MACPort(sdn.MACPort{}), []string{"macAddr", "portId", "uri", "vlanId"}},
		{u.IP4MAC(sdn.IP4MAC{}), []string{"ip", "mac", "uri"}},
		{u.DHCPSubnet(sdn.DHCPSubnet{}), []string{"defaultGateway", "dnsServerAddrs", "enabled", "hosts", "interfaceMTU", "opt121Routes",
			"serverAddr", "subnetLength", "subnetPrefix", "uri"}},
		{u.DHCPHost(sdn.DHCPHost{Options: []sdn.DHCPOption{{}}}), []string{"extraDhcpOpts", "ipAddr", "macAddr", "name", "uri"}},
		{u.PortLink(id1, id2), []string{"peer", "peerId", "port", "portId", "uri"}},
		{wire.DHCPRoute{}, []string{"destinationLength", "destinationPrefix", "gatewayAddr"}},
		{wire.DHCPOption{}, []string{"optName", "optValue"}},
		{u.Tenant("t"), []string{"bridges", "chains", "description", "enabled", "id", "name", "portGroups", "routers", "uri"}},
	} {
		data, err := json.Marshal(c.dto)
		require.NoError(t, err)
		var m map[string]any
		require.NoError(t, json.Unmarshal(data, &m))
		var names []string
		for _, k := range reflect.ValueOf(m).MapKeys() {
			names = append(names, k.String())
		}
		require.ElementsMatch(t, c.want, names)
	}
}
