package access

import (
	"context"
	"net/netip"

	"github.com/moatnet/moat/sdn"
)

func (s scoped) MACPorts(ctx context.Context, bridge sdn.BridgeID, vlan *uint16) ([]sdn.MACPort, error) {
	if err := s.reads(ctx, s.bridge(bridge)); err != nil {
		return nil, err
	}
	return s.api.MACPorts(ctx, bridge, vlan)
}

func (s scoped) AddMACPort(ctx context.Context, m sdn.MACPort) error {
	if err := s.writes(ctx, s.bridge(m.Bridge), each(s.port, m.Port)); err != nil {
		return err
	}
	return s.api.AddMACPort(ctx, m)
}

func (s scoped) RemoveMACPort(ctx context.Context, m sdn.MACPort) error {
	if err := s.writes(ctx, s.bridge(m.Bridge)); err != nil {
		return err
	}
	return s.api.RemoveMACPort(ctx, m)
}

func (s scoped) IP4MACs(ctx context.Context, bridge sdn.BridgeID) ([]sdn.IP4MAC, error) {
	if err := s.reads(ctx, s.bridge(bridge)); err != nil {
		return nil, err
	}
	return s.api.IP4MACs(ctx, bridge)
}

func (s scoped) AddIP4MAC(ctx context.Context, m sdn.IP4MAC) error {
	if err := s.writes(ctx, s.bridge(m.Bridge)); err != nil {
		return err
	}
	return s.api.AddIP4MAC(ctx, m)
}

func (s scoped) RemoveIP4MAC(ctx context.Context, m sdn.IP4MAC) error {
	if err := s.writes(ctx, s.bridge(m.Bridge)); err != nil {
		return err
	}
	return s.api.RemoveIP4MAC(ctx, m)
}

func (s scoped) DHCPSubnets(ctx context.Context, bridge sdn.BridgeID) ([]sdn.DHCPSubnet, error) {
	if err := s.reads(ctx, s.bridge(bridge)); err != nil {
		return nil, err
	}
	return s.api.DHCPSubnets(ctx, bridge)
}

func (s scoped) DHCPSubnet(ctx context.Context, bridge sdn.BridgeID, p netip.Prefix) (sdn.DHCPSubnet, error) {
	if err := s.reads(ctx, s.bridge(bridge)); err != nil {
		return sdn.DHCPSubnet{}, err
	}
	return s.api.DHCPSubnet(ctx, bridge, p)
}

func (s scoped) CreateDHCPSubnet(ctx context.Context, n sdn.DHCPSubnet) error {
	if err := s.writes(ctx, s.bridge(n.Bridge)); err != nil {
		return err
	}
	return s.api.CreateDHCPSubnet(ctx, n)
}

func (s scoped) UpdateDHCPSubnet(ctx context.Context, p netip.Prefix, n sdn.DHCPSubnet) error {
	if err := s.writes(ctx, s.bridge(n.Bridge)); err != nil {
		return err
	}
	return s.api.UpdateDHCPSubnet(ctx, p, n)
}

func (s scoped) DeleteDHCPSubnet(ctx context.Context, bridge sdn.BridgeID, p netip.Prefix) error {
	if err := s.writes(ctx, s.bridge(bridge)); err != nil {
		return err
	}
	return s.api.DeleteDHCPSubnet(ctx, bridge, p)
}

func (s scoped) DHCPHosts(ctx context.Context, bridge sdn.BridgeID, p netip.Prefix) ([]sdn.DHCPHost, error) {
	if err := s.reads(ctx, s.bridge(bridge)); err != nil {
		return nil, err
	}
	return s.api.DHCPHosts(ctx, bridge, p)
}

func (s scoped) DHCPHost(ctx context.Context, bridge sdn.BridgeID, p netip.Prefix, mac string) (sdn.DHCPHost, error) {
	if err := s.reads(ctx, s.bridge(bridge)); err != nil {
		return sdn.DHCPHost{}, err
	}
	return s.api.DHCPHost(ctx, bridge, p, mac)
}

func (s scoped) CreateDHCPHost(ctx context.Context, h sdn.DHCPHost) error {
	if err := s.writes(ctx, s.bridge(h.Bridge)); err != nil {
		return err
	}
	return s.api.CreateDHCPHost(ctx, h)
}

func (s scoped) UpdateDHCPHost(ctx context.Context, mac string, h sdn.DHCPHost) error {
	if err := s.writes(ctx, s.bridge(h.Bridge)); err != nil {
		return err
	}
	return s.api.UpdateDHCPHost(ctx, mac, h)
}

func (s scoped) DeleteDHCPHost(ctx context.Context, bridge sdn.BridgeID, p netip.Prefix, mac string) error {
	if err := s.writes(ctx, s.bridge(bridge)); err != nil {
		return err
	}
	return s.api.DeleteDHCPHost(ctx, bridge, p, mac)
}
