package server

import (
	"net/http"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

const kindDHCPHost = "DhcpHost"

func (s *server) registerDHCPHosts() {
	one, many := own(wire.DHCPHostV2), []string{wire.Collection(wire.DHCPHostV2)}
	hosts := "/" + wire.Bridges + "/{id}/" + wire.DHCP + "/{subnet}/" + wire.Hosts
	s.handle(hosts, map[string]operation{
		http.MethodGet:  {gives: many, manual: true, do: s.listDHCPHosts},
		http.MethodPost: {takes: one, gives: one, manual: true, do: s.createDHCPHost},
	})
	s.handle(hosts+"/{mac}", map[string]operation{
		http.MethodGet:    {gives: one, manual: true, do: s.getDHCPHost},
		http.MethodPut:    {takes: one, manual: true, do: s.putDHCPHost},
		http.MethodDelete: {do: s.deleteDHCPHost},
	})
}

func (s *server) listDHCPHosts(c *call) (answer, error) {
	n, err := s.dhcpSubnet(c)
	if err != nil {
		return answer{}, err
	}
	hs, err := c.api.DHCPHosts(c.Context(), n.Bridge, n.Prefix)
	return shown(hs, err, c.uris.DHCPHost)
}

func (s *server) createDHCPHost(c *call) (answer, error) {
	bridge, p, err := subnetKey(c)
	if err != nil {
		return answer{}, err
	}
	h, err := wire.ParseDHCPHost(c.body)
	if err != nil {
		return answer{}, err
	}
	h.Bridge, h.Subnet = bridge, p
	if err := c.api.CreateDHCPHost(c.Context(), h); err != nil {
		return answer{}, err
	}
	d := c.uris.DHCPHost(h)
	return created(d.URI, d), nil
}

// dhcpHostKey reads the host that the path names: its bridge, subnet and MAC.
// What is no MAC names nothing: 404.
func dhcpHostKey(c *call) (sdn.DHCPHost, error) {
	bridge, p, err := subnetKey(c)
	if err != nil {
		return sdn.DHCPHost{}, err
	}
	mac, err := wire.ParseMACKey(c.PathValue("mac"))
	if err != nil {
		return sdn.DHCPHost{}, missing(kindDHCPHost, c.PathValue("mac"))
	}
	return sdn.DHCPHost{Bridge: bridge, Subnet: p, MAC: mac}, nil
}

func (s *server) dhcpHost(c *call) (sdn.DHCPHost, error) {
	k, err := dhcpHostKey(c)
	if err != nil {
		return sdn.DHCPHost{}, err
	}
	return c.api.DHCPHost(c.Context(), k.Bridge, k.Subnet, k.MAC)
}

func (s *server) getDHCPHost(c *call) (answer, error) {
	h, err := s.dhcpHost(c)
	if err != nil {
		return answer{}, err
	}
	return ok(c.uris.DHCPHost(h)), nil
}

func (s *server) putDHCPHost(c *call) (answer, error) {
	stored, err := s.dhcpHost(c)
	if err != nil {
		return answer{}, err
	}
	if err := c.complete(c.uris.DHCPHost(stored)); err != nil {
		return answer{}, err
	}
	h, err := wire.ParseDHCPHost(c.body)
	if err != nil {
		return answer{}, err
	}
	h.Bridge, h.Subnet = stored.Bridge, stored.Subnet
	return noContent(c.api.UpdateDHCPHost(c.Context(), stored.MAC, h))
}

func (s *server) deleteDHCPHost(c *call) (answer, error) {
	k, err := dhcpHostKey(c)
	if err != nil {
		return answer{}, err
	}
	return noContent(c.api.DeleteDHCPHost(c.Context(), k.Bridge, k.Subnet, k.MAC))
}
