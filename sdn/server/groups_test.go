package server_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestPortGroups(t *testing.T) {
	r := newRaw(t)
	id := uuid.NewString()
	g := r.create("/port_groups", "PortGroup-v1+json", `{"id":"`+id+`","tenantId":"t","name":"g","ports":"x","uri":"x","else":{}}`)
	require.ElementsMatch(t, []string{"uri", "id", "tenantId", "name", "stateful", "ports"}, keys(g))
	require.Equal(t, r.URL+"/port_groups/"+id, g["uri"])
	require.Equal(t, r.URL+"/port_groups/"+id+"/ports", g["ports"])
	require.Equal(t, false, g["stateful"])

	g["stateful"], g["name"], g["id"] = true, nil, uuid.NewString()
	g = r.put(text(g["uri"]), "PortGroup-v1+json", g)
	require.Equal(t, []any{id, true, nil, "t"}, []any{g["id"], g["stateful"], g["name"], g["tenantId"]})
	g = r.put(text(g["uri"]), "PortGroup-v1+json", map[string]any{})
	require.Equal(t, []any{nil, false}, []any{g["tenantId"], g["stateful"]}, "a PUT replaces")

	require.Contains(t, r.refused(409, "POST", "/port_groups", "PortGroup-v1+json", `{"id":"`+id+`"}`), id)
	require.Equal(t, "Validation error(s) found", r.refused(400, "POST", "/port_groups", "PortGroup-v1+json", `{"name":"`+strings.Repeat("ä", 256)+`"}`))
	r.create("/port_groups", "PortGroup-v1+json", `{"name":"`+strings.Repeat("ä", 255)+`"}`)
	require.Contains(t, r.refused(404, "PUT", "/port_groups/"+uuid.NewString(), "PortGroup-v1+json", `{}`), "There is no PortGroup with ID")
	r.bare(204, "DELETE", text(g["uri"]), "", "{}")
	r.bare(204, "DELETE", text(g["uri"]), "", "{}")
	r.errorBody(r.call("GET", text(g["uri"]), "{}", "Accept: */*"), 404)
}

func TestPortGroupsByTenantAndPort(t *testing.T) {
	r := newRaw(t)
	bridge := r.create("/bridges", "Bridge-v4+json", `{}`)
	port := r.create(text(bridge["ports"]), "Port-v3+json", `{"type":"Bridge"}`)
	of := map[string]map[string]any{}
	for _, name := range []string{"a", "b"} {
		of[name] = r.create("/port_groups", "PortGroup-v1+json", `{"tenantId":"`+name+` &x","name":"`+name+`"}`)
		r.create("/port_groups", "PortGroup-v1+json", `{"tenantId":"`+name+` &x"}`)
		r.create(text(of[name]["ports"]), "PortGroupPort-v1+json", `{"portId":"`+text(port["id"])+`"}`)
	}
	id := strings.ToUpper(text(port["id"]))
	for query, n := range map[string]int{
		"": 4, "?tenant_id=a+%26x": 2, "?port_id=" + id: 2, "?tenant_id=a%20%26x&port_id=" + id: 1,
		"?tenant_id=c": 0, "?tenant_id=a;b": 0, "?tenant_id=a%20&x=y": 0, "?port_id=" + uuid.NewString(): 0, "?port_id=x": 0, "?tenant_id=&port_id=": 4,
	} {
		require.Len(t, r.list("/port_groups"+query, "PortGroup-v1+json"), n, query)
	}
	members := r.list(text(port["portGroups"]), "PortGroupPort-v1+json")
	require.Len(t, members, 2)
	require.Equal(t, r.URL+"/tenants/a%20&x", r.get("/tenants/a%20&x", "Tenant-v2+json")["uri"])
	require.Len(t, r.list(text(r.get("/tenants/a%20&x", "Tenant-v2+json")["portGroups"]), "PortGroup-v1+json"), 2)
}

func TestPortGroupMembers(t *testing.T) {
	r := newRaw(t)
	bridge := r.create("/bridges", "Bridge-v4+json", `{}`)
	port := r.create(text(bridge["ports"]), "Port-v3+json", `{"type":"Bridge"}`)
	other := r.create(text(bridge["ports"]), "Port-v3+json", `{"type":"Bridge"}`)
	g := r.create("/port_groups", "PortGroup-v1+json", `{}`)
	ports, media := text(g["ports"]), "PortGroupPort-v1+json"
	body := `{"portId":"` + text(port["id"]) + `","portGroupId":"not even an ID"}`
	m := r.create(ports, media, body)
	require.Equal(t, map[string]any{
		"uri": ports + "/" + text(port["id"]), "portGroupId": g["id"], "portId": port["id"],
		"port": port["uri"], "portGroup": g["uri"],
	}, m)
	require.Equal(t, []map[string]any{m}, r.list(ports, media))

	r.bare(409, "POST", ports, media, body)
	r.errorBody(r.call("POST", ports, `{}`, "Content-Type: application/json"), 400)
	require.Contains(t, r.refused(404, "POST", ports, media, `{"portId":"`+uuid.NewString()+`"}`), "There is no Port with ID")
	require.Contains(t, r.refused(404, "POST", "/port_groups/"+uuid.NewString()+"/ports", media, body), "There is no PortGroup with ID")
	require.Contains(t, r.refused(404, "DELETE", ports+"/"+uuid.NewString(), media, ""), "There is no Port with ID")
	r.bare(404, "GET", ports+"/"+text(other["id"]), media, "")
	r.bare(404, "DELETE", ports+"/"+text(other["id"]), media, "")
	r.bare(204, "DELETE", text(m["uri"]), media, "{}")
	r.bare(404, "DELETE", text(m["uri"]), media, "{}")

	r.create(ports, media, body)
	r.bare(204, "DELETE", text(port["uri"]), "", "{}")
	require.Empty(t, r.list(ports, media), "a port that is gone is no member")
	r.errorBody(r.call("GET", text(port["portGroups"]), "{}"), 404)
}

func TestIPAddrGroups(t *testing.T) {
	r := newRaw(t)
	media := "IpAddrGroup-v1+json"
	g := r.create("/ip_addr_groups", media, `{"name":"g","tenantId":"ignored","addrs":"x"}`)
	require.Equal(t, map[string]any{
		"uri": r.URL + "/ip_addr_groups/" + text(g["id"]), "id": g["id"], "name": "g", "addrs": text(g["uri"]) + "/ip_addrs",
		"ipAddrPorts": []any{}, "inboundChainId": nil, "outboundChainId": nil, "ruleIds": []any{},
	}, g)
	require.Equal(t, []map[string]any{g}, r.list("/ip_addr_groups", media))
	for _, bad := range []string{`{}`, `{"name":""}`, `{"name":null}`, `{"name":"` + strings.Repeat("x", 256) + `"}`, `{"name":"n","id":"x"}`} {
		require.Equal(t, "Validation error(s) found", r.refused(400, "POST", "/ip_addr_groups", media, bad), bad)
	}
	r.refused(409, "POST", "/ip_addr_groups", media, `{"name":"h","id":"`+text(g["id"])+`"}`)
	r.errorBody(r.call("PUT", text(g["uri"]), "{}", "Content-Type: "+vendor+media), 405)
	r.bare(204, "DELETE", text(g["uri"]), "", "{}")
	r.bare(204, "DELETE", text(g["uri"]), "", "{}")
	r.errorBody(r.call("GET", text(g["uri"]), "{}", "Accept: "+vendor+media), 404)
	r.errorBody(r.call("GET", text(g["addrs"]), "{}"), 404)
}

func TestAddressesOfGroups(t *testing.T) {
	r := newRaw(t)
	g := r.create("/ip_addr_groups", "IpAddrGroup-v1+json", `{"name":"g"}`)
	addrs, media := text(g["addrs"]), "IpAddrGroupAddr-v1+json"
	four := r.create(addrs, media, `{"version":4,"addr":"10.0.0.1","ipAddrGroupId":"x"}`)
	require.Equal(t, map[string]any{
		"uri": text(g["uri"]) + "/versions/4/ip_addrs/10.0.0.1", "ipAddrGroupId": g["id"], "version": 4.0, "addr": "10.0.0.1",
	}, four)
	six := r.create(addrs, media, `{"version":6,"addr":"FD00:0:0::1"}`)
	require.Equal(t, "fd00::1", six["addr"])
	require.Equal(t, six, r.get(text(g["uri"])+"/versions/6/ip_addrs/fd00%3A0%3A%3A01", media), "in another spelling")
	require.ElementsMatch(t, []map[string]any{four, six}, r.list(addrs, media))

	r.refused(409, "POST", addrs, media, `{"version":"6","addr":"fd00:0::1"}`)
	for body, violation := range map[string]bool{
		`{"addr":"10.0.0.2"}`: false, `{"version":5,"addr":"10.0.0.2"}`: false, `{"version":null,"addr":"10.0.0.2"}`: false,
		`{"version":4}`: true, `{"version":4,"addr":"fd00::2"}`: true, `{"version":6,"addr":"10.0.0.2"}`: true,
		`{"version":4,"addr":"10.0.0.0/24"}`: true, `{"version":6,"addr":"fe80::1%eth0"}`: true, `{"version":4,"addr":"010.0.0.1"}`: true,
	} {
		a := r.call("POST", addrs, body, "Content-Type: "+vendor+media)
		r.errorBody(a, 400)
		require.Equal(t, violation, strings.Contains(a.body, `"property":"addr"`), body)
	}
	require.Contains(t, r.refused(404, "POST", "/ip_addr_groups/"+uuid.NewString()+"/ip_addrs", media, `{"version":4,"addr":"10.0.0.1"}`), "There is no IPAddrGroup with ID")
	for path, status := range map[string]int{
		"/versions/5/ip_addrs/10.0.0.1": 400, "/versions/x/ip_addrs/10.0.0.1": 400, "/versions/6/ip_addrs/10.0.0.1": 400,
		"/versions/4/ip_addrs/x": 400, "/versions/4/ip_addrs/10.0.0.9": 404,
	} {
		r.errorBody(r.call("GET", text(g["uri"])+path, ""), status)
		if status == 400 {
			r.errorBody(r.call("DELETE", text(g["uri"])+path, ""), status)
		}
	}
	r.bare(204, "DELETE", text(g["uri"])+"/versions/6/ip_addrs/FD00::1", media, "{}")
	r.bare(204, "DELETE", text(six["uri"]), media, "{}")
	require.Equal(t, []map[string]any{four}, r.list(addrs, media))
}
