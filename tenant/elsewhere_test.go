package tenant

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

func elsewhere(o *Options) { o.Host = "" }

func TestShowingTheProviderMakesNothing(t *testing.T) {
	w := newWorld(t)
	_, err := w.manager(t).ShowProvider(t.Context())
	require.ErrorIs(t, err, ErrNoProvider)
	routers, err := w.topo.Routers(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, routers)

	made, err := w.manager(t).EnsureProvider(t.Context())
	require.NoError(t, err)
	shown, err := w.manager(t, elsewhere).ShowProvider(t.Context())
	require.NoError(t, err)
	require.Equal(t, made, shown)
}

// An operator who does not know which uplink the installation has neither
// changes it nor builds tenants for another.
func TestAnOperatorElsewhereTakesTheProviderAsItIs(t *testing.T) {
	w := newWorld(t)
	real := Uplink{Interface: "eth1", Address: netip.MustParsePrefix("203.0.113.2/24"), Gateway: netip.MustParseAddr("203.0.113.1")}
	host := w.manager(t, func(o *Options) { o.Uplink = real })
	made, err := host.EnsureProvider(t.Context())
	require.NoError(t, err)

	operator := w.manager(t, elsewhere)
	again, err := operator.EnsureProvider(t.Context())
	require.NoError(t, err)
	require.Equal(t, made, again)
	n, err := operator.EnsureTenant(t.Context(), "red")
	require.NoError(t, err)
	before, err := w.topo.Rules(t.Context(), n.Inbound)
	require.NoError(t, err)
	for _, r := range before {
		require.False(t, r.Type == sdn.RuleAccept && r.Condition.Src.IsValid(), "nobody outside is let in: %+v", r)
	}
	_, err = host.EnsureTenant(t.Context(), "red")
	require.NoError(t, err)
	after, err := w.topo.Rules(t.Context(), n.Inbound)
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.NoError(t, operator.DeleteTenant(t.Context(), "red", false))
}

func TestAnUplinkWithoutAHostBecomesTheFirstOnes(t *testing.T) {
	w := newWorld(t)
	made, err := w.manager(t, elsewhere).EnsureProvider(t.Context())
	require.NoError(t, err)
	port, err := w.topo.Port(t.Context(), made.Uplink)
	require.NoError(t, err)
	require.Empty(t, port.Host)

	_, err = w.manager(t).EnsureProvider(t.Context())
	require.NoError(t, err)
	port, err = w.topo.Port(t.Context(), made.Uplink)
	require.NoError(t, err)
	require.Equal(t, w.host, port.Host)
	require.Equal(t, sdn.InterfaceName(made.Uplink), port.Interface)
}

// An uplink that somebody deletes is made again by the host that had it, not by the
// one that sees it first.
func TestTheUplinkStaysWhereItWas(t *testing.T) {
	d := newDamaged(t, true)
	host := sdn.HostID(uuid.NewString())
	d.topo.SetAlive(host, true)
	_, err := d.topo.CreateHost(t.Context(), sdn.Host{ID: host, Name: "node2"})
	require.NoError(t, err)
	second := d.manager(t, func(o *Options) { o.Source, o.Node, o.Host = d.topo, "node2", host })
	_, err = second.EnsureProvider(t.Context())
	require.NoError(t, err)

	uplink, mender := d.base.layout.Uplink.ID, newMender(second)
	require.NoError(t, d.topo.DeletePort(t.Context(), uplink))
	now := time.Now()
	for end := now.Add(25 * time.Second); now.Before(end); {
		again, err := mender.sweep(t.Context(), now)
		require.NoError(t, err)
		now = now.Add(again)
	}
	_, err = second.EnsureProvider(t.Context())
	require.ErrorIs(t, err, sdn.ErrNotFound)
	d.swept(t, 25*time.Second)
	port, err := d.topo.Port(t.Context(), uplink)
	require.NoError(t, err)
	require.Equal(t, d.host, port.Host)
	_, err = second.EnsureProvider(t.Context())
	require.NoError(t, err)
}
