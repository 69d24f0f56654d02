package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/auth"
	"github.com/moatnet/moat/sdn/sdntest"
	"github.com/moatnet/moat/sdn/server"
	"github.com/moatnet/moat/sdn/topology"
	"github.com/moatnet/moat/sdn/wire"
)

// world is a topology with one object of each kind.
type world struct {
	t       *testing.T
	api     *topology.Topology
	handler http.Handler
	last    string // picture after the last request

	router, bridge, routerPort, bridgePort, chain, host, zone, group, addrs string
}

func newWorld(t *testing.T, release wire.Release) *world {
	w := &world{t: t, api: sdntest.NewMemory(t)}
	w.handler = server.New(server.Options{API: w.api, Auth: open{}, Release: release})
	ctx := t.Context()
	r, err := w.api.CreateRouter(ctx, sdn.Router{Name: "r", TenantID: "t"})
	require.NoError(t, err)
	b, err := w.api.CreateBridge(ctx, sdn.Bridge{Name: "b", TenantID: "t"})
	require.NoError(t, err)
	p, err := w.api.CreatePort(ctx, sdn.Port{Kind: sdn.RouterPort, Device: sdn.DeviceID(r.ID), Address: netip.MustParsePrefix("10.0.0.1/24")})
	require.NoError(t, err)
	q, err := w.api.CreatePort(ctx, sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(b.ID)})
	require.NoError(t, err)
	c, err := w.api.CreateChain(ctx, sdn.Chain{Name: "c", TenantID: "t"})
	require.NoError(t, err)
	h, err := w.api.CreateHost(ctx, sdn.Host{ID: "00000000-0000-0000-0000-0000000000aa"})
	require.NoError(t, err)
	z, err := w.api.CreateTunnelZone(ctx, sdn.TunnelZone{Name: "z", Type: "gre"})
	require.NoError(t, err)
	g, err := w.api.CreatePortGroup(ctx, sdn.PortGroup{Name: "g", TenantID: "t"})
	require.NoError(t, err)
	a, err := w.api.CreateIPAddrGroup(ctx, sdn.IPAddrGroup{Name: "a"})
	require.NoError(t, err)
	require.NoError(t, w.api.CreateDHCPSubnet(ctx, sdn.DHCPSubnet{Bridge: b.ID, Prefix: subnet()}))
	require.NoError(t, w.api.CreateDHCPHost(ctx, sdn.DHCPHost{Bridge: b.ID, Subnet: subnet(), MAC: "aa:bb:cc:dd:ee:01", Addr: netip.MustParseAddr("10.0.0.5")}))
	w.router, w.bridge, w.routerPort, w.bridgePort = string(r.ID), string(b.ID), string(p.ID), string(q.ID)
	w.chain, w.host, w.zone, w.group, w.addrs = string(c.ID), string(h.ID), string(z.ID), string(g.ID), string(a.ID)
	w.last = w.picture()
	return w
}

// target is where a body goes, and as what.
type target struct{ method, path, media string }

// targets are all operations that read a body.
func (w *world) targets() []target {
	subnet := "/bridges/" + w.bridge + "/dhcp/10.0.0.0_24"
	return []target{
		{"POST", "/routers", wire.RouterV3}, {"PUT", "/routers/" + w.router, wire.RouterV3},
		{"POST", "/routers/" + w.router + "/ports", wire.PortV3}, {"POST", "/routers/" + w.router + "/routes", wire.RouteV1},
		{"POST", "/bridges", wire.BridgeV4}, {"PUT", "/bridges/" + w.bridge, wire.BridgeV4},
		{"POST", "/bridges/" + w.bridge + "/ports", wire.PortV3},
		{"PUT", "/ports/" + w.routerPort, wire.PortV3}, {"PUT", "/ports/" + w.bridgePort, wire.PortV3},
		{"POST", "/ports/" + w.routerPort + "/link", wire.PortLinkV1},
		{"POST", "/chains", wire.ChainV1}, {"POST", "/chains/" + w.chain + "/rules", wire.RuleV2},
		{"POST", "/hosts", wire.HostV3}, {"PUT", "/hosts/" + w.host, wire.HostV3},
		{"POST", "/hosts/" + w.host + "/ports", wire.HostInterfacePortV1},
		{"POST", "/tunnel_zones", wire.TunnelZoneV1}, {"PUT", "/tunnel_zones/" + w.zone, wire.TunnelZoneV1},
		{"POST", "/tunnel_zones/" + w.zone + "/hosts", wire.TunnelZoneHostV1},
		{"POST", "/port_groups", wire.PortGroupV1}, {"PUT", "/port_groups/" + w.group, wire.PortGroupV1},
		{"POST", "/port_groups/" + w.group + "/ports", wire.PortGroupPortV1},
		{"POST", "/ip_addr_groups", wire.IPAddrGroupV1}, {"POST", "/ip_addr_groups/" + w.addrs + "/ip_addrs", wire.IPAddrGroupAddrV1},
		{"POST", "/bridges/" + w.bridge + "/mac_table", wire.MACPortV2}, {"POST", "/bridges/" + w.bridge + "/vlans/7/mac_table", wire.MACPortV2},
		{"POST", "/bridges/" + w.bridge + "/arp_table", wire.IP4MACV1},
		{"POST", "/bridges/" + w.bridge + "/dhcp", wire.DHCPSubnetV2}, {"PUT", subnet, wire.DHCPSubnetV2},
		{"POST", subnet + "/hosts", wire.DHCPHostV2}, {"PUT", subnet + "/hosts/aa:bb:cc:dd:ee:01", wire.DHCPHostV2},
		{"POST", "/bridges/" + w.bridge + "/dhcpV6", wire.DHCPV6SubnetV1}, {"PUT", "/system_state", wire.SystemStateV2},
		{"POST", "/login", ""}, {"POST", "/vips", wire.JSON},
	}
}

// picture is the whole topology as text.
func (w *world) picture() string {
	w.t.Helper()
	ctx, bridge := w.t.Context(), sdn.BridgeID(w.bridge)
	var all []any
	add := func(list any, err error) { all = append(all, list, err) }
	add(both(w.api.Routers(ctx, "")))
	add(both(w.api.Routes(ctx, sdn.RouterID(w.router))))
	add(both(w.api.Bridges(ctx, "")))
	add(both(w.api.Ports(ctx, "")))
	add(both(w.api.Chains(ctx, "")))
	add(both(w.api.Hosts(ctx)))
	add(both(w.api.TunnelZones(ctx)))
	add(both(w.api.TunnelZoneHosts(ctx, sdn.TunnelZoneID(w.zone))))
	add(both(w.api.PortGroups(ctx, "", "")))
	add(both(w.api.PortGroupPorts(ctx, sdn.PortGroupID(w.group))))
	add(both(w.api.IPAddrGroups(ctx)))
	add(both(w.api.IPAddrGroupAddrs(ctx, sdn.IPAddrGroupID(w.addrs))))
	add(both(w.api.MACPorts(ctx, bridge, nil)))
	add(both(w.api.IP4MACs(ctx, bridge)))
	add(both(w.api.DHCPSubnets(ctx, bridge)))
	add(both(w.api.DHCPHosts(ctx, bridge, subnet())))
	add(both(w.api.Tenants(ctx)))
	rules, err := w.api.Rules(ctx, sdn.ChainID(w.chain))
	for _, r := range rules {
		all = append(all, r.ID, r.Position) // a stored rule never changes otherwise
	}
	return fmt.Sprintf("%+v %v", all, err)
}

func both[T any](list T, err error) (any, error) { return list, err }

func subnet() netip.Prefix { return netip.MustParsePrefix("10.0.0.0/24") }

// send sends a request that may be anything: no panic (that is 500), no status
// of 500 and above but 501 and 503, an error that can be read, and nothing
// changed by what was refused.
func (w *world) send(to http.Handler, q *http.Request) int {
	w.t.Helper()
	a := httptest.NewRecorder()
	to.ServeHTTP(a, q)
	acceptable := a.Code < 500 || a.Code == http.StatusNotImplemented || a.Code == http.StatusServiceUnavailable
	require.True(w.t, acceptable, "%s %q: %d %s", q.Method, q.URL.Path, a.Code, a.Body)
	now := w.picture()
	if a.Code >= 400 {
		require.Equal(w.t, w.last, now, "%s %q: %d %s", q.Method, q.URL.Path, a.Code, a.Body)
	}
	w.last = now
	if a.Code >= 400 && a.Body.Len() > 0 && a.Header().Get("Content-Encoding") == "" {
		var e wire.Error
		require.NoError(w.t, json.Unmarshal(a.Body.Bytes(), &e))
		require.Equal(w.t, a.Code, e.Code)
	}
	return a.Code
}

// FuzzBodies sends any body to every operation that reads one, of both
// releases.
func FuzzBodies(f *testing.F) {
	f.Fuzz(func(t *testing.T, body string) {
		for _, release := range []wire.Release{wire.V5, wire.V1} {
			w := newWorld(t, release)
			for _, to := range w.targets() {
				media := []string{to.media}
				if release == wire.V1 {
					media = wire.V1.Only(to.media)
				}
				for _, m := range media {
					q := httptest.NewRequest(to.method, "/midonet-api"+to.path, strings.NewReader(body))
					q.Header.Set("X-Auth-Token", "k")
					q.Header.Set("Content-Type", m)
					w.send(w.handler, q)
				}
			}
			require.NoError(t, w.api.Audit())
		}
	})
}

// FuzzURIs asks for any path and query by any method. A path is one below an
// object where it begins with the object's letter and a colon.
func FuzzURIs(f *testing.F) {
	f.Fuzz(func(t *testing.T, method, path, query string) {
		w := newWorld(t, wire.V5)
		for prefix, under := range map[string]string{
			"b:": "bridges/" + w.bridge, "r:": "routers/" + w.router, "p:": "ports/" + w.routerPort, "g:": "port_groups/" + w.group,
			"a:": "ip_addr_groups/" + w.addrs, "h:": "hosts/" + w.host, "z:": "tunnel_zones/" + w.zone, "d:": "bridges/" + w.bridge + "/dhcp/10.0.0.0_24",
		} {
			if rest, ok := strings.CutPrefix(path, prefix); ok {
				path = under + "/" + rest
			}
		}
		q := httptest.NewRequest("GET", "/", strings.NewReader("{}"))
		q.Method, q.URL.Path, q.URL.RawQuery = method, "/midonet-api/"+path, query
		q.Header.Set("X-Auth-Token", "k")
		q.Header.Set("Accept", "*/*")
		q.Header.Set("Content-Type", "application/json")
		w.send(w.handler, q)
		require.NoError(t, w.api.Audit())
	})
}

// FuzzHeaders sends any headers, with any bytes as the body, to a login, a list
// and a creation.
func FuzzHeaders(f *testing.F) {
	f.Fuzz(func(t *testing.T, accept, content, authorization, token, encoding, acceptEncoding, host string, body []byte) {
		w := newWorld(t, wire.V5)
		guarded := server.New(server.Options{API: w.api, Auth: auth.NewPasswordAuth("u", "p", time.Hour)})
		for _, to := range []target{{"POST", "/login", ""}, {"GET", "/routers", ""}, {"GET", "", ""}, {"POST", "/routers", ""}, {"POST", "/bridges/" + w.bridge + "/arp_table", ""}} {
			q := httptest.NewRequest(to.method, "/midonet-api"+to.path, strings.NewReader(string(body)))
			q.Host = host
			for name, value := range map[string]string{"Accept": accept, "Content-Type": content, "Authorization": authorization,
				"X-Auth-Token": token, "Content-Encoding": encoding, "Accept-Encoding": acceptEncoding, "X-Auth-Project": token, "Prefer": accept} {
				q.Header.Set(name, value)
			}
			status := w.send(guarded, q)
			require.True(t, to.path == "/login" || status == http.StatusUnauthorized, "a guessed token: %d", status)
			q.Body = io.NopCloser(strings.NewReader(string(body)))
			q.Header.Set("X-Auth-Token", "k")
			w.send(w.handler, q)
		}
		require.NoError(t, w.api.Audit())
	})
}
