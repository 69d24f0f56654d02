package conformance

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

const (
	subnetMedia   = "DhcpSubnet-v2"
	dhcpHostMedia = "DhcpHost-v2"
)

// subnetBodies makes bodies of subnets that do not clash on one bridge.
func subnetBodies() func(dto) dto {
	n := 0
	return func(dto) dto {
		n++
		return dto{"subnetPrefix": fmt.Sprintf("10.%d.0.0", n), "subnetLength": 24}
	}
}

var subnetResource = resource{
	prefix: "3.12.subnet", media: subnetMedia, puts: true, noID: true,
	prepare: func(w *Wire) setting {
		b := w.bridge()
		return setting{collection: b.text("dhcpSubnets"), vary: subnetBodies(), around: map[string]dto{"bridge": b}}
	},
}

var dhcpHostResource = resource{
	prefix: "3.12.host", media: dhcpHostMedia, puts: true, noID: true,
	prepare: func(w *Wire) setting {
		n := 0
		return setting{collection: w.subnet(w.bridge()).text("hosts"), vary: func(dto) dto {
			n++
			return dto{"macAddr": fmt.Sprintf("02:00:00:00:00:%02x", n), "ipAddr": "10.9.0.9"}
		}}
	},
}

func (w *Wire) subnet(bridge dto) dto {
	w.t.Helper()
	return w.create(bridge.text("dhcpSubnets"), subnetMedia, dto{"subnetPrefix": "10.9.0.0", "subnetLength": 24})
}

func (w *Wire) dhcpHost(subnet dto) dto {
	w.t.Helper()
	return w.create(subnet.text("hosts"), dhcpHostMedia, dto{"macAddr": aMAC, "ipAddr": "10.9.0.9", "name": "host"})
}

func dhcpCases() []Case {
	ipv4 := func(name string) field {
		return field{name: name, good: []any{"10.0.0.254"}, bad: []bad{{value: "::1", status: 400}, {value: "nonsense", status: 400}}}
	}
	route := dto{"destinationPrefix": "172.16.0.0", "destinationLength": 12, "gatewayAddr": "10.0.0.1"}
	all := subnetResource.cases(
		ipv4("defaultGateway"), ipv4("serverAddr"),
		field{name: "dnsServerAddrs", good: []any{[]any{"8.8.8.8", "1.1.1.1"}, pair{[]any{}, nil}},
			bad: []bad{{value: []any{"nonsense"}, status: 400}, {value: []any{"::1"}, status: 400}}},
		field{name: "interfaceMTU", good: []any{1450, 65536}, bad: []bad{{value: 65537, status: 400}, {value: -1, status: 400}}},
		field{name: "opt121Routes", unset: []any{}, good: []any{[]any{route}, []any{route, route.with("destinationLength", 16)}}},
		field{name: "enabled", unset: true, good: []any{false, true}},
		field{name: "hosts", link: "/hosts"},
		field{name: "uri", fixed: func(_ *Wire, s setting, o dto) any {
			return fmt.Sprintf("%s/%s_%v", s.collection, o["subnetPrefix"], o["subnetLength"])
		}},
	)
	for name, values := range map[string][2][]any{
		"destinationPrefix": {{"10.0.0.0"}, {nil, "::", "nonsense"}},
		"destinationLength": {{0, 32}, {33, -1}},
		"gatewayAddr":       {{"10.0.0.9"}, {nil, "::1", "nonsense"}},
	} {
		all = append(all, proves("3.12.subnet.field.opt121Routes."+name, func(w *Wire) {
			s := subnetResource.prepare(w)
			for _, v := range values[0] {
				want := []any{dto{"destinationPrefix": "0.0.0.0", "destinationLength": 0, "gatewayAddr": "10.0.0.1"}.with(name, v)}
				if name == "destinationPrefix" {
					want = []any{route.with(name, v)}
				}
				w.same(want, w.create(s.collection, subnetMedia, s.body().with("opt121Routes", want))["opt121Routes"])
			}
			for _, v := range values[1] {
				w.refuse(400, s.collection, subnetMedia, s.body().with("opt121Routes", []any{route.with(name, v)}))
			}
			require.Len(w.t, w.list(s.collection, subnetMedia), len(values[0]))
		}))
	}
	return append(append(append(append(all, subnetRules()...), dhcpHostCases()...), dhcpHostRules()...), dhcpV6Cases()...)
}

func subnetRules() []Case {
	return append([]Case{
		proves("3.2.bridge.uri.dhcp 3.12.subnet.uri.list 2.http.noJSON.dhcp_subnet_list", func(w *Wire) {
			b := w.bridge()
			require.Empty(w.t, w.list(b.text("dhcpSubnets"), subnetMedia))
			s := w.subnet(b)
			require.Equal(w.t, []dto{s}, w.list(b.text("dhcpSubnets"), subnetMedia))
			w.errorBody(406, w.call("GET", b.text("dhcpSubnets"), "", "Accept: "+plainJSON))
			w.missing("/bridges/" + uuid.NewString() + "/dhcp")
		}),
		proves("3.12.subnet.uri.post", func(w *Wire) {
			b := w.bridge()
			o := w.create(b.text("dhcpSubnets"), plainJSON, dto{"subnetPrefix": "10.9.0.0", "subnetLength": 24})
			require.Equal(w.t, b.text("dhcpSubnets")+"/10.9.0.0_24", o["uri"])
			w.errorBody(404, w.typed("POST", "/bridges/"+uuid.NewString()+"/dhcp", subnetMedia, `{"subnetPrefix":"10.9.0.0","subnetLength":24}`))
		}),
		proves("3.12.subnet.uri.get", func(w *Wire) {
			s := w.subnet(w.bridge())
			require.Equal(w.t, s, w.get(s.text("uri"), subnetMedia))
			require.Equal(w.t, s, w.get(s.text("uri"), plainJSON))
		}),
		proves("3.12.subnet.uri.put", func(w *Wire) {
			s := w.subnet(w.bridge())
			for _, media := range []string{subnetMedia, plainJSON} {
				w.put(s.text("uri"), media, s.with("enabled", false).with("defaultGateway", "10.9.0.1"))
				require.Equal(w.t, s.with("enabled", false).with("defaultGateway", "10.9.0.1"), w.get(s.text("uri"), subnetMedia))
			}
			w.put(s.text("uri"), subnetMedia, dto{"subnetPrefix": "10.9.0.0", "subnetLength": 24})
			require.Equal(w.t, s, w.get(s.text("uri"), subnetMedia), "a full replace")
		}),
		proves("3.12.subnet.uri.delete 2.http.deleteMissing.dhcp_subnets", func(w *Wire) {
			b := w.bridge()
			s := w.subnet(b)
			h := w.dhcpHost(s)
			w.remove(s.text("uri"))
			w.missing(s.text("uri"))
			w.missing(h.text("uri"))
			w.errorBody(404, w.call("DELETE", s.text("uri"), ""))
			require.Empty(w.t, w.list(w.subnet(b).text("hosts"), dhcpHostMedia), "a new subnet is empty")
		}),
	}, subnetBounds()...)
}

func subnetBounds() []Case {
	return []Case{
		proves("3.12.subnet.field.subnetPrefix", func(w *Wire) {
			b := w.bridge()
			for _, v := range []any{nil, "", "::", "10.0.0", "nonsense"} {
				w.violates("subnetPrefix", b.text("dhcpSubnets"), subnetMedia, dto{"subnetPrefix": v, "subnetLength": 24})
			}
			require.Empty(w.t, w.list(b.text("dhcpSubnets"), subnetMedia))
			require.Equal(w.t, "10.9.0.0", w.subnet(b)["subnetPrefix"])
		}),
		proves("3.12.subnet.field.subnetLength", func(w *Wire) {
			b := w.bridge()
			for _, v := range []any{-1, 33} {
				w.violates("subnetLength", b.text("dhcpSubnets"), subnetMedia, dto{"subnetPrefix": "10.0.0.0", "subnetLength": v})
			}
			for _, v := range []any{0, 8, 32} {
				o := w.create(b.text("dhcpSubnets"), subnetMedia, dto{"subnetPrefix": "0.0.0.0", "subnetLength": v})
				w.same(v, o["subnetLength"])
			}
		}),
		proves("3.12.subnet.rule.noID", func(w *Wire) { require.NotContains(w.t, w.subnet(w.bridge()), "id") }),
		proves("3.12.subnet.rule.duplicate", func(w *Wire) {
			b := w.bridge()
			s := w.subnet(b)
			w.refuse(409, b.text("dhcpSubnets"), subnetMedia, dto{"subnetPrefix": "10.9.0.0", "subnetLength": 24, "enabled": false})
			require.Equal(w.t, []dto{s}, w.list(b.text("dhcpSubnets"), subnetMedia))
			w.create(b.text("dhcpSubnets"), subnetMedia, dto{"subnetPrefix": "10.9.0.0", "subnetLength": 16})
			w.subnet(w.bridge())
		}),
		proves("3.12.subnet.rule.missing", func(w *Wire) {
			b := w.bridge()
			none := b.text("dhcpSubnets") + "/10.8.0.0_24"
			w.missing(none)
			w.errorBody(404, w.typed("PUT", none, subnetMedia, `{"subnetPrefix":"10.8.0.0","subnetLength":24}`))
			w.missing(none + "/hosts")
		}),
		proves("3.12.subnet.rule.moved", func(w *Wire) {
			b := w.bridge()
			s := w.subnet(b)
			w.dhcpHost(s)
			other := w.create(b.text("dhcpSubnets"), subnetMedia, dto{"subnetPrefix": "10.7.0.0", "subnetLength": 24})
			w.put(s.text("uri"), subnetMedia, s.with("subnetPrefix", "10.8.0.0").with("subnetLength", 16))
			w.missing(s.text("uri"))
			moved := w.get(b.text("dhcpSubnets")+"/10.8.0.0_16", subnetMedia)
			require.Len(w.t, w.list(moved.text("hosts"), dhcpHostMedia), 1)
			a := w.typed("PUT", moved.text("uri"), subnetMedia, w.json(moved.with("subnetPrefix", "10.7.0.0").with("subnetLength", 24)))
			w.errorBody(409, a)
			require.ElementsMatch(w.t, []dto{moved, other}, w.list(b.text("dhcpSubnets"), subnetMedia))
		}),
		proves("3.12.subnet.rule.bridgeDeleted", func(w *Wire) {
			b := w.bridge()
			s := w.subnet(b)
			h := w.dhcpHost(s)
			w.remove(b.text("uri"))
			w.missing(s.text("uri"))
			w.missing(h.text("uri"))
		}),
	}
}

func dhcpHostCases() []Case {
	option := dto{"optName": "router", "optValue": "10.9.0.1"}
	all := dhcpHostResource.cases(
		field{name: "ipAddr", unset: anything, good: []any{"10.9.0.7"}, bad: []bad{{value: nil, status: 400}, {value: "::1", status: 400}, {value: "nonsense", status: 400}}},
		field{name: "name", good: []any{"a name"}},
		field{name: "extraDhcpOpts", unset: []any{}, good: []any{[]any{option}, []any{option, option.with("optName", "mtu").with("optValue", "1400")}}},
		field{name: "uri", fixed: func(_ *Wire, s setting, o dto) any { return s.collection + "/" + o.text("macAddr") }},
	)
	for _, name := range []string{"optName", "optValue"} {
		all = append(all, proves("3.12.host.field.extraDhcpOpts."+name, func(w *Wire) {
			s := dhcpHostResource.prepare(w)
			list, is := w.create(s.collection, dhcpHostMedia, s.body().with("extraDhcpOpts", []any{option}))["extraDhcpOpts"].([]any)
			require.True(w.t, is)
			w.same([]any{option}, list)
			require.Contains(w.t, list[0], name)
		}))
	}
	return append(all, proves("3.12.host.field.macAddr", func(w *Wire) {
		s := dhcpHostResource.prepare(w)
		for _, mac := range []any{nil, "", "02:00", "nonsense"} {
			w.violates("macAddr", s.collection, dhcpHostMedia, s.body().with("macAddr", mac))
		}
		o := w.create(s.collection, dhcpHostMedia, s.body().with("macAddr", strings.ToUpper(aMAC)))
		require.Equal(w.t, aMAC, strings.ToLower(o.text("macAddr")))
	}))
}

func dhcpHostRules() []Case {
	return []Case{
		proves("3.12.host.uri.list 2.http.noJSON.dhcp_host_list", func(w *Wire) {
			s := w.subnet(w.bridge())
			require.Empty(w.t, w.list(s.text("hosts"), dhcpHostMedia))
			h := w.dhcpHost(s)
			require.Equal(w.t, []dto{h}, w.list(s.text("hosts"), dhcpHostMedia))
			w.errorBody(406, w.call("GET", s.text("hosts"), "", "Accept: "+plainJSON))
		}),
		proves("3.12.host.uri.post", func(w *Wire) {
			s := w.subnet(w.bridge())
			h := w.create(s.text("hosts"), plainJSON, dto{"macAddr": aMAC, "ipAddr": "10.9.0.9"})
			require.Equal(w.t, s.text("hosts")+"/"+aMAC, h["uri"])
		}),
		proves("3.12.host.uri.get", func(w *Wire) {
			s := w.subnet(w.bridge())
			h := w.dhcpHost(s)
			require.Equal(w.t, h, w.get(h.text("uri"), dhcpHostMedia))
			require.Equal(w.t, h, w.get(h.text("uri"), plainJSON))
			require.Equal(w.t, h, w.get(s.text("hosts")+"/"+strings.ReplaceAll(strings.ToUpper(aMAC), ":", "%3A"), dhcpHostMedia), "however it is written")
		}),
		proves("3.12.host.uri.put", func(w *Wire) {
			s := w.subnet(w.bridge())
			h := w.dhcpHost(s)
			w.put(h.text("uri"), dhcpHostMedia, h.with("ipAddr", "10.9.0.10"))
			require.Equal(w.t, h.with("ipAddr", "10.9.0.10"), w.get(h.text("uri"), dhcpHostMedia))
			w.errorBody(404, w.typed("PUT", s.text("hosts")+"/02:00:00:00:00:0f", dhcpHostMedia, w.json(h)))
		}),
		proves("3.12.host.uri.delete 2.http.deleteMissing.dhcp_hosts", func(w *Wire) {
			s := w.subnet(w.bridge())
			h := w.dhcpHost(s)
			w.remove(h.text("uri"))
			w.missing(h.text("uri"))
			w.errorBody(404, w.call("DELETE", h.text("uri"), ""))
			require.Empty(w.t, w.list(s.text("hosts"), dhcpHostMedia))
		}),
		proves("3.12.host.rule.duplicate", func(w *Wire) {
			b := w.bridge()
			s := w.subnet(b)
			h := w.dhcpHost(s)
			w.refuse(409, s.text("hosts"), dhcpHostMedia, dto{"macAddr": strings.ToUpper(aMAC), "ipAddr": "10.9.0.10"})
			require.Equal(w.t, []dto{h}, w.list(s.text("hosts"), dhcpHostMedia))
			w.dhcpHost(w.create(b.text("dhcpSubnets"), subnetMedia, dto{"subnetPrefix": "10.8.0.0", "subnetLength": 24}))
		}),
		proves("3.12.host.rule.unknown", func(w *Wire) {
			w.missing(w.subnet(w.bridge()).text("hosts") + "/02:00:00:00:00:0f")
		}),
	}
}

func dhcpV6Cases() []Case {
	return []Case{
		proves("3.2.bridge.uri.dhcpV6 3.12.v6.list", func(w *Wire) {
			require.Empty(w.t, w.list(w.bridge().text("dhcpSubnet6s"), "DhcpV6Subnet-v1"))
		}),
		proves("3.12.v6.post", func(w *Wire) {
			b := w.bridge()
			w.refuse(501, b.text("dhcpSubnet6s"), "DhcpV6Subnet-v1", dto{"prefix": "2001:db8::", "prefixLength": 64})
			require.Empty(w.t, w.list(b.text("dhcpSubnet6s"), "DhcpV6Subnet-v1"))
		}).differs("serves DHCPv6"),
	}
}
