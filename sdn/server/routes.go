package server

import (
	"errors"
	"net/http"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

const kindRoute = "Route"

func (s *server) registerRoutes() {
	one, many := own(wire.RouteV1), lists(wire.RouteV1)
	s.handle("/"+wire.Routers+"/{id}/"+wire.Routes, map[string]operation{
		http.MethodGet:  {gives: many, do: s.listRoutes},
		http.MethodPost: {takes: one, gives: one, do: s.createRoute},
	})
	s.handle("/"+wire.Routes+"/{id}", map[string]operation{
		http.MethodGet:    {gives: one, do: s.getRoute},
		http.MethodDelete: {do: s.deleteRoute},
	})
}

func (s *server) listRoutes(c *call) (answer, error) {
	r, err := s.router(c)
	if err != nil {
		return answer{}, err
	}
	routes, err := c.api.Routes(c.Context(), r.ID)
	return shown(routes, err, c.uris.Route)
}

func (s *server) createRoute(c *call) (answer, error) {
	router, err := pathID[sdn.RouterID](c, "id", kindRouter)
	if err != nil {
		return answer{}, err
	}
	r, err := wire.ParseRoute(c.body)
	if c.release == wire.V1 && (r.Type == sdn.RouteLocal || errors.Is(err, sdn.ErrUnsupported)) {
		return answer{}, wire.ErrRouteType
	}
	if err != nil {
		return answer{}, err
	}
	r.Router = router
	r, err = c.api.CreateRoute(c.Context(), r)
	if err != nil {
		return answer{}, err
	}
	d := c.uris.Route(r)
	return created(d.URI, d), nil
}

func (s *server) getRoute(c *call) (answer, error) {
	id, err := pathID[sdn.RouteID](c, "id", kindRoute)
	if err != nil {
		return answer{}, err
	}
	r, err := c.api.Route(c.Context(), id)
	return ok(c.uris.Route(r)), named(err, kindRoute, string(id))
}

func (s *server) deleteRoute(c *call) (answer, error) {
	id, err := pathID[sdn.RouteID](c, "id", kindRoute)
	if err != nil {
		return answer{}, err
	}
	return gone(c.api.DeleteRoute(c.Context(), id))
}
