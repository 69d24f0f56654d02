package server

import (
	"errors"
	"net/http"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

func (s *server) registerPortGroupPorts() {
	one, many := own(wire.PortGroupPortV1), lists(wire.PortGroupPortV1)
	s.handle("/"+wire.PortGroups+"/{id}/"+wire.Ports, map[string]operation{
		http.MethodGet:  {gives: many, manual: true, do: s.listGroupPorts},
		http.MethodPost: {takes: one, gives: one, manual: true, do: s.addGroupPort},
	})
	s.handle("/"+wire.PortGroups+"/{id}/"+wire.Ports+"/{port}", map[string]operation{
		http.MethodGet:    {gives: one, manual: true, do: s.getGroupPort},
		http.MethodDelete: {do: s.removeGroupPort},
	})
	s.handle("/"+wire.Ports+"/{id}/"+wire.PortGroups, map[string]operation{
		http.MethodGet: {gives: []string{wire.Collection(wire.PortGroupPortV1)}, manual: true, do: s.listGroupsOfPort},
	})
}

func (s *server) listGroupPorts(c *call) (answer, error) {
	g, err := s.portGroup(c)
	if err != nil {
		return answer{}, err
	}
	ms, err := c.api.PortGroupPorts(c.Context(), g.ID)
	return shown(ms, err, c.uris.PortGroupPort)
}

func (s *server) listGroupsOfPort(c *call) (answer, error) {
	p, err := s.port(c)
	if err != nil {
		return answer{}, err
	}
	ms, err := c.api.GroupsOfPort(c.Context(), p.ID)
	return shown(ms, err, c.uris.PortGroupPort)
}

// addGroupPort answers 409 without a body, as MidoNet does.
func (s *server) addGroupPort(c *call) (answer, error) {
	group, err := pathID[sdn.PortGroupID](c, "id", kindPortGroup)
	if err != nil {
		return answer{}, err
	}
	m, err := wire.ParsePortGroupPort(c.body)
	if err != nil {
		return answer{}, err
	}
	m.Group = group
	err = c.api.AddPortGroupPort(c.Context(), m)
	switch {
	case errors.Is(err, sdn.ErrExists):
		return answer{status: http.StatusConflict}, nil
	case err != nil:
		return answer{}, err
	}
	d := c.uris.PortGroupPort(m)
	return created(d.URI, d), nil
}

// groupPort reads the membership that the path names.
func groupPort(c *call) (sdn.PortGroupPort, error) {
	group, err := pathID[sdn.PortGroupID](c, "id", kindPortGroup)
	if err != nil {
		return sdn.PortGroupPort{}, err
	}
	port, err := pathID[sdn.PortID](c, "port", kindPort)
	return sdn.PortGroupPort{Group: group, Port: port}, err
}

// getGroupPort looks among the port's groups, which are fewer than the group's
// ports. A port that is no member is 404 without a body, as in MidoNet.
func (s *server) getGroupPort(c *call) (answer, error) {
	m, err := groupPort(c)
	if err != nil {
		return answer{}, err
	}
	ms, err := c.api.GroupsOfPort(c.Context(), m.Port)
	if err != nil {
		return answer{}, named(err, kindPort, string(m.Port))
	}
	for _, have := range ms {
		if have == m {
			return ok(c.uris.PortGroupPort(m)), nil
		}
	}
	return answer{status: http.StatusNotFound}, nil
}

// removeGroupPort answers 404 without a body for a port that is no member, as
// MidoNet does.
func (s *server) removeGroupPort(c *call) (answer, error) {
	m, err := groupPort(c)
	if err != nil {
		return answer{}, err
	}
	err = c.api.RemovePortGroupPort(c.Context(), m)
	if !errors.Is(err, sdn.ErrNotFound) {
		return noContent(err)
	}
	if _, err := c.api.Port(c.Context(), m.Port); err != nil {
		return answer{}, named(err, kindPort, string(m.Port))
	}
	return answer{status: http.StatusNotFound}, nil
}
