package server

import (
	"errors"
	"net/http"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

const kindPort = "Port"

// device finds the router or bridge that the path names.
type device func(*call) (sdn.DeviceID, error)

func (s *server) registerPorts() {
	one, many := own(wire.PortV3, wire.PortV4), lists(wire.PortV3, wire.PortV4)
	s.handle("/"+wire.Ports, map[string]operation{
		http.MethodGet: {gives: many, do: s.listAllPorts},
	})
	s.handle("/"+wire.Ports+"/{id}", map[string]operation{
		http.MethodGet:    {gives: one, do: s.getPort},
		http.MethodPut:    {takes: one, do: s.putPort},
		http.MethodDelete: {do: s.deletePort},
	})
	s.handle("/"+wire.Ports+"/{id}/"+wire.Link, map[string]operation{
		http.MethodGet:    {gives: own(wire.PortLinkV1), manual: true, do: s.getLink},
		http.MethodPost:   {takes: own(wire.PortLinkV1), gives: own(wire.PortLinkV1), manual: true, do: s.link},
		http.MethodDelete: {do: s.unlink},
	})
	s.registerDevicePorts(wire.Routers, sdn.RouterPort, func(c *call) (sdn.DeviceID, error) {
		r, err := s.router(c)
		return sdn.DeviceID(r.ID), err
	})
	s.registerDevicePorts(wire.Bridges, sdn.BridgePort, func(c *call) (sdn.DeviceID, error) {
		b, err := s.bridge(c)
		return sdn.DeviceID(b.ID), err
	})
}

func (s *server) registerDevicePorts(collection string, kind sdn.PortKind, of device) {
	one, many := own(wire.PortV3, wire.PortV4), lists(wire.PortV3, wire.PortV4)
	s.handle("/"+collection+"/{id}/"+wire.Ports, map[string]operation{
		http.MethodGet:  {gives: many, do: func(c *call) (answer, error) { return s.listPorts(c, of) }},
		http.MethodPost: {takes: one, gives: one, do: func(c *call) (answer, error) { return s.createPort(c, kind, of) }},
	})
	s.handle("/"+collection+"/{id}/"+wire.PeerPorts, map[string]operation{
		http.MethodGet: {gives: many, do: func(c *call) (answer, error) { return s.listPeerPorts(c, of) }},
	})
}

func (s *server) listAllPorts(c *call) (answer, error) {
	ps, err := c.api.Ports(c.Context(), "")
	return shown(ps, err, c.uris.Port)
}

func (s *server) listPorts(c *call, of device) (answer, error) {
	id, err := of(c)
	if err != nil {
		return answer{}, err
	}
	ps, err := c.api.Ports(c.Context(), id)
	return shown(ps, err, c.uris.Port)
}

func (s *server) listPeerPorts(c *call, of device) (answer, error) {
	id, err := of(c)
	if err != nil {
		return answer{}, err
	}
	ps, err := c.api.PeerPorts(c.Context(), id)
	return shown(ps, err, c.uris.Port)
}

func (s *server) createPort(c *call, kind sdn.PortKind, of device) (answer, error) {
	id, err := pathID[sdn.DeviceID](c, "id", string(kind))
	if err != nil {
		return answer{}, err
	}
	p, err := wire.ParsePort(c.body)
	if err != nil {
		return answer{}, err
	}
	if p.Kind != kind {
		text := map[sdn.PortKind]string{sdn.RouterPort: "Not a router port.", sdn.BridgePort: "Not a bridge port."}[kind]
		return answer{}, wire.Refuse(sdn.ErrInvalid, text)
	}
	p.Device = id
	p, err = c.api.CreatePort(c.Context(), p)
	if errors.Is(err, sdn.ErrInvalid) {
		if _, missing := of(c); missing != nil {
			err = missing // a device of the other kind is none of this collection
		}
	}
	if err != nil {
		return answer{}, err
	}
	d := c.uris.Port(p)
	return created(d.URI, d), nil
}

func (s *server) port(c *call) (sdn.Port, error) {
	id, err := pathID[sdn.PortID](c, "id", kindPort)
	if err != nil {
		return sdn.Port{}, err
	}
	p, err := c.api.Port(c.Context(), id)
	return p, named(err, kindPort, string(id))
}

func (s *server) getPort(c *call) (answer, error) {
	p, err := s.port(c)
	return ok(c.uris.Port(p)), err
}

// putPort keeps the port's MAC when the body names none. MidoNet clears it
// (MNA-1251), so its clients send it along, and no client wants that.
func (s *server) putPort(c *call) (answer, error) {
	stored, err := s.port(c)
	if err != nil {
		return answer{}, err
	}
	if err := c.complete(c.uris.Port(stored)); err != nil {
		return answer{}, err
	}
	p, err := wire.ParsePort(c.body)
	if err != nil {
		return answer{}, err
	}
	if p.Kind != stored.Kind {
		return answer{}, wire.Refuse(sdn.ErrInvalid, "The type of a port cannot change.")
	}
	p.ID, p.Device, p.TunnelKey = stored.ID, stored.Device, stored.TunnelKey
	if p.MAC == "" {
		p.MAC = stored.MAC
	}
	if p.Senders == nil { // the body of a client that does not know them
		p.Senders = stored.Senders
	}
	return noContent(c.api.UpdatePort(c.Context(), p))
}

func (s *server) deletePort(c *call) (answer, error) {
	id, err := pathID[sdn.PortID](c, "id", kindPort)
	if err != nil {
		return answer{}, err
	}
	err = c.api.DeletePort(c.Context(), id)
	if c.release == wire.V1 {
		return gone(err)
	}
	return noContent(named(err, kindPort, string(id)))
}

// link answers with the URI of the link as Location, where MidoNet sends none:
// clients that follow the Location of every 201 work too.
func (s *server) link(c *call) (answer, error) {
	id, err := pathID[sdn.PortID](c, "id", kindPort)
	if err != nil {
		return answer{}, err
	}
	peer, err := wire.ParseLink(c.body)
	if err != nil {
		return answer{}, err
	}
	if err := c.api.Link(c.Context(), id, peer); err != nil {
		return answer{}, err
	}
	d := c.uris.PortLink(id, peer)
	return created(d.URI, d), nil
}

// getLink is for those that follow the Location. MidoNet has no such method.
func (s *server) getLink(c *call) (answer, error) {
	p, err := s.port(c)
	if err != nil {
		return answer{}, err
	}
	if p.Peer == "" {
		return answer{}, missing("PortLink", string(p.ID))
	}
	return ok(c.uris.PortLink(p.ID, p.Peer)), nil
}

func (s *server) unlink(c *call) (answer, error) {
	id, err := pathID[sdn.PortID](c, "id", kindPort)
	if err != nil {
		return answer{}, err
	}
	return noContent(named(c.api.Unlink(c.Context(), id), kindPort, string(id)))
}
