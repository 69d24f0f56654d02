package control

import (
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/moatnet/moat/ipam"
)

func handleAddresses(mux *http.ServeMux, ops AddressOperations) {
	mux.HandleFunc("GET /addresses", reply(func(r *http.Request) (any, error) {
		q := AddressQuery{Scope: scopeOf(r), Node: param(r, nodeParam)}
		if text := param(r, addressParam); text != "" {
			var err error
			if q.Address, err = netip.ParseAddr(text); err != nil {
				return nil, fmt.Errorf("address %q: %w", text, err)
			}
		}
		return ops.Addresses(r.Context(), q)
	}))
	mux.HandleFunc("GET /usage", reply(func(r *http.Request) (any, error) { return ops.Usage(r.Context()) }))
	mux.HandleFunc("PUT /addresses/{address}", reply(func(r *http.Request) (any, error) {
		a, err := netip.ParseAddr(r.PathValue("address"))
		if err != nil {
			return nil, fmt.Errorf("reserve: %w", err)
		}
		during, err := time.ParseDuration(param(r, duringParam))
		if err != nil {
			return nil, fmt.Errorf("reserve %s: %w", a, err)
		}
		return ops.Reserve(r.Context(), ReserveRequest{Scope: scopeOf(r), Address: a, For: param(r, forParam), Note: param(r, noteParam), During: during})
	}))
	mux.HandleFunc("DELETE /addresses/{address}", reply(func(r *http.Request) (any, error) {
		a, err := netip.ParseAddr(r.PathValue("address"))
		if err != nil {
			return nil, fmt.Errorf("release: %w", err)
		}
		return ops.Release(r.Context(), ReleaseRequest{Scope: scopeOf(r), Address: a, Force: is(r, forceParam)})
	}))
	mux.HandleFunc("POST /audit", reply(func(r *http.Request) (any, error) {
		return ops.Audit(r.Context(), AuditRequest{Node: is(r, nodeParam), Repair: is(r, repairParam), DropUnreadable: is(r, dropParam)})
	}))
}

func scopeOf(r *http.Request) ipam.Scope {
	return ipam.Scope{Kind: ipam.ScopeKind(param(r, scopeParam)), Name: param(r, nameParam)}
}

func param(r *http.Request, name string) string { return r.URL.Query().Get(name) }
func is(r *http.Request, name string) bool      { return param(r, name) == "true" }
