package conformance

import (
	"context"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/access"
	"github.com/moatnet/moat/sdn/server"
	"github.com/moatnet/moat/sdn/wire"
)

// badges is an authenticator whose tokens are the names of its identities.
type badges map[string]access.Identity

// Login implements access.Authenticator.
func (b badges) Login(_ context.Context, c access.Credentials) (access.Token, error) {
	if _, known := b[c.User]; !known {
		return access.Token{}, sdn.ErrUnauthorized
	}
	return access.Token{Key: c.User}, nil
}

// Check implements access.Authenticator.
func (b badges) Check(_ context.Context, token string) (access.Identity, error) {
	who, known := b[token]
	if !known {
		return access.Identity{}, sdn.ErrUnauthorized
	}
	return who, nil
}

// company serves the target's topology to an administrator and to an admin and
// a user of the case's tenant; tokens are "admin", "owner" and "user".
func (w *Wire) company() {
	w.t.Helper()
	mine := sdn.TenantID(w.tenant)
	w.URL = w.Own.Serve(w.t, server.Options{API: w.Own.Topology, Auth: badges{
		"admin": {User: "admin", Role: access.Admin},
		"owner": {User: "owner", Role: access.TenantAdmin, Tenant: mine},
		"user":  {User: "user", Role: access.TenantUser, Tenant: mine},
	}})
	w.token = "admin"
}

// as speaks with another token; what is made is removed by the administrator.
func (w *Wire) as(token string) *Wire {
	other := *w
	other.token = token
	return &other
}

func roleCases() []Case {
	roles := func(w *Wire) {
		w.company()
		owner, user := w.as("owner"), w.as("user")
		foreign := w.create("/routers", "Router-v3", dto{"name": "r", "tenantId": "other-" + w.tenant})
		own := owner.router()
		require.Equal(w.t, own, user.get(own.text("uri"), "Router-v3"))
		user.errorBody(403, user.typed("POST", "/routers", "Router-v3", w.json(w.named())))
		user.errorBody(403, user.typed("PUT", own.text("uri"), "Router-v3", w.json(own.with("name", "x"))))
		user.errorBody(403, user.call("DELETE", own.text("uri"), ""))
		for _, who := range []*Wire{owner, user} {
			who.errorBody(403, who.call("GET", foreign.text("uri"), "", "Accept: */*"))
			who.errorBody(403, who.call("DELETE", foreign.text("uri"), ""))
			who.errorBody(403, who.call("GET", "/hosts", "", "Accept: */*"))
			who.errorBody(403, who.typed("POST", "/routers", "Router-v3", w.json(dto{"name": "r", "tenantId": "other-" + w.tenant})))
		}
		require.Equal(w.t, own, w.get(own.text("uri"), "Router-v3"), "nothing was changed")
		require.Equal(w.t, foreign, w.get(foreign.text("uri"), "Router-v3"))
		require.Equal(w.t, []string{own.text("id")}, ids(user.list("/routers?tenant_id="+w.tenant, "Router-v3")))
	}
	return slices.Concat([]Case{
		proves("2.auth.lackingRole", lackingRole).beside(),
		proves("1.diff.roles.v1", roles).beside().in(wire.V1),
		proves("1.diff.roles.v5", roles).beside().in(wire.V5),
		proves("1.diff.list.v1", func(w *Wire) {
			w.company()
			owner := w.as("owner")
			for _, of := range [][2]string{{"/routers", "Router-v3"}, {"/bridges", "Bridge-v4"}} {
				owner.errorBody(403, owner.call("GET", of[0], "", "Accept: */*"))
				require.Empty(w.t, owner.list(of[0]+"?tenant_id="+w.tenant, of[1]))
				w.list(of[0], of[1])
			}
		}).beside().in(wire.V1),
	})
}

// lackingRole tries every resource that is for administrators alone, and
// references to what is another tenant's.
func lackingRole(w *Wire) {
	w.company()
	owner := w.as("owner")
	zone, host := w.zone(), w.host()
	foreignChain := w.create("/chains", "Chain-v1", dto{"name": "c", "tenantId": "other-" + w.tenant})
	foreignBridge := w.create("/bridges", "Bridge-v4", dto{"name": "b", "tenantId": "other-" + w.tenant})
	foreignPort := w.bridgePort(foreignBridge)
	own := owner.bridge()
	port := owner.bridgePort(own)
	for _, c := range []struct {
		method, uri, media string
		body               dto
	}{
		{"GET", "/tunnel_zones", zoneMedia, nil}, {"POST", "/tunnel_zones", zoneMedia, newZone()}, {"DELETE", zone.text("uri"), "", nil},
		{"POST", zone.text("hosts"), memberMedia, dto{"hostId": host["id"], "ipAddress": "192.0.2.1"}},
		{"POST", host.text("ports"), bindingMedia, binding(port, "eth1")},
		{"POST", "/ip_addr_groups", addrGroupMedia, dto{"name": "g"}},
		{"POST", foreignBridge.text("ports"), "Port-v3", dto{"type": bridgeKind}},
		{"POST", port.text("link"), "PortLink-v1", dto{"peerId": foreignPort["id"]}},
		{"PUT", own.text("uri"), "Bridge-v4", own.with("inboundFilterId", foreignChain["id"])},
		{"PUT", own.text("uri"), "Bridge-v4", own.with("tenantId", "other-"+w.tenant)},
		{"POST", foreignChain.text("rules"), "Rule-v2", dto{"type": "drop"}},
		{"DELETE", foreignPort.text("uri"), "", nil},
	} {
		a := owner.call(c.method, c.uri, w.json(c.body), "Content-Type: "+w.type5(c.media), "Accept: */*")
		require.Equal(w.t, 403, a.status, "%s %s: %s", c.method, c.uri, a.body)
	}
	require.Equal(w.t, own, w.get(own.text("uri"), "Bridge-v4"), "nothing was changed")
	require.Equal(w.t, port, w.port(port))
	require.Empty(w.t, w.list(foreignChain.text("rules"), "Rule-v2"))
	require.Empty(w.t, w.list(zone.text("hosts"), memberMedia))
}
