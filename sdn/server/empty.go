package server

import (
	"net/http"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

// registerEmpty serves the collections of bridges that nothing can be in: ports
// of VTEPs and DHCPv6 subnets. Lists are empty, everything else is 501.
func (s *server) registerEmpty() {
	bridge := "/" + wire.Bridges + "/{id}/"
	s.handle(bridge+wire.VXLANPorts, map[string]operation{
		http.MethodGet: {gives: lists(wire.PortV3, wire.PortV4), do: s.emptyList},
	})
	s.handle(bridge+wire.DHCPV6, map[string]operation{
		http.MethodGet:  {gives: lists(wire.DHCPV6SubnetV1), manual: true, do: s.emptyList},
		http.MethodPost: {do: unsupported},
	})
	s.mux.HandleFunc(s.base+bridge+wire.DHCPV6+"/{rest...}", s.unserved)
}

func (s *server) emptyList(c *call) (answer, error) {
	_, err := s.bridge(c)
	return ok([]struct{}{}), err
}

func unsupported(c *call) (answer, error) {
	return answer{}, wire.Refuse(sdn.ErrUnsupported, "This resource is not supported: "+c.URL.Path)
}

// unserved answers what belongs to the dialect and is not served with 501, so
// that nobody takes it for an empty collection.
func (s *server) unserved(w http.ResponseWriter, r *http.Request) {
	_, err := unsupported(&call{Request: r})
	s.fail(w, r, err)
}
