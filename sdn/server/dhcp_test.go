package server_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestDHCPSubnets(t *testing.T) {
	r := newRaw(t)
	bridge := r.create("/bridges", "Bridge-v4+json", `{}`)
	subnets, media := text(bridge["dhcpSubnets"]), "DhcpSubnet-v2+json"
	plain := r.create(subnets, media, `{"subnetPrefix":"10.0.1.0","subnetLength":24,"dnsServerAddrs":[],"interfaceMTU":null,"hosts":"x"}`)
	require.Equal(t, map[string]any{
		"uri": subnets + "/10.0.1.0_24", "hosts": subnets + "/10.0.1.0_24/hosts", "subnetPrefix": "10.0.1.0", "subnetLength": 24.0,
		"defaultGateway": nil, "serverAddr": nil, "dnsServerAddrs": nil, "interfaceMTU": nil, "opt121Routes": []any{}, "enabled": true,
	}, plain)
	full := r.create(subnets, media, `{"subnetPrefix":"10.0.0.9","subnetLength":"24","defaultGateway":"10.0.0.1","serverAddr":"10.0.0.2",
		"dnsServerAddrs":["1.1.1.1","9.9.9.9"],"interfaceMTU":1450,"enabled":false,
		"opt121Routes":[{"destinationPrefix":"10.9.0.0","destinationLength":16,"gatewayAddr":"10.0.0.3"}]}`)
	require.Equal(t, subnets+"/10.0.0.0_24", full["uri"], "host bits are cut off")
	require.Equal(t, []any{map[string]any{"destinationPrefix": "10.9.0.0", "destinationLength": 16.0, "gatewayAddr": "10.0.0.3"}}, full["opt121Routes"])
	require.Equal(t, []any{"10.0.0.1", "10.0.0.2", []any{"1.1.1.1", "9.9.9.9"}, 1450.0, false},
		[]any{full["defaultGateway"], full["serverAddr"], full["dnsServerAddrs"], full["interfaceMTU"], full["enabled"]})
	require.Equal(t, []map[string]any{full, plain}, r.list(subnets, media))
	require.Equal(t, full, r.get(subnets+"/10.0.0.77_24", media))
	require.Equal(t, 200, r.call("GET", text(full["uri"]), "", "Accept: application/json").status)

	r.refused(409, "POST", subnets, media, `{"subnetPrefix":"10.0.0.1","subnetLength":24}`)
	r.create(subnets, media, `{"subnetPrefix":"10.0.0.0","subnetLength":25}`)
	full["subnetPrefix"], full["dnsServerAddrs"] = "10.7.0.0", nil
	a := r.call("PUT", text(full["uri"]), jsonOf(t, full), "Content-Type: "+vendor+media)
	require.Equal(t, 204, a.status, a.body)
	r.errorBody(r.call("GET", text(full["uri"]), ""), 404)
	moved := r.get(subnets+"/10.7.0.0_24", media)
	require.Nil(t, moved["dnsServerAddrs"])
	moved["subnetPrefix"] = "10.0.1.0"
	r.refused(409, "PUT", text(moved["uri"]), media, jsonOf(t, moved))
	r.bare(204, "DELETE", text(moved["uri"]), media, "{}")
	r.errorBody(r.call("DELETE", text(moved["uri"]), "{}"), 404)
}

func TestDHCPSubnetsThatAreRefused(t *testing.T) {
	r := newRaw(t)
	bridge := r.create("/bridges", "Bridge-v4+json", `{}`)
	subnets, media := text(bridge["dhcpSubnets"]), "DhcpSubnet-v2+json"
	for property, values := range map[string][]string{
		"subnetPrefix": {`null`, `"fd00::"`, `"10.0.0"`}, "subnetLength": {`-1`, `33`}, "defaultGateway": {`"x"`, `"fd00::1"`},
		"serverAddr": {`"10.0.0.0/24"`}, "dnsServerAddrs": {`["x"]`, `[null]`, `["fd00::1"]`}, "interfaceMTU": {`-1`, `65537`},
		"opt121Routes": {},
	} {
		for _, value := range values {
			body := `{"subnetPrefix":"10.0.0.0","subnetLength":24,"` + property + `":` + value + `}`
			a := r.call("POST", subnets, body, "Content-Type: "+vendor+media)
			r.errorBody(a, 400)
			require.Contains(t, a.body, `"property":"`+property+`"`, value)
		}
	}
	for _, route := range []string{`{}`, `null`, `{"destinationPrefix":"10.0.0.0"}`, `{"destinationPrefix":"x","gatewayAddr":"10.0.0.1"}`,
		`{"destinationPrefix":"10.0.0.0","destinationLength":33,"gatewayAddr":"10.0.0.1"}`} {
		r.refused(400, "POST", subnets, media, `{"subnetPrefix":"10.0.0.0","subnetLength":24,"opt121Routes":[`+route+`]}`)
	}
	require.Contains(t, r.refused(404, "POST", "/bridges/"+uuid.NewString()+"/dhcp", media, `{"subnetPrefix":"10.0.0.0","subnetLength":24}`), "There is no Bridge with ID")
	for _, key := range []string{"10.0.0.0_24", "10.0.0.0", "10.0.0.0_33", "10.0.0.0_-1", "x_24", "fd00::_64", "10.0.0.0_24_1", "10.0.0.0%2F24"} {
		for _, sub := range []string{"", "/hosts", "/hosts/aa:bb:cc:dd:ee:01"} {
			r.errorBody(r.call("GET", subnets+"/"+key+sub, ""), 404)
		}
		r.refused(404, "PUT", subnets+"/"+key, media, `{"subnetPrefix":"10.0.0.0","subnetLength":24}`)
		r.errorBody(r.call("DELETE", subnets+"/"+key, ""), 404)
	}
	require.Empty(t, r.list(subnets, media))
}

func TestDHCPHosts(t *testing.T) {
	r := newRaw(t)
	bridge := r.create("/bridges", "Bridge-v4+json", `{}`)
	subnet := r.create(text(bridge["dhcpSubnets"]), "DhcpSubnet-v2+json", `{"subnetPrefix":"10.0.0.0","subnetLength":24}`)
	hosts, media := text(subnet["hosts"]), "DhcpHost-v2+json"
	h := r.create(hosts, media, `{"macAddr":"AA:BB:CC:DD:EE:0F","ipAddr":"10.0.0.5","name":"vm"}`)
	require.Equal(t, map[string]any{
		"uri": hosts + "/aa:bb:cc:dd:ee:0f", "macAddr": "aa:bb:cc:dd:ee:0f", "ipAddr": "10.0.0.5", "name": "vm", "extraDhcpOpts": []any{},
	}, h)
	require.Equal(t, []map[string]any{h}, r.list(hosts, media))
	for _, mac := range []string{"AA:BB:CC:DD:EE:0F", "aa%3Abb%3acc:dd:ee:0f", "AA-BB-CC-DD-EE-0F"} {
		require.Equal(t, h, r.get(hosts+"/"+mac, media), mac)
	}
	r.refused(409, "POST", hosts, media, jsonOf(t, h))

	h["extraDhcpOpts"], h["ipAddr"] = []any{map[string]any{"optName": "66", "optValue": nil}, map[string]any{"optName": "tftp", "optValue": "x"}}, "10.0.0.6"
	h = r.put(text(h["uri"]), media, h)
	require.Equal(t, []any{map[string]any{"optName": "66", "optValue": nil}, map[string]any{"optName": "tftp", "optValue": "x"}}, h["extraDhcpOpts"])
	require.Equal(t, "10.0.0.6", h["ipAddr"])

	subnetBody := map[string]any{"subnetPrefix": "10.8.0.0", "subnetLength": 16}
	a := r.call("PUT", text(subnet["uri"]), jsonOf(t, subnetBody), "Content-Type: application/json")
	require.Equal(t, 204, a.status, a.body)
	moved := strings.Replace(text(h["uri"]), "/10.0.0.0_24/", "/10.8.0.0_16/", 1)
	require.Equal(t, moved, r.get(moved, media)["uri"], "hosts stay when their subnet moves")
	r.bare(204, "DELETE", moved, media, "{}")
	r.errorBody(r.call("DELETE", moved, "{}"), 404)
	r.errorBody(r.call("GET", moved, "{}"), 404)
}

func TestDHCPHostsThatAreRefused(t *testing.T) {
	r := newRaw(t)
	bridge := r.create("/bridges", "Bridge-v4+json", `{}`)
	subnet := r.create(text(bridge["dhcpSubnets"]), "DhcpSubnet-v2+json", `{"subnetPrefix":"10.0.0.0","subnetLength":24}`)
	hosts, media := text(subnet["hosts"]), "DhcpHost-v2+json"
	for _, body := range []string{
		`{}`, `{"macAddr":"aa:bb:cc:dd:ee:0f"}`, `{"ipAddr":"10.0.0.5"}`, `{"macAddr":"x","ipAddr":"10.0.0.5"}`,
		`{"macAddr":"aa:bb:cc:dd:ee:0f","ipAddr":"fd00::1"}`, `{"macAddr":"aa:bb:cc:dd:ee:0f","ipAddr":"10.0.0.5","extraDhcpOpts":[null]}`,
		`{"macAddr":"aa:bb:cc:dd:ee:0f","ipAddr":"10.0.0.5","extraDhcpOpts":[{"optValue":"x"}]}`,
		`{"macAddr":"aa:bb:cc:dd:ee:0f","ipAddr":"10.0.0.5","extraDhcpOpts":{}}`,
	} {
		r.refused(400, "POST", hosts, media, body)
	}
	one := `{"macAddr":"aa:bb:cc:dd:ee:01","ipAddr":"10.0.0.5"}`
	r.refused(404, "POST", strings.Replace(hosts, "10.0.0.0_24", "10.0.1.0_24", 1), media, one)
	require.Contains(t, r.refused(404, "POST", "/bridges/"+uuid.NewString()+"/dhcp/10.0.0.0_24/hosts", media, one), "There is no Bridge with ID")
	for _, mac := range []string{"aa:bb:cc:dd:ee:01", "x", "aabb.ccdd.ee01", "aa:bb:cc:dd:ee"} {
		r.errorBody(r.call("GET", hosts+"/"+mac, ""), 404)
		r.refused(404, "PUT", hosts+"/"+mac, media, one)
		r.errorBody(r.call("DELETE", hosts+"/"+mac, ""), 404)
	}
	h := r.create(hosts, media, one)
	second := r.create(hosts, media, strings.Replace(one, ":01", ":02", 1))
	second["macAddr"] = h["macAddr"]
	r.refused(409, "PUT", text(second["uri"]), media, jsonOf(t, second))
	second["macAddr"] = "aa:bb:cc:dd:ee:03"
	a := r.call("PUT", text(second["uri"]), jsonOf(t, second), "Content-Type: "+vendor+media)
	require.Equal(t, 204, a.status, a.body)
	r.errorBody(r.call("GET", text(second["uri"]), ""), 404)
	require.Equal(t, hosts+"/aa:bb:cc:dd:ee:03", r.get(hosts+"/aa:bb:cc:dd:ee:03", media)["uri"])
	r.bare(204, "DELETE", text(subnet["uri"]), media, "{}")
	r.errorBody(r.call("GET", hosts, ""), 404)
}
