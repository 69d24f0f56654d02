package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
)

// A client of the REST API cannot take the host's own way out away.
func TestTheHostsUplinkCannotBeBoundThroughTheAPI(t *testing.T) {
	n := newNode(t)
	p := n.pod("red", "one")
	rest, err := n.daemon.REST(t.Context(), listen)
	require.NoError(t, err)
	bridges, err := rest.List(t.Context(), "/bridges?tenant_id=red", "Bridge-v4")
	require.NoError(t, err)
	require.Len(t, bridges, 1)
	before, err := n.daemon.Inventory()
	require.NoError(t, err)
	ports := "/bridges/" + bridges[0]["id"].(string) + "/ports"

	_, err = rest.Post(t.Context(), ports, "Port-v3", map[string]any{"type": "Bridge", "hostId": hostIDOf(t, n.daemon), "interfaceName": "eth0"})
	require.ErrorContains(t, err, "409")
	require.ErrorContains(t, err, "default route")
	uri, err := rest.Post(t.Context(), ports, "Port-v3", map[string]any{"type": "Bridge"})
	require.NoError(t, err)
	id := uri[len(uri)-36:]
	_, err = rest.Post(t.Context(), "/hosts/"+hostIDOf(t, n.daemon)+"/ports", "HostInterfacePort-v1", map[string]any{"portId": id, "interfaceName": "eth0"})
	require.ErrorContains(t, err, "409")
	require.ErrorContains(t, err, "--uplink eth0")

	now, err := n.daemon.Inventory()
	require.NoError(t, err)
	require.Equal(t, before, now)
	require.NoError(t, n.host.Do(func() error { _, err := netlink.LinkByName("eth0"); return err }))
	n.reaches(p.Namespace, outsideAddr.Addr())
	require.NoError(t, rest.Delete(t.Context(), uri))
}
