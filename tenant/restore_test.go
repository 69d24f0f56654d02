package tenant

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
)

// attached is the confirmed record of a pod of red.
func (d *damaged) attached(t *testing.T) ipam.Record {
	_, err := d.m.Attach(t.Context(), request(t, "red", "c1"))
	require.NoError(t, err)
	require.NoError(t, d.m.Confirm(t.Context()))
	rec, err := d.m.opt.Store.Attachment(t.Context(), attachment("c1"))
	require.NoError(t, err)
	return rec
}

// A bridge that is made again lives where it lived, although a pod's port is missing
// before its link is made: else what pods' records say of it would be wrong for good.
func TestABridgeThatIsMadeAgainLivesWhereItLived(t *testing.T) {
	d := newDamaged(t, true)
	rec, bridge := d.attached(t), d.red.Bridges[0].Bridge
	before, err := d.topo.Bridge(t.Context(), bridge.ID)
	require.NoError(t, err)
	require.NoError(t, d.topo.DeleteBridge(t.Context(), bridge.ID))
	require.NoError(t, d.m.keep.bridge(t.Context(), bridge)) // and no further yet
	done, err := d.m.Restore(t.Context(), rec, nil)
	require.NoError(t, err)
	require.False(t, done)

	d.swept(t, 25*time.Second)
	now, err := d.topo.Bridge(t.Context(), bridge.ID)
	require.NoError(t, err)
	require.Equal(t, before.Home, now.Home)
	done, err = d.m.Restore(t.Context(), rec, nil)
	require.NoError(t, err)
	require.True(t, done)
	_, err = d.topo.Port(t.Context(), sdn.PortID(rec.Port))
	require.NoError(t, err)
}

func TestWhatIsToBeDetachedIsNotRestored(t *testing.T) {
	d := newDamaged(t, true)
	rec := d.attached(t)
	no := errors.New("no")
	d.pods.fail = func(string) error { return no }
	require.ErrorIs(t, d.m.Detach(t.Context(), rec.Attachment), no)
	d.pods.fail = nil
	done, err := d.m.Restore(t.Context(), rec, request(t, "red", "c1").Netns)
	require.NoError(t, err)
	require.False(t, done)
	require.NoError(t, d.m.Finish(t.Context()))
	require.Empty(t, d.leases(t))
}
