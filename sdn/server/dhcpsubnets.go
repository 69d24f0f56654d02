package server

import (
	"net/http"
	"net/netip"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

const kindDHCPSubnet = "DhcpSubnet"

func (s *server) registerDHCPSubnets() {
	one, many := own(wire.DHCPSubnetV2), []string{wire.Collection(wire.DHCPSubnetV2)}
	subnets := "/" + wire.Bridges + "/{id}/" + wire.DHCP
	s.handle(subnets, map[string]operation{
		http.MethodGet:  {gives: many, manual: true, do: s.listDHCPSubnets},
		http.MethodPost: {takes: one, gives: one, manual: true, do: s.createDHCPSubnet},
	})
	s.handle(subnets+"/{subnet}", map[string]operation{
		http.MethodGet:    {gives: one, manual: true, do: s.getDHCPSubnet},
		http.MethodPut:    {takes: one, manual: true, do: s.putDHCPSubnet},
		http.MethodDelete: {do: s.deleteDHCPSubnet},
	})
}

func (s *server) listDHCPSubnets(c *call) (answer, error) {
	b, err := s.bridge(c)
	if err != nil {
		return answer{}, err
	}
	ss, err := c.api.DHCPSubnets(c.Context(), b.ID)
	return shown(ss, err, c.uris.DHCPSubnet)
}

func (s *server) createDHCPSubnet(c *call) (answer, error) {
	bridge, err := pathID[sdn.BridgeID](c, "id", kindBridge)
	if err != nil {
		return answer{}, err
	}
	n, err := wire.ParseDHCPSubnet(c.body)
	if err != nil {
		return answer{}, err
	}
	n.Bridge = bridge
	if err := c.api.CreateDHCPSubnet(c.Context(), n); err != nil {
		return answer{}, err
	}
	d := c.uris.DHCPSubnet(n)
	return created(d.URI, d), nil
}

// subnetKey reads the bridge and the subnet that the path names. What is no
// subnet names nothing: 404.
func subnetKey(c *call) (sdn.BridgeID, netip.Prefix, error) {
	bridge, err := pathID[sdn.BridgeID](c, "id", kindBridge)
	if err != nil {
		return "", netip.Prefix{}, err
	}
	p, err := wire.ParsePrefixKey(c.PathValue("subnet"))
	if err != nil {
		return "", netip.Prefix{}, missing(kindDHCPSubnet, c.PathValue("subnet"))
	}
	return bridge, p, nil
}

func (s *server) dhcpSubnet(c *call) (sdn.DHCPSubnet, error) {
	bridge, p, err := subnetKey(c)
	if err != nil {
		return sdn.DHCPSubnet{}, err
	}
	return c.api.DHCPSubnet(c.Context(), bridge, p)
}

func (s *server) getDHCPSubnet(c *call) (answer, error) {
	n, err := s.dhcpSubnet(c)
	if err != nil {
		return answer{}, err
	}
	return ok(c.uris.DHCPSubnet(n)), nil
}

func (s *server) putDHCPSubnet(c *call) (answer, error) {
	stored, err := s.dhcpSubnet(c)
	if err != nil {
		return answer{}, err
	}
	if err := c.complete(c.uris.DHCPSubnet(stored)); err != nil {
		return answer{}, err
	}
	n, err := wire.ParseDHCPSubnet(c.body)
	if err != nil {
		return answer{}, err
	}
	n.Bridge = stored.Bridge
	return noContent(c.api.UpdateDHCPSubnet(c.Context(), stored.Prefix, n))
}

func (s *server) deleteDHCPSubnet(c *call) (answer, error) {
	bridge, p, err := subnetKey(c)
	if err != nil {
		return answer{}, err
	}
	return noContent(c.api.DeleteDHCPSubnet(c.Context(), bridge, p))
}
