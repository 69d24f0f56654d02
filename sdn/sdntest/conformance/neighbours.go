package conformance

import (
	"strings"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

const (
	macMedia = "MacPort-v2"
	arpMedia = "IP4Mac-v1"
	aMAC     = "02:00:00:00:00:0a"
	dashMAC  = "02-00-00-00-00-0a"
)

func neighbourCases() []Case {
	return append(append(macURIs(), macRules()...), arpCases()...)
}

// macEntry makes a bridge with one port and one entry.
func macEntry(w *Wire) (bridge, port, entry dto) {
	w.t.Helper()
	bridge = w.bridge()
	port = w.bridgePort(bridge)
	return bridge, port, w.create(bridge.text("macTable"), macMedia, dto{"macAddr": aMAC, "portId": port["id"]})
}

// tagged makes a bridge with one port of VLAN 7 and the URI of that VLAN's
// table; nil where the server makes no such ports.
func tagged(w *Wire) (bridge, port dto, table string) {
	w.t.Helper()
	bridge = w.bridge()
	a := w.typed("POST", bridge.text("ports"), "Port-v3", w.json(dto{"type": bridgeKind, "vlanId": 7}))
	if a.status == 501 {
		return nil, nil, ""
	}
	require.Equal(w.t, 201, a.status, a.body)
	return bridge, w.get(a.header.Get("Location"), "Port-v3"), strings.Replace(bridge.text("vlanMacTableTemplate"), "{vlanId}", "7", 1)
}

func macURIs() []Case {
	return []Case{
		proves("3.2.bridge.uri.macTable 3.2.macTable.uri.list 3.2.macTable.uri.post", func(w *Wire) {
			b, p, e := macEntry(w)
			w.same(dto{"macAddr": aMAC, "portId": p["id"], "vlanId": 0, "uri": b.text("macTable") + "/" + dashMAC + "_" + p.text("id")}, e)
			require.Equal(w.t, []dto{e}, w.list(b.text("macTable"), macMedia))
			w.missing("/bridges/" + uuid.NewString() + "/mac_table")
		}),
		proves("3.2.macTable.uri.get 3.2.macTable.field.uri", func(w *Wire) {
			b, p, e := macEntry(w)
			require.Equal(w.t, e, w.get(e.text("uri"), macMedia))
			filled := strings.NewReplacer("{macAddress}", dashMAC, "{portId}", p.text("id")).Replace(b.text("macPortTemplate"))
			require.Equal(w.t, e, w.get(filled, macMedia), "by the template")
			require.Equal(w.t, e, w.get(strings.Replace(e.text("uri"), dashMAC, strings.ToUpper(dashMAC), 1), macMedia))
		}),
		proves("3.2.macTable.uri.delete", func(w *Wire) {
			b, _, e := macEntry(w)
			w.remove(e.text("uri"))
			w.missing(e.text("uri"))
			require.Empty(w.t, w.list(b.text("macTable"), macMedia))
		}),
		proves("3.2.bridge.uri.vlanMacTable 3.2.macTable.uri.list.vlan 3.2.macTable.uri.post.vlan 3.2.macTable.uri.get.vlan 3.2.macTable.uri.delete.vlan", func(w *Wire) {
			b, p, table := tagged(w)
			if b == nil {
				w.missing(strings.Replace(w.bridge().text("vlanMacTableTemplate"), "{vlanId}", "7", 1))
				return
			}
			e := w.create(table, macMedia, dto{"macAddr": aMAC, "portId": p["id"]})
			require.EqualValues(w.t, 7, e["vlanId"])
			require.Equal(w.t, table+"/"+dashMAC+"_"+p.text("id"), e["uri"])
			untagged := w.create(b.text("macTable"), macMedia, dto{"macAddr": "02:00:00:00:00:0b", "portId": w.bridgePort(b)["id"]})
			require.Equal(w.t, []dto{e}, w.list(table, macMedia))
			require.ElementsMatch(w.t, []dto{e, untagged}, w.list(b.text("macTable"), macMedia), "without a VLAN in the path all are listed")
			require.Equal(w.t, e, w.get(e.text("uri"), macMedia))
			w.remove(e.text("uri"))
			require.Empty(w.t, w.list(table, macMedia))
		}),
	}
}

func macRules() []Case {
	return append([]Case{
		proves("3.2.macTable.field.macAddr 3.2.macTable.rule.badMAC", func(w *Wire) {
			b := w.bridge()
			p := w.bridgePort(b)
			for _, mac := range []any{nil, "", "02:00", "zz:00:00:00:00:00", "nonsense", "02:00:00:00:00:0a:0b:0c"} {
				w.violates("macAddr", b.text("macTable"), macMedia, dto{"macAddr": mac, "portId": p["id"]})
			}
			require.Empty(w.t, w.list(b.text("macTable"), macMedia))
			e := w.create(b.text("macTable"), macMedia, dto{"macAddr": strings.ToUpper(aMAC), "portId": p["id"]})
			require.Equal(w.t, aMAC, strings.ToLower(e.text("macAddr")))
			w.errorBody(400, w.call("GET", b.text("macTable")+"/nonsense_"+p.text("id"), "", "Accept: */*"))
		}),
		proves("3.2.macTable.field.portId", func(w *Wire) {
			b := w.bridge()
			w.violates("portId", b.text("macTable"), macMedia, dto{"macAddr": aMAC})
			w.violates("portId", b.text("macTable"), macMedia, dto{"macAddr": aMAC, "portId": "no-uuid"})
		}),
		proves("3.2.macTable.field.vlanId 3.2.macTable.rule.otherVLAN", func(w *Wire) {
			b := w.bridge()
			p := w.bridgePort(b)
			w.typed("POST", b.text("ports"), "Port-v3", w.json(dto{"type": bridgeKind, "vlanId": 8}))
			a := w.typed("POST", b.text("macTable"), macMedia, w.json(dto{"macAddr": aMAC, "portId": p["id"], "vlanId": 8}))
			if _, _, table := tagged(w); table != "" {
				w.errorBody(400, a)
			}
			require.GreaterOrEqual(w.t, a.status, 400, "and 404 where no port can have the VLAN")
			w.violates("vlanId", b.text("macTable"), macMedia, dto{"macAddr": aMAC, "portId": p["id"], "vlanId": 5000})
			require.Empty(w.t, w.list(b.text("macTable"), macMedia))
			require.EqualValues(w.t, 0, w.create(b.text("macTable"), macMedia, dto{"macAddr": aMAC, "portId": p["id"], "vlanId": 0})["vlanId"])
		}),
	}, macConflicts()...)
}

func macConflicts() []Case {
	return []Case{
		proves("3.2.macTable.rule.foreignPort", func(w *Wire) {
			b := w.bridge()
			w.refuse(400, b.text("macTable"), macMedia, dto{"macAddr": aMAC, "portId": w.bridgePort(w.bridge())["id"]})
			w.refuse(400, b.text("macTable"), macMedia, dto{"macAddr": aMAC, "portId": w.routerPort(w.router(), "10.0.0.1/24")["id"]})
			require.Empty(w.t, w.list(b.text("macTable"), macMedia))
		}),
		proves("3.2.macTable.rule.unknownPort", func(w *Wire) {
			w.refuse(404, w.bridge().text("macTable"), macMedia, dto{"macAddr": aMAC, "portId": uuid.NewString()})
		}),
		proves("3.2.macTable.rule.unknownVLAN", func(w *Wire) {
			b := w.bridge()
			table := strings.Replace(b.text("vlanMacTableTemplate"), "{vlanId}", "9", 1)
			w.missing(table)
			a := w.typed("POST", table, macMedia, w.json(dto{"macAddr": aMAC, "portId": w.bridgePort(b)["id"]}))
			require.Contains(w.t, []int{400, 404, 501}, a.status, a.body)
			require.Empty(w.t, w.list(b.text("macTable"), macMedia))
		}),
		proves("3.2.macTable.rule.absent", func(w *Wire) {
			b, p, e := macEntry(w)
			other := b.text("macTable") + "/02-00-00-00-00-0b_" + p.text("id")
			w.missing(other)
			w.errorBody(404, w.call("DELETE", other, ""))
			require.Equal(w.t, []dto{e}, w.list(b.text("macTable"), macMedia))
		}),
		proves("3.2.macTable.rule.duplicate", func(w *Wire) {
			b, p, e := macEntry(w)
			w.refuse(409, b.text("macTable"), macMedia, dto{"macAddr": strings.ToUpper(aMAC), "portId": p["id"]})
			require.Equal(w.t, []dto{e}, w.list(b.text("macTable"), macMedia))
		}).differs("answers 500 (MNA-1315)"),
		proves("3.2.bridge.rule.delete.cascade", func(w *Wire) {
			b, p, e := macEntry(w)
			arp := w.create(b.text("arpTable"), arpMedia, dto{"ip": "10.0.0.1", "mac": aMAC})
			subnet := w.subnet(b)
			w.remove(b.text("uri"))
			for _, o := range []dto{p, e, arp, subnet} {
				w.missing(o.text("uri"))
			}
			again := w.create("/bridges", "Bridge-v4", w.named().with("id", b["id"]))
			require.Empty(w.t, w.list(again.text("macTable"), macMedia), "a new bridge of the ID is empty")
			require.Empty(w.t, w.list(again.text("arpTable"), arpMedia))
			require.Empty(w.t, w.list(again.text("dhcpSubnets"), subnetMedia))
		}),
		proves("3.2.bridge.uri.vxlanPorts", func(w *Wire) {
			require.Empty(w.t, w.list(w.bridge().text("vxLanPorts"), "Port-v3"))
		}),
	}
}

func arpCases() []Case {
	post := func(w *Wire) (bridge, entry dto) {
		w.t.Helper()
		bridge = w.bridge()
		return bridge, w.create(bridge.text("arpTable"), arpMedia, dto{"ip": "10.0.0.1", "mac": aMAC})
	}
	return []Case{
		proves("3.2.bridge.uri.arpTable 3.2.arpTable.uri.list 3.2.arpTable.uri.post 3.2.arpTable.field.uri", func(w *Wire) {
			b, e := post(w)
			w.same(dto{"ip": "10.0.0.1", "mac": aMAC, "uri": b.text("arpTable") + "/10.0.0.1_" + dashMAC}, e)
			require.Equal(w.t, []dto{e}, w.list(b.text("arpTable"), arpMedia))
			w.missing("/bridges/" + uuid.NewString() + "/arp_table")
		}),
		proves("3.2.arpTable.uri.get", func(w *Wire) {
			_, e := post(w)
			require.Equal(w.t, e, w.get(e.text("uri"), arpMedia))
		}),
		proves("3.2.arpTable.uri.delete", func(w *Wire) {
			b, e := post(w)
			w.remove(e.text("uri"))
			w.missing(e.text("uri"))
			require.Empty(w.t, w.list(b.text("arpTable"), arpMedia))
		}),
		proves("3.2.arpTable.field.ip 3.2.arpTable.rule.badIP", func(w *Wire) {
			b := w.bridge()
			for _, ip := range []any{nil, "", "::1", "10.0.0", "nonsense"} {
				w.violates("ip", b.text("arpTable"), arpMedia, dto{"ip": ip, "mac": aMAC})
			}
			require.Empty(w.t, w.list(b.text("arpTable"), arpMedia))
			w.errorBody(400, w.call("GET", b.text("arpTable")+"/nonsense_"+dashMAC, "", "Accept: */*"))
		}),
		proves("3.2.arpTable.field.mac 3.2.arpTable.rule.badMAC", func(w *Wire) {
			b := w.bridge()
			for _, mac := range []any{nil, "", "02:00", "nonsense"} {
				w.violates("mac", b.text("arpTable"), arpMedia, dto{"ip": "10.0.0.1", "mac": mac})
			}
			require.Empty(w.t, w.list(b.text("arpTable"), arpMedia))
		}),
		proves("3.2.arpTable.rule.noJSON", func(w *Wire) {
			b := w.bridge()
			w.errorBody(415, w.typed("POST", b.text("arpTable"), plainJSON, w.json(dto{"ip": "10.0.0.1", "mac": aMAC})))
			require.Empty(w.t, w.list(b.text("arpTable"), arpMedia))
		}),
		proves("3.2.arpTable.rule.absent", func(w *Wire) {
			b, e := post(w)
			other := b.text("arpTable") + "/10.0.0.2_" + dashMAC
			w.missing(other)
			w.errorBody(404, w.call("DELETE", other, ""))
			require.Equal(w.t, []dto{e}, w.list(b.text("arpTable"), arpMedia))
		}),
		proves("3.2.arpTable.rule.duplicate", func(w *Wire) {
			b, e := post(w)
			w.refuse(409, b.text("arpTable"), arpMedia, dto{"ip": "10.0.0.1", "mac": aMAC})
			require.Equal(w.t, []dto{e}, w.list(b.text("arpTable"), arpMedia))
		}).differs("answers 500 (MNA-1315)"),
	}
}
