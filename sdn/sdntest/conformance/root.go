package conformance

import (
	"net/http"
	"strings"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/wire"
)

// rootKeys are the collections of the root and their templates; either may be
// empty.
var rootKeys = []struct{ path, key, template string }{
	{"bridges", "bridges", "bridgeTemplate"},
	{"chains", "chains", "chainTemplate"},
	{"health_monitors", "healthMonitors", "healthMonitorTemplate"},
	{"hosts", "hosts", "hostTemplate"},
	{"ip_addr_groups", "ipAddrGroups", "ipAddrGroupTemplate"},
	{"l2insertions", "l2insertions", "l2InsertionTemplate"},
	{"load_balancers", "loadBalancers", "loadBalancerTemplate"},
	{"mirrors", "mirrors", "mirrorTemplate"},
	{"neutron", "neutron", ""},
	{"pool_members", "poolMembers", "poolMemberTemplate"},
	{"pools", "pools", "poolTemplate"},
	{"port_groups", "portGroups", "portGroupTemplate"},
	{"ports", "ports", "portTemplate"},
	{"qos_policies", "qosPolicies", "qosPolicyTemplate"},
	{"routers", "routers", "routerTemplate"},
	{"service_container_groups", "serviceContainerGroups", "serviceContainerGroupTemplate"},
	{"service_containers", "serviceContainers", "serviceContainerTemplate"},
	{"system_state", "systemState", ""},
	{"tenants", "tenants", "tenantTemplate"},
	{"traces", "traceRequests", "traceRequestTemplate"},
	{"tunnel_zones", "tunnelZones", "tunnelZoneTemplate"},
	{"vips", "vips", "vipTemplate"},
	{"vteps", "vteps", "vtepTemplate"},
	{"bgp_networks", "", "bgpNetworkTemplate"},
	{"bgp_peers", "", "bgpPeerTemplate"},
	{"qos_bw_limit_rules", "", "qosBwLimitRuleTemplate"},
	{"qos_dscp_rules", "", "qosDscpRuleTemplate"},
	{"routes", "", "routeTemplate"},
	{"rules", "", "ruleTemplate"},
}

func rootCases() []Case {
	var all []Case
	for _, k := range rootKeys {
		if k.key != "" {
			all = append(all, rootKey(k.key, "/"+k.path))
		}
		if k.template != "" {
			all = append(all, rootKey(k.template, "/"+k.path+"/{id}"))
		}
	}
	return append(all, rootRules()...)
}

func rootKey(key, path string) Case {
	return proves("1.root.key."+key, func(w *Wire) {
		require.Equal(w.t, w.URL+path, w.get("", "Application-v5")[key])
	}).in(wire.V5)
}

func rootRules() []Case {
	return append([]Case{
		proves("1.base.unversioned", func(w *Wire) {
			for _, uri := range w.get("", "Application-v5") {
				require.NotRegexp(w.t, `/v[0-9]`, strings.TrimPrefix(text(uri), w.URL))
			}
			a := w.call("GET", "/routers", "", "Accept: "+w.type5("collection.Router-v3"))
			require.Equal(w.t, 200, a.status)
			a = w.call("GET", "/routers", "", "Accept: "+vendor+"collection.Router-v99+json")
			require.Equal(w.t, 406, a.status)
		}),
		proves("1.base.ids", func(w *Wire) {
			odd := "Tenant / ü?" + w.tenant
			o := w.create("/routers", "Router-v3", dto{"name": "r", "tenantId": odd})
			require.Equal(w.t, odd, o["tenantId"])
			_, err := uuid.Parse(o.text("id"))
			require.NoError(w.t, err)
		}),
		proves("1.root.accept 1.diff.application.v5", func(w *Wire) {
			for _, media := range []string{vendor + "Application-v5+json", plainJSON} {
				require.Equal(w.t, "v5.0", w.get("", media)["version"])
			}
			require.Equal(w.t, 406, w.call("GET", "", "", "Accept: "+vendor+"Application-v3+json").status)
		}).in(wire.V5),
		proves("1.root.uri", func(w *Wire) {
			require.Equal(w.t, w.URL+"/", w.get("", "Application-v5")["uri"])
		}),
		proves("1.root.version", func(w *Wire) {
			require.IsType(w.t, "", w.get("", "Application-v5")["version"])
		}),
		proves("1.root.strings", func(w *Wire) {
			for key, v := range w.get("", "Application-v5") {
				if key != "version" {
					require.True(w.t, strings.HasPrefix(text(v), w.URL+"/"), key)
				}
			}
		}).in(wire.V5),
		proves("1.root.slash", func(w *Wire) {
			require.Equal(w.t, w.get("", "Application-v5"), w.get("/", "Application-v5"))
		}),
		proves("1.root.unknownSegment", func(w *Wire) {
			for _, path := range []string{"/nothing", "/nothing/" + uuid.NewString(), "/Routers", "/routers2"} {
				w.missing(path)
			}
		}),
	}, rootBounds()...)
}

func rootBounds() []Case {
	return []Case{
		proves("1.root.order", func(w *Wire) {
			want := []string{"uri", "version"}
			for _, k := range rootKeys {
				want = append(want, k.key, k.template)
			}
			var got []string
			for key := range w.get("", "Application-v5") {
				got = append(got, key)
			}
			want = without(want, "")
			require.ElementsMatch(w.t, want, got)
		}).in(wire.V5),
		proves("1.root.key.conf", func(w *Wire) {
			for key, v := range w.get("", "Application-v5") {
				require.NotContains(w.t, text(v), "/conf", key)
			}
			w.unserved("/conf/nodes/" + uuid.NewString())
		}).differs("serves its configuration there"),
		proves("1.diff.removed", func(w *Wire) {
			for _, path := range []string{"/write_version", "/versions", "/licenses", "/licenses/status", "/hosts/" + uuid.NewString() + "/commands"} {
				w.missing(path)
			}
		}).in(wire.V5),
		proves("1.diff.systemState.put", func(w *Wire) {
			a := w.typed("PUT", "/system_state", "SystemState-v2", `{"state":"UPGRADE"}`)
			w.errorBody(405, a)
			require.Equal(w.t, "ACTIVE", w.get("/system_state", "SystemState-v2")["state"])
		}).in(wire.V5),
		proves("1.systemState.get 1.diff.systemState.v5", func(w *Wire) {
			require.Equal(w.t, w.get("/system_state", "SystemState-v2"), w.get("/system_state", plainJSON))
		}).in(wire.V5),
		systemState("state", "ACTIVE"), systemState("availability", "READWRITE"),
		systemState("version", "5.0.0"), systemState("information", nil),
		proves("1.systemState.noURI", func(w *Wire) {
			require.NotContains(w.t, w.get("/system_state", "SystemState-v2"), "uri")
		}),
	}
}

func systemState(key string, want any) Case {
	return proves("1.systemState."+key, func(w *Wire) {
		state := w.get("/system_state", "SystemState-v2")
		require.Contains(w.t, state, key)
		require.Equal(w.t, want, state[key])
	}).in(wire.V5)
}

func without(list []string, unwanted string) []string {
	var out []string
	for _, s := range list {
		if s != unwanted {
			out = append(out, s)
		}
	}
	return out
}

// unserved checks that each method below a path is refused as not supported.
func (w *Wire) unserved(path string) {
	w.t.Helper()
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		a := w.call(method, path, "{}", "Accept: */*", "Content-Type: "+plainJSON)
		require.NotEmpty(w.t, w.errorBody(501, a), "%s %s says what is not supported", method, path)
	}
}
