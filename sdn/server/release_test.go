package server_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/access"
	"github.com/moatnet/moat/sdn/sdntest"
	"github.com/moatnet/moat/sdn/server"
	"github.com/moatnet/moat/sdn/wire"
)

func newRawV1(t *testing.T) *raw {
	return newRawOf(t, server.Options{API: sdntest.NewMemory(t), Release: wire.V1})
}

func TestRootOf19(t *testing.T) {
	r := newRawV1(t)
	for _, media := range []string{"Application-v4+json", "Application-v5+json"} {
		root := r.get(r.URL, media)
		require.Equal(t, "v1.9", root["version"])
		require.Equal(t, r.URL+"/write_version", root["writeVersion"])
		require.NotContains(t, root, "qosPolicies")
	}
	id := uuid.NewString()
	for _, path := range []string{"/write_version", "/versions", "/licenses", "/ad_routes/" + id, "/bgps/" + id,
		"/ports/" + id + "/bgps", "/hosts/" + id + "/commands", "/hosts/" + id + "/commands/7"} {
		r.errorBody(r.call("GET", path, "", "Accept: */*"), 501)
		r.errorBody(newRaw(t).call("GET", path, "", "Accept: */*"), 404)
	}
}

// TestMediaTypesOf19 asks one of 1.9 for the types of both releases, and one of
// 5.x, which knows those of 1.9 as well.
func TestMediaTypesOf19(t *testing.T) {
	old, now := newRawV1(t), newRaw(t)
	for media, status := range map[string]int{"Router-v1": 200, "Router-v2": 200, "Router-v3": 406} {
		accept := "Accept: " + vendor + "collection." + media + "+json"
		require.Equal(t, status, old.call("GET", "/routers", "", accept).status, media)
		require.Equal(t, 200, now.call("GET", "/routers", "", accept).status, media)
	}
	router := old.create("/routers", "Router-v2+json", `{"name":"r","tenantId":"t","asNumber":7}`)
	require.NotContains(t, router, "asNumber")
	require.Contains(t, router, "loadBalancerId")
	a := old.call("GET", text(router["uri"]), "", "Accept: application/json")
	require.Equal(t, router, old.object(a.body), "JSON is the newest of the release")
	for _, c := range [][2]string{{"Port-v1", "ExteriorRouter"}, {"Port-v2", "Router"}} {
		port := old.create(text(router["ports"]), c[0]+"+json", `{"type":"`+c[1]+`","networkAddress":"10.0.0.0","networkLength":24,"portAddress":"10.0.0.1"}`)
		require.Equal(t, c[1], port["type"])
		require.Equal(t, c[0] == "Port-v2", port["interfaceName"] == nil && strings.Contains(jsonOf(t, port), `"interfaceName"`))
	}
}

// TestPutOfAnOlderTypeKeepsWhatItCannotSay is of a server that speaks both.
func TestPutOfAnOlderTypeKeepsWhatItCannotSay(t *testing.T) {
	r := newRaw(t)
	chain := r.create("/chains", "Chain-v1+json", `{}`)
	router := r.create("/routers", "Router-v3+json", `{"name":"r","asNumber":7,"forwardChainId":"`+text(chain["id"])+`"}`)
	older := r.get(text(router["uri"]), "Router-v2+json")
	older["name"] = "new"
	r.put(text(router["uri"]), "Router-v2+json", older)
	got := r.get(text(router["uri"]), "Router-v3+json")
	require.Equal(t, []any{"new", 7.0, chain["id"]}, []any{got["name"], got["asNumber"], got["forwardChainId"]})

	delete(router, "asNumber")
	require.Equal(t, 0.0, r.put(text(router["uri"]), "Router-v3+json", router)["asNumber"], "5.x says all there is")

	bridge := r.create("/bridges", "Bridge-v4+json", `{}`)
	subnet := r.create(text(bridge["dhcpSubnets"]), "DhcpSubnet-v2+json", `{"subnetPrefix":"10.0.0.0","subnetLength":24,"enabled":false}`)
	require.Equal(t, 204, r.call("PUT", text(subnet["uri"]), jsonOf(t, r.get(text(subnet["uri"]), "DhcpSubnet-v1+json")), "Content-Type: "+vendor+"DhcpSubnet-v1+json").status)
	require.Equal(t, false, r.get(text(subnet["uri"]), "DhcpSubnet-v2+json")["enabled"])
}

func TestNamesAndTenantsOf19(t *testing.T) {
	r := newRawV1(t)
	for collection, media := range map[string]string{"/routers": "Router-v2+json", "/bridges": "Bridge-v3+json", "/chains": "Chain-v1+json", "/port_groups": "PortGroup-v1+json"} {
		for body, property := range map[string]string{`{"name":"n"}`: "tenantId", `{"tenantId":"t"}`: "name", `{"name":null,"tenantId":"t"}`: "name"} {
			a := r.call("POST", collection, body, "Content-Type: "+vendor+media)
			r.errorBody(a, 400)
			require.Contains(t, a.body, `"property":"`+property+`"`, collection)
		}
		o := r.create(collection, media, `{"name":"n","tenantId":"t"}`)
		if collection != "/chains" {
			r.refused(400, "PUT", text(o["uri"]), media, `{"tenantId":"t"}`)
		}
	}
}

func TestStatusesOf19(t *testing.T) {
	r := newRawV1(t)
	id := uuid.NewString()
	r.bare(204, "DELETE", "/ports/"+id, "", "{}")
	host := r.create("/hosts", "Host-v3+json", `{"id":"`+id+`","name":"h"}`)
	r.bare(204, "PUT", text(host["uri"]), "Host-v3+json", jsonOf(t, map[string]any{"floodingProxyWeight": 2}))

	bridge := r.create("/bridges", "Bridge-v3+json", `{"name":"b","tenantId":"t"}`)
	port := r.create(text(bridge["ports"]), "Port-v2+json", `{"type":"Bridge"}`)
	binding := jsonOf(t, map[string]any{"portId": port["id"], "interfaceName": "eth1"})
	a := r.call("POST", text(host["ports"]), binding, "Content-Type: "+vendor+"HostInterfacePort-v1+json")
	r.errorBody(a, 400)
	require.Contains(t, a.body, "is not in any tunnel zone")
	zone := r.create("/tunnel_zones", "TunnelZone-v1+json", `{"name":"z","type":"gre"}`)
	r.create(text(zone["hosts"]), "TunnelZoneHost-v1+json", `{"hostId":"`+id+`","ipAddress":"192.0.2.1"}`)
	r.create(text(host["ports"]), "HostInterfacePort-v1+json", binding)
	r.refused(409, "POST", text(host["ports"]), "HostInterfacePort-v1+json", binding)
	r.bare(204, "DELETE", text(port["uri"]), "", "{}")
	r.bare(204, "DELETE", text(host["uri"]), "", "{}")

	router := r.create("/routers", "Router-v2+json", `{"name":"r","tenantId":"t"}`)
	for _, kind := range []string{"Local", "Fip64", "x"} {
		message := r.refused(400, "POST", text(router["routes"]), "Route-v1+json",
			`{"type":"`+kind+`","srcNetworkAddr":"0.0.0.0","dstNetworkAddr":"10.0.0.1","dstNetworkLength":32}`)
		require.Equal(t, "This type of route is invalid.", message)
	}
}

func TestSystemStateOf19(t *testing.T) {
	r := newRawV1(t)
	for media, n := range map[string]int{"SystemState-v1+json": 1, "SystemState-v2+json": 4} {
		state := r.get("/system_state", media)
		require.Len(t, state, n)
		require.Equal(t, "ACTIVE", state["state"])
	}
	r.bare(204, "PUT", "/system_state", "SystemState-v1+json", `{"state":"ACTIVE"}`)
	r.refused(501, "PUT", "/system_state", "SystemState-v1+json", `{"state":"UPGRADE"}`)
	r.refused(400, "PUT", "/system_state", "SystemState-v2+json", `{"state":"x"}`)
	r.refused(400, "PUT", "/system_state", "SystemState-v2+json", `{}`)
}

// member is an authenticator whose user has one tenant.
type member struct{ open }

func (member) Check(context.Context, string) (access.Identity, error) {
	return access.Identity{User: "u", Tenant: "t", Role: access.TenantAdmin}, nil
}

func TestListsOfAllTenantsOf19AreForAdmins(t *testing.T) {
	for release, status := range map[wire.Release]int{wire.V1: 403, wire.V5: 200} {
		api := sdntest.NewMemory(t)
		_, err := api.CreateRouter(t.Context(), sdn.Router{TenantID: "other"})
		require.NoError(t, err)
		r := newRawOf(t, server.Options{API: api, Auth: member{}, Release: release})
		for _, collection := range []string{"/routers", "/bridges"} {
			a := r.call("GET", collection, "", "Accept: application/json")
			require.Equal(t, status, a.status, a.body)
			if status == 200 {
				require.Equal(t, "[]", a.body, "only what is the tenant's")
			}
			require.Equal(t, 200, r.call("GET", collection+"?tenant_id=t", "", "Accept: application/json").status)
			require.Equal(t, 403, r.call("GET", collection+"?tenant_id=other", "", "Accept: application/json").status)
		}
	}
}
