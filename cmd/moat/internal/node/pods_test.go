package node

import (
	"net/netip"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/lab"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/tenant"
)

// A bridge that is not there is what package tenant makes again, and tries again.
func TestPairWithoutItsBridgeIsTriedAgain(t *testing.T) {
	l, err := lab.New()
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	host, err := l.Namespace("host")
	require.NoError(t, err)
	pod, err := l.Namespace("pod")
	require.NoError(t, err)
	podNS, err := os.Open(pod.Path)
	require.NoError(t, err)
	defer podNS.Close()
	w := tenant.PodWire{
		HostNS: host.Path, Master: "nobridge", HostName: "moat1", HostAlias: "test", PodNS: podNS, PodName: "eth0", MTU: 1500,
		Addresses: prefixes(netip.MustParsePrefix("10.1.0.2/24")), Gateway: netip.MustParseAddr("10.1.0.1"),
	}
	_, err = pods{}.Make(t.Context(), w)
	var e *tenant.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, tenant.CodeTryAgain, e.Code)
	require.ErrorIs(t, err, sdn.ErrNotFound)
	require.ErrorContains(t, err, "nobridge")
}
