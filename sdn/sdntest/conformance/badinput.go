package conformance

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// writable is a collection and a body that it takes.
type writable struct {
	uri, media string
	body       dto
}

// writables are all collections that can be posted to.
func (w *Wire) writables() []writable {
	w.t.Helper()
	b, r, c, g, a, z, h := w.bridge(), w.router(), w.chain(), w.portGroup(), w.addrGroup(), w.zone(), w.bindable()
	p, s := w.bridgePort(b), w.subnet(b)
	return []writable{
		{"/routers", "Router-v3", w.named()}, {"/bridges", "Bridge-v4", w.named()}, {"/chains", "Chain-v1", w.named()},
		{"/port_groups", portGroupMedia, w.named()}, {"/ip_addr_groups", addrGroupMedia, dto{"name": "g"}},
		{"/hosts", "Host-v3", newHost()}, {"/tunnel_zones", zoneMedia, newZone()},
		{b.text("ports"), "Port-v3", dto{"type": bridgeKind}}, {r.text("ports"), "Port-v3", w.routerPortBody("10.0.0.1/24")},
		{r.text("routes"), "Route-v1", blackHole("10.0.0.0", 8)},
		{c.text("rules"), "Rule-v2", natBody("snat", target("10.0.0.1", "10.0.0.1", 1024, 65535))},
		{g.text("ports"), groupPortMedia, dto{"portId": p["id"]}}, {a.text("addrs"), addrMedia, dto{"version": 4, "addr": "10.0.0.1"}},
		{z.text("hosts"), memberMedia, dto{"hostId": h["id"], "ipAddress": "192.0.2.1"}},
		{h.text("ports"), bindingMedia, binding(p, "eth1")},
		{b.text("macTable"), macMedia, dto{"macAddr": aMAC, "portId": p["id"]}}, {b.text("arpTable"), arpMedia, dto{"ip": "10.0.0.1", "mac": aMAC}},
		{b.text("dhcpSubnets"), subnetMedia, dto{"subnetPrefix": "10.8.0.0", "subnetLength": 24}},
		{s.text("hosts"), dhcpHostMedia, dto{"macAddr": aMAC, "ipAddr": "10.9.0.9"}},
	}
}

// spoiled is a request that no server may take for the body that it stands on.
type spoiled struct {
	name    string
	body    string
	headers []string
	status  int
}

// spoil makes what is wrong below or around the properties of a body.
func (w *Wire) spoil(body dto) []spoiled {
	text := w.json(body)
	wide := make([]byte, 0, 2*len(text))
	for _, u := range utf16.Encode([]rune(text)) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	const mebibyte = 1 << 20
	padded := text + strings.Repeat(" ", mebibyte)
	return []spoiled{
		{"padded to more than 1 MiB", padded, nil, 413},
		{"with a property of more than 1 MiB", text[:1] + `"x":"` + strings.Repeat("x", mebibyte) + `",` + text[1:], nil, 413},
		{"packed from more than 1 MiB", pack(w, padded), []string{"Content-Encoding: gzip"}, 413},
		{"nested 100,000 deep", text[:1] + `"x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "," + text[1:], nil, 400},
		{"nested and never closed", text[:1] + `"x":` + strings.Repeat(`{"x":`, 50_000), nil, 400},
		{"cut in half", text[:len(text)/2], nil, 400},
		{"without its last byte", text[:len(text)-1], nil, 400},
		{"twice", text + text, nil, 400},
		{"in a list", "[" + text + "]", nil, 400},
		{"in a string", strconv.Quote(text), nil, 400},
		{"in UTF-16", string(wide), nil, 400},
		{"behind a byte order mark", "\ufeff" + text, nil, 400},
		{"with bytes that are no UTF-8", text[:1] + "\"x\":\"\xff\xfe\"," + text[1:], nil, 400},
		{"with a raw control character", text[:1] + "\"x\":\"\x00\"," + text[1:], nil, 400},
		{"said to be packed", text, []string{"Content-Encoding: gzip"}, 400},
		{"packed and cut", pack(w, text)[:20], []string{"Content-Encoding: gzip"}, 400},
		{"packed by nobody knows what", text, []string{"Content-Encoding: br"}, 415},
		{"empty", "", nil, 400},
	}
}

// census counts what the collections hold.
func (w *Wire) census(all []writable) map[string]int {
	w.t.Helper()
	counts := map[string]int{}
	for _, c := range all {
		list := c.uri
		if strings.HasPrefix(list, "/") {
			list += "?tenant_id=" + url.QueryEscape(w.tenant)
		}
		if c.uri != "/hosts" && c.uri != "/tunnel_zones" && c.uri != "/ip_addr_groups" {
			counts[c.uri] = len(w.list(list, c.media))
		}
	}
	return counts
}

// badInput posts every spoiled body to every collection, and at last the body
// itself, which nothing of what was refused may stand in the way of.
func badInput(w *Wire) {
	all := w.writables()
	before := w.census(all)
	for _, c := range all {
		for _, s := range w.spoil(c.body) {
			headers := append([]string{"Content-Type: " + w.type5(c.media), "Accept: " + w.type5(c.media)}, s.headers...)
			a := w.call("POST", c.uri, s.body, headers...)
			require.Equal(w.t, s.status, a.status, "%s, a body %s: %s", c.media, s.name, a.body)
			w.errorBody(s.status, a)
		}
		if c.body["id"] != nil {
			w.missing(c.uri + "/" + c.body.text("id"))
		}
	}
	require.Equal(w.t, before, w.census(all), "nothing was stored")
	w.audit()
	for _, c := range all {
		a := w.typed("POST", c.uri, c.media, w.json(c.body))
		require.Equal(w.t, 201, a.status, "%s: %s", c.media, a.body)
		w.removeLater(a.header.Get("Location"))
	}
	w.audit()
}

// audit holds the graph behind a target of ours to what must be true at any
// time.
func (w *Wire) audit() {
	w.t.Helper()
	if w.Own != nil {
		require.NoError(w.t, w.Own.Topology.Audit())
	}
}

// stalled is how many clients stop in the middle of a request.
const stalled = 48

// slowClients opens many connections that send half of a request and no more.
// Others are served meanwhile, and nothing of the halves is stored.
func slowClients(w *Wire) {
	base, err := url.Parse(w.URL)
	require.NoError(w.t, err)
	var conns []net.Conn
	made := make([]string, stalled)
	for i := range stalled {
		conn, err := (&net.Dialer{}).DialContext(w.t.Context(), "tcp", base.Host)
		require.NoError(w.t, err)
		w.t.Cleanup(func() { _ = conn.Close() })
		conns = append(conns, conn)
		made[i] = uuid.NewString()
		body := w.json(dto{"id": made[i], "name": "half", "tenantId": w.tenant})
		head := fmt.Sprintf("POST %s/chains HTTP/1.1\r\nHost: %s\r\nX-Auth-Token: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n",
			base.Path, base.Host, w.token, w.type5("Chain-v1"), len(body))
		part := head + body[:len(body)/2]
		if i%3 == 0 {
			part = head[:len(head)/2]
		}
		_, err = conn.Write([]byte(part))
		require.NoError(w.t, err)
	}
	begin := time.Now()
	r := w.router()
	w.put(r.text("uri"), "Router-v3", r.with("name", "meanwhile"))
	require.Equal(w.t, "meanwhile", w.get(r.text("uri"), "Router-v3")["name"])
	require.Less(w.t, time.Since(begin), 20*time.Second, "others are served")
	for i, conn := range conns {
		if i%2 == 0 {
			require.NoError(w.t, conn.Close())
		}
	}
	for _, id := range made {
		w.missing("/chains/" + id)
	}
	w.audit()
}

// brokenRequests sends what is no HTTP, or lies about its length.
func brokenRequests(w *Wire) {
	base, err := url.Parse(w.URL)
	require.NoError(w.t, err)
	id := uuid.NewString()
	body := w.json(dto{"id": id, "name": "broken", "tenantId": w.tenant})
	head := fmt.Sprintf("POST %s/chains HTTP/1.1\r\nHost: %s\r\nX-Auth-Token: %s\r\nContent-Type: %s\r\n",
		base.Path, base.Host, w.token, w.type5("Chain-v1"))
	for name, sent := range map[string]string{
		"a length that is none":     head + "Content-Length: -5\r\n\r\n" + body,
		"two lengths":               head + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n" + body,
		"a shorter length":          head + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body)/2) + body,
		"chunks that are none":      head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n" + body,
		"a header without an end":   head + "X: " + strings.Repeat("x", 1<<20),
		"a path with a space":       "GET /midonet api HTTP/1.1\r\nHost: x\r\n\r\n",
		"TLS where there is none":   "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + strings.Repeat("\x00", 64),
		"nothing that is a request": "hello\r\n\r\n",
	} {
		conn, err := (&net.Dialer{}).DialContext(w.t.Context(), "tcp", base.Host)
		require.NoError(w.t, err)
		require.NoError(w.t, conn.SetDeadline(time.Now().Add(20*time.Second)))
		_, _ = conn.Write([]byte(sent)) // the server may close before it has read all
		if half, is := conn.(*net.TCPConn); is {
			_ = half.CloseWrite()
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil {
			require.GreaterOrEqual(w.t, resp.StatusCode, 400, name)
			require.Less(w.t, resp.StatusCode, 500, name)
			_ = resp.Body.Close()
		}
		_ = conn.Close()
		w.missing("/chains/" + id)
	}
	w.audit()
}
