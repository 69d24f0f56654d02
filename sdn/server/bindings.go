package server

import (
	"net/http"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

func (s *server) registerBindings() {
	one := own(wire.HostInterfacePortV1)
	s.handle("/"+wire.Hosts+"/{id}/"+wire.Ports, map[string]operation{
		http.MethodGet:  {gives: []string{wire.Collection(wire.HostInterfacePortV1)}, manual: true, do: s.listBindings},
		http.MethodPost: {takes: one, gives: one, manual: true, do: s.createBinding},
	})
	s.handle("/"+wire.Hosts+"/{id}/"+wire.Ports+"/{port}", map[string]operation{
		http.MethodGet:    {gives: one, manual: true, do: s.getBinding},
		http.MethodDelete: {do: s.deleteBinding},
	})
}

func (s *server) listBindings(c *call) (answer, error) {
	h, err := s.host(c)
	if err != nil {
		return answer{}, err
	}
	bs, err := c.api.Bindings(c.Context(), h.ID)
	return shown(bs, err, c.uris.Binding)
}

func (s *server) createBinding(c *call) (answer, error) {
	host, err := pathID[sdn.HostID](c, "id", kindHost)
	if err != nil {
		return answer{}, err
	}
	b, err := wire.ParseBinding(c.body)
	if err != nil {
		return answer{}, err
	}
	b.Host = host
	if err := c.api.Bind(c.Context(), b); err != nil {
		return answer{}, c.zoneless(err, host)
	}
	d := c.uris.Binding(b)
	return created(d.URI, d), nil
}

func (s *server) getBinding(c *call) (answer, error) {
	h, err := s.host(c)
	if err != nil {
		return answer{}, err
	}
	id, err := pathID[sdn.PortID](c, "port", kindPort)
	if err != nil {
		return answer{}, err
	}
	p, err := c.api.Port(c.Context(), id)
	if err != nil {
		return answer{}, named(err, kindPort, string(id))
	}
	if p.Host != h.ID {
		return answer{}, missing("HostInterfacePort", string(id))
	}
	return ok(c.uris.Binding(sdn.Binding{Host: h.ID, Port: id, Interface: p.Interface})), nil
}

// deleteBinding unbinds the port whatever host the path names, as MidoNet does.
func (s *server) deleteBinding(c *call) (answer, error) {
	id, err := pathID[sdn.PortID](c, "port", kindPort)
	if err != nil {
		return answer{}, err
	}
	return noContent(named(c.api.Unbind(c.Context(), id), kindPort, string(id)))
}
