package server

import (
	"errors"
	"net/http"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

func (s *server) registerTunnelZoneHosts() {
	one := []string{wire.TunnelZoneHostV1, wire.GreTunnelZoneHostV1}
	many := []string{wire.Collection(wire.TunnelZoneHostV1), wire.Collection(wire.GreTunnelZoneHostV1)}
	s.handle("/"+wire.TunnelZones+"/{id}/"+wire.Hosts, map[string]operation{
		http.MethodGet:  {gives: many, manual: true, do: s.listZoneHosts},
		http.MethodPost: {takes: one, gives: one, manual: true, do: s.addZoneHost},
	})
	s.handle("/"+wire.TunnelZones+"/{id}/"+wire.Hosts+"/{host}", map[string]operation{
		http.MethodGet:    {gives: one, manual: true, do: s.getZoneHost},
		http.MethodDelete: {do: s.removeZoneHost},
	})
}

func (s *server) listZoneHosts(c *call) (answer, error) {
	z, err := s.tunnelZone(c)
	if err != nil {
		return answer{}, err
	}
	ms, err := c.api.TunnelZoneHosts(c.Context(), z.ID)
	return shown(ms, err, c.uris.TunnelZoneHost)
}

// addZoneHost answers 409 without a body, as MidoNet does.
func (s *server) addZoneHost(c *call) (answer, error) {
	zone, err := pathID[sdn.TunnelZoneID](c, "id", kindTunnelZone)
	if err != nil {
		return answer{}, err
	}
	m, err := wire.ParseTunnelZoneHost(c.body)
	if err != nil {
		return answer{}, err
	}
	m.Zone = zone
	err = c.api.AddTunnelZoneHost(c.Context(), m)
	switch {
	case errors.Is(err, sdn.ErrExists) || errors.Is(err, sdn.ErrConflict):
		return answer{status: http.StatusConflict}, nil
	case err != nil:
		return answer{}, err
	}
	d := c.uris.TunnelZoneHost(m)
	return created(d.URI, d), nil
}

func (s *server) getZoneHost(c *call) (answer, error) {
	z, err := s.tunnelZone(c)
	if err != nil {
		return answer{}, err
	}
	host, err := pathID[sdn.HostID](c, "host", kindHost)
	if err != nil {
		return answer{}, err
	}
	m, err := c.api.TunnelZoneHost(c.Context(), z.ID, host)
	return ok(c.uris.TunnelZoneHost(m)), named(err, "TunnelZoneHost", string(host))
}

// removeZoneHost answers 404 without a body, as MidoNet does.
func (s *server) removeZoneHost(c *call) (answer, error) {
	zone, err := pathID[sdn.TunnelZoneID](c, "id", kindTunnelZone)
	if err != nil {
		return answer{}, err
	}
	host, err := pathID[sdn.HostID](c, "host", kindHost)
	if err != nil {
		return answer{}, err
	}
	err = c.api.RemoveTunnelZoneHost(c.Context(), zone, host)
	if errors.Is(err, sdn.ErrNotFound) {
		return answer{status: http.StatusNotFound}, nil
	}
	return noContent(err)
}
