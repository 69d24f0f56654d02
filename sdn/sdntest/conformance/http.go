package conformance

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/server"
	"github.com/moatnet/moat/sdn/wire"
)

func httpCases() []Case {
	return append([]Case{
		proves("2.http.post 2.http.clientID", func(w *Wire) {
			id := uuid.NewString()
			a := w.typed("POST", "/chains", "Chain-v1", w.json(dto{"id": id, "name": "c", "tenantId": w.tenant}))
			w.removeLater("/chains/" + id)
			require.Equal(w.t, 201, a.status, a.body)
			require.Empty(w.t, a.body)
			require.Equal(w.t, w.URL+"/chains/"+id, a.header.Get("Location"))
		}),
		proves("2.http.serverID", func(w *Wire) {
			first, second := w.chain(), w.chain()
			id, err := uuid.Parse(first.text("id"))
			require.NoError(w.t, err)
			require.EqualValues(w.t, 4, id.Version(), "random")
			require.NotEqual(w.t, first["id"], second["id"])
		}),
		proves("2.http.put", func(w *Wire) { r := w.router(); w.put(r.text("uri"), "Router-v3", r) }),
		proves("2.http.delete", func(w *Wire) {
			r := w.router()
			w.remove(r.text("uri"))
			w.missing(r.text("uri"))
		}),
		proves("2.http.get", func(w *Wire) {
			r := w.router()
			for _, media := range []string{w.type5("Router-v3"), plainJSON} {
				a := w.call("GET", r.text("uri"), "", "Accept: "+media)
				require.Equal(w.t, 200, a.status)
				require.Equal(w.t, media, a.header.Get("Content-Type"))
			}
			a := w.call("GET", r.text("uri"), "", "Accept: "+plainJSON+";q=0.5, "+w.type5("Router-v3")+";q=0.4")
			require.Equal(w.t, plainJSON, a.header.Get("Content-Type"), "by weight")
		}),
		proves("2.http.unknownProperty", unknownProperties),
	}, bodyCases()...)
}

func bodyCases() []Case {
	return append([]Case{
		proves("2.http.nullPrimitive", func(w *Wire) {
			r := w.create("/routers", "Router-v3", dto{"name": "r", "tenantId": w.tenant, "adminStateUp": nil, "asNumber": nil})
			require.Equal(w.t, false, r["adminStateUp"])
			if w.Release == wire.V5 {
				require.EqualValues(w.t, 0, r["asNumber"])
			}
		}),
		proves("2.http.putReplaces", func(w *Wire) {
			c := w.chain()
			r := w.create("/routers", "Router-v3", dto{"name": "r", "tenantId": w.tenant, "adminStateUp": false, "inboundFilterId": c["id"]})
			w.put(r.text("uri"), "Router-v3", dto{"name": "s", "tenantId": w.tenant})
			r = w.get(r.text("uri"), "Router-v3")
			require.Equal(w.t, true, r["adminStateUp"], "the default")
			require.Nil(w.t, r["inboundFilterId"])
			require.Equal(w.t, "s", r["name"])
		}),
		proves("2.http.putKeeps", func(w *Wire) {
			r := w.router()
			w.put(r.text("uri"), "Router-v3", r.with("id", uuid.NewString()).with("uri", "http://192.0.2.1/"))
			require.Equal(w.t, r, w.get(r.text("uri"), "Router-v3"))
		}),
		proves("2.http.getShowsUnset", func(w *Wire) {
			r := w.router()
			w.same(nil, r["inboundFilterId"])
			p := w.routerPort(r, "10.0.0.1/24")
			require.Contains(w.t, p, "vifId")
			require.Nil(w.t, p["vifId"])
			if w.Release == wire.V5 {
				w.same([]any{}, p["inboundMirrorIds"])
				w.same(0, r["asNumber"])
			}
		}),
		proves("2.http.idTaken", func(w *Wire) {
			for uri, media := range map[string]string{"/routers": "Router-v3", "/bridges": "Bridge-v4", "/chains": "Chain-v1"} {
				body := dto{"id": uuid.NewString(), "name": "first", "tenantId": w.tenant}
				made := w.create(uri, media, body)
				w.refuse(409, uri, media, body.with("name", "second"))
				require.Equal(w.t, "first", w.get(made.text("uri"), media)["name"])
			}
		}),
	}, referenceCases()...)
}

func referenceCases() []Case {
	return append([]Case{
		proves("2.http.missingReference", func(w *Wire) {
			id := uuid.NewString()
			message := w.refuse(404, "/routers", "Router-v3", dto{"name": "r", "tenantId": w.tenant, "inboundFilterId": id})
			require.Equal(w.t, "There is no Chain with ID "+id+".", message)
		}),
		proves("2.http.referenceTaken", func(w *Wire) {
			b := w.bridge()
			first, second, third := w.bridgePort(b), w.bridgePort(b), w.bridgePort(b)
			w.link(first, second)
			w.errorBody(409, w.typed("POST", third.text("link"), "PortLink-v1", w.json(dto{"peerId": second["id"]})))
		}),
		proves("2.http.concurrentChange", concurrentLinks),
		proves("2.http.validation 2.error.violations 2.error.validationMessage", func(w *Wire) {
			w.violates("name", "/chains", "Chain-v1", dto{"tenantId": w.tenant, "name": strings.Repeat("x", 256)})
		}),
		proves("2.http.malformedJSON", func(w *Wire) {
			for _, body := range []string{"", "nonsense", `{"name":`, `{"name":"x"}}`, `[]`, `"x"`, `{'name':1}`, `{"name":"` + "\x00" + `"}`} {
				a := w.typed("POST", "/chains", "Chain-v1", body)
				w.errorBody(400, a)
				require.NotContains(w.t, w.object(a.body), "violations", body)
			}
		}),
		proves("2.http.unknownType", func(w *Wire) {
			for _, of := range []struct{ uri, media string }{
				{w.bridge().text("ports"), "Port-v3"}, {w.chain().text("rules"), "Rule-v2"},
			} {
				w.refuse(400, of.uri, of.media, dto{"type": "nonsense"})
				w.refuse(400, of.uri, of.media, dto{})
			}
		}),
		proves("2.http.badEnum", func(w *Wire) {
			w.refuse(400, w.chain().text("rules"), "Rule-v2", dto{"type": "accept", "fragmentPolicy": "sometimes"})
			w.refuse(400, "/tunnel_zones", "TunnelZone-v1", dto{"name": w.tenant, "type": "sometimes"})
		}),
	}, methodCases()...)
}

func methodCases() []Case {
	return append([]Case{
		proves("2.http.methodNotOffered", func(w *Wire) {
			for _, c := range [][2]string{{"PUT", "/chains/"}, {"PUT", "/rules/"}, {"PUT", "/routes/"}} {
				a := w.typed(c[0], c[1]+uuid.NewString(), plainJSON, "{}")
				w.errorBody(405, a)
				require.Contains(w.t, a.header.Get("Allow"), "GET")
			}
		}),
		proves("2.http.badUUIDBelow", func(w *Wire) {
			for _, path := range []string{"/routers/no-uuid/ports", "/bridges/no-uuid/ports", "/chains/no-uuid/rules", "/hosts/no-uuid/interfaces"} {
				w.missing(path)
			}
		}),
		proves("2.http.badUUIDTop", func(w *Wire) {
			for _, path := range []string{"/routers/no-uuid", "/bridges/%00", "/chains/" + strings.Repeat("x", 1000), "/rules/0", "/ports/..%2F..", "/hosts/no-uuid", "/tunnel_zones/no-uuid"} {
				w.missing(path)
			}
		}).differs("answers 500"),
		proves("2.http.options", func(w *Wire) {
			w.token = ""
			for _, path := range []string{"", "/routers", "/login", "/ports/" + uuid.NewString()} {
				a := w.call("OPTIONS", path, "")
				require.Equal(w.t, 200, a.status)
				require.Equal(w.t, "*", a.header.Get("Access-Control-Allow-Origin"))
			}
		}),
		proves("2.http.gzipAnswer", gzipAnswer),
		proves("2.http.gzipRequest", gzipRequest),
	}, headerCases()...)
}

func headerCases() []Case {
	return []Case{
		proves("2.http.ignoredBody", func(w *Wire) {
			r := w.router()
			for _, body := range []string{"{}", "nonsense", `{"id":"` + uuid.NewString() + `"}`} {
				a := w.call("GET", r.text("uri"), body, "Accept: "+w.type5("Router-v3"))
				require.Equal(w.t, 200, a.status)
				require.Equal(w.t, r, w.object(a.body))
			}
			require.Equal(w.t, 204, w.call("DELETE", r.text("uri"), "nonsense").status)
		}),
		proves("2.http.storageTimeout", storeAway).beside(),
		cors("origin", "Allow-Origin", "*"),
		cors("methods", "Allow-Methods", "GET, POST, PUT, DELETE, OPTIONS"),
		cors("expose", "Expose-Headers", "Location"),
		cors("headers", "Allow-Headers", "Origin, X-Auth-Token, X-Auth-Project, Content-Type, Accept, Authorization"),
		proves("2.error.mediaType 2.error.code", func(w *Wire) {
			for status, a := range map[int]answer{
				404: w.call("GET", "/routers/"+uuid.NewString(), "", "Accept: */*"),
				406: w.call("GET", "/routers", "", "Accept: text/html"),
				405: w.call("PUT", "/routers", "{}", "Content-Type: "+plainJSON),
				400: w.typed("POST", "/routers", "Router-v3", "nonsense"),
			} {
				w.errorBody(status, a)
			}
		}),
		proves("2.error.message", func(w *Wire) {
			a := w.call("GET", "/routers/"+uuid.NewString(), "", "Accept: */*")
			e := w.object(a.body)
			require.Contains(w.t, e, "message")
			if e["message"] != nil {
				require.IsType(w.t, "", e["message"])
			}
		}),
	}
}

// cors checks a header on an answer, on an error and on a refusal.
func cors(cell, header, want string) Case {
	return proves("2.cors."+cell, func(w *Wire) {
		path := "/routers/" + uuid.NewString()
		answers := []answer{w.call("GET", "/routers", "", "Accept: */*"), w.call("GET", path, "", "Accept: */*"), w.call("OPTIONS", path, "")}
		w.token = ""
		answers = append(answers, w.call("GET", path, "", "Accept: */*"), w.call("POST", "/login", ""))
		for _, a := range answers {
			require.Equal(w.t, want, a.header.Get("Access-Control-"+header), a.status)
		}
	})
}

// unknownProperties sends a property that nobody knows with every resource.
func unknownProperties(w *Wire) {
	odd := dto{"deep": []any{dto{"x": nil}}}
	b, c, r := w.bridge(), w.chain(), w.router()
	for _, of := range []struct {
		uri, media string
		body       dto
	}{
		{"/routers", "Router-v3", dto{"name": "x", "tenantId": w.tenant}},
		{"/bridges", "Bridge-v4", dto{"name": "x", "tenantId": w.tenant}},
		{"/chains", "Chain-v1", dto{"name": "x", "tenantId": w.tenant}},
		{b.text("ports"), "Port-v3", dto{"type": bridgeKind}},
		{r.text("ports"), "Port-v3", dto{"type": routerKind, "portAddress": "10.0.0.1", "networkAddress": "10.0.0.0", "networkLength": 24}},
		{c.text("rules"), "Rule-v2", dto{"type": "accept"}},
		{r.text("routes"), "Route-v1", dto{"type": "BlackHole", "srcNetworkAddr": "0.0.0.0", "dstNetworkAddr": "10.9.0.0", "dstNetworkLength": 16}},
		{"/hosts", "Host-v3", dto{"id": uuid.NewString(), "name": "h"}},
		{"/tunnel_zones", "TunnelZone-v1", dto{"name": w.tenant, "type": "vxlan"}},
	} {
		require.NotContains(w.t, w.create(of.uri, of.media, of.body.with("nobodyKnows", odd)), "nobodyKnows")
	}
}

// concurrentLinks lets many ports be linked to one at the same time.
func concurrentLinks(w *Wire) {
	b := w.bridge()
	wanted := w.bridgePort(b)
	const writers = 8
	rivals := make([]dto, writers)
	requests := make([]*http.Request, writers)
	for i := range rivals {
		rivals[i] = w.bridgePort(b)
		requests[i] = w.request(w.t.Context(), "POST", rivals[i].text("link"), w.json(dto{"peerId": wanted["id"]}),
			[]string{"Content-Type: " + w.type5("PortLink-v1")})
	}
	statuses := make([]int, writers)
	var all sync.WaitGroup
	for i, q := range requests {
		all.Go(func() {
			resp, err := w.http.Do(q)
			if err == nil {
				statuses[i] = resp.StatusCode
				resp.Body.Close()
			}
		})
	}
	all.Wait()
	won := -1
	for i, status := range statuses {
		if status == 201 {
			require.Equal(w.t, -1, won, "one alone wins: %v", statuses)
			won = i
			continue
		}
		require.Equal(w.t, 409, status, "%v", statuses)
		require.Nil(w.t, w.get(rivals[i].text("uri"), "Port-v3")["peerId"])
	}
	require.NotEqual(w.t, -1, won, "%v", statuses)
	require.Equal(w.t, rivals[won]["id"], w.get(wanted.text("uri"), "Port-v3")["peerId"])
}

// away is an API whose store does not answer.
type away struct{ sdn.API }

func (away) Routers(context.Context, sdn.TenantID) ([]sdn.Router, error) {
	return nil, sdn.ErrUnavailable
}

func storeAway(w *Wire) {
	w.URL = w.Own.Serve(w.t, server.Options{API: away{}})
	w.token = w.login()
	a := w.call("GET", "/routers", "", "Accept: */*")
	w.errorBody(503, a)
	require.Equal(w.t, "3", a.header.Get("RetryAfter"))
}
