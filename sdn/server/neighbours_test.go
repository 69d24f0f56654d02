package server_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestMACTable(t *testing.T) {
	r := newRaw(t)
	bridge := r.create("/bridges", "Bridge-v4+json", `{}`)
	port := r.create(text(bridge["ports"]), "Port-v3+json", `{"type":"Bridge"}`)
	table, media, id := text(bridge["macTable"]), "MacPort-v2+json", text(port["id"])
	entry := r.create(table, media, `{"macAddr":"AA-BB-CC-DD-EE-0F","portId":"`+strings.ToUpper(id)+`","vlanId":null,"uri":"x"}`)
	require.Equal(t, map[string]any{
		"uri": table + "/aa-bb-cc-dd-ee-0f_" + id, "macAddr": "aa:bb:cc:dd:ee:0f", "portId": id, "vlanId": 0.0,
	}, entry)
	require.Equal(t, strings.NewReplacer("{macAddress}", "aa-bb-cc-dd-ee-0f", "{portId}", id).Replace(text(bridge["macPortTemplate"])), entry["uri"])
	require.Equal(t, []map[string]any{entry}, r.list(table, media))
	for _, key := range []string{"AA-BB-CC-DD-EE-0F_" + id, "aa:bb:cc:dd:ee:0f_" + id, "aa%3abb-cc-dd-ee-0F_" + strings.ToUpper(id)} {
		a := r.call("GET", table+"/"+key, "", "Accept: application/json")
		if strings.Contains(key, "%3abb-") {
			r.errorBody(a, 400)
			continue
		}
		require.Equal(t, 200, a.status, key)
		require.Equal(t, entry, r.object(a.body))
	}
	r.refused(409, "POST", table, media, jsonOf(t, entry))
	r.bare(204, "DELETE", text(entry["uri"]), media, "{}")
	r.errorBody(r.call("DELETE", text(entry["uri"]), "{}"), 404)
	r.errorBody(r.call("GET", text(entry["uri"]), "{}"), 404)
}

func TestMACTableOfVLANs(t *testing.T) {
	r := newRaw(t)
	bridge := r.create("/bridges", "Bridge-v4+json", `{}`)
	port := r.create(text(bridge["ports"]), "Port-v3+json", `{"type":"Bridge","vlanId":7}`)
	plain := r.create(text(bridge["ports"]), "Port-v3+json", `{"type":"Bridge"}`)
	media := "MacPort-v2+json"
	table := strings.ReplaceAll(text(bridge["vlanMacTableTemplate"]), "{vlanId}", "7")
	tagged := r.create(table, media, `{"macAddr":"aa:bb:cc:dd:ee:01","portId":"`+text(port["id"])+`"}`)
	require.EqualValues(t, 7, tagged["vlanId"])
	require.Equal(t, table+"/aa-bb-cc-dd-ee-01_"+text(port["id"]), tagged["uri"])
	second := r.create(text(bridge["macTable"]), media, `{"macAddr":"aa:bb:cc:dd:ee:02","portId":"`+text(port["id"])+`","vlanId":7}`)
	require.True(t, strings.HasPrefix(text(second["uri"]), table), "the body's VLAN decides where the URI names none")
	untagged := r.create(text(bridge["macTable"]), media, `{"macAddr":"aa:bb:cc:dd:ee:01","portId":"`+text(plain["id"])+`"}`)
	require.Len(t, r.list(text(bridge["macTable"]), media), 3)
	require.Equal(t, []map[string]any{tagged, second}, r.list(table, media))
	require.Equal(t, []map[string]any{untagged}, r.list(strings.Replace(table, "/7/", "/0/", 1), media))

	r.errorBody(r.call("GET", strings.Replace(table, "/7/", "/8/", 1), ""), 404)
	for _, vlan := range []string{"4096", "-1", "x", "+7", "0x7", "99999"} {
		r.errorBody(r.call("GET", strings.Replace(table, "/7/", "/"+vlan+"/", 1), ""), 400)
	}
	require.Contains(t, r.refused(400, "POST", table, media, `{"macAddr":"aa:bb:cc:dd:ee:03","portId":"`+text(port["id"])+`","vlanId":8}`), "vlanId")
	r.bare(204, "DELETE", text(tagged["uri"]), media, "{}")
	r.errorBody(r.call("DELETE", text(tagged["uri"]), "{}"), 404)
}

func TestMACTableRefuses(t *testing.T) {
	r := newRaw(t)
	bridge := r.create("/bridges", "Bridge-v4+json", `{}`)
	other := r.create("/bridges", "Bridge-v4+json", `{}`)
	port := r.create(text(bridge["ports"]), "Port-v3+json", `{"type":"Bridge"}`)
	foreign := r.create(text(other["ports"]), "Port-v3+json", `{"type":"Bridge"}`)
	entry := func(mac string, port any, more string) string {
		return `{"macAddr":"` + mac + `","portId":"` + text(port) + `"` + more + `}`
	}
	const mac = "aa:bb:cc:dd:ee:01"
	for body, status := range map[string]int{
		`{}`: 400, entry("", port["id"], ""): 400, entry(mac, "", ""): 400, entry("aa:bb", port["id"], ""): 400,
		entry("aabb.ccdd.ee01", port["id"], ""): 400, entry("aa:bb:cc:dd:ee:01:02:03", port["id"], ""): 400, entry(mac, "x", ""): 400,
		entry(mac, port["id"], `,"vlanId":-1`): 400, entry(mac, port["id"], `,"vlanId":4096`): 400, entry(mac, port["id"], `,"vlanId":"x"`): 400,
		entry(mac, foreign["id"], ""): 400, entry(mac, uuid.NewString(), ""): 404, entry(mac, port["id"], `,"vlanId":9`): 404,
	} {
		r.refused(status, "POST", text(bridge["macTable"]), "MacPort-v2+json", body)
	}
	require.Contains(t, r.refused(404, "POST", "/bridges/"+uuid.NewString()+"/mac_table", "MacPort-v2+json", entry(mac, port["id"], "")), "There is no Bridge with ID")
	for _, key := range []string{"x", "_", mac, mac + "_", mac + "_x", "_" + text(port["id"]), "x_" + text(port["id"])} {
		r.errorBody(r.call("GET", text(bridge["macTable"])+"/"+key, ""), 400)
		r.errorBody(r.call("DELETE", text(bridge["macTable"])+"/"+key, ""), 400)
	}
	require.Empty(t, r.list(text(bridge["macTable"]), "MacPort-v2+json"))
}

func TestARPTable(t *testing.T) {
	r := newRaw(t)
	bridge := r.create("/bridges", "Bridge-v4+json", `{}`)
	table, media := text(bridge["arpTable"]), "IP4Mac-v1+json"
	entry := r.create(table, media, `{"ip":"10.0.0.1","mac":"AA:BB:CC:DD:EE:0F"}`)
	require.Equal(t, map[string]any{"uri": table + "/10.0.0.1_aa-bb-cc-dd-ee-0f", "ip": "10.0.0.1", "mac": "aa:bb:cc:dd:ee:0f"}, entry)
	require.Equal(t, []map[string]any{entry}, r.list(table, media))
	require.Equal(t, entry, r.get(table+"/10.0.0.1_AA-BB-CC-DD-EE-0F", media))
	require.Equal(t, 200, r.call("GET", table, "", "Accept: application/json").status)
	r.refused(409, "POST", table, media, jsonOf(t, entry))
	r.errorBody(r.call("POST", table, jsonOf(t, entry), "Content-Type: application/json"), 415)
	for _, body := range []string{
		`{}`, `{"ip":"10.0.0.2"}`, `{"mac":"aa:bb:cc:dd:ee:0f"}`, `{"ip":"fd00::1","mac":"aa:bb:cc:dd:ee:0f"}`,
		`{"ip":"10.0.0","mac":"aa:bb:cc:dd:ee:0f"}`, `{"ip":"10.0.0.2","mac":"aa:bb:cc:dd:ee"}`,
	} {
		r.refused(400, "POST", table, media, body)
	}
	r.refused(404, "POST", "/bridges/"+uuid.NewString()+"/arp_table", media, `{"ip":"10.0.0.1","mac":"aa:bb:cc:dd:ee:0f"}`)
	for key, status := range map[string]int{"10.0.0.2_aa-bb-cc-dd-ee-0f": 404, "10.0.0.1_aa-bb-cc-dd-ee-0e": 404, "10.0.0.1": 400, "x_y": 400, "fd00::1_aa-bb-cc-dd-ee-0f": 400} {
		r.errorBody(r.call("GET", table+"/"+key, ""), status)
		r.errorBody(r.call("DELETE", table+"/"+key, ""), status)
	}
	r.bare(204, "DELETE", text(entry["uri"]), media, "{}")
	require.Empty(t, r.list(table, media))
}

func TestCollectionsThatAreAlwaysEmpty(t *testing.T) {
	r := newRaw(t)
	bridge := r.create("/bridges", "Bridge-v4+json", `{}`)
	require.Empty(t, r.list(text(bridge["vxLanPorts"]), "Port-v3+json"))
	require.Empty(t, r.list(text(bridge["vxLanPorts"]), "Port-v4+json"))
	require.Empty(t, r.list(text(bridge["dhcpSubnet6s"]), "DhcpV6Subnet-v1+json"))
	r.errorBody(r.call("POST", text(bridge["vxLanPorts"]), "{}", "Content-Type: application/json"), 405)
	require.Contains(t, r.refused(501, "POST", text(bridge["dhcpSubnet6s"]), "DhcpV6Subnet-v1+json", `{"prefix":"fd00::","prefixLength":64}`), "not supported")
	r.errorBody(r.call("DELETE", text(bridge["dhcpSubnet6s"])+"/fd00--_64", "{}"), 501)
	for _, sub := range []string{"vxlan_ports", "dhcpV6", "dhcp", "mac_table", "arp_table", "vlans/3/mac_table"} {
		require.Contains(t, r.errorBody(r.call("GET", "/bridges/"+uuid.NewString()+"/"+sub, "", "Accept: */*"), 404), "There is no Bridge with ID", sub)
	}
}
