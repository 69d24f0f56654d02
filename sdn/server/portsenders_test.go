package server_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Moat's own property of bridge ports is nothing to clients that do not know it.
func TestSendersOfPorts(t *testing.T) {
	r := newRaw(t)
	bridge := r.create("/bridges", "Bridge-v4+json", `{}`)
	open := r.create(text(bridge["ports"]), "Port-v3+json", `{"type":"Bridge"}`)
	require.NotContains(t, r.get(text(open["uri"]), "Port-v3+json"), "senders", "a port that MidoNet could have shows what MidoNet shows")

	own := []any{map[string]any{"macAddr": "0a:58:0a:80:00:02", "ipAddrs": []any{"10.128.0.2", "fd00::2"}}}
	pod := r.create(text(bridge["ports"]), "Port-v3+json",
		`{"type":"Bridge","senders":[{"macAddr":"0A-58-0A-80-00-02","ipAddrs":["fd00:0::2","10.128.0.2"]}]}`)
	uri := text(pod["uri"])
	shown := func(media string) any { return r.get(uri, media)["senders"] }
	require.Equal(t, own, shown("Port-v3+json"))
	put := func(media, body string) {
		a := r.call("PUT", uri, body, "Content-Type: "+vendor+media)
		require.Equal(t, 204, a.status, a.body)
	}
	put("Port-v3+json", `{"type":"Bridge","adminStateUp":false}`)
	require.Equal(t, own, shown("Port-v3+json"), "a PUT without it, or with null, leaves it alone")
	put("Port-v3+json", `{"type":"Bridge","senders":null}`)
	require.Equal(t, own, shown("Port-v3+json"))
	put("Port-v2+json", `{"type":"ExteriorBridge"}`)
	require.Nil(t, shown("Port-v2+json"), "the types of 1.9 do not show it")
	require.Equal(t, own, shown("Port-v3+json"))
	put("Port-v3+json", `{"type":"Bridge","senders":[]}`)
	require.NotContains(t, r.get(uri, "Port-v3+json"), "senders")

	for name, body := range map[string]string{
		"no MAC":          `[{}]`,
		"broken MAC":      `[{"macAddr":"pod"}]`,
		"MAC of a group":  `[{"macAddr":"01:00:5e:00:00:01"}]`,
		"broken address":  `[{"macAddr":"02:00:00:00:00:01","ipAddrs":["10.0.0"]}]`,
		"address of none": `[{"macAddr":"02:00:00:00:00:01","ipAddrs":["0.0.0.0"]}]`,
	} {
		a := r.call("PUT", uri, `{"type":"Bridge","senders":`+body+`}`, "Content-Type: "+vendor+"Port-v3+json")
		r.errorBody(a, 400)
		require.Contains(t, a.body, `"property":"senders"`, name)
	}
	a := r.call("PUT", uri, `{"type":"Bridge","senders":"all"}`, "Content-Type: "+vendor+"Port-v3+json")
	r.errorBody(a, 400)
}
