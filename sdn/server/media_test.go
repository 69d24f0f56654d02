package server_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/sdntest"
	"github.com/moatnet/moat/sdn/server"
	"github.com/moatnet/moat/sdn/wire"
)

// mediaRule is what one operation reads or gives.
type mediaRule struct {
	method, uri string
	types       []string // those that are offered, without vendor and "+json"; "JSON" for application/json
	manual      bool     // 415 instead of 406 for a body, and absent headers match
	list        bool
}

const jsonToo = "JSON"

// mediaRules is section 2's table of who takes and gives what, for resources
// below a bridge, a port and groups that exist.
func mediaRules(r *raw) []mediaRule {
	bridge := r.create("/bridges", "Bridge-v4+json", `{}`)
	port := r.create(text(bridge["ports"]), "Port-v3+json", `{"type":"Bridge"}`)
	group := r.create("/port_groups", "PortGroup-v1+json", `{}`)
	member := r.create(text(group["ports"]), "PortGroupPort-v1+json", `{"portId":"`+text(port["id"])+`"}`)
	addrs := r.create("/ip_addr_groups", "IpAddrGroup-v1+json", `{"name":"g"}`)
	addr := r.create(text(addrs["addrs"]), "IpAddrGroupAddr-v1+json", `{"version":4,"addr":"10.0.0.1"}`)
	mac := r.create(text(bridge["macTable"]), "MacPort-v2+json", `{"macAddr":"aa:bb:cc:dd:ee:01","portId":"`+text(port["id"])+`"}`)
	arp := r.create(text(bridge["arpTable"]), "IP4Mac-v1+json", `{"mac":"aa:bb:cc:dd:ee:01","ip":"10.0.0.1"}`)
	subnet := r.create(text(bridge["dhcpSubnets"]), "DhcpSubnet-v2+json", `{"subnetPrefix":"10.0.0.0","subnetLength":24}`)
	client := r.create(text(subnet["hosts"]), "DhcpHost-v2+json", `{"macAddr":"aa:bb:cc:dd:ee:01","ipAddr":"10.0.0.5"}`)
	id := uuid.NewString()
	r.create("/hosts", "Host-v3+json", `{"id":"`+id+`","name":"h"}`)
	get := func(uri any, list, manual bool, types ...string) mediaRule {
		return mediaRule{"GET", text(uri), types, manual, list}
	}
	send := func(method string, uri any, manual bool, types ...string) mediaRule {
		return mediaRule{method, text(uri), types, manual, false}
	}
	return []mediaRule{
		get("/port_groups", true, false, "PortGroup-v1", jsonToo), send("POST", "/port_groups", false, "PortGroup-v1", jsonToo),
		get(group["uri"], false, false, "PortGroup-v1"), send("PUT", group["uri"], false, "PortGroup-v1", jsonToo),
		get(group["ports"], true, true, "PortGroupPort-v1", jsonToo), send("POST", group["ports"], true, "PortGroupPort-v1", jsonToo),
		get(member["uri"], false, true, "PortGroupPort-v1", jsonToo), get(port["portGroups"], true, true, "PortGroupPort-v1"),
		get("/ip_addr_groups", true, false, "IpAddrGroup-v1"), send("POST", "/ip_addr_groups", false, "IpAddrGroup-v1"),
		get(addrs["uri"], false, false, "IpAddrGroup-v1"),
		get(addrs["addrs"], true, true, "IpAddrGroupAddr-v1"), send("POST", addrs["addrs"], true, "IpAddrGroupAddr-v1"),
		get(addr["uri"], false, true, "IpAddrGroupAddr-v1"),
		get(bridge["macTable"], true, true, "MacPort-v2", jsonToo), send("POST", bridge["macTable"], true, "MacPort-v2", jsonToo),
		get(mac["uri"], false, true, "MacPort-v2", jsonToo),
		get(bridge["arpTable"], true, true, "IP4Mac-v1", jsonToo), send("POST", bridge["arpTable"], true, "IP4Mac-v1"),
		get(arp["uri"], false, true, "IP4Mac-v1", jsonToo),
		get(bridge["dhcpSubnets"], true, true, "DhcpSubnet-v2", "DhcpSubnet-v1"),
		send("POST", bridge["dhcpSubnets"], true, "DhcpSubnet-v2", "DhcpSubnet-v1", jsonToo),
		get(subnet["uri"], false, true, "DhcpSubnet-v2", "DhcpSubnet-v1", jsonToo),
		send("PUT", subnet["uri"], true, "DhcpSubnet-v2", "DhcpSubnet-v1", jsonToo),
		get(subnet["hosts"], true, true, "DhcpHost-v2", "DhcpHost-v1"),
		send("POST", subnet["hosts"], true, "DhcpHost-v2", "DhcpHost-v1", jsonToo),
		get(client["uri"], false, true, "DhcpHost-v2", "DhcpHost-v1", jsonToo),
		send("PUT", client["uri"], true, "DhcpHost-v2", "DhcpHost-v1", jsonToo),
		get("/hosts/"+id+"/ports", true, true, "HostInterfacePort-v1"),
		send("POST", "/hosts/"+id+"/ports", true, "HostInterfacePort-v1", jsonToo),
		get("/hosts/"+id+"/interfaces", true, true, "Interface-v1", jsonToo),
		get(bridge["vxLanPorts"], true, false, "Port-v3", "Port-v4", "Port-v2", "Port-v1", jsonToo),
		get(bridge["ports"], true, false, "Port-v3", "Port-v4", "Port-v2", "Port-v1", jsonToo),
		send("POST", text(port["link"]), true, "PortLink-v1", jsonToo),
	}
}

// allTypes are those that any rule names, and one that none does.
var allTypes = []string{"PortGroup-v1", "PortGroupPort-v1", "IpAddrGroup-v1", "IpAddrGroupAddr-v1", "MacPort-v2", "IP4Mac-v1",
	"DhcpSubnet-v1", "DhcpSubnet-v2", "DhcpHost-v1", "DhcpHost-v2", "HostInterfacePort-v1", "Interface-v1", "Port-v1", "Port-v2",
	"Port-v3", "Port-v4", "PortLink-v1", jsonToo, "Router-v99"}

func (m mediaRule) full(name string) string {
	switch {
	case name == jsonToo:
		return wire.JSON
	case m.list:
		return wire.Collection(vendor + name + "+json")
	}
	return vendor + name + "+json"
}

// TestMediaTypesOfEveryOperation sends bodies that are no JSON, so that a type
// that is read is told from one that is not by the status alone.
func TestMediaTypesOfEveryOperation(t *testing.T) {
	r := newRaw(t)
	for _, m := range mediaRules(r) {
		header, refused := "Accept: ", 406
		if m.method != "GET" {
			header = "Content-Type: "
			if m.manual {
				refused = 415
			}
		}
		fine := map[string]int{"GET": 200, "POST": 400, "PUT": 400}[m.method]
		for _, name := range allTypes {
			want := refused
			for _, offered := range m.types {
				if offered == name {
					want = fine
				}
			}
			a := r.call(m.method, m.uri, "no JSON", header+m.full(name))
			require.Equal(t, want, a.status, "%s %s as %s: %s", m.method, m.uri, name, a.body)
			if want == 200 {
				require.Equal(t, m.full(name), a.header.Get("Content-Type"))
				require.Equal(t, want, r.call(m.method, m.uri, "", header+strings.ToUpper(m.full(name))).status, "case does not matter")
			}
		}
		want := 406
		if m.manual {
			want = fine
		}
		a := r.call(m.method, m.uri, "no JSON")
		require.Equal(t, want, a.status, "%s %s without a header: %s", m.method, m.uri, a.body)
		require.Equal(t, fine, r.call(m.method, m.uri, "no JSON", header+map[string]string{"GET": "*/*"}[m.method]+m.anyOf()).status)
	}
}

// anyOf is a type that the operation reads; for GET nothing, as "*/*" is one.
func (m mediaRule) anyOf() string {
	if m.method == "GET" {
		return ""
	}
	return m.full(m.types[0]) + "; charset=UTF-8"
}

// TestEveryServerCanBeMade: patterns that contradict one another make net/http
// panic.
func TestEveryServerCanBeMade(t *testing.T) {
	for _, base := range []string{"", "/", "api", "/midonet-api/", "/a/b"} {
		for _, release := range []wire.Release{wire.V5, wire.V1} {
			require.NotPanics(t, func() { server.New(server.Options{API: sdntest.NewMemory(t), Base: base, Release: release}) })
		}
	}
}
