package tenant

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/ledger"
	"github.com/moatnet/moat/sdn"
)

// fault makes the nth call fail: before it is done, or after, so that only the
// answer is lost.
type fault struct {
	n, at atomic.Int64
	lost  bool
	last  atomic.Value
}

func (f *fault) arm(at int64, lost bool) {
	f.lost = lost
	f.n.Store(0)
	f.at.Store(at)
}

func (f *fault) disarm() (fired bool) {
	at := f.at.Swap(0)
	return at != 0 && f.n.Load() >= at
}

func (f *fault) call(what string, do func() error) error {
	if f.n.Add(1) != f.at.Load() {
		return do()
	}
	f.last.Store(what)
	if f.lost {
		_ = do()
	}
	return fmt.Errorf("%s: %w", what, sdn.ErrUnavailable)
}

func called[T any](f *fault, what string, do func() (T, error)) (v T, err error) {
	err = f.call(what, func() error { v, err = do(); return err })
	return v, err
}

// faulty is an SDN whose calls fail as its fault says.
type faulty struct {
	sdn.API
	*fault
}

func (f faulty) CreateRouter(ctx context.Context, r sdn.Router) (sdn.Router, error) {
	return called(f.fault, "create router", func() (sdn.Router, error) { return f.API.CreateRouter(ctx, r) })
}
func (f faulty) Router(ctx context.Context, id sdn.RouterID) (sdn.Router, error) {
	return called(f.fault, "read router", func() (sdn.Router, error) { return f.API.Router(ctx, id) })
}
func (f faulty) DeleteRouter(ctx context.Context, id sdn.RouterID) error {
	return f.call("delete router", func() error { return f.API.DeleteRouter(ctx, id) })
}
func (f faulty) CreateRoute(ctx context.Context, r sdn.Route) (sdn.Route, error) {
	return called(f.fault, "create route", func() (sdn.Route, error) { return f.API.CreateRoute(ctx, r) })
}
func (f faulty) DeleteRoute(ctx context.Context, id sdn.RouteID) error {
	return f.call("delete route", func() error { return f.API.DeleteRoute(ctx, id) })
}
func (f faulty) CreateBridge(ctx context.Context, b sdn.Bridge) (sdn.Bridge, error) {
	return called(f.fault, "create bridge", func() (sdn.Bridge, error) { return f.API.CreateBridge(ctx, b) })
}
func (f faulty) DeleteBridge(ctx context.Context, id sdn.BridgeID) error {
	return f.call("delete bridge", func() error { return f.API.DeleteBridge(ctx, id) })
}
func (f faulty) CreatePort(ctx context.Context, p sdn.Port) (sdn.Port, error) {
	return called(f.fault, "create port", func() (sdn.Port, error) { return f.API.CreatePort(ctx, p) })
}
func (f faulty) Port(ctx context.Context, id sdn.PortID) (sdn.Port, error) {
	return called(f.fault, "read port", func() (sdn.Port, error) { return f.API.Port(ctx, id) })
}
func (f faulty) DeletePort(ctx context.Context, id sdn.PortID) error {
	return f.call("delete port", func() error { return f.API.DeletePort(ctx, id) })
}
func (f faulty) Link(ctx context.Context, a, b sdn.PortID) error {
	return f.call("link", func() error { return f.API.Link(ctx, a, b) })
}
func (f faulty) CreateChain(ctx context.Context, c sdn.Chain) (sdn.Chain, error) {
	return called(f.fault, "create chain", func() (sdn.Chain, error) { return f.API.CreateChain(ctx, c) })
}
func (f faulty) DeleteChain(ctx context.Context, id sdn.ChainID) error {
	return f.call("delete chain", func() error { return f.API.DeleteChain(ctx, id) })
}
func (f faulty) Rules(ctx context.Context, c sdn.ChainID) ([]sdn.Rule, error) {
	return called(f.fault, "list rules", func() ([]sdn.Rule, error) { return f.API.Rules(ctx, c) })
}
func (f faulty) CreateRule(ctx context.Context, r sdn.Rule) (sdn.Rule, error) {
	return called(f.fault, "create rule", func() (sdn.Rule, error) { return f.API.CreateRule(ctx, r) })
}
func (f faulty) CreateTunnelZone(ctx context.Context, z sdn.TunnelZone) (sdn.TunnelZone, error) {
	return called(f.fault, "create tunnel zone", func() (sdn.TunnelZone, error) { return f.API.CreateTunnelZone(ctx, z) })
}
func (f faulty) AddTunnelZoneHost(ctx context.Context, m sdn.TunnelZoneHost) error {
	return f.call("join tunnel zone", func() error { return f.API.AddTunnelZoneHost(ctx, m) })
}

// faultyKV is a store whose transactions fail as its fault says.
type faultyKV struct {
	ledger.KV
	*fault
}

func (f faultyKV) Commit(ctx context.Context, t ledger.Txn) (ledger.Result, error) {
	res, err := called(f.fault, "transaction", func() (ledger.Result, error) { return f.KV.Commit(ctx, t) })
	if err != nil {
		err = fmt.Errorf("%w: %w", ipam.ErrUnavailable, err)
	}
	return res, err
}

// inTurn runs do with the first, second, … call failing, in both ways, until
// there is no such call any more.
func inTurn(t *testing.T, f *fault, do func(t *testing.T, failed func() bool)) {
	for _, lost := range []bool{false, true} {
		fired := 0
		for at := int64(1); ; at++ {
			f.arm(at, lost)
			did := false
			do(t, func() bool { did = f.disarm(); return did })
			if !did {
				break
			}
			fired++
			require.Less(t, fired, 200, "the calls do not end")
		}
		require.NotZero(t, fired, "no call was made to fail")
	}
}

func TestAttachThatFailsAnywhereLeavesNothingBehind(t *testing.T) {
	for _, side := range []string{"sdn", "store"} {
		t.Run(side, func(t *testing.T) {
			w, f := newWorld(t), &fault{}
			m := w.manager(t, func(o *Options) {
				if side == "sdn" {
					o.API = faulty{w.topo, f}
				} else {
					o.Store = ledger.New(faultyKV{w.kv, f}, ledger.Options{})
				}
			})
			_, err := m.EnsureTenant(t.Context(), "blue")
			require.NoError(t, err)
			before := w.everything(t)
			inTurn(t, f, func(t *testing.T, failed func() bool) {
				_, err := m.Attach(t.Context(), request(t, "blue", "c1"))
				if !failed() {
					require.NoError(t, err)
				} else {
					require.Equal(t, CodeTryAgain, code(t, err), "%v", err)
					require.ErrorContains(t, err, "blue/pod-c1")
					require.Empty(t, w.leases(t))
					require.Equal(t, before, w.everything(t), "%v", err)
				}
				require.NoError(t, m.Detach(t.Context(), attachment("c1")))
				require.Empty(t, w.leases(t))
				require.Empty(t, w.pods.pairs)
				require.Equal(t, before, w.everything(t))
			})
		})
	}
}

func TestFirstPodThatFailsAnywhereLeavesWhatTheNextCompletes(t *testing.T) {
	clean := newWorld(t)
	_, err := clean.manager(t).Attach(t.Context(), request(t, "blue", "c1"))
	require.NoError(t, err)
	complete := len(clean.everything(t))
	for _, side := range []string{"sdn", "store"} {
		t.Run(side, func(t *testing.T) {
			f := &fault{}
			inTurn(t, f, func(t *testing.T, failed func() bool) {
				w := newWorld(t)
				m := w.manager(t, func(o *Options) {
					if side == "sdn" {
						o.API = faulty{w.topo, f}
					} else {
						o.Store = ledger.New(faultyKV{w.kv, f}, ledger.Options{})
					}
				})
				_, err := m.Attach(t.Context(), request(t, "blue", "c1"))
				if failed() {
					require.Equal(t, CodeTryAgain, code(t, err), "%v", err)
					require.Empty(t, w.leases(t), "%v", f.last.Load())
				}
				_, err = w.manager(t).Attach(t.Context(), request(t, "blue", "c1"))
				require.NoError(t, err)
				require.Len(t, w.everything(t), complete, "after %v", f.last.Load())
				require.Len(t, w.leases(t), 1)
			})
		})
	}
}

func TestDetachAndDeleteThatFailAnywhereAreFinishedByTheNextCall(t *testing.T) {
	for _, side := range []string{"sdn", "store"} {
		t.Run(side, func(t *testing.T) {
			f := &fault{}
			inTurn(t, f, func(t *testing.T, failed func() bool) {
				at, lost := f.at.Load(), f.lost
				f.disarm()
				w := newWorld(t)
				m := w.manager(t, func(o *Options) {
					if side == "sdn" {
						o.API = faulty{w.topo, f}
					} else {
						o.Store = ledger.New(faultyKV{w.kv, f}, ledger.Options{})
					}
				})
				_, err := m.EnsureProvider(t.Context())
				require.NoError(t, err)
				before := w.everything(t)
				_, err = m.Attach(t.Context(), request(t, "blue", "c1"))
				require.NoError(t, err)
				f.arm(at, lost)
				first := m.Detach(t.Context(), attachment("c1"))
				second := m.DeleteTenant(t.Context(), "blue", false)
				if failed() {
					if first == nil {
						require.Equal(t, CodeTryAgain, code(t, second), "%v", second)
					} else {
						require.Equal(t, CodeTryAgain, code(t, first), "%v", first)
					}
				} else {
					require.NoError(t, first)
					require.NoError(t, second)
				}
				require.NoError(t, m.Finish(t.Context()))
				require.NoError(t, m.DeleteTenant(t.Context(), "blue", false))
				require.Equal(t, before, w.everything(t))
				require.Empty(t, w.leases(t))
				require.Empty(t, w.pods.pairs)
			})
		})
	}
}
