package server

import (
	"errors"
	"net/http"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

const kindRouter = "Router"

// tenantOf reads the query parameter that narrows a list.
func tenantOf(c *call) sdn.TenantID {
	return sdn.TenantID(c.query.Get(wire.TenantQuery))
}

// named words an ErrNotFound about the object that the path names.
func named(err error, kind, id string) error {
	if errors.Is(err, sdn.ErrNotFound) {
		return missing(kind, id)
	}
	return err
}

func (s *server) registerRouters() {
	one, many := own(wire.RouterV3), lists(wire.RouterV3)
	s.handle("/"+wire.Routers, map[string]operation{
		http.MethodGet:  {gives: many, do: s.listRouters},
		http.MethodPost: {takes: one, gives: one, do: s.createRouter},
	})
	s.handle("/"+wire.Routers+"/{id}", map[string]operation{
		http.MethodGet:    {gives: one, do: s.getRouter},
		http.MethodPut:    {takes: one, do: s.putRouter},
		http.MethodDelete: {do: s.deleteRouter},
	})
}

func (s *server) listRouters(c *call) (answer, error) {
	tenant := tenantOf(c)
	if err := c.wholeList(tenant); err != nil {
		return answer{}, err
	}
	rs, err := c.api.Routers(c.Context(), tenant)
	return shown(rs, err, c.uris.Router)
}

func (s *server) createRouter(c *call) (answer, error) {
	r, err := wire.ParseRouter(c.body)
	if err != nil {
		return answer{}, err
	}
	if err := c.owned(r.Name, r.TenantID); err != nil {
		return answer{}, err
	}
	r, err = c.api.CreateRouter(c.Context(), r)
	if err != nil {
		return answer{}, err
	}
	d := c.uris.Router(r)
	return created(d.URI, d), nil
}

func (s *server) router(c *call) (sdn.Router, error) {
	id, err := pathID[sdn.RouterID](c, "id", kindRouter)
	if err != nil {
		return sdn.Router{}, err
	}
	r, err := c.api.Router(c.Context(), id)
	return r, named(err, kindRouter, string(id))
}

func (s *server) getRouter(c *call) (answer, error) {
	r, err := s.router(c)
	return ok(c.uris.Router(r)), err
}

func (s *server) putRouter(c *call) (answer, error) {
	stored, err := s.router(c)
	if err != nil {
		return answer{}, err
	}
	if err := c.complete(c.uris.Router(stored)); err != nil {
		return answer{}, err
	}
	r, err := wire.ParseRouter(c.body)
	if err != nil {
		return answer{}, err
	}
	if err := c.owned(r.Name, r.TenantID); err != nil {
		return answer{}, err
	}
	r.ID = stored.ID
	return noContent(c.api.UpdateRouter(c.Context(), r))
}

func (s *server) deleteRouter(c *call) (answer, error) {
	id, err := pathID[sdn.RouterID](c, "id", kindRouter)
	if err != nil {
		return answer{}, err
	}
	return gone(c.api.DeleteRouter(c.Context(), id))
}
