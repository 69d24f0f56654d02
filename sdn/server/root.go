package server

import (
	"net/http"
	"slices"
	"sort"
	"strconv"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

// own is a media type with application/json beside it.
func own(types ...string) []string { return append(types, wire.JSON) }

// lists is the collection types with application/json beside them.
func lists(types ...string) []string {
	out := make([]string, 0, len(types)+1)
	for _, t := range types {
		out = append(out, wire.Collection(t))
	}
	return append(out, wire.JSON)
}

func (s *server) registerRoot() {
	s.handle(rootPath(s.base), map[string]operation{
		http.MethodGet: {gives: own(wire.ApplicationV5), do: func(c *call) (answer, error) {
			return ok(c.uris.ApplicationIn(s.release, c.gives)), nil
		}},
	})
	if s.base != "" {
		s.mux.HandleFunc("/", s.notFound)
	} else {
		s.mux.HandleFunc("/{path...}", s.notFound)
	}
	state := map[string]operation{
		http.MethodGet: {gives: own(wire.SystemStateV2), do: func(*call) (answer, error) {
			return ok(wire.NewState()), nil
		}},
	}
	if s.release == wire.V1 {
		state[http.MethodPut] = operation{takes: own(wire.SystemStateV2), do: s.putState}
	}
	s.handle("/"+wire.SystemState, state)
	s.handle("/"+wire.Tenants, map[string]operation{
		http.MethodGet: {gives: []string{wire.Collection(wire.TenantV2)}, do: s.listTenants},
	})
	s.handle("/"+wire.Tenants+"/{id}", map[string]operation{
		// A tenant is the name that objects carry, so any name is one.
		http.MethodGet: {gives: []string{wire.TenantV2}, do: func(c *call) (answer, error) {
			return ok(c.uris.Tenant(sdn.TenantID(c.PathValue("id")))), nil
		}},
	})
}

// rootPath is the pattern of the application root below the base.
func rootPath(base string) string {
	if base == "" {
		return "/{$}"
	}
	return ""
}

func (s *server) notFound(w http.ResponseWriter, r *http.Request) {
	s.fail(w, r, wire.Refuse(sdn.ErrNotFound, "There is no such resource."))
}

// listTenants pages by name: marker is the last name of the page before, limit
// the greatest number of tenants.
func (s *server) listTenants(c *call) (answer, error) {
	names, err := c.api.Tenants(c.Context())
	if err != nil {
		return answer{}, err
	}
	if marker := sdn.TenantID(c.URL.Query().Get("marker")); marker != "" {
		slices.Sort(names)
		names = names[sort.Search(len(names), func(i int) bool { return names[i] > marker }):]
	}
	if text := c.URL.Query().Get("limit"); text != "" {
		limit, err := strconv.Atoi(text)
		if err != nil || limit < 0 {
			return answer{}, wire.Refuse(sdn.ErrInvalid, "limit is not a number.")
		}
		names = names[:min(limit, len(names))]
	}
	return shown(names, nil, c.uris.Tenant)
}

// registerUnserved lists what belongs to the dialect and is not served.
func (s *server) registerUnserved() {
	for _, collection := range wire.UnservedCollections() {
		s.subtree("/" + collection)
	}
	for parent, children := range wire.UnservedBelow() {
		for _, child := range children {
			s.subtree("/" + parent + "/{id}/" + child)
		}
	}
	s.subtree("/" + wire.Routers + "/{id}/" + wire.Ports + "/{port}/" + wire.PeeringTable)
}

// subtree answers 501 for a path and all below it.
func (s *server) subtree(path string) {
	s.mux.HandleFunc(s.base+path, s.unserved)
	s.mux.HandleFunc(s.base+path+"/{rest...}", s.unserved)
}
