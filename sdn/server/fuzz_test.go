package server_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/sdntest"
	"github.com/moatnet/moat/sdn/server"
)

// FuzzBodies sends any body to every resource that takes one: no panic, and no
// status of 500 and above but 501 and 503.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{
		`{}`, ``, `null`, `[]`, `{"`, `{"name":null,"adminStateUp":"x"}`, `{"id":"00000000-0000-0000-0000-000000000001","name":"r"}`,
		`{"type":"Router","portAddress":"10.0.0.1","networkLength":24,"portMac":"ac:ca:ba:00:00:01"}`,
		`{"type":"Router","portSubnet":["10.0.0.1/24","::/0",null]}`, `{"type":"Bridge","vlanId":70000,"hostId":"x"}`,
		`{"type":"Normal","srcNetworkAddr":"0.0.0.0","dstNetworkAddr":"10.0.0.0","dstNetworkLength":99,"weight":-1}`,
		`{"type":"snat","flowAction":"accept","natTargets":[{"addressFrom":"1.1.1.1","addressTo":null,"portFrom":99999}]}`,
		`{"type":"drop","tpDst":{"start":5,"end":1},"nwProto":-1,"dlType":1e3,"vlan":3,"position":9223372036854775807}`,
		`{"type":"jump","jumpChainId":"00000000-0000-0000-0000-000000000001","fragmentPolicy":"ANY"}`,
		`{"portId":"x","interfaceName":"../../etc/passwd"}`, `{"hostId":"","ipAddress":"fe80::1%eth0"}`,
		`{"peerId":{"a":[1,2,{}]}}`, `{"floodingProxyWeight":1.5,"containerWeight":"7"}`, strings.Repeat(`{"a":`, 40) + `1` + strings.Repeat(`}`, 40),
	} {
		f.Add(seed)
	}
	api := sdntest.NewMemory(f)
	h := server.New(server.Options{API: api, Auth: open{}})
	paths := targets(f, api)
	f.Fuzz(func(t *testing.T, body string) {
		for path, method := range paths {
			q := httptest.NewRequest(method, "/midonet-api"+path, strings.NewReader(body))
			q.Header.Set("X-Auth-Token", "k")
			q.Header.Set("Content-Type", "application/json")
			if strings.HasPrefix(path, "/tunnel_zones/") && method == "POST" {
				q.Header.Set("Content-Type", vendor+"TunnelZoneHost-v1+json")
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, q)
			acceptable := w.Code < 500 || w.Code == http.StatusNotImplemented || w.Code == http.StatusServiceUnavailable
			require.True(t, acceptable, "%s %s: %d %s", method, path, w.Code, w.Body)
		}
	})
}

// FuzzURIs asks for any path and query with any Accept header.
func FuzzURIs(f *testing.F) {
	for _, seed := range [][3]string{
		{"/midonet-api", "", "*/*"}, {"/midonet-api/routers/%2e%2e/x", "tenant_id=%zz", "a/b;q=x"}, {"//", "&&", ","},
		{"/midonet-api/routers/x/ports", "", "*/*;q=0.5,*/*"}, {"/midonet-api/tenants/%2F", "limit=-1&marker=\x00", "application/*"},
		{"/midonet-api/hosts/x/interfaces/..", "", ""}, {"/midonet-api/neutron/", "", "*/*"},
	} {
		f.Add("GET", seed[0], seed[1], seed[2])
	}
	h := server.New(server.Options{API: sdntest.NewMemory(f), Auth: open{}})
	f.Fuzz(func(t *testing.T, method, path, query, accept string) {
		q := httptest.NewRequest("GET", "/", nil)
		q.Method, q.URL.Path, q.URL.RawQuery = method, "/"+path, query
		q.Header.Set("X-Auth-Token", "k")
		q.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, q)
		require.True(t, w.Code < 500 || w.Code == http.StatusNotImplemented, "%q: %d %s", path, w.Code, w.Body)
	})
}

// targets makes one object of each kind and lists where bodies go.
func targets(f *testing.F, api sdn.API) map[string]string {
	ctx := f.Context()
	r, err := api.CreateRouter(ctx, sdn.Router{})
	require.NoError(f, err)
	b, err := api.CreateBridge(ctx, sdn.Bridge{})
	require.NoError(f, err)
	p, err := api.CreatePort(ctx, sdn.Port{Kind: sdn.RouterPort, Device: sdn.DeviceID(r.ID), Address: netip.MustParsePrefix("10.0.0.1/24")})
	require.NoError(f, err)
	c, err := api.CreateChain(ctx, sdn.Chain{})
	require.NoError(f, err)
	h, err := api.CreateHost(ctx, sdn.Host{ID: sdn.NewID[sdn.HostID]()})
	require.NoError(f, err)
	z, err := api.CreateTunnelZone(ctx, sdn.TunnelZone{Name: "z", Type: "gre"})
	require.NoError(f, err)
	return map[string]string{
		"/routers": "POST", "/bridges": "POST", "/chains": "POST", "/hosts": "POST", "/tunnel_zones": "POST",
		"/routers/" + string(r.ID): "PUT", "/bridges/" + string(b.ID): "PUT", "/ports/" + string(p.ID): "PUT",
		"/hosts/" + string(h.ID): "PUT", "/tunnel_zones/" + string(z.ID): "PUT",
		"/routers/" + string(r.ID) + "/ports": "POST", "/routers/" + string(r.ID) + "/routes": "POST",
		"/bridges/" + string(b.ID) + "/ports": "POST", "/chains/" + string(c.ID) + "/rules": "POST",
		"/ports/" + string(p.ID) + "/link": "POST", "/hosts/" + string(h.ID) + "/ports": "POST",
		"/tunnel_zones/" + string(z.ID) + "/hosts": "POST", "/login": "POST",
	}
}
