package server

import (
	"net/http"
	"slices"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

func (s *server) registerARPTables() {
	one := own(wire.IP4MACV1)
	table := "/" + wire.Bridges + "/{id}/" + wire.ARPTable
	s.handle(table, map[string]operation{
		http.MethodGet:  {gives: lists(wire.IP4MACV1), manual: true, do: s.listIP4MACs},
		http.MethodPost: {takes: []string{wire.IP4MACV1}, gives: one, manual: true, do: s.addIP4MAC},
	})
	s.handle(table+"/{key}", map[string]operation{
		http.MethodGet:    {gives: one, manual: true, do: s.getIP4MAC},
		http.MethodDelete: {do: s.removeIP4MAC},
	})
}

func (s *server) listIP4MACs(c *call) (answer, error) {
	b, err := s.bridge(c)
	if err != nil {
		return answer{}, err
	}
	ms, err := c.api.IP4MACs(c.Context(), b.ID)
	return shown(ms, err, c.uris.IP4MAC)
}

func (s *server) addIP4MAC(c *call) (answer, error) {
	bridge, err := pathID[sdn.BridgeID](c, "id", kindBridge)
	if err != nil {
		return answer{}, err
	}
	m, err := wire.ParseIP4MAC(c.body)
	if err != nil {
		return answer{}, err
	}
	m.Bridge = bridge
	if err := c.api.AddIP4MAC(c.Context(), m); err != nil {
		return answer{}, err
	}
	d := c.uris.IP4MAC(m)
	return created(d.URI, d), nil
}

// ip4MAC reads the entry that the path names.
func ip4MAC(c *call) (sdn.IP4MAC, error) {
	bridge, err := pathID[sdn.BridgeID](c, "id", kindBridge)
	if err != nil {
		return sdn.IP4MAC{}, err
	}
	addr, mac, err := wire.ParseIP4MACKey(c.PathValue("key"))
	return sdn.IP4MAC{Bridge: bridge, Addr: addr, MAC: mac}, err
}

func (s *server) getIP4MAC(c *call) (answer, error) {
	m, err := ip4MAC(c)
	if err != nil {
		return answer{}, err
	}
	ms, err := c.api.IP4MACs(c.Context(), m.Bridge)
	if err != nil {
		return answer{}, named(err, kindBridge, string(m.Bridge))
	}
	if !slices.Contains(ms, m) {
		return answer{}, missing("IP4Mac", c.PathValue("key"))
	}
	return ok(c.uris.IP4MAC(m)), nil
}

func (s *server) removeIP4MAC(c *call) (answer, error) {
	m, err := ip4MAC(c)
	if err != nil {
		return answer{}, err
	}
	return noContent(c.api.RemoveIP4MAC(c.Context(), m))
}
