package server

import (
	"net/http"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

const kindHost = "Host"

func (s *server) registerHosts() {
	one, many := own(wire.HostV3), lists(wire.HostV3)
	s.handle("/"+wire.Hosts, map[string]operation{
		http.MethodGet:  {gives: many, do: s.listHosts},
		http.MethodPost: {takes: one, gives: one, do: s.createHost},
	})
	s.handle("/"+wire.Hosts+"/{id}", map[string]operation{
		http.MethodGet:    {gives: one, do: s.getHost},
		http.MethodPut:    {takes: one, do: s.putHost},
		http.MethodDelete: {do: s.deleteHost},
	})
	s.handle("/"+wire.Hosts+"/{id}/"+wire.Interfaces, map[string]operation{
		http.MethodGet: {gives: lists(wire.InterfaceV1), manual: true, do: s.listInterfaces},
	})
	s.handle("/"+wire.Hosts+"/{id}/"+wire.Interfaces+"/{name}", map[string]operation{
		http.MethodGet: {gives: own(wire.InterfaceV1), manual: true, do: s.getInterface},
	})
}

func (s *server) listHosts(c *call) (answer, error) {
	hs, err := c.api.Hosts(c.Context())
	return shown(hs, err, c.uris.Host)
}

func (s *server) createHost(c *call) (answer, error) {
	h, err := wire.ParseNewHost(c.body)
	if err != nil {
		return answer{}, err
	}
	h, err = c.api.CreateHost(c.Context(), h)
	if err != nil {
		return answer{}, err
	}
	d := c.uris.Host(h)
	return created(d.URI, d), nil
}

func (s *server) host(c *call) (sdn.Host, error) {
	id, err := pathID[sdn.HostID](c, "id", kindHost)
	if err != nil {
		return sdn.Host{}, err
	}
	h, err := c.api.Host(c.Context(), id)
	return h, named(err, kindHost, string(id))
}

func (s *server) getHost(c *call) (answer, error) {
	h, err := s.host(c)
	return ok(c.uris.Host(h)), err
}

func (s *server) putHost(c *call) (answer, error) {
	stored, err := s.host(c)
	if err != nil {
		return answer{}, err
	}
	if err := c.complete(c.uris.Host(stored)); err != nil {
		return answer{}, err
	}
	h, err := wire.ParseHost(c.body)
	if err != nil {
		return answer{}, err
	}
	h.ID = stored.ID
	return c.empty(), named(c.api.UpdateHost(c.Context(), h), kindHost, string(h.ID))
}

func (s *server) deleteHost(c *call) (answer, error) {
	id, err := pathID[sdn.HostID](c, "id", kindHost)
	if err != nil {
		return answer{}, err
	}
	return c.empty(), named(c.api.DeleteHost(c.Context(), id), kindHost, string(id))
}

func (s *server) listInterfaces(c *call) (answer, error) {
	h, err := s.host(c)
	return shown(h.Interfaces, err, func(f sdn.HostInterface) wire.Interface { return c.uris.Interface(h.ID, f) })
}

func (s *server) getInterface(c *call) (answer, error) {
	h, err := s.host(c)
	if err != nil {
		return answer{}, err
	}
	name := c.PathValue("name")
	for _, f := range h.Interfaces {
		if f.Name == name {
			return ok(c.uris.Interface(h.ID, f)), nil
		}
	}
	return answer{}, missing("Interface", name)
}
