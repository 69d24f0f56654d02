package server_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// TestPythonClientWalk does what python-midonetclient does on the wire, in its
// order, with its bodies.
func TestPythonClientWalk(t *testing.T) {
	r := newRaw(t)
	root := r.get(r.URL, "Application-v5+json")
	require.Equal(t, r.URL+"/", root["uri"])
	require.Equal(t, "v5.0", root["version"])
	require.Equal(t, root, r.get(r.URL+"/", "Application-v5+json"))

	chain := r.create(text(root["chains"]), "Chain-v1+json", `{"tenantId":"t","name":"in"}`)
	router := r.create(text(root["routers"]), "Router-v3+json", `{"tenantId":"t","name":"r"}`)
	require.Equal(t, true, router["adminStateUp"], "the default")
	for _, key := range []string{"inboundFilterId", "loadBalancerId", "inboundFilter"} {
		value, present := router[key]
		require.True(t, present, key)
		require.Nil(t, value, key)
	}
	require.Equal(t, []any{}, router["inboundMirrorIds"])

	// update(): PUT of the whole object, links and nulls included.
	router["inboundFilterId"] = chain["id"]
	a := r.call("PUT", text(router["uri"]), jsonOf(t, router), "Content-Type: "+vendor+"Router-v3+json")
	require.Equal(t, 204, a.status, a.body)
	require.Empty(t, a.body)
	router = r.get(text(router["uri"]), "Router-v3+json")
	require.Equal(t, chain["uri"], router["inboundFilter"])
	require.Len(t, r.list(text(root["routers"])+"?tenant_id=t", "Router-v3+json"), 1)
	require.Empty(t, r.list(text(root["routers"])+"?tenant_id=other", "Router-v3+json"))

	port := r.create(text(router["ports"]), "Port-v3+json",
		`{"type":"Router","networkAddress":"10.0.0.0","networkLength":24,"portAddress":"10.0.0.1"}`)
	require.Equal(t, []any{"10.0.0.1/24"}, port["portSubnet"])
	require.Equal(t, router["id"], port["deviceId"])
	require.NotContains(t, port, "vlanId")
	bridge := r.create(text(root["bridges"]), "Bridge-v4+json", `{"tenantId":"t","name":"b"}`)
	peer := r.create(text(bridge["ports"]), "Port-v3+json", `{"type":"ExteriorBridge"}`)
	require.Equal(t, "Bridge", peer["type"])
	require.NotContains(t, peer, "portAddress")

	// link(): the whole port with peerId set.
	port["peerId"] = peer["id"]
	a = r.call("POST", text(port["link"]), jsonOf(t, port), "Content-Type: "+vendor+"PortLink-v1+json")
	require.Equal(t, 201, a.status, a.body)
	require.Equal(t, port["link"], a.header.Get("Location"), "which the client does not look at")
	require.Equal(t, peer["id"], r.get(a.header.Get("Location"), "PortLink-v1+json")["peerId"])
	require.Equal(t, port["uri"], r.get(text(peer["uri"]), "Port-v3+json")["peer"])
	require.Equal(t, peer["id"], r.list(text(router["peerPorts"]), "Port-v3+json")[0]["id"])
	require.Equal(t, 204, r.call("DELETE", text(peer["link"]), "{}").status)
	require.Nil(t, r.get(text(port["uri"]), "Port-v3+json")["peerId"])

	route := r.create(text(router["routes"]), "Route-v1+json", jsonOf(t, map[string]any{
		"type": "Normal", "srcNetworkAddr": "0.0.0.0", "srcNetworkLength": 0, "dstNetworkAddr": "10.0.0.0", "dstNetworkLength": 24,
		"nextHopPort": port["id"], "nextHopGateway": nil, "weight": 100, "attributes": nil,
	}))
	require.Equal(t, router["id"], route["routerId"])
	require.Equal(t, false, route["learned"])
	require.Len(t, r.list(text(router["routes"]), "Route-v1+json"), 2)

	for _, o := range []map[string]any{route, port, router, bridge, chain} {
		require.Equal(t, 204, r.call("DELETE", text(o["uri"]), "{}").status)
	}
}

// TestPythonChainRule sends the explicit nulls of add_chain_rule.
func TestPythonChainRule(t *testing.T) {
	r := newRaw(t)
	chain := r.create("/chains", "Chain-v1+json", `{"name":"c"}`)
	rule := r.create(text(chain["rules"]), "Rule-v2+json", `{"type":"accept","position":null,"tpSrc":null,"tpDst":{"start":80,"end":80},
		"nwSrcAddress":null,"nwSrcLength":null,"invNwSrc":null,"dlType":2048,"nwProto":6,"condInvert":null,"inPorts":null,
		"natTargets":null,"jumpChainId":null,"properties":{"a":[]},"chainId":"`+uuid.NewString()+`"}`)
	require.EqualValues(t, 1, rule["position"])
	require.Equal(t, "header", rule["fragmentPolicy"], "the default with an L4 port")
	require.Equal(t, chain["id"], rule["chainId"], "the URI decides")
	require.Equal(t, map[string]any{"start": 80.0, "end": 80.0}, rule["tpDst"])
	require.Nil(t, rule["tpSrc"])
	require.Nil(t, rule["portGroup"])
	require.NotContains(t, rule, "natTargets")
	nat := r.create(text(chain["rules"]), "Rule-v2+json", `{"type":"snat","flowAction":"accept","position":2,
		"natTargets":[{"addressFrom":"10.0.0.1","addressTo":"10.0.0.1","portFrom":0,"portTo":0}]}`)
	require.Equal(t, "any", nat["fragmentPolicy"], "the default of a floating address")
	rules := r.list(text(chain["rules"]), "Rule-v2+json")
	require.Equal(t, []any{rule["id"], nat["id"]}, []any{rules[0]["id"], rules[1]["id"]})
}

func TestHostsAndBindings(t *testing.T) {
	r := newRaw(t)
	id := uuid.NewString()
	host := r.create("/hosts", "Host-v3+json", `{"id":"`+id+`","name":"h","alive":true,"addresses":["10.0.0.1"]}`)
	require.Equal(t, false, host["alive"], "only the engine says so")
	require.Equal(t, []any{}, host["addresses"])
	require.EqualValues(t, -1, host["containerLimit"])
	require.Empty(t, r.list(text(host["interfaces"]), "Interface-v1+json"))

	weights := `{"floodingProxyWeight":2,"containerWeight":3,"containerLimit":4,"enforceContainerLimit":true}`
	a := r.call("PUT", text(host["uri"]), weights, "Content-Type: "+vendor+"Host-v3+json")
	require.Equal(t, 200, a.status, a.body)
	require.Empty(t, a.body)
	r.refused(400, "PUT", text(host["uri"]), "Host-v3+json", `{"floodingProxyWeight":2,"containerWeight":null,"containerLimit":4,"enforceContainerLimit":true}`)

	bridge := r.create("/bridges", "Bridge-v4+json", `{}`)
	port := r.create(text(bridge["ports"]), "Port-v3+json", `{"type":"Bridge"}`)
	require.Nil(t, port["hostInterfacePort"])
	binding := jsonOf(t, map[string]any{"portId": port["id"], "interfaceName": "eth1"})
	require.Equal(t, "The specified host is not in any tunnel zone.",
		r.refused(409, "POST", text(host["ports"]), "HostInterfacePort-v1+json", binding))

	zone := r.create("/tunnel_zones", "TunnelZone-v1+json", `{"name":"z","type":"gre"}`)
	member := r.create(text(zone["hosts"]), "GreTunnelZoneHost-v1+json", `{"hostId":"`+id+`","ipAddress":"192.0.2.1"}`)
	require.Equal(t, zone["id"], member["tunnelZoneId"])
	bound := r.create(text(host["ports"]), "HostInterfacePort-v1+json", binding)
	require.Equal(t, "eth1", bound["interfaceName"])
	require.Equal(t, bound["uri"], r.get(text(port["uri"]), "Port-v3+json")["hostInterfacePort"])
	require.Len(t, r.list(text(host["ports"]), "HostInterfacePort-v1+json"), 1)

	r.errorBody(r.call("DELETE", text(host["uri"]), "{}"), 403)
	require.Equal(t, 204, r.call("DELETE", text(bound["uri"]), "{}").status)
	require.Equal(t, 204, r.call("DELETE", text(bound["uri"]), "{}").status)
	require.Equal(t, 200, r.call("DELETE", text(host["uri"]), "{}").status)
}
