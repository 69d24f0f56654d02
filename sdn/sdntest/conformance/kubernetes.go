package conformance

import (
	"strings"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// kubernetes does what midonet-kubernetes does: IDs follow from names, an
// object is posted, after 409 put, or taken for there where PUT is not
// offered; 400 and 404 mean that something it refers to is not there yet, and
// DELETE takes 404 for success.
//
// Its services translate addresses in the filter of a bridge. A server whose
// engine cannot do that says so with 501 and stores nothing; the flow then goes
// on without services, where the real client would end.
type kubernetes struct {
	*Wire
	host       string
	noServices bool
}

func newKubernetes(w *Wire) *kubernetes {
	w.token = w.login()
	return &kubernetes{Wire: w}
}

// ensure posts an object and, when it is there, puts it. It returns false when
// something that the object refers to is not there yet.
func (k *kubernetes) ensure(collection, media string, body dto) bool {
	k.t.Helper()
	a := k.try("POST", collection, media, body)
	switch {
	case a.status == 201:
		k.removeLater(a.header.Get("Location"))
		return true
	case a.status == 400 || a.status == 404:
		return false
	}
	if media == "Rule-v2" && a.status == 501 {
		require.Contains(k.t, a.body, "translate", "%v", body)
		k.missing("/rules/" + body.text("id"))
		k.noServices = true
		return true
	}
	require.Equal(k.t, 409, a.status, "POST %s %v: %s", collection, body, a.body)
	switch media {
	case "Router-v3", "Bridge-v4", "Port-v3":
		top := map[string]string{"Router-v3": "/routers/", "Bridge-v4": "/bridges/", "Port-v3": "/ports/"}[media]
		a = k.try("PUT", top+body.text("id"), media, body)
		require.Equal(k.t, 204, a.status, a.body)
	}
	return true
}

func (k *kubernetes) must(collection, media string, body dto) string {
	k.t.Helper()
	require.True(k.t, k.ensure(collection, media, body), "%s %v", collection, body)
	return body.text("id")
}

func (k *kubernetes) run() {
	k.host = k.bindable().text("id")
	for range 2 { // a translation is pushed again whenever the controller restarts
		k.push()
	}
	require.Len(k.t, k.list("/routers?tenant_id="+k.tenant, "Router-v3"), 1)
	require.Len(k.t, k.list("/bridges?tenant_id="+k.tenant, "Bridge-v4"), 1)
	bridge := "/bridges/" + k.deterministic("bridge")
	require.Len(k.t, k.list(bridge+"/ports", "Port-v3"), 2)
	require.Len(k.t, k.list(bridge+"/mac_table", macMedia), 1)
	require.Len(k.t, k.list(bridge+"/arp_table", arpMedia), 1)
	require.Len(k.t, k.list("/hosts/"+k.host+"/ports", bindingMedia), 1)
	if !k.noServices {
		require.Len(k.t, k.list("/chains/"+k.deterministic("sep")+"/rules", "Rule-v2"), 2, "rules are not doubled")
		require.Len(k.t, k.list("/chains/"+k.deterministic("main")+"/rules", "Rule-v2"), 2)
	}
	k.away()
}

// push is the node's, the pod's and a service's translation.
func (k *kubernetes) push() {
	id := k.deterministic
	main := k.must("/chains", "Chain-v1", dto{"id": id("main"), "name": "KUBE-MAIN", "tenantId": k.tenant})
	router := k.must("/routers", "Router-v3", dto{"id": id("router"), "name": "cluster router", "tenantId": k.tenant, "adminStateUp": true})
	bridge := k.must("/bridges", "Bridge-v4", dto{"id": id("bridge"), "name": "node", "tenantId": k.tenant, "inboundFilterId": main, "adminStateUp": true})
	route := dto{"id": id("subnet route"), "type": "Normal", "srcNetworkAddr": "0.0.0.0", "dstNetworkAddr": "10.1.0.0", "dstNetworkLength": 24,
		"nextHopPort": id("router port")}
	if k.try("GET", "/ports/"+id("router port"), "", nil).status == 404 {
		require.False(k.t, k.ensure("/routers/"+router+"/routes", "Route-v1", route), "the port is not there yet")
	}
	k.must("/routers/"+router+"/ports", "Port-v3", dto{"id": id("router port"), "type": routerKind, "adminStateUp": true,
		"portSubnet": []any{"10.1.0.1/24"}, "portMac": "ac:ca:ba:11:22:33"})
	k.must("/routers/"+router+"/routes", "Route-v1", route)
	peer := k.must("/bridges/"+bridge+"/ports", "Port-v3", dto{"id": id("bridge port"), "type": bridgeKind, "adminStateUp": true})
	k.must("/ports/"+id("router port")+"/link", "PortLink-v1", dto{"peerId": peer})
	require.Equal(k.t, peer, k.get("/ports/"+id("router port"), "Port-v3")["peerId"], "a PUT before did not unlink")
	require.Equal(k.t, "ac:ca:ba:11:22:33", k.get("/ports/"+id("router port"), "Port-v3")["portMac"])

	pod := k.must("/bridges/"+bridge+"/ports", "Port-v3", dto{"id": id("pod"), "type": bridgeKind, "adminStateUp": true})
	k.must("/hosts/"+k.host+"/ports", bindingMedia, dto{"portId": pod, "interfaceName": "mido0123456789a"})
	k.must("/bridges/"+bridge+"/mac_table", macMedia, dto{"macAddr": aMAC, "portId": pod})
	k.must("/bridges/"+bridge+"/arp_table", arpMedia, dto{"ip": "10.1.0.2", "mac": aMAC})
	k.service(main)
}

// service is the chains and rules of one service with one endpoint.
func (k *kubernetes) service(main string) {
	id := k.deterministic
	for key, name := range map[string]string{"pre": "KUBE-PRE", "svc": "KUBE-SVC-X", "sep": "KUBE-SEP-X"} {
		k.must("/chains", "Chain-v1", dto{"id": id(key), "name": name, "tenantId": k.tenant})
	}
	rule := func(chain string, body dto) { k.must("/chains/"+chain+"/rules", "Rule-v2", body) }
	rule(id("pre"), dto{"id": id("rev dnat"), "type": "rev_dnat", "flowAction": "accept"})
	rule(id("pre"), dto{"id": id("rev snat"), "type": "rev_snat", "flowAction": "accept"})
	rule(main, dto{"id": id("to pre"), "type": "jump", "jumpChainId": id("pre"), "jumpChainName": "KUBE-PRE"})
	rule(main, dto{"id": id("to svc"), "type": "jump", "jumpChainId": id("svc"), "dlType": 0x0800, "nwDstAddress": "10.96.0.10", "nwDstLength": 32,
		"nwProto": 6, "tpDst": dto{"start": 80, "end": 80}, "fragmentPolicy": "unfragmented"})
	rule(id("svc"), dto{"id": id("to sep"), "type": "jump", "jumpChainId": id("sep")})
	rule(id("sep"), dto{"id": id("dnat"), "type": "dnat", "flowAction": "accept", "natTargets": []any{target("10.1.0.2", "10.1.0.2", 8080, 8080)}})
	rule(id("sep"), dto{"id": id("hairpin"), "type": "snat", "flowAction": "continue", "dlType": 0x0800, "nwSrcAddress": "10.1.0.2", "nwSrcLength": 32,
		"natTargets": []any{target("10.1.0.1", "10.1.0.1", 30000, 60000)}})
	a := k.try("PUT", "/rules/"+id("dnat"), "Rule-v2", dto{"type": "dnat"})
	require.Equal(k.t, 405, a.status, "rules cannot be put")
}

// away deletes in no order that a server could count on, twice.
func (k *kubernetes) away() {
	id := k.deterministic
	bridge := "/bridges/" + id("bridge")
	gone := []string{
		"/hosts/" + k.host + "/ports/" + id("pod"), bridge + "/mac_table/" + strings.ReplaceAll(aMAC, ":", "-") + "_" + id("pod"),
		bridge + "/arp_table/10.1.0.2_" + strings.ReplaceAll(aMAC, ":", "-"), "/ports/" + id("pod"), "/routes/" + id("subnet route"),
		"/chains/" + id("svc"), "/rules/" + id("dnat"), "/chains/" + id("sep"), "/chains/" + id("pre"), bridge, "/ports/" + id("router port"),
		"/routers/" + id("router"), "/chains/" + id("main"),
	}
	for range 2 {
		for _, uri := range gone {
			a := k.try("DELETE", uri, "", nil)
			require.Contains(k.t, []int{204, 404}, a.status, "DELETE %s: %s", uri, a.body)
		}
	}
	for _, uri := range []string{"/routers/", "/bridges/", "/chains/", "/ports/"} {
		k.missing(uri + uuid.NewString())
	}
	require.Empty(k.t, k.list("/routers?tenant_id="+k.tenant, "Router-v3"))
	require.Empty(k.t, k.list("/chains?tenant_id="+k.tenant, "Chain-v1"))
}
