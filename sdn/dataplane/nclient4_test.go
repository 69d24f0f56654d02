package dataplane_test

import (
	"testing"
	"time"

	"github.com/containernetworking/plugins/pkg/ns"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"github.com/stretchr/testify/require"
)

func TestClientOfAnotherImplementationGetsAndRenewsItsLease(t *testing.T) {
	l := newLab(t)
	e, stop := l.run(l.config)
	red := l.tenant("red", "10.1.0.1/24")
	p := l.pod(e, red, "10.1.0.2/24")
	var c *nclient4.Client
	require.NoError(t, p.ns.Do(func(ns.NetNS) (err error) {
		c, err = nclient4.New("eth0", nclient4.WithTimeout(300*time.Millisecond), nclient4.WithRetry(1))
		return err
	}))
	t.Cleanup(func() { c.Close() })
	_, err := c.DiscoverOffer(t.Context())
	require.ErrorIs(t, err, nclient4.ErrNoResponse)
	l.known(red, p, newDHCPClient(t, p))

	var lease *nclient4.Lease
	eventually(t, func() bool {
		var err error
		lease, err = c.Request(t.Context(), dhcpv4.WithOption(dhcpv4.OptMaxMessageSize(1500)))
		return err == nil
	})
	got := lease.ACK
	require.Equal(t, "10.1.0.2", got.YourIPAddr.String())
	require.Equal(t, "10.1.0.1", got.ServerIdentifier().String())
	require.Equal(t, "10.1.0.1", got.Router()[0].String())
	require.Equal(t, "ffffff00", got.SubnetMask().String())
	require.Equal(t, "192.0.2.53", got.DNS()[0].String())
	require.Equal(t, "red.example", got.DomainName())
	require.Len(t, got.ClasslessStaticRoute(), 2, "the route, and the gateway")
	require.GreaterOrEqual(t, got.IPAddressLeaseTime(0), time.Hour)
	require.Less(t, got.IPAddressRenewalTime(0), got.IPAddressRebindingTime(0))

	stop()
	_, stop = l.run(l.config)
	eventually(t, func() bool {
		_, err := c.Renew(t.Context(), lease)
		return err == nil
	})
	stop()
}
