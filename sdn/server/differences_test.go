package server_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestKnownBugsOfMidoNetAreNotCopied is docs/midonet-differences.md, first
// table, as far as no other test is about it.
func TestKnownBugsOfMidoNetAreNotCopied(t *testing.T) {
	r := newRaw(t)
	router := r.create("/routers", "Router-v3+json", `{}`)
	port := r.create(text(router["ports"]), "Port-v3+json", `{"type":"Router","portSubnet":["10.0.0.1/24"]}`)
	a := r.call("PUT", text(port["uri"]), `{"type":"Router","portAddress":"10.0.0.1","networkLength":24}`, "Content-Type: application/json")
	require.Equal(t, 204, a.status, a.body)
	require.Equal(t, port["portMac"], r.get(text(port["uri"]), "Port-v3+json")["portMac"], "MNA-1251: the MAC stays")

	peer := r.create(text(router["ports"]), "Port-v3+json", `{"type":"Router","portSubnet":["10.1.0.1/24"]}`)
	a = r.call("POST", text(port["link"]), jsonOf(t, map[string]any{"portId": port["id"], "peerId": peer["id"]}), "Content-Type: application/json")
	require.Equal(t, 201, a.status, "MNA-1249: portId is accepted")
	require.Equal(t, port["link"], a.header.Get("Location"))
	require.Equal(t, map[string]any{"uri": port["link"], "portId": port["id"], "peerId": peer["id"], "port": port["uri"], "peer": peer["uri"]},
		r.get(a.header.Get("Location"), "PortLink-v1+json"))
	r.bare(204, "DELETE", text(port["link"]), "", "{}")
	r.errorBody(r.call("GET", text(port["link"]), ""), 404)

	zone := r.create("/tunnel_zones", "TunnelZone-v1+json", `{"name":"z","type":"gre"}`)
	a = r.call("PUT", text(zone["uri"]), jsonOf(t, zone), "Content-Type: "+vendor+"TunnelZone-v1+json")
	require.Equal(t, 204, a.status, "MNA-1293: its own name is no conflict")

	a = r.call("POST", text(router["ports"]), `{"type":"Router"}`, "Content-Type: "+vendor+"Port-v3+json")
	r.errorBody(a, 400)
	require.Contains(t, a.body, `"property":"portAddress"`)

	local := r.create(text(router["routes"]), "Route-v1+json", `{"type":"Local","srcNetworkAddr":"0.0.0.0","dstNetworkAddr":"10.9.0.1","dstNetworkLength":32}`)
	require.Equal(t, router["id"], local["routerId"])
	require.Contains(t, r.list(text(router["routes"]), "Route-v1+json"), local)
	for _, collection := range []string{"routers", "bridges", "ports", "chains", "rules", "routes", "hosts", "tunnel_zones", "port_groups", "ip_addr_groups"} {
		require.Contains(t, r.errorBody(r.call("GET", "/"+collection+"/no-uuid", "", "Accept: */*"), 404), " with ID no-uuid.")
	}
}
