package tenant

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam/ledger"
	"github.com/moatnet/moat/sdn"
)

// waiting is an engine that meanwhile is called with before it waits for a port
// the first time, and that does not know why a port never comes.
type waiting struct {
	*engine
	meanwhile func()
	called    atomic.Bool
}

func (e *waiting) WaitActive(ctx context.Context, p sdn.PortID) error {
	if !e.called.Swap(true) {
		e.meanwhile()
		<-ctx.Done()
		return ctx.Err()
	}
	return e.engine.WaitActive(ctx, p)
}

// deleteBridge deletes the tenant's bridge through the API, with its ports.
func (w *world) deleteBridge(t *testing.T, m *Manager) func() {
	n, err := m.EnsureTenant(t.Context(), "blue")
	require.NoError(t, err)
	return func() {
		require.NoError(t, w.topo.DeleteBridge(t.Context(), sdn.BridgeID(n.Record.Subnets[0].Bridge)))
	}
}

func TestBridgeDeletedWhileAPortIsWaitedForIsMadeAgain(t *testing.T) {
	w, manager, _ := ridingWorld(t, nil)
	e := &waiting{engine: w.eng}
	m := manager(func(o *Options) { o.Engine = e })
	e.meanwhile = w.deleteBridge(t, m)
	before := w.everything(t)
	_, err := m.Attach(t.Context(), request(t, "blue", "c1"))
	require.NoError(t, err)
	w.inPlace(t, "c1")
	require.NoError(t, m.Detach(t.Context(), attachment("c1")))
	require.Equal(t, len(before), len(w.everything(t)))
}

func TestBridgeDeletedWhileThePairIsMadeIsMadeAgain(t *testing.T) {
	w, manager, _ := ridingWorld(t, nil)
	m := manager()
	deleteBridge, done := w.deleteBridge(t, m), false
	w.pods.fail = func(op string) error {
		if op != "make" || done {
			return nil
		}
		done = true
		deleteBridge()
		return errors.New("no such device")
	}
	_, err := m.Attach(t.Context(), request(t, "blue", "c1"))
	require.NoError(t, err)
	w.inPlace(t, "c1")
	require.True(t, done)
}

func TestPortThatIsDeletedAgainAndAgainIsTryAgain(t *testing.T) {
	w, manager, _ := ridingWorld(t, nil)
	m := manager()
	w.pods.fail = func(op string) error {
		if op != "make" {
			return nil
		}
		rec, err := ledger.New(w.kv, ledger.Options{}).Attachment(t.Context(), attachment("c1"))
		require.NoError(t, err)
		require.NoError(t, w.topo.DeletePort(t.Context(), sdn.PortID(rec.Port)))
		return errors.New("no such device")
	}
	_, err := m.Attach(t.Context(), request(t, "blue", "c1"))
	require.Equal(t, CodeTryAgain, code(t, err))
	require.ErrorContains(t, err, "was deleted meanwhile")
	require.ErrorContains(t, err, "no such device")
	require.Empty(t, w.leases(t))
}

func TestWhatToDoIsSaidOnceAndAlways(t *testing.T) {
	w := newWorld(t)
	m := w.manager(t)
	for _, cause := range []error{&Error{Code: CodeInterfaceUsed, Msg: "eth0 exists", Details: "remove it"}, errors.New("kernel says no")} {
		w.pods.fail = func(op string) error {
			if op == "make" {
				return cause
			}
			return nil
		}
		_, err := m.Attach(t.Context(), request(t, "blue", "c1"))
		var e *Error
		require.ErrorAs(t, err, &e)
		require.NotEmpty(t, e.Details)
		require.NotContains(t, e.Msg, e.Details)
	}
}
