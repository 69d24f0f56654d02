package tenant

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
)

func says(gone bool, err error) func(context.Context, ipam.Record) (bool, error) {
	return func(context.Context, ipam.Record) (bool, error) { return gone, err }
}

func TestOnlyAnAttachmentThatIsProvenGoneIsDetached(t *testing.T) {
	blind := errors.New("the folder cannot be read")
	for name, c := range map[string]struct {
		gone   func(context.Context, ipam.Record) (bool, error)
		change func(*ipam.Record)
		err    error
	}{
		"it lives":               {gone: says(false, nil)},
		"nobody can tell":        {gone: says(true, blind), err: blind},
		"its record changed":     {gone: says(true, nil), change: func(r *ipam.Record) { r.Revision-- }},
		"another node's":         {gone: says(true, nil), change: func(r *ipam.Record) { r.Node = "node2" }},
		"it has ended meanwhile": {gone: says(true, nil), change: func(r *ipam.Record) { r.ContainerID = "c2" }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			m := w.manager(t)
			_, err := m.Attach(t.Context(), request(t, "blue", "c1"))
			require.NoError(t, err)
			rec := w.leases(t)[0]
			if c.change != nil {
				c.change(&rec)
			}
			done, err := m.DetachIf(t.Context(), rec, c.gone)
			require.ErrorIs(t, err, c.err)
			require.False(t, done)
			require.Len(t, w.leases(t), 1)
			require.Len(t, w.pods.pairs, 1)
		})
	}
}

func TestACallUnderWayKeepsAnAttachment(t *testing.T) {
	w := newWorld(t)
	m := w.manager(t)
	r := request(t, "blue", "c1")
	_, err := m.Attach(t.Context(), r)
	require.NoError(t, err)
	leave, err := m.busy.Enter(t.Context(), r.Attachment)
	require.NoError(t, err)
	done, err := m.DetachIf(t.Context(), w.leases(t)[0], says(true, nil))
	require.NoError(t, err)
	require.False(t, done)
	leave(nil)
	done, err = m.DetachIf(t.Context(), w.leases(t)[0], says(true, nil))
	require.NoError(t, err)
	require.True(t, done)
	require.Empty(t, w.leases(t))
	require.Empty(t, w.pods.pairs)
}

// Of an owner that is proven to be gone nobody waits for the deadline.
func TestSweepAsksWhetherTheOwnerIsGone(t *testing.T) {
	w := newWorld(t)
	dead(t, w, "c1")
	rec := w.leases(t)[0]
	require.NoError(t, w.topo.DeletePort(t.Context(), sdn.PortID(rec.Port)))
	m := w.manager(t, func(o *Options) { o.OwnerGone = func(string) bool { return false } })
	require.NoError(t, m.Sweep(t.Context()))
	require.Len(t, w.leases(t), 1)
	m = w.manager(t, func(o *Options) { o.OwnerGone = func(owner string) bool { return owner == rec.Owner } })
	require.NoError(t, m.Sweep(t.Context()))
	require.Empty(t, w.leases(t))
}
