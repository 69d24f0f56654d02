package server_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/sdntest"
)

func TestDeleteOfWhatIsNotThere(t *testing.T) {
	r := newRaw(t)
	for collection, status := range map[string]int{
		"routers": 204, "routes": 204, "tunnel_zones": 204,
		"bridges": 404, "chains": 404, "rules": 404, "ports": 404, "hosts": 404,
	} {
		id := uuid.NewString()
		a := r.call("DELETE", "/"+collection+"/"+id, "{}")
		require.Equal(t, status, a.status, collection)
		if status == 404 {
			require.Contains(t, r.errorBody(a, 404), " with ID "+id+".", collection)
		}
		require.Equal(t, 404, r.call("DELETE", "/"+collection+"/no-uuid", "{}").status, collection)
	}
}

func TestZoneHostErrorsHaveNoBody(t *testing.T) {
	r := newRaw(t)
	id := uuid.NewString()
	r.create("/hosts", "Host-v3+json", `{"id":"`+id+`","name":"h"}`)
	zone := r.create("/tunnel_zones", "TunnelZone-v1+json", `{"name":"z","type":"vxlan"}`)
	member := `{"hostId":"` + id + `","ipAddress":"192.0.2.1"}`
	made := r.create(text(zone["hosts"]), "TunnelZoneHost-v1+json", member)
	a := r.call("POST", text(zone["hosts"]), member, "Content-Type: "+vendor+"TunnelZoneHost-v1+json")
	require.Equal(t, 409, a.status)
	require.Empty(t, a.body)
	require.Equal(t, 204, r.call("DELETE", text(made["uri"]), "{}").status)
	a = r.call("DELETE", text(made["uri"]), "{}")
	require.Equal(t, 404, a.status)
	require.Empty(t, a.body)
	r.errorBody(r.call("GET", text(made["uri"]), "{}"), 404)
}

func TestMethodsThatAreNotOffered(t *testing.T) {
	r := newRaw(t)
	for _, c := range [][2]string{
		{"PUT", "/chains/" + uuid.NewString()}, {"PUT", "/rules/" + uuid.NewString()}, {"PUT", "/routes/" + uuid.NewString()},
		{"POST", "/tenants"}, {"PUT", "/tenants/t"}, {"DELETE", "/tenants/t"}, {"DELETE", "/routers"}, {"PUT", "/system_state"}, {"PATCH", "/ports"},
	} {
		a := r.call(c[0], c[1], "{}")
		r.errorBody(a, 405)
		require.Contains(t, a.header.Get("Allow"), "GET", c)
	}
}

func TestMediaTypes(t *testing.T) {
	r := newRaw(t)
	zone := r.create("/tunnel_zones", "TunnelZone-v1+json", `{"name":"z","type":"gre"}`)
	hosts := strings.TrimPrefix(text(zone["hosts"]), r.URL)
	link := "/ports/" + uuid.NewString() + "/link"
	for name, c := range map[string]struct {
		method, uri, accept, content string
		status                       int
		media                        string
	}{
		"own type":                   {"GET", "/routers", vendor + "collection.Router-v3+json", "", 200, vendor + "collection.Router-v3+json"},
		"JSON":                       {"GET", "/routers", "application/json", "", 200, "application/json"},
		"anything":                   {"GET", "/routers", "*/*", "", 200, vendor + "collection.Router-v3+json"},
		"by weight":                  {"GET", "/routers", "application/json;q=0.5, " + vendor + "collection.Router-v3+json;q=0.4", "", 200, "application/json"},
		"second version":             {"GET", "/bridges", vendor + "collection.Bridge-v5+json", "", 200, vendor + "collection.Bridge-v5+json"},
		"the object's for a list":    {"GET", "/routers", vendor + "Router-v3+json", "", 406, ""},
		"a version nobody has":       {"GET", "/routers", vendor + "collection.Router-v9+json", "", 406, ""},
		"unwanted":                   {"GET", "/routers", "application/json;q=0", "", 406, ""},
		"no Accept":                  {"GET", "/routers", "", "", 406, ""},
		"tenants are no JSON":        {"GET", "/tenants", "application/json", "", 406, ""},
		"zone hosts are no JSON":     {"GET", hosts, "application/json", "", 406, ""},
		"zone hosts without Accept":  {"GET", hosts, "", "", 200, vendor + "collection.TunnelZoneHost-v1+json"},
		"POST of an unknown type":    {"POST", "/routers", "", "text/plain", 406, ""},
		"POST without a type":        {"POST", "/routers", "", "", 406, ""},
		"POST of JSON":               {"POST", "/routers", "", "application/json; charset=utf-8", 201, ""},
		"link of an unknown type":    {"POST", link, "", "text/plain", 415, ""},
		"link without a type":        {"POST", link, "", "", 400, ""},
		"zone host as JSON":          {"POST", hosts, "", "application/json", 415, ""},
		"POST that wants other type": {"POST", "/routers", "text/html", "application/json", 201, ""},
	} {
		var headers []string
		if c.accept != "" {
			headers = append(headers, "Accept: "+c.accept)
		}
		if c.content != "" {
			headers = append(headers, "Content-Type: "+c.content)
		}
		a := r.call(c.method, c.uri, "{}", headers...)
		require.Equal(t, c.status, a.status, "%s: %s", name, a.body)
		if c.media != "" {
			require.Equal(t, c.media, a.header.Get("Content-Type"), name)
		}
		if c.status >= 400 {
			r.errorBody(a, c.status)
		}
	}
}

func TestBadBodies(t *testing.T) {
	r := newRaw(t)
	router := r.create("/routers", "Router-v3+json", `{}`)
	bridge := r.create("/bridges", "Bridge-v4+json", `{}`)
	routerPorts, bridgePorts := text(router["ports"]), text(bridge["ports"])
	for name, c := range map[string]struct {
		uri, media, body, message string
		status                    int
	}{
		"empty":               {"/routers", "Router-v3+json", ``, "not a JSON object", 400},
		"null":                {"/routers", "Router-v3+json", `null`, "not a JSON object", 400},
		"no UTF-8":            {"/routers", "Router-v3+json", "{\"name\":\"\xff\"}", "not UTF-8", 400},
		"list":                {"/routers", "Router-v3+json", `[{}]`, "not a JSON object", 400},
		"cut":                 {"/routers", "Router-v3+json", `{"name":"r"`, "cannot be read", 400},
		"more":                {"/routers", "Router-v3+json", `{}{}`, "cannot be read", 400},
		"deep":                {"/routers", "Router-v3+json", `{"x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`, "nests more than", 400},
		"name is an object":   {"/routers", "Router-v3+json", `{"name":{}}`, "cannot be read", 400},
		"too large":           {"/routers", "Router-v3+json", `{"name":"` + strings.Repeat("x", 1<<20) + `"}`, "larger than", 413},
		"bad filter":          {"/routers", "Router-v3+json", `{"inboundFilterId":"x"}`, "Validation error(s) found", 400},
		"missing filter":      {"/routers", "Router-v3+json", `{"inboundFilterId":"` + uuid.NewString() + `"}`, "There is no Chain with ID", 404},
		"ID in use":           {"/routers", "Router-v3+json", `{"id":"` + text(router["id"]) + `"}`, "already", 409},
		"load balancer":       {"/routers", "Router-v3+json", `{"loadBalancerId":"` + uuid.NewString() + `"}`, "loadBalancerId", 501},
		"VXLAN ports":         {"/bridges", "Bridge-v4+json", `{"vxLanPortIds":["` + uuid.NewString() + `"]}`, "Validation error(s) found", 400},
		"no type of port":     {bridgePorts, "Port-v3+json", `{}`, "no type of port", 400},
		"Vxlan port":          {bridgePorts, "Port-v3+json", `{"type":"Vxlan"}`, "Vxlan", 400},
		"router port there":   {bridgePorts, "Port-v3+json", `{"type":"Router","portAddress":"10.0.0.1","networkLength":24}`, "Not a bridge port.", 400},
		"bridge port there":   {routerPorts, "Port-v3+json", `{"type":"Bridge"}`, "Not a router port.", 400},
		"no such router":      {"/routers/" + uuid.NewString() + "/ports", "Port-v3+json", `{"type":"Router","portAddress":"10.0.0.1"}`, "There is no Router with ID", 404},
		"router that is none": {"/routers/no-uuid/ports", "Port-v3+json", `{"type":"Router"}`, "There is no Router with ID no-uuid.", 404},
		"two subnets":         {routerPorts, "Port-v3+json", `{"type":"Router","portSubnet":["10.0.0.1/24","10.1.0.1/24"]}`, "portSubnet", 501},
		"IPv6 subnet":         {routerPorts, "Port-v3+json", `{"type":"Router","portSubnet":["fd00::1/64"]}`, "portSubnet", 501},
		"type of route":       {text(router["routes"]), "Route-v1+json", `{"type":"X","srcNetworkAddr":"0.0.0.0","dstNetworkAddr":"0.0.0.0"}`, "This type of route is invalid.", 400},
		"next hop":            {text(router["routes"]), "Route-v1+json", `{"type":"Normal","srcNetworkAddr":"0.0.0.0","dstNetworkAddr":"0.0.0.0"}`, "This type of route requires a next hop port that is a port on the same router.", 400},
		"host without ID":     {"/hosts", "Host-v3+json", `{"name":"h"}`, "Validation error(s) found", 400},
		"zone without a name": {"/tunnel_zones", "TunnelZone-v1+json", `{"type":"gre"}`, "Validation error(s) found", 400},
	} {
		require.Contains(t, r.refused(c.status, "POST", c.uri, c.media, c.body), c.message, name)
	}
}

func TestViolationsNameTheirProperties(t *testing.T) {
	r := newRaw(t)
	router := r.create("/routers", "Router-v3+json", `{}`)
	a := r.call("POST", text(router["ports"]), `{"type":"Router","networkAddress":"1.2.3","networkLength":33,"portAddress":"::1"}`,
		"Content-Type: "+vendor+"Port-v3+json")
	require.Equal(t, "Validation error(s) found", r.errorBody(a, 400))
	for _, property := range []string{"networkAddress", "networkLength", "portAddress"} {
		require.Contains(t, a.body, `{"property":"`+property+`","message":`)
	}
}

// without is an API whose engine can realise no rule.
type without struct{ sdn.API }

func (without) CreateRule(context.Context, sdn.Rule) (sdn.Rule, error) {
	return sdn.Rule{}, fmt.Errorf("property \"vlan\" is %w", sdn.ErrUnsupported)
}

func TestRuleThatCannotBeRealisedIsNamed(t *testing.T) {
	r := newRaw(t, sdntest.WithAPI(without{sdntest.NewMemory(t)}))
	chain := r.create("/chains", "Chain-v1+json", `{}`)
	id := uuid.NewString()
	message := r.refused(501, "POST", text(chain["rules"]), "Rule-v2+json", `{"id":"`+id+`","type":"drop","vlan":7}`)
	require.Contains(t, message, id)
	require.Contains(t, message, text(chain["id"]))
	require.Contains(t, message, "vlan")
	require.Contains(t, r.refused(501, "POST", text(chain["rules"]), "Rule-v2+json", `{"type":"l2_transform"}`), "l2_transform")
	require.Contains(t, r.refused(501, "POST", text(chain["rules"]), "Rule-v2+json", `{"type":"trace"}`), "trace")
	require.Empty(t, r.list(text(chain["rules"]), "Rule-v2+json"))
}

func TestUnservedPartsAnswer501(t *testing.T) {
	r := newRaw(t)
	id := uuid.NewString()
	for _, path := range []string{"/pools", "/vips/" + id, "/neutron/networks", "/conf/nodes/" + id, "/bgp_peers/" + id,
		"/bridges/" + id + "/dhcpV6/x", "/bridges/" + id + "/dhcpV6/x/hostsV6", "/routers/" + id + "/bgp_networks",
		"/routers/" + id + "/bgp_peers/x", "/routers/" + id + "/ports/" + id + "/peering_table",
		"/routers/" + id + "/ports/" + id + "/peering_table/10.0.0.1_aa-bb-cc-dd-ee-ff"} {
		r.errorBody(r.call("GET", path, "{}", "Accept: */*"), 501)
	}
	root := r.get(r.URL, "Application-v5+json")
	require.Len(t, root, 52, "every key of the dialect: 23 collections, 27 templates, uri, version")
	r.errorBody(r.call("GET", "/licenses", "{}", "Accept: */*"), 404)
	r.errorBody(r.call("GET", "/routers/"+id+"/nothing", "{}", "Accept: */*"), 404)
}

func TestPackedBodies(t *testing.T) {
	r := newRaw(t)
	pack := func(s string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, err := io.WriteString(z, s)
		require.NoError(t, err)
		require.NoError(t, z.Close())
		return b.String()
	}
	a := r.call("POST", "/routers", pack(`{"name":"packed"}`), "Content-Type: application/json", "Content-Encoding: gzip")
	require.Equal(t, 201, a.status, a.body)
	a = r.call("GET", a.header.Get("Location"), "", "Accept: application/json", "Accept-Encoding: gzip")
	require.Equal(t, "gzip", a.header.Get("Content-Encoding"))
	z, err := gzip.NewReader(strings.NewReader(a.body))
	require.NoError(t, err)
	body, err := io.ReadAll(z)
	require.NoError(t, err)
	require.Contains(t, string(body), `"name":"packed"`)
	require.Empty(t, r.call("GET", "/routers", "", "Accept: */*", "Accept-Encoding: gzip;q=0").header.Get("Content-Encoding"))

	bomb := pack(`{"name":"` + strings.Repeat("x", 8<<20) + `"}`)
	require.Less(t, len(bomb), 1<<20)
	r.errorBody(r.call("POST", "/routers", bomb, "Content-Type: application/json", "Content-Encoding: gzip"), 413)
	r.errorBody(r.call("POST", "/routers", "not gzip", "Content-Type: application/json", "Content-Encoding: gzip"), 400)
	r.errorBody(r.call("POST", "/routers", "{}", "Content-Type: application/json", "Content-Encoding: br"), 415)
}

func TestCORSAndHead(t *testing.T) {
	r := newRaw(t)
	token := r.token
	r.token = ""
	a := r.call("OPTIONS", "/routers", "")
	require.Equal(t, 200, a.status, "without a token")
	require.Empty(t, a.body)
	require.Equal(t, "*", a.header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "Location", a.header.Get("Access-Control-Expose-Headers"))
	r.token = token
	a = r.call("HEAD", "/routers/", "", "Accept: */*")
	require.Equal(t, 200, a.status)
	require.Empty(t, a.body)
}

func TestURIsFollowTheHostHeader(t *testing.T) {
	r := newRaw(t)
	q, err := http.NewRequestWithContext(t.Context(), "GET", r.URL, nil)
	require.NoError(t, err)
	q.Host = "sdn.example:8181"
	q.Header.Set("X-Auth-Token", r.token)
	q.Header.Set("Accept", "*/*")
	root := r.object(r.send(q).body)
	require.Equal(t, "http://sdn.example:8181/midonet-api/routers/{id}", root["routerTemplate"])
}

func TestPreferredRepresentation(t *testing.T) {
	r := newRaw(t)
	a := r.call("POST", "/chains", `{"name":"c"}`, "Content-Type: application/json", "Prefer: return=representation")
	require.Equal(t, 201, a.status)
	require.Equal(t, a.header.Get("Location"), r.object(a.body)["uri"])
}

func TestTenantsInPages(t *testing.T) {
	r := newRaw(t)
	for _, tenant := range []string{"a", "b", "c"} {
		r.create("/chains", "Chain-v1+json", `{"tenantId":"`+tenant+`"}`)
	}
	page := r.list("/tenants?marker=a&limit=1", "Tenant-v2+json")
	require.Len(t, page, 1)
	require.Equal(t, "b", page[0]["id"])
	require.Equal(t, r.URL+"/routers?tenant_id=b", page[0]["routers"])
	require.Equal(t, "new", r.get("/tenants/new", "Tenant-v2+json")["id"])
	r.errorBody(r.call("GET", "/tenants?limit=x", "", "Accept: */*"), 400)
	require.Contains(t, r.errorBody(r.call("GET", "/routers?tenant_id=%zz", "", "Accept: */*"), 400), "query")
	require.Equal(t, 200, r.call("GET", "/system_state", "{}", "Accept: "+vendor+"SystemState-v2+json").status)
}

func TestURIsInOtherSpellings(t *testing.T) {
	r := newRaw(t)
	router := r.create("/routers", "Router-v3+json", `{}`)
	id := text(router["id"])
	var encoded strings.Builder
	for _, c := range []byte(id) {
		fmt.Fprintf(&encoded, "%%%02x", c)
	}
	for _, path := range []string{id, strings.ToUpper(id), id + "/", encoded.String(), encoded.String() + "/"} {
		require.Equal(t, router, r.get("/routers/"+path, "Router-v3+json"), path)
	}
	for _, path := range []string{"{" + id + "}", strings.ReplaceAll(id, "-", ""), "urn:uuid:" + id, id + "%20", id + "%2F", "%00", "..%2f" + id} {
		require.Equal(t, 404, r.call("GET", "/routers/"+path, "", "Accept: */*").status, path)
	}
	require.Equal(t, "a/", r.get("/tenants/a%2F/", "Tenant-v2+json")["id"])
	require.Equal(t, "a/b", r.get("/tenants/a%2Fb", "Tenant-v2+json")["id"])
	require.Equal(t, r.URL+"/tenants/a%2Fb", r.get("/tenants/a%2fb", "Tenant-v2+json")["uri"])
}
