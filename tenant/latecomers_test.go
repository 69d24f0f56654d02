package tenant

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

// frozenAPI takes the creation of a port while it is frozen, and does it later.
type frozenAPI struct {
	sdn.API
	frozen bool
	later  []sdn.Port
}

func (f *frozenAPI) CreatePort(ctx context.Context, p sdn.Port) (sdn.Port, error) {
	if !f.frozen {
		return f.API.CreatePort(ctx, p)
	}
	f.later = append(f.later, p)
	<-ctx.Done()
	return sdn.Port{}, ctx.Err()
}

func (f *frozenAPI) thaw(t *testing.T) {
	f.frozen = false
	for _, p := range f.later {
		_, err := f.API.CreatePort(t.Context(), p)
		require.NoError(t, err)
	}
}

func TestPortThatComesAfterItsAttachmentWasUndoneIsRemoved(t *testing.T) {
	w := newWorld(t)
	api := &frozenAPI{API: w.topo}
	m := w.manager(t, func(o *Options) { o.API = api })
	other := w.manager(t, func(o *Options) { o.Node = "node2" })
	_, err := m.Attach(t.Context(), request(t, "blue", "living"))
	require.NoError(t, err)
	r := request(t, "blue", "elsewhere")
	r.Attachment.Node = "node2"
	_, err = other.Attach(t.Context(), r)
	require.NoError(t, err)
	before := w.everything(t)
	require.Empty(t, m.doubts.list())

	api.frozen = true
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = m.Attach(ctx, request(t, "blue", "c1"))
	require.Equal(t, CodeTryAgain, code(t, err))
	require.NoError(t, m.Detach(t.Context(), attachment("c1")), "the runtime gives up")
	require.Equal(t, before, w.everything(t))

	api.thaw(t)
	require.NotEqual(t, before, w.everything(t), "the port has come")
	require.NoError(t, m.removeLatecomers(t.Context()))
	require.Equal(t, before, w.everything(t))
	require.Len(t, m.doubts.list(), 1, "another may come")
}

func TestADoubtEndsWithItsAgeAndABridgeMayBeGone(t *testing.T) {
	w := newWorld(t)
	m := w.manager(t)
	_, err := m.Attach(t.Context(), request(t, "blue", "c1"))
	require.NoError(t, err)
	rec := w.leases(t)[0]
	m.doubts.add(rec)
	require.NoError(t, m.removeLatecomers(t.Context()))
	d := m.doubts.list()
	require.Len(t, d, 1)
	m.doubts.settled(d[0], time.Now().Add(doubtAge+time.Second))
	require.Empty(t, m.doubts.list())
	require.NoError(t, m.Detach(t.Context(), attachment("c1")))
	m.doubts.add(rec)
	require.NoError(t, w.topo.DeleteBridge(t.Context(), sdn.BridgeID(rec.Bridge)))
	require.NoError(t, m.removeLatecomers(t.Context()))
}
