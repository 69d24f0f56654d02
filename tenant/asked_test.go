package tenant

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
)

func TestWishesThatDoNotFitASubnetNameWhoAsks(t *testing.T) {
	w := newWorld(t)
	m := w.manager(t)
	n, err := m.EnsureTenant(t.Context(), "blue")
	require.NoError(t, err)
	subnet := n.Record.Subnets[0].Prefix
	free := ipam.Nth(subnet, 77)
	held := request(t, "blue", "held")
	held.IPs = []netip.Addr{ipam.Nth(subnet, 80)}
	_, err = m.Attach(t.Context(), held)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		change func(*AttachRequest)
		code   Code
		says   string
	}{
		"address outside":           {func(r *AttachRequest) { r.IPs[0] = outside }, CodeInvalidConfig, "annotation ip: requested address 192.0.2.1 is in none of the tenant's subnets"},
		"two addresses":             {func(r *AttachRequest) { r.IPs = append(r.IPs, outside) }, CodeInvalidConfig, "annotation ip: 2 addresses requested"},
		"IPv6":                      {func(r *AttachRequest) { r.IPs[0] = netip.MustParseAddr("fd00::5") }, CodeInvalidConfig, "annotation ip: requested address fd00::5 is not IPv4"},
		"another length":            {func(r *AttachRequest) { r.SubnetBits = 24 }, CodeInvalidConfig, "annotation ip: requested address " + free.String() + "/24 lies in subnet " + subnet.String()},
		"gateway outside":           {func(r *AttachRequest) { r.Gateway = outside }, CodeInvalidConfig, "annotation gateway: requested gateway 192.0.2.1"},
		"gateway outside, alone":    {func(r *AttachRequest) { r.IPs, r.Gateway = nil, outside }, CodeInvalidConfig, "annotation gateway: requested gateway 192.0.2.1 is in none"},
		"gateway of IPv6":           {func(r *AttachRequest) { r.Gateway = netip.MustParseAddr("fd00::1") }, CodeInvalidConfig, "annotation gateway: requested gateway fd00::1 is not IPv4"},
		"the network for a gateway": {func(r *AttachRequest) { r.Gateway = subnet.Addr() }, CodeInvalidConfig, "annotation gateway: requested gateway " + subnet.Addr().String() + " is the network"},
		"broadcast for a gateway":   {func(r *AttachRequest) { r.Gateway = last(subnet) }, CodeInvalidConfig, "annotation gateway"},
		"itself for a gateway":      {func(r *AttachRequest) { r.Gateway = free }, CodeInvalidConfig, "annotation gateway"},
		"held":                      {func(r *AttachRequest) { r.IPs[0] = held.IPs[0] }, CodeAddressInUse, "pod blue/pod-held"},
	} {
		t.Run(name, func(t *testing.T) {
			r := request(t, "blue", "c1")
			r.IPs, r.IPsFrom, r.GatewayFrom = []netip.Addr{free}, "annotation ip", "annotation gateway"
			c.change(&r)
			_, err := m.Attach(t.Context(), r)
			require.Equal(t, c.code, code(t, err), "%v", err)
			require.ErrorContains(t, err, c.says)
			require.Len(t, w.leases(t), 1)
		})
	}
}

var outside = netip.MustParseAddr("192.0.2.1")

func TestGatewayThatAPodWants(t *testing.T) {
	w := newWorld(t)
	m := w.manager(t)
	n, err := m.EnsureTenant(t.Context(), "blue")
	require.NoError(t, err)
	subnet := n.Record.Subnets[0].Prefix
	r := request(t, "blue", "c1")
	r.Gateway, r.IPs, r.SubnetBits = ipam.Nth(subnet, 9), []netip.Addr{ipam.Nth(subnet, 77)}, subnet.Bits()
	got, err := m.Attach(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, r.Gateway, got.Gateway)
	require.Equal(t, r.Gateway, w.leases(t)[0].Gateway, "it is written down")
	again, err := m.Attach(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, got, again)
	require.NoError(t, m.Check(t.Context(), r, got))
}

// TestGatewayThatIsNobodys leases the wanted gateway's own address to the pod, and
// gives it back.
func TestGatewayThatIsNobodys(t *testing.T) {
	w := newWorld(t)
	m := w.manager(t)
	first, err := m.Attach(t.Context(), request(t, "blue", "c1"))
	require.NoError(t, err)
	r := request(t, "blue", "c2")
	r.Gateway, r.GatewayFrom = first.Addresses[0].Addr().Next(), "annotation gateway"
	_, err = m.Attach(t.Context(), r)
	require.Equal(t, CodeInvalidConfig, code(t, err))
	require.ErrorContains(t, err, "annotation gateway: requested gateway "+r.Gateway.String()+" is nobody's")
	require.Len(t, w.leases(t), 1)
}
