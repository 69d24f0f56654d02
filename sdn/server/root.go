package server

import (
	"net/http"

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
