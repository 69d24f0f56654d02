package server

import (
	"net/http"
	"slices"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

func (s *server) registerMACTables() {
	one, many := own(wire.MACPortV2), lists(wire.MACPortV2)
	bridge := "/" + wire.Bridges + "/{id}/"
	for _, table := range []string{bridge + wire.MACTable, bridge + wire.VLANs + "/{vlan}/" + wire.MACTable} {
		s.handle(table, map[string]operation{
			http.MethodGet:  {gives: many, manual: true, do: s.listMACPorts},
			http.MethodPost: {takes: one, gives: one, manual: true, do: s.addMACPort},
		})
		s.handle(table+"/{key}", map[string]operation{
			http.MethodGet:    {gives: one, manual: true, do: s.getMACPort},
			http.MethodDelete: {do: s.removeMACPort},
		})
	}
}

// vlanOf is the VLAN that the path names, or nil.
func vlanOf(c *call) (*uint16, error) {
	text := c.PathValue("vlan")
	if text == "" {
		return nil, nil
	}
	vlan, err := wire.ParseVLAN(text)
	if err != nil {
		return nil, err
	}
	return &vlan, nil
}

func (s *server) listMACPorts(c *call) (answer, error) {
	b, err := s.bridge(c)
	if err != nil {
		return answer{}, err
	}
	vlan, err := vlanOf(c)
	if err != nil {
		return answer{}, err
	}
	ms, err := c.api.MACPorts(c.Context(), b.ID, vlan)
	return shown(ms, err, c.uris.MACPort)
}

// addMACPort takes the VLAN from the path where it names one; a body may only
// repeat it.
func (s *server) addMACPort(c *call) (answer, error) {
	bridge, err := pathID[sdn.BridgeID](c, "id", kindBridge)
	if err != nil {
		return answer{}, err
	}
	vlan, err := vlanOf(c)
	if err != nil {
		return answer{}, err
	}
	m, err := wire.ParseMACPort(c.body)
	if err != nil {
		return answer{}, err
	}
	if vlan != nil {
		if m.VLAN != 0 && m.VLAN != *vlan {
			return answer{}, wire.Refuse(sdn.ErrInvalid, "vlanId is not the VLAN of the URI.")
		}
		m.VLAN = *vlan
	}
	m.Bridge = bridge
	if err := c.api.AddMACPort(c.Context(), m); err != nil {
		return answer{}, err
	}
	d := c.uris.MACPort(m)
	return created(d.URI, d), nil
}

// macPort reads the entry that the path names; without a VLAN it is an untagged
// one.
func macPort(c *call) (sdn.MACPort, error) {
	bridge, err := pathID[sdn.BridgeID](c, "id", kindBridge)
	if err != nil {
		return sdn.MACPort{}, err
	}
	vlan, err := vlanOf(c)
	if err != nil {
		return sdn.MACPort{}, err
	}
	m := sdn.MACPort{Bridge: bridge}
	if vlan != nil {
		m.VLAN = *vlan
	}
	m.MAC, m.Port, err = wire.ParseMACPortKey(c.PathValue("key"))
	return m, err
}

func (s *server) getMACPort(c *call) (answer, error) {
	m, err := macPort(c)
	if err != nil {
		return answer{}, err
	}
	if _, err := s.bridge(c); err != nil {
		return answer{}, err
	}
	ms, err := c.api.MACPorts(c.Context(), m.Bridge, &m.VLAN)
	if err != nil {
		return answer{}, err
	}
	if !slices.Contains(ms, m) {
		return answer{}, missing("MacPort", c.PathValue("key"))
	}
	return ok(c.uris.MACPort(m)), nil
}

func (s *server) removeMACPort(c *call) (answer, error) {
	m, err := macPort(c)
	if err != nil {
		return answer{}, err
	}
	return noContent(c.api.RemoveMACPort(c.Context(), m))
}
