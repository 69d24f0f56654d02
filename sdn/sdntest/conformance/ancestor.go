package conformance

import (
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// ancestor does what goodrain's midonet-cni does: it chooses every ID, sends no
// Accept header, leaves false flags out, sends natTargets as null, and takes
// any 2xx for success without a look at Location or body.
type ancestor struct {
	*Wire
	old                              bool // the types of 1.x
	routerMedia, bridgeMedia, ports  string
	provider, router, in, out        string
	providerPort, uplink, hostID     string
	providerRoute, bridgeID, gateway string
}

func newAncestor(w *Wire, old bool) *ancestor {
	a := &ancestor{Wire: w, old: old, routerMedia: "Router-v3", bridgeMedia: "Bridge-v4", ports: "Port-v3"}
	if old {
		a.routerMedia, a.bridgeMedia, a.ports = "Router-v2", "Bridge-v1", "Port-v2"
	}
	w.token = w.login()
	for _, id := range []*string{&a.provider, &a.router, &a.in, &a.out, &a.providerPort, &a.uplink, &a.providerRoute, &a.bridgeID, &a.gateway} {
		*id = uuid.NewString()
	}
	return a
}

func (a *ancestor) run() {
	a.did("POST", "/routers", a.routerMedia, dto{"id": a.provider, "name": "provider", "tenantId": a.tenant + "-provider"})
	a.removeLater("/routers/" + a.provider)
	a.hostID = a.bindable().text("id")
	a.bootstrap()
	a.bridgeOf(a.bridgeID, a.gateway, "192.168.0")
	a.holds()
	a.pods()
	second, gateway := uuid.NewString(), uuid.NewString()
	a.bridgeOf(second, gateway, "192.168.1")
	a.teardown(second)
}

// bootstrap is steps 1 to 11 of its initNetwork.
func (a *ancestor) bootstrap() {
	a.did("POST", "/chains", "Chain-v1", dto{"id": a.in, "name": a.tenant + " upstream_in", "tenantId": a.tenant})
	a.removeLater("/chains/" + a.in)
	a.did("POST", "/chains", "Chain-v1", dto{"id": a.out, "name": a.tenant + " upstream_out", "tenantId": a.tenant})
	a.removeLater("/chains/" + a.out)
	a.did("POST", "/routers", a.routerMedia, dto{"id": a.router, "name": a.tenant + " default router", "tenantId": a.tenant,
		"inboundFilterId": a.in, "outboundFilterId": a.out})
	a.removeLater("/routers/" + a.router)
	a.port(a.provider, a.providerPort, "172.16.0.0", "172.16.0.2")
	a.port(a.router, a.uplink, "172.16.0.0", "172.16.0.3")
	a.did("POST", "/ports/"+a.uplink+"/link", "PortLink-v1", dto{"peerId": a.providerPort})
	a.route(a.router, uuid.NewString(), "0.0.0.0", 0, a.uplink, "172.16.0.2")
	a.route(a.provider, a.providerRoute, "172.16.0.3", 32, a.providerPort, nil)
	rules := "/chains/" + a.out + "/rules"
	a.did("POST", rules, "Rule-v2", dto{"id": uuid.NewString(), "type": "accept", "position": 1, "matchReturnFlow": true,
		"fragmentPolicy": "any", "natTargets": nil})
	a.did("POST", rules, "Rule-v2", dto{"id": uuid.NewString(), "type": "snat", "position": 2, "flowAction": "accept",
		"fragmentPolicy": "unfragmented", "outPorts": []any{a.uplink}, "natTargets": []any{target("172.16.0.3", "172.16.0.3", 1024, 65535)}})
	a.did("POST", "/chains/"+a.in+"/rules", "Rule-v2", dto{"id": uuid.NewString(), "type": "rev_snat", "position": 1, "flowAction": "continue",
		"fragmentPolicy": "any", "inPorts": []any{a.uplink}, "natTargets": nil})
}

func (a *ancestor) port(router, id, network, address string) {
	a.did("POST", "/routers/"+router+"/ports", a.ports, dto{"id": id, "type": routerKind, "networkAddress": network, "networkLength": 24, "portAddress": address})
}

func (a *ancestor) route(router, id, network string, bits int, port string, gateway any) {
	body := dto{"id": id, "type": "Normal", "srcNetworkAddr": "0.0.0.0", "srcNetworkLength": 0, "dstNetworkAddr": network, "dstNetworkLength": bits,
		"nextHopPort": port, "weight": 0}
	if gateway != nil {
		body["nextHopGateway"] = gateway
	}
	a.did("POST", "/routers/"+router+"/routes", "Route-v1", body)
}

// bridgeOf is steps 12 and 14: a bridge and its link to the tenant's router.
func (a *ancestor) bridgeOf(bridge, gateway, network string) {
	a.did("POST", "/bridges", a.bridgeMedia, dto{"id": bridge, "name": a.tenant + " bridge", "tenantId": a.tenant})
	a.removeLater("/bridges/" + bridge)
	a.port(a.router, gateway, network+".0", network+".254")
	peer := uuid.NewString()
	a.did("POST", "/bridges/"+bridge+"/ports", a.ports, dto{"id": peer, "type": bridgeKind, "vlanId": nil})
	a.did("POST", "/ports/"+gateway+"/link", "PortLink-v1", dto{"peerId": peer})
	a.route(a.router, uuid.NewString(), network+".0", 24, gateway, nil)
}

// holds checks that what was made is what the plugin meant.
func (a *ancestor) holds() {
	r := a.get("/routers/"+a.router, "Router-v3")
	require.Equal(a.t, true, r["adminStateUp"], "which the plugin never sends")
	require.Equal(a.t, a.in, r["inboundFilterId"])
	require.Equal(a.t, a.out, r["outboundFilterId"])
	require.Equal(a.t, a.providerPort, a.get("/ports/"+a.uplink, "Port-v3")["peerId"])
	require.Len(a.t, a.list("/routers/"+a.router+"/peer_ports", "Port-v3"), 2)
	var normal []string
	for _, route := range a.list("/routers/"+a.router+"/routes", "Route-v1") {
		if route["type"] == "Normal" {
			normal = append(normal, route.text("dstNetworkAddr"))
		}
	}
	require.ElementsMatch(a.t, []string{"0.0.0.0", "192.168.0.0"}, normal)
	out := a.list("/chains/"+a.out+"/rules", "Rule-v2")
	require.Equal(a.t, []any{"accept", "snat"}, []any{out[0]["type"], out[1]["type"]})
	require.Equal(a.t, true, out[0]["matchReturnFlow"])
	require.Equal(a.t, "rev_snat", a.list("/chains/"+a.in+"/rules", "Rule-v2")[0]["type"])
	require.Len(a.t, a.list("/routers?tenant_id="+a.tenant, "Router-v3"), 1)
}

// pods binds two and takes one away again.
func (a *ancestor) pods() {
	var made []string
	for _, name := range []string{"vif0123456789ab", "vifba9876543210"} {
		id := uuid.NewString()
		a.did("POST", "/bridges/"+a.bridgeID+"/ports", a.ports, dto{"id": id, "type": bridgeKind})
		a.did("POST", "/hosts/"+a.hostID+"/ports", bindingMedia, dto{"hostId": a.hostID, "portId": id, "interfaceName": name})
		made = append(made, id)
	}
	require.Len(a.t, a.list("/hosts/"+a.hostID+"/ports", bindingMedia), 2)
	a.did("DELETE", "/hosts/"+a.hostID+"/ports/"+made[0], "", nil)
	a.did("DELETE", "/ports/"+made[0], "", nil)
	require.Len(a.t, a.list("/bridges/"+a.bridgeID+"/ports", "Port-v3"), 2, "the other pod's and the router's")
}

// teardown takes a tenant away as the plugin's rollback would, the route of
// the provider by the URI that its client of 1.x wrongly uses.
func (a *ancestor) teardown(second string) {
	if a.old {
		reply := a.try("DELETE", "/routers/"+a.provider+"/routes/"+a.providerRoute, "", nil)
		require.Equal(a.t, 404, reply.status, "there is no such URI: the plugin leaves the route")
	}
	a.did("DELETE", "/routes/"+a.providerRoute, "", nil)
	a.did("DELETE", "/ports/"+a.uplink+"/link", "", nil)
	a.did("DELETE", "/ports/"+a.providerPort, "", nil)
	a.did("DELETE", "/routers/"+a.router, "", nil)
	for _, bridge := range []string{a.bridgeID, second} {
		a.did("DELETE", "/bridges/"+bridge, "", nil)
	}
	a.did("DELETE", "/chains/"+a.in, "", nil)
	a.did("DELETE", "/chains/"+a.out, "", nil)
	require.Empty(a.t, a.list("/routers/"+a.provider+"/ports", "Port-v3"))
	require.Empty(a.t, a.list("/routers/"+a.provider+"/routes", "Route-v1"))
	require.Empty(a.t, a.list("/hosts/"+a.hostID+"/ports", bindingMedia))
}
