package conformance

import (
	"net/http"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// place is a resource as the table of headers sees it.
type place struct {
	cell  string // last part of the cells
	media string
	// at makes what the resource needs and returns its URI and a body that it
	// takes; a nil body: nothing can be posted there.
	at func(w *Wire) (uri string, body dto)
	// list: a GET gives a collection.
	list bool
}

// manualPlaces are the resources that MidoNet wrote without its generic
// handlers, as far as bodies can be sent to them.
var manualPlaces = []place{
	{"link", "PortLink-v1", func(w *Wire) (string, dto) {
		b := w.bridge()
		return w.bridgePort(b).text("link"), dto{"peerId": w.bridgePort(b)["id"]}
	}, false},
	{"bindings", "HostInterfacePort-v1", func(w *Wire) (string, dto) {
		return w.bindable().text("ports"), dto{"portId": w.bridgePort(w.bridge())["id"], "interfaceName": "eth7"}
	}, true},
	{"tunnel_zone_hosts", "TunnelZoneHost-v1", func(w *Wire) (string, dto) {
		return w.zone().text("hosts"), dto{"hostId": w.host()["id"], "ipAddress": "192.0.2.1"}
	}, true},
	{"dhcp_subnets", subnetMedia, func(w *Wire) (string, dto) {
		return w.bridge().text("dhcpSubnets"), dto{"subnetPrefix": "10.9.0.0", "subnetLength": 24}
	}, true},
	{"dhcp_hosts", dhcpHostMedia, func(w *Wire) (string, dto) {
		return w.subnet(w.bridge()).text("hosts"), dto{"macAddr": aMAC, "ipAddr": "10.9.0.9"}
	}, true},
	{"port_group_ports", groupPortMedia, func(w *Wire) (string, dto) {
		return w.portGroup().text("ports"), dto{"portId": w.bridgePort(w.bridge())["id"]}
	}, true},
	{"ip_addrs", addrMedia, func(w *Wire) (string, dto) { return w.addrGroup().text("addrs"), dto{"version": 4, "addr": "10.0.0.1"} }, true},
	{"mac_table", macMedia, func(w *Wire) (string, dto) {
		b := w.bridge()
		return b.text("macTable"), dto{"macAddr": aMAC, "portId": w.bridgePort(b)["id"]}
	}, true},
	{"arp_table", arpMedia, func(w *Wire) (string, dto) { return w.bridge().text("arpTable"), dto{"ip": "10.0.0.1", "mac": aMAC} }, true},
}

// noJSONPlaces are the resources that are not given as plain JSON.
var noJSONPlaces = []place{
	{"host_ports_list", "HostInterfacePort-v1", func(w *Wire) (string, dto) { return w.bindable().text("ports"), nil }, true},
	{"tunnel_zone_hosts", "TunnelZoneHost-v1", func(w *Wire) (string, dto) { return w.zone().text("hosts"), nil }, true},
	{"tenants", "Tenant-v2", func(*Wire) (string, dto) { return "/tenants", nil }, true},
}

func mediaCases() []Case {
	var all []Case
	for _, p := range manualPlaces {
		all = append(all, proves("2.http.manual."+p.cell, p.proveManual))
	}
	for _, p := range noJSONPlaces {
		all = append(all, proves("2.http.noJSON."+p.cell, p.proveNoJSON))
	}
	return append(all,
		proves("2.http.manual.interfaces", func(w *Wire) {
			uri := w.host().text("interfaces")
			w.errorBody(406, w.call("GET", uri, "", "Accept: text/html"))
			w.errorBody(405, w.typed("POST", uri, "Interface-v1", "{}"))
		}),
		proves("2.http.acceptRefused", func(w *Wire) {
			for _, accept := range []string{"text/html", w.type5("Router-v3"), plainJSON + ";q=0", vendor + "collection.Router-v9+json", "application/xml;q=0.9, text/*"} {
				w.errorBody(406, w.call("GET", "/routers", "", "Accept: "+accept))
			}
		}),
		proves("2.http.contentTypeRefused", func(w *Wire) {
			for _, media := range []string{"text/plain", w.type5("Bridge-v4"), "application/x-www-form-urlencoded", "nonsense"} {
				w.errorBody(406, w.call("POST", "/routers", w.json(w.named()), "Content-Type: "+media))
			}
			require.Empty(w.t, w.list("/routers?tenant_id="+w.tenant, "Router-v3"))
		}),
		proves("2.http.manual415", func(w *Wire) {
			uri, body := manualPlaces[0].at(w)
			w.errorBody(415, w.call("POST", uri, w.json(body), "Content-Type: text/plain"))
		}),
		proves("2.http.manual406", func(w *Wire) {
			w.errorBody(406, w.call("GET", w.zone().text("hosts"), "", "Accept: text/html"))
		}),
		proves("2.http.absentHeaders", func(w *Wire) {
			w.errorBody(406, w.call("GET", "/routers", ""))
			w.errorBody(406, w.call("GET", w.router().text("uri"), ""))
			w.errorBody(406, w.call("POST", "/routers", w.json(w.named())))
		}),
		proves("2.http.json", jsonEverywhere),
	)
}

// proveManual sends a body under a wrong type and under none.
func (p place) proveManual(w *Wire) {
	uri, body := p.at(w)
	w.errorBody(415, w.call("POST", uri, w.json(body), "Content-Type: text/plain"))
	if p.list {
		w.errorBody(406, w.call("GET", uri, "", "Accept: text/html"))
		require.Empty(w.t, w.list(uri, p.media), "nothing was stored")
	}
	a := w.call("POST", uri, w.json(body))
	require.Equal(w.t, 201, a.status, "without a Content-Type: %s", a.body)
	if location := a.header.Get("Location"); p.list && location != "" {
		w.removeLater(location)
	}
}

func (p place) proveNoJSON(w *Wire) {
	uri, _ := p.at(w)
	w.errorBody(406, w.call("GET", uri, "", "Accept: "+plainJSON))
	w.list(uri, p.media)
}

// jsonEverywhere posts and gets plain JSON wherever it is offered.
func jsonEverywhere(w *Wire) {
	b, r, c := w.bridge(), w.router(), w.chain()
	for _, of := range []struct {
		uri  string
		body dto
	}{
		{"/routers", w.named()}, {"/bridges", w.named()}, {"/chains", w.named()},
		{b.text("ports"), dto{"type": bridgeKind}}, {r.text("ports"), w.routerPortBody("10.0.0.1/24")},
		{c.text("rules"), dto{"type": "accept"}},
		{r.text("routes"), dto{"type": "Reject", "srcNetworkAddr": "0.0.0.0", "dstNetworkAddr": "0.0.0.0"}},
		{"/hosts", dto{"id": uuid.NewString(), "name": "h"}}, {"/tunnel_zones", dto{"name": uuid.NewString(), "type": "gre"}},
	} {
		o := w.create(of.uri, plainJSON, of.body)
		a := w.call(http.MethodGet, of.uri, "", "Accept: "+plainJSON)
		require.Equal(w.t, 200, a.status, of.uri)
		require.Contains(w.t, a.body, o.text("id"))
	}
}
