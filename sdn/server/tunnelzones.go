package server

import (
	"net/http"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

const kindTunnelZone = "TunnelZone"

func (s *server) registerTunnelZones() {
	one, many := own(wire.TunnelZoneV1), lists(wire.TunnelZoneV1)
	s.handle("/"+wire.TunnelZones, map[string]operation{
		http.MethodGet:  {gives: many, do: s.listTunnelZones},
		http.MethodPost: {takes: one, gives: one, do: s.createTunnelZone},
	})
	s.handle("/"+wire.TunnelZones+"/{id}", map[string]operation{
		http.MethodGet:    {gives: one, do: s.getTunnelZone},
		http.MethodPut:    {takes: one, do: s.putTunnelZone},
		http.MethodDelete: {do: s.deleteTunnelZone},
	})
}

func (s *server) listTunnelZones(c *call) (answer, error) {
	zs, err := c.api.TunnelZones(c.Context())
	return shown(zs, err, c.uris.TunnelZone)
}

func (s *server) createTunnelZone(c *call) (answer, error) {
	z, err := wire.ParseTunnelZone(c.body)
	if err != nil {
		return answer{}, err
	}
	z, err = c.api.CreateTunnelZone(c.Context(), z)
	if err != nil {
		return answer{}, err
	}
	d := c.uris.TunnelZone(z)
	return created(d.URI, d), nil
}

func (s *server) tunnelZone(c *call) (sdn.TunnelZone, error) {
	id, err := pathID[sdn.TunnelZoneID](c, "id", kindTunnelZone)
	if err != nil {
		return sdn.TunnelZone{}, err
	}
	z, err := c.api.TunnelZone(c.Context(), id)
	return z, named(err, kindTunnelZone, string(id))
}

func (s *server) getTunnelZone(c *call) (answer, error) {
	z, err := s.tunnelZone(c)
	return ok(c.uris.TunnelZone(z)), err
}

// putTunnelZone accepts the zone's own name, which MidoNet refuses (MNA-1293).
func (s *server) putTunnelZone(c *call) (answer, error) {
	id, err := pathID[sdn.TunnelZoneID](c, "id", kindTunnelZone)
	if err != nil {
		return answer{}, err
	}
	z, err := wire.ParseTunnelZone(c.body)
	if err != nil {
		return answer{}, err
	}
	z.ID = id
	return noContent(c.api.UpdateTunnelZone(c.Context(), z))
}

func (s *server) deleteTunnelZone(c *call) (answer, error) {
	id, err := pathID[sdn.TunnelZoneID](c, "id", kindTunnelZone)
	if err != nil {
		return answer{}, err
	}
	return gone(c.api.DeleteTunnelZone(c.Context(), id))
}
