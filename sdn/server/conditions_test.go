package server_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// TestConditionsComeBackAsTheyWereSent sends each condition with its inverse,
// each inverse alone, and nothing.
func TestConditionsComeBackAsTheyWereSent(t *testing.T) {
	r := newRaw(t)
	bridge := r.create("/bridges", "Bridge-v4+json", `{}`)
	port := r.create(text(bridge["ports"]), "Port-v3+json", `{"type":"Bridge"}`)["id"]
	group := r.create("/port_groups", "PortGroup-v1+json", `{}`)["id"]
	addrs := r.create("/ip_addr_groups", "IpAddrGroup-v1+json", `{"name":"g"}`)["id"]
	chain := r.create("/chains", "Chain-v1+json", `{}`)
	for _, c := range []struct {
		inverse string
		sent    map[string]any
	}{
		{"", map[string]any{"condInvert": true}}, {"", map[string]any{"matchForwardFlow": true}}, {"", map[string]any{"matchReturnFlow": true}},
		{"invInPorts", map[string]any{"inPorts": []any{port}}}, {"invOutPorts", map[string]any{"outPorts": []any{port}}},
		{"invPortGroup", map[string]any{"portGroup": group}}, {"invInPortGroup", map[string]any{"inPortGroup": group}},
		{"invOutPortGroup", map[string]any{"outPortGroup": group}},
		{"invIpAddrGroupSrc", map[string]any{"ipAddrGroupSrc": addrs}}, {"invIpAddrGroupDst", map[string]any{"ipAddrGroupDst": addrs}},
		{"invTraversedDevice", map[string]any{}},
		{"", map[string]any{"noVlan": true}}, {"", map[string]any{"vlan": 7.0}},
		{"invDlType", map[string]any{"dlType": 2048.0}},
		{"invDlSrc", map[string]any{"dlSrc": "aa:bb:cc:dd:ee:01", "dlSrcMask": "ffff.ff00.0000"}},
		{"invDlDst", map[string]any{"dlDst": "aa:bb:cc:dd:ee:01", "dlDstMask": "ffff.ff00.0000"}},
		{"invNwTos", map[string]any{"nwTos": 16.0}}, {"invNwProto", map[string]any{"nwProto": 17.0}},
		{"invNwSrc", map[string]any{"nwSrcAddress": "10.0.0.0", "nwSrcLength": 8.0}},
		{"invNwDst", map[string]any{"nwDstAddress": "10.0.0.0", "nwDstLength": 8.0}},
		{"invTpSrc", map[string]any{"nwProto": 6.0, "tpSrc": map[string]any{"start": 1.0, "end": 2.0}}},
		{"invTpDst", map[string]any{"nwProto": 6.0, "tpDst": map[string]any{"start": 80.0, "end": 80.0}}},
		{"", map[string]any{"fragmentPolicy": "nonheader"}},
		{"invIcmpDataSrcIp", map[string]any{"icmpDataSrcIpAddress": "10.0.0.0", "icmpDataSrcIpLength": 8.0}},
		{"invIcmpDataDstIp", map[string]any{"icmpDataDstIpAddress": "10.0.0.0", "icmpDataDstIpLength": 8.0}},
		{"", map[string]any{"matchNwDstRewritten": true}},
	} {
		sent := []map[string]any{c.sent}
		if c.inverse != "" {
			both := map[string]any{c.inverse: true}
			for k, v := range c.sent {
				both[k] = v
			}
			sent = append(sent, both, map[string]any{c.inverse: true})
		}
		for _, body := range sent {
			body["type"] = "drop"
			rule := r.create(text(chain["rules"]), "Rule-v2+json", jsonOf(t, body))
			for property, value := range body {
				require.Equal(t, value, rule[property], property)
			}
			if c.inverse != "" {
				require.Equal(t, body[c.inverse] == true, rule[c.inverse], c.inverse)
			}
		}
	}
}

func TestConditionsThatAreRefused(t *testing.T) {
	r := newRaw(t)
	chain := r.create("/chains", "Chain-v1+json", `{}`)
	for property, values := range map[string][]any{
		"portGroup": {"x", 7}, "inPortGroup": {"x"}, "outPortGroup": {"x"}, "ipAddrGroupSrc": {"x"}, "ipAddrGroupDst": {"x"},
		"traversedDevice": {"x"}, "vlan": {-1, 4096}, "dlType": {0x5ff, 0x10000}, "dlSrc": {"x"}, "dlDstMask": {"ff:ff:ff:ff:ff:ff"},
		"nwTos": {-1, 256}, "nwProto": {-1, 256}, "nwSrcAddress": {"fd00::1", "10.0.0.0/8"}, "nwSrcLength": {-1, 33},
		"tpSrc":                {map[string]any{"start": 2, "end": 1}, map[string]any{"start": -1, "end": 1}, map[string]any{"start": 1, "end": 65536}},
		"icmpDataSrcIpAddress": {"fd00::1"}, "icmpDataDstIpLength": {33}, "fragmentPolicy": {"x"}, "position": {-1},
	} {
		for _, value := range values {
			a := r.call("POST", text(chain["rules"]), jsonOf(t, map[string]any{"type": "drop", property: value}), "Content-Type: "+vendor+"Rule-v2+json")
			r.errorBody(a, 400)
			require.Contains(t, a.body, `"property":"`+property+`"`, value)
		}
	}
	for _, property := range []string{"portGroup", "inPortGroup", "outPortGroup", "ipAddrGroupSrc", "ipAddrGroupDst"} {
		message := r.refused(404, "POST", text(chain["rules"]), "Rule-v2+json", jsonOf(t, map[string]any{"type": "drop", property: uuid.NewString()}))
		require.Contains(t, message, "There is no")
	}
	message := r.refused(501, "POST", text(chain["rules"]), "Rule-v2+json", jsonOf(t, map[string]any{"type": "drop", "traversedDevice": uuid.NewString()}))
	require.Contains(t, message, "traversedDevice")
	require.Empty(t, r.list(text(chain["rules"]), "Rule-v2+json"))
}

func TestRulesKeepTheIDOfAGroupThatIsGone(t *testing.T) {
	r := newRaw(t)
	chain := r.create("/chains", "Chain-v1+json", `{}`)
	group := r.create("/port_groups", "PortGroup-v1+json", `{}`)
	addrs := r.create("/ip_addr_groups", "IpAddrGroup-v1+json", `{"name":"g"}`)
	rule := r.create(text(chain["rules"]), "Rule-v2+json", jsonOf(t, map[string]any{"type": "drop", "inPortGroup": group["id"], "ipAddrGroupSrc": addrs["id"]}))
	r.bare(204, "DELETE", text(group["uri"]), "", "{}")
	r.bare(204, "DELETE", text(addrs["uri"]), "", "{}")
	require.Equal(t, rule, r.get(text(rule["uri"]), "Rule-v2+json"))
}

func TestChainsOfRouters(t *testing.T) {
	r := newRaw(t)
	chain := r.create("/chains", "Chain-v1+json", `{}`)
	router := r.create("/routers", "Router-v3+json", jsonOf(t, map[string]any{"localRedirectChainId": chain["id"], "forwardChainId": chain["id"]}))
	for _, property := range []string{"localRedirectChain", "forwardChain"} {
		require.Equal(t, chain["id"], router[property+"Id"])
		require.Equal(t, chain["uri"], router[property])
		r.refused(404, "POST", "/routers", "Router-v3+json", jsonOf(t, map[string]any{property + "Id": uuid.NewString()}))
		r.refused(400, "POST", "/routers", "Router-v3+json", jsonOf(t, map[string]any{property + "Id": "x"}))
	}
	r.bare(204, "DELETE", text(chain["uri"]), "", "{}")
	router = r.get(text(router["uri"]), "Router-v3+json")
	require.Nil(t, router["localRedirectChainId"])
	require.Nil(t, router["forwardChain"])
}
