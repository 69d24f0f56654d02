package server

import (
	"net/http"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

const kindPortGroup = "PortGroup"

func (s *server) registerPortGroups() {
	one, many := own(wire.PortGroupV1), lists(wire.PortGroupV1)
	s.handle("/"+wire.PortGroups, map[string]operation{
		http.MethodGet:  {gives: many, do: s.listPortGroups},
		http.MethodPost: {takes: one, gives: one, do: s.createPortGroup},
	})
	s.handle("/"+wire.PortGroups+"/{id}", map[string]operation{
		http.MethodGet:    {gives: []string{wire.PortGroupV1}, do: s.getPortGroup},
		http.MethodPut:    {takes: one, do: s.putPortGroup},
		http.MethodDelete: {do: s.deletePortGroup},
	})
}

// listPortGroups narrows by tenant and by member. What is no UUID is no port,
// and no group has it.
func (s *server) listPortGroups(c *call) (answer, error) {
	var port sdn.PortID
	if text := c.query.Get(wire.PortQuery); text != "" {
		id, err := sdn.ParseID[sdn.PortID](text)
		if err != nil {
			return shown(nil, nil, c.uris.PortGroup)
		}
		port = id
	}
	gs, err := c.api.PortGroups(c.Context(), tenantOf(c), port)
	return shown(gs, err, c.uris.PortGroup)
}

func (s *server) createPortGroup(c *call) (answer, error) {
	g, err := wire.ParsePortGroup(c.body)
	if err != nil {
		return answer{}, err
	}
	if err := c.owned(g.Name, g.TenantID); err != nil {
		return answer{}, err
	}
	g, err = c.api.CreatePortGroup(c.Context(), g)
	if err != nil {
		return answer{}, err
	}
	d := c.uris.PortGroup(g)
	return created(d.URI, d), nil
}

func (s *server) portGroup(c *call) (sdn.PortGroup, error) {
	id, err := pathID[sdn.PortGroupID](c, "id", kindPortGroup)
	if err != nil {
		return sdn.PortGroup{}, err
	}
	g, err := c.api.PortGroup(c.Context(), id)
	return g, named(err, kindPortGroup, string(id))
}

func (s *server) getPortGroup(c *call) (answer, error) {
	g, err := s.portGroup(c)
	return ok(c.uris.PortGroup(g)), err
}

func (s *server) putPortGroup(c *call) (answer, error) {
	stored, err := s.portGroup(c)
	if err != nil {
		return answer{}, err
	}
	if err := c.complete(c.uris.PortGroup(stored)); err != nil {
		return answer{}, err
	}
	g, err := wire.ParsePortGroup(c.body)
	if err != nil {
		return answer{}, err
	}
	if err := c.owned(g.Name, g.TenantID); err != nil {
		return answer{}, err
	}
	g.ID = stored.ID
	return noContent(c.api.UpdatePortGroup(c.Context(), g))
}

func (s *server) deletePortGroup(c *call) (answer, error) {
	id, err := pathID[sdn.PortGroupID](c, "id", kindPortGroup)
	if err != nil {
		return answer{}, err
	}
	return gone(c.api.DeletePortGroup(c.Context(), id))
}
