package conformance

import (
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/auth"
	"github.com/moatnet/moat/sdn/server"
)

const challenge = `Basic  realm="BASIC_AUTH_REALM"`

func (w *Wire) basic(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func (w *Wire) loginWith(method string, headers ...string) answer {
	w.t.Helper()
	w.token = ""
	return w.call(method, "/login", "{}", headers...)
}

func loginCases() []Case {
	return append([]Case{
		proves("2.auth.tokenNeeded", func(w *Wire) {
			w.token = ""
			for _, path := range []string{"", "/", "/routers", "/routers/" + uuid.NewString(), "/system_state", "/tenants", "/nothing"} {
				w.errorBody(401, w.call("GET", path, "", "Accept: */*"))
			}
			w.errorBody(401, w.typed("POST", "/routers", "Router-v3", w.json(w.named())))
		}).differs("with its mock provider lets everybody in"),
		proves("2.auth.badToken", func(w *Wire) {
			for _, token := range []string{"nonsense", w.token + "0", strings.Repeat("x", 4096)} {
				w.token = token
				w.errorBody(401, w.call("GET", "/routers", "", "Accept: */*"))
			}
		}).differs("with its mock provider takes any token"),
		proves("2.auth.expiredToken", func(w *Wire) {
			w.URL = w.Own.Serve(w.t, server.Options{API: w.Own.Topology, Auth: auth.NewPasswordAuth(w.User, w.Password, time.Nanosecond)})
			w.token = w.login()
			w.errorBody(401, w.call("GET", "/routers", "", "Accept: */*"))
		}).beside(),
		proves("2.auth.challenge 2.login.wrong", func(w *Wire) {
			for _, a := range []answer{w.loginWith("POST", w.basic(w.User, w.Password+"x")), w.loginWith("POST", w.basic(w.User+"x", w.Password))} {
				w.errorBody(401, a)
				require.Equal(w.t, challenge, a.header.Get("WWW-Authenticate"))
			}
		}).differs("with its mock provider takes any password"),
		proves("2.auth.filterOrder", func(w *Wire) {
			w.token = ""
			a := w.call("GET", "/routers", "", "Accept: */*")
			require.Equal(w.t, "*", a.header.Get("Access-Control-Allow-Origin"))
			require.Equal(w.t, 200, w.loginWith("POST", w.basic(w.User, w.Password)).status)
		}),
		proves("2.auth.forbidden.hostDelete", func(w *Wire) {
			h := w.bindable()
			w.bind(h, w.bridgePort(w.bridge()), "eth1")
			w.errorBody(403, w.call("DELETE", h.text("uri"), ""))
			w.get(h.text("uri"), "Host-v3")
		}),
	}, loginRequests()...)
}

func loginRequests() []Case {
	return append([]Case{
		proves("2.login.anyMethod", func(w *Wire) {
			for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH"} {
				require.Equal(w.t, 200, w.loginWith(method, w.basic(w.User, w.Password)).status, method)
			}
		}),
		proves("2.login.path", func(w *Wire) {
			for _, path := range []string{"/login/x", "/logins", "/Login", "/routers/login"} {
				w.token = ""
				a := w.call("POST", path, "{}", w.basic(w.User, w.Password))
				require.Empty(w.t, a.header.Get("Set-Cookie"), path)
				require.Equal(w.t, 401, a.status, path)
			}
		}).differs("with its mock provider lets everybody in"),
		proves("2.login.basic", func(w *Wire) {
			for _, scheme := range []string{"Basic", "basic", "BASIC"} {
				header := strings.Replace(w.basic(w.User, w.Password), "Basic", scheme, 1)
				require.Equal(w.t, 200, w.loginWith("POST", header).status, scheme)
			}
		}).differs("takes the one spelling"),
		proves("2.login.project", func(w *Wire) {
			require.Equal(w.t, 200, w.loginWith("POST", w.basic(w.User, w.Password)).status)
			require.Equal(w.t, 200, w.loginWith("POST", w.basic(w.User, w.Password), "X-Auth-Project: admin").status)
		}).differs("with Keystone checks the project"),
		refusedLogin("noHeader", "Authorization header is not set."),
		refusedLogin("notBasic", "Authorization header does not contain Basic.", "Bearer x", "Digest username=x", "Basic"),
		refusedLogin("malformed", "Authorization header is not valid", "Basic %%%", "Basic YWRtaW4=", "Basic ===="),
		proves("2.login.colon", func(w *Wire) {
			colons := auth.NewPasswordAuth("user", "pass:word:", time.Hour)
			w.URL = w.Own.Serve(w.t, server.Options{API: w.Own.Topology, Auth: colons})
			a := w.loginWith("POST", w.basic("user", "pass:word:"))
			require.Equal(w.t, 200, a.status, a.body)
			require.Equal(w.t, 401, w.loginWith("POST", w.basic("user", "pass")).status)
		}).beside(),
	}, loginAnswers()...)
}

func loginAnswers() []Case {
	return []Case{
		proves("2.login.ok", func(w *Wire) {
			a := w.loginWith("POST", w.basic(w.User, w.Password))
			require.Equal(w.t, 200, a.status, a.body)
			require.Regexp(w.t, `(?i)^`+strings.ReplaceAll(vendor, ".", `\.`)+`Token-v1\+json; ?charset=utf-8$`, a.header.Get("Content-Type"))
		}),
		proves("2.login.key", func(w *Wire) {
			w.token = w.object(w.loginWith("POST", w.basic(w.User, w.Password)).body).text("key")
			require.Equal(w.t, 200, w.call("GET", "", "", "Accept: */*").status)
		}),
		proves("2.login.expires 2.login.dateFormat", func(w *Wire) {
			body := w.object(w.loginWith("POST", w.basic(w.User, w.Password)).body)
			require.Contains(w.t, body, "expires")
			if body["expires"] == nil {
				return
			}
			at, err := time.Parse("Mon, 02-01-2006 15:04:05 MST", body.text("expires"))
			require.NoError(w.t, err)
			require.True(w.t, at.After(time.Now()), at)
			require.True(w.t, strings.HasSuffix(body.text("expires"), " UTC"))
		}),
		proves("2.login.cookie", func(w *Wire) {
			a := w.loginWith("POST", w.basic(w.User, w.Password))
			body := w.object(a.body)
			want := "sessionId=" + body.text("key")
			if body["expires"] != nil {
				want += "; Expires=" + body.text("expires")
			}
			require.Equal(w.t, want, a.header.Get("Set-Cookie"))
		}),
		proves("2.login.cookieNotRead", func(w *Wire) {
			cookie := "Cookie: sessionId=" + w.token
			w.token = ""
			w.errorBody(401, w.call("GET", "/routers", "", "Accept: */*", cookie))
		}).differs("with its mock provider lets everybody in"),
	}
}

func refusedLogin(cell, message string, headers ...string) Case {
	return proves("2.login."+cell, func(w *Wire) {
		if len(headers) == 0 {
			require.Equal(w.t, message, w.errorBody(401, w.loginWith("POST")))
		}
		for _, h := range headers {
			require.Equal(w.t, message, w.errorBody(401, w.loginWith("POST", "Authorization: "+h)), h)
		}
	})
}

func tenantCases() []Case {
	all := []Case{
		proves("2.tenants.list", func(w *Wire) {
			w.chain()
			require.Contains(w.t, ids(w.list("/tenants", "Tenant-v2")), w.tenant)
		}).differs("lists what its provider knows"),
		proves("2.tenants.marker 2.tenants.limit", pagedTenants).beside(),
		proves("2.tenants.get", func(w *Wire) {
			require.Equal(w.t, w.tenant, w.get("/tenants/"+w.tenant, "Tenant-v2")["id"])
		}),
		proves("2.tenants.madeUp", func(w *Wire) {
			require.Equal(w.t, "never seen", w.get("/tenants/never%20seen", "Tenant-v2")["id"])
		}),
		proves("2.tenants.unchecked", func(w *Wire) {
			require.Equal(w.t, w.tenant, w.router()["tenantId"], "nobody made that tenant")
		}),
	}
	for method, path := range map[string]string{http.MethodPost: "/tenants", http.MethodPut: "/tenants/t", http.MethodDelete: "/tenants/t"} {
		all = append(all, proves("2.tenants."+strings.ToLower(method), func(w *Wire) {
			w.errorBody(405, w.typed(method, path, "Tenant-v2", "{}"))
		}))
	}
	for _, f := range []struct {
		name string
		want func(w *Wire) any
	}{
		{"id", func(w *Wire) any { return w.tenant }},
		{"name", func(w *Wire) any { return w.tenant }},
		{"enabled", func(*Wire) any { return true }},
		{"uri", func(w *Wire) any { return w.URL + "/tenants/" + w.tenant }},
		{"routers", func(w *Wire) any { return w.URL + "/routers?tenant_id=" + w.tenant }},
		{"bridges", func(w *Wire) any { return w.URL + "/bridges?tenant_id=" + w.tenant }},
		{"chains", func(w *Wire) any { return w.URL + "/chains?tenant_id=" + w.tenant }},
		{"portGroups", func(w *Wire) any { return w.URL + "/port_groups?tenant_id=" + w.tenant }},
	} {
		all = append(all, proves("2.tenants.field."+f.name, func(w *Wire) {
			w.chain()
			w.same(f.want(w), w.get("/tenants/"+w.tenant, "Tenant-v2")[f.name])
		}))
	}
	all = append(all, proves("2.tenants.field.description", func(w *Wire) {
		require.Contains(w.t, w.get("/tenants/"+w.tenant, "Tenant-v2"), "description")
	}))
	only5(all, "description", "enabled")
	return all
}

// pagedTenants walks through the tenants of a topology one by one.
func pagedTenants(w *Wire) {
	for _, name := range []string{"page-a", "page-b", "page-c"} {
		_, err := w.Own.Topology.CreateChain(w.t.Context(), sdn.Chain{TenantID: sdn.TenantID(w.tenant + name)})
		require.NoError(w.t, err)
	}
	var seen []string
	marker := ""
	for {
		page := w.list("/tenants?limit=1&marker="+marker, "Tenant-v2")
		if len(page) == 0 {
			break
		}
		require.Len(w.t, page, 1)
		marker = page[0].text("id")
		seen = append(seen, marker)
	}
	require.Equal(w.t, ids(w.list("/tenants", "Tenant-v2")), seen)
	for _, c := range w.list("/chains", "Chain-v1") {
		if strings.HasPrefix(c.text("tenantId"), w.tenant) {
			w.remove(c.text("uri"))
		}
	}
	w.errorBody(400, w.call("GET", "/tenants?limit=x", "", "Accept: */*"))
	require.Empty(w.t, w.list("/tenants?limit=0", "Tenant-v2"))
}
