package node

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/moatnet/moat/cmd/internal/lab"
	"github.com/moatnet/moat/cmd/moat/internal/config"
	"github.com/moatnet/moat/sdn"
)

func cabledHost(t *testing.T) *lab.Namespace {
	l, err := lab.New()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	host, err := l.Namespace("host")
	require.NoError(t, err)
	far, err := l.Namespace("far")
	require.NoError(t, err)
	require.NoError(t, l.Cable(lab.End{In: host, Interface: "eth0", Address: netip.MustParsePrefix("10.130.0.1/16")}, lab.End{In: far, Interface: "eth0"}))
	return host
}

func TestSupernetThatTheHostReachesIsRefused(t *testing.T) {
	host := cabledHost(t)
	c := config.Config{Supernet: netip.MustParsePrefix("10.128.0.0/9"), TransitPool: netip.MustParsePrefix("100.64.0.0/16")}
	err := host.Do(func() error { return refuseOverlap(c, "i1") })
	require.ErrorContains(t, err, "supernet 10.128.0.0/9 overlaps 10.130.0.0/16")

	c.Supernet = netip.MustParsePrefix("10.0.0.0/9")
	require.NoError(t, host.Do(func() error { return refuseOverlap(c, "i1") }))
}

func TestOwnUplinkIsNoOverlapAndAnotherInstallationsIs(t *testing.T) {
	host := cabledHost(t)
	c := config.Config{Supernet: netip.MustParsePrefix("10.128.0.0/9"), TransitPool: netip.MustParsePrefix("100.64.0.0/16")}
	require.NoError(t, host.Do(func() error {
		link, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		return netlink.LinkSetAlias(link, sdn.Stamp("i1", "uplink", "p"))
	}))
	require.NoError(t, host.Do(func() error { return refuseOverlap(c, "i1") }))
	require.ErrorContains(t, host.Do(func() error { return refuseOverlap(c, "i2") }), "overlaps")
}
