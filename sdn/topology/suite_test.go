package topology

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

// opener makes an empty topology that ends with the test.
type opener func(t *testing.T, o Options) *Topology

// suite holds every store to the same rules.
func suite(t *testing.T, open opener) {
	cases := map[string]func(t *testing.T, open opener){
		"bind":              testBind,
		"devices":           testDevices,
		"lists":             testLists,
		"ports":             testPorts,
		"senders":           testSenders,
		"update port":       testUpdatePort,
		"links":             testLinks,
		"refused rules":     testRefusedRules,
		"rules":             testRules,
		"fragment defaults": testFragmentDefaults,
		"routes":            testRoutes,
		"hosts":             testHosts,
		"zones":             testZones,
		"delete router":     testDeleteRouter,
		"delete bridge":     testDeleteBridge,
		"delete ports":      testDeletePorts,
		"delete chain":      testDeleteChain,
		"long cascades":     testLongCascades,
		"homes":             testHomes,
		"check":             testCheck,
		"check of members":  testCheckOfMembers,
		"slow check":        testSlowCheck,
		"follow":            testFollow,
		"slow follower":     testSlowFollower,
		"follow ends":       testFollowEnds,
		"writers":           testWriters,
		"port groups":       testPortGroups,
		"address groups":    testAddrGroups,
		"rules with groups": testRulesWithGroups,
		"MAC table":         testMACTable,
		"ARP table":         testARPTable,
		"DHCP subnets":      testDHCPSubnets,
		"DHCP hosts":        testDHCPHosts,
		"refused hosts":     testRefusedDHCPHosts,
		"refused groups":    testRefusedPortGroups,
		"long orders":       testLongOrders,
		"full chain":        testFullChain,
		"long tables":       testLongTables,
		"redirect chains":   testRedirectChains,
		"nothing's parts":   testPartsOfNothing,
	}
	for name, f := range cases {
		t.Run(name, func(t *testing.T) { f(t, open) })
	}
}

// site is a topology with one living host in a zone.
type site struct {
	*Topology
	host sdn.HostID
	zone sdn.TunnelZoneID
}

func newSite(t *testing.T, open opener) *site {
	t.Helper()
	return furnish(t, open(t, Options{}))
}

func furnish(t *testing.T, top *Topology) *site {
	t.Helper()
	s := &site{Topology: top, host: sdn.NewID[sdn.HostID]()}
	_, err := s.CreateHost(t.Context(), sdn.Host{ID: s.host, Name: "h"})
	require.NoError(t, err)
	z, err := s.CreateTunnelZone(t.Context(), sdn.TunnelZone{Name: "z " + string(s.host), Type: "vxlan"})
	require.NoError(t, err)
	s.zone = z.ID
	require.NoError(t, s.AddTunnelZoneHost(t.Context(), sdn.TunnelZoneHost{Zone: z.ID, Host: s.host, Address: netip.MustParseAddr("192.0.2.1")}))
	s.SetAlive(s.host, true)
	return s
}

func (s *site) router(t *testing.T) sdn.RouterID {
	t.Helper()
	r, err := s.CreateRouter(t.Context(), sdn.Router{TenantID: "a", Name: "r", AdminStateUp: true})
	require.NoError(t, err)
	return r.ID
}

func (s *site) bridge(t *testing.T) sdn.BridgeID {
	t.Helper()
	b, err := s.CreateBridge(t.Context(), sdn.Bridge{TenantID: "a", Name: "b", AdminStateUp: true})
	require.NoError(t, err)
	return b.ID
}

func (s *site) chain(t *testing.T) sdn.ChainID {
	t.Helper()
	c, err := s.CreateChain(t.Context(), sdn.Chain{TenantID: "a", Name: "c"})
	require.NoError(t, err)
	return c.ID
}

func routerPort(r sdn.RouterID) sdn.Port {
	return sdn.Port{Kind: sdn.RouterPort, Device: sdn.DeviceID(r), AdminStateUp: true, Address: netip.MustParsePrefix("10.1.0.1/24")}
}

func bridgePort(b sdn.BridgeID) sdn.Port {
	return sdn.Port{Kind: sdn.BridgePort, Device: sdn.DeviceID(b), AdminStateUp: true}
}

func (s *site) port(t *testing.T, p sdn.Port) sdn.Port {
	t.Helper()
	made, err := s.CreatePort(t.Context(), p)
	require.NoError(t, err)
	return made
}

func (s *site) bound(t *testing.T, b sdn.BridgeID, iface string) sdn.Port {
	t.Helper()
	p := bridgePort(b)
	p.Host, p.Interface = s.host, iface
	return s.port(t, p)
}

func (s *site) home(t *testing.T, b sdn.BridgeID) sdn.Home {
	t.Helper()
	got, err := s.Bridge(t.Context(), b)
	require.NoError(t, err)
	return got.Home
}
