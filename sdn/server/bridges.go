package server

import (
	"net/http"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

const kindBridge = "Bridge"

func (s *server) registerBridges() {
	one, many := own(wire.BridgeV4, wire.BridgeV5), lists(wire.BridgeV4, wire.BridgeV5)
	s.handle("/"+wire.Bridges, map[string]operation{
		http.MethodGet:  {gives: many, do: s.listBridges},
		http.MethodPost: {takes: one, gives: one, do: s.createBridge},
	})
	s.handle("/"+wire.Bridges+"/{id}", map[string]operation{
		http.MethodGet:    {gives: one, do: s.getBridge},
		http.MethodPut:    {takes: one, do: s.putBridge},
		http.MethodDelete: {do: s.deleteBridge},
	})
}

func (s *server) listBridges(c *call) (answer, error) {
	tenant := tenantOf(c)
	if err := c.wholeList(tenant); err != nil {
		return answer{}, err
	}
	bs, err := c.api.Bridges(c.Context(), tenant)
	return shown(bs, err, c.uris.Bridge)
}

func (s *server) createBridge(c *call) (answer, error) {
	b, err := wire.ParseBridge(c.body)
	if err != nil {
		return answer{}, err
	}
	if err := c.owned(b.Name, b.TenantID); err != nil {
		return answer{}, err
	}
	b, err = c.api.CreateBridge(c.Context(), b)
	if err != nil {
		return answer{}, err
	}
	d := c.uris.Bridge(b)
	return created(d.URI, d), nil
}

func (s *server) bridge(c *call) (sdn.Bridge, error) {
	id, err := pathID[sdn.BridgeID](c, "id", kindBridge)
	if err != nil {
		return sdn.Bridge{}, err
	}
	b, err := c.api.Bridge(c.Context(), id)
	return b, named(err, kindBridge, string(id))
}

func (s *server) getBridge(c *call) (answer, error) {
	b, err := s.bridge(c)
	return ok(c.uris.Bridge(b)), err
}

func (s *server) putBridge(c *call) (answer, error) {
	stored, err := s.bridge(c)
	if err != nil {
		return answer{}, err
	}
	if err := c.complete(c.uris.Bridge(stored)); err != nil {
		return answer{}, err
	}
	b, err := wire.ParseBridge(c.body)
	if err != nil {
		return answer{}, err
	}
	if err := c.owned(b.Name, b.TenantID); err != nil {
		return answer{}, err
	}
	b.ID = stored.ID
	return noContent(c.api.UpdateBridge(c.Context(), b))
}

func (s *server) deleteBridge(c *call) (answer, error) {
	id, err := pathID[sdn.BridgeID](c, "id", kindBridge)
	if err != nil {
		return answer{}, err
	}
	return noContent(named(c.api.DeleteBridge(c.Context(), id), kindBridge, string(id)))
}
