package conformance

import (
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/wire"
)

// Flow is what a known client does, call by call. It proves no single line but
// that the lines suffice for that client.
type Flow struct {
	Name    string
	Only    []wire.Release
	Differs string
	Run     func(*Wire)
}

// Flows are those of MidoNet's Python client, of goodrain's midonet-cni, of
// midonet-kubernetes, and of clients that mean no good.
func Flows() []Flow {
	return []Flow{
		{Name: "python-midonetclient", Only: []wire.Release{wire.V5}, Run: func(w *Wire) { newPython(w).walk() }},
		{Name: "midonet-cni with its types of 5.x", Only: []wire.Release{wire.V5}, Run: func(w *Wire) { newAncestor(w, false).run() }},
		{Name: "midonet-cni with its types of 1.x", Only: []wire.Release{wire.V1}, Run: func(w *Wire) { newAncestor(w, true).run() }},
		{Name: "midonet-cni of 1.x against 5.x", Only: []wire.Release{wire.V5}, Differs: "of 5.x refuses the types of 1.x",
			Run: func(w *Wire) { newAncestor(w, true).run() }},
		{Name: "bodies that are spoiled", Differs: "has other limits", Run: badInput},
		{Name: "clients that are slow", Differs: "has other limits", Run: slowClients},
		{Name: "requests that are broken", Differs: "has other limits", Run: brokenRequests},
		{Name: "midonet-kubernetes", Only: []wire.Release{wire.V5}, Run: func(w *Wire) { newKubernetes(w).run() }},
	}
}

// walk makes, reads, lists, changes and deletes every resource that the Python
// client knows, with whole objects.
func (p *python) walk() {
	in, out := p.chain(), p.chain()
	router := p.walked("routers", "Router-v3", p.named(), dto{"name": "renamed", "inboundFilterId": in["id"], "asNumber": 64512})
	bridge := p.walked("bridges", "Bridge-v4", p.named(), dto{"name": "renamed", "outboundFilterId": out["id"]})
	group := p.walked("portGroups", portGroupMedia, p.named(), dto{"stateful": true})
	zone := p.walked("tunnelZones", zoneMedia, dto{"name": uuid.NewString(), "type": "gre"}, dto{"name": uuid.NewString()})
	host := p.walked("hosts", "Host-v3", newHost(), fourWeights)
	addrs := p.make(p.root.text("ipAddrGroups"), addrGroupMedia, dto{"name": "g"})
	p.make(addrs.text("addrs"), addrMedia, dto{"version": 4, "addr": "10.0.0.1"})

	port := p.below(router.text("ports"), "Port-v3", p.routerPortBody("10.0.0.1/24"), dto{"adminStateUp": false})
	peer := p.below(bridge.text("ports"), "Port-v3", dto{"type": "ExteriorBridge"}, dto{"inboundFilterId": in["id"]})
	p.linkWhole(port, peer)
	port = p.read(port.text("uri"), "Port-v3")
	require.Equal(p.t, port, p.update(port, "Port-v3"), "a linked port is put with its links")
	require.Equal(p.t, []any{peer["id"]}, []any{p.all(router.text("peerPorts"), "Port-v3", nil)[0]["id"]})

	p.make(group.text("ports"), groupPortMedia, dto{"portId": port["id"]})
	p.make(zone.text("hosts"), "GreTunnelZoneHost-v1", dto{"hostId": host["id"], "ipAddress": "192.0.2.1"})
	pod := p.make(bridge.text("ports"), "Port-v3", dto{"type": bridgeKind})
	bound := p.make(host.text("ports"), bindingMedia, dto{"portId": pod["id"], "interfaceName": "veth0"})
	pod = p.read(pod.text("uri"), "Port-v3")
	require.Equal(p.t, pod, p.update(pod, "Port-v3"), "a bound port is put with its binding")

	p.make(in.text("rules"), "Rule-v2", dto{"type": "accept", "position": nil, "tpSrc": nil, "tpDst": dto{"start": 80, "end": 80}, "nwProto": 6, "properties": dto{}})
	p.make(in.text("rules"), "Rule-v2", dto{"type": "drop", "ipAddrGroupSrc": addrs["id"], "position": 2})
	p.make(p.chain().text("rules"), "Rule-v2", dto{"type": "drop", "portGroup": p.portGroup()["id"]})
	p.make(p.chain().text("rules"), "Rule-v2", natBody("snat", target("192.0.2.1", "192.0.2.1", 1024, 65535)))
	require.Len(p.t, p.all(in.text("rules"), "Rule-v2", nil), 2)
	route := dto{"type": "Normal", "srcNetworkAddr": "0.0.0.0", "srcNetworkLength": 0, "dstNetworkAddr": "10.0.0.0", "dstNetworkLength": 24,
		"nextHopPort": port["id"], "nextHopGateway": nil, "weight": 100, "attributes": nil}
	p.make(router.text("routes"), "Route-v1", route)
	subnet := p.below(bridge.text("dhcpSubnets"), subnetMedia, dto{"subnetPrefix": "10.0.0.0", "subnetLength": 24}, dto{"defaultGateway": "10.0.0.1"})
	p.below(subnet.text("hosts"), dhcpHostMedia, dto{"macAddr": aMAC, "ipAddr": "10.0.0.9", "name": "h"}, dto{"name": "renamed"})

	p.delete(bound.text("uri"))
	for _, o := range []dto{addrs, group, router, bridge, in, out, zone, host} {
		p.delete(o.text("uri"))
	}
	require.Equal(p.t, 404, p.call("GET", port.text("uri"), "{}", "Accept: "+plainJSON).status)
}

// walked makes an object of a collection of the root and changes it.
func (p *python) walked(collection, media string, body, change dto) dto {
	p.t.Helper()
	o := p.below(p.root.text(collection), media, body, change)
	require.Contains(p.t, p.all(p.root.text(collection), media, nil), o)
	return o
}

// below makes an object of a collection and changes it as update() does.
func (p *python) below(uri, media string, body, change dto) dto {
	p.t.Helper()
	o := p.make(uri, media, body)
	for k, v := range change {
		o[k] = v
	}
	got := p.update(o, media)
	for k, v := range change {
		p.same(v, got[k], k)
	}
	return got
}

// did sends a body and expects success, for clients that look at the status alone.
func (w *Wire) did(method, uri, media string, body any) {
	w.t.Helper()
	a := w.try(method, uri, media, body)
	require.Less(w.t, a.status, 300, "%s %s %v: %s", method, uri, body, a.body)
}

func (w *Wire) try(method, uri, media string, body any) answer {
	w.t.Helper()
	text := ""
	if body != nil {
		text = w.json(body)
	}
	var headers []string
	if media != "" {
		headers = append(headers, "Content-Type: "+vendor+media+"+json")
	}
	return w.call(method, uri, text, headers...)
}

// deterministic is the ID that a client derives from a name.
func (w *Wire) deterministic(parts ...any) string {
	return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, slices.Concat([]any{w.tenant}, parts)...)).String()
}
