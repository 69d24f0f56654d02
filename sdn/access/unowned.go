package access

import (
	"context"

	"github.com/moatnet/moat/sdn"
)

// What belongs to no tenant.
const (
	hosts        = "hosts"
	tunnelZones  = "tunnel zones"
	ipAddrGroups = "IP address groups"
)

func (s scoped) Hosts(context.Context) ([]sdn.Host, error) { return nil, adminOnly(hosts) }

func (s scoped) Host(context.Context, sdn.HostID) (sdn.Host, error) {
	return sdn.Host{}, adminOnly(hosts)
}

func (s scoped) CreateHost(context.Context, sdn.Host) (sdn.Host, error) {
	return sdn.Host{}, adminOnly(hosts)
}

func (s scoped) UpdateHost(context.Context, sdn.Host) error   { return adminOnly(hosts) }
func (s scoped) DeleteHost(context.Context, sdn.HostID) error { return adminOnly(hosts) }

func (s scoped) TunnelZones(context.Context) ([]sdn.TunnelZone, error) {
	return nil, adminOnly(tunnelZones)
}

func (s scoped) TunnelZone(context.Context, sdn.TunnelZoneID) (sdn.TunnelZone, error) {
	return sdn.TunnelZone{}, adminOnly(tunnelZones)
}

func (s scoped) CreateTunnelZone(context.Context, sdn.TunnelZone) (sdn.TunnelZone, error) {
	return sdn.TunnelZone{}, adminOnly(tunnelZones)
}

func (s scoped) UpdateTunnelZone(context.Context, sdn.TunnelZone) error {
	return adminOnly(tunnelZones)
}

func (s scoped) DeleteTunnelZone(context.Context, sdn.TunnelZoneID) error {
	return adminOnly(tunnelZones)
}

func (s scoped) TunnelZoneHosts(context.Context, sdn.TunnelZoneID) ([]sdn.TunnelZoneHost, error) {
	return nil, adminOnly(tunnelZones)
}

func (s scoped) TunnelZoneHost(context.Context, sdn.TunnelZoneID, sdn.HostID) (sdn.TunnelZoneHost, error) {
	return sdn.TunnelZoneHost{}, adminOnly(tunnelZones)
}

func (s scoped) AddTunnelZoneHost(context.Context, sdn.TunnelZoneHost) error {
	return adminOnly(tunnelZones)
}

func (s scoped) RemoveTunnelZoneHost(context.Context, sdn.TunnelZoneID, sdn.HostID) error {
	return adminOnly(tunnelZones)
}

func (s scoped) IPAddrGroups(context.Context) ([]sdn.IPAddrGroup, error) {
	return nil, adminOnly(ipAddrGroups)
}

func (s scoped) IPAddrGroup(context.Context, sdn.IPAddrGroupID) (sdn.IPAddrGroup, error) {
	return sdn.IPAddrGroup{}, adminOnly(ipAddrGroups)
}

func (s scoped) CreateIPAddrGroup(context.Context, sdn.IPAddrGroup) (sdn.IPAddrGroup, error) {
	return sdn.IPAddrGroup{}, adminOnly(ipAddrGroups)
}

func (s scoped) DeleteIPAddrGroup(context.Context, sdn.IPAddrGroupID) error {
	return adminOnly(ipAddrGroups)
}

func (s scoped) IPAddrGroupAddrs(context.Context, sdn.IPAddrGroupID) ([]sdn.IPAddrGroupAddr, error) {
	return nil, adminOnly(ipAddrGroups)
}

func (s scoped) AddIPAddrGroupAddr(context.Context, sdn.IPAddrGroupAddr) error {
	return adminOnly(ipAddrGroups)
}

func (s scoped) RemoveIPAddrGroupAddr(context.Context, sdn.IPAddrGroupAddr) error {
	return adminOnly(ipAddrGroups)
}
