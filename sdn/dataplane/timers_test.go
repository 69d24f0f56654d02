package dataplane

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/plan"
	"github.com/moatnet/moat/sdn/topology"
)

// nowhere is a kernel in which nothing can be opened.
type nowhere struct {
	Kernel
	err error
}

func (n nowhere) Open(string) (Space, error)           { return nil, n.err }
func (n nowhere) Namespaces() ([]string, error)        { return nil, nil }
func (n nowhere) CreateNamespace(string, string) error { return n.err }
func (n nowhere) RemoveFile(string, time.Duration) (time.Duration, error) {
	return 0, nil
}
func (n nowhere) Events(ctx context.Context, _ func(Event)) error {
	<-ctx.Done()
	return nil
}

func inNowhere(t *testing.T, err error) (*Engine, *topology.Topology) {
	t.Helper()
	topo := topology.NewMemory(topology.Options{AllowDeadHosts: true})
	t.Cleanup(func() { require.NoError(t, topo.Close()) })
	e, nerr := New(Config{
		Source: topo, Reports: topo, Kernel: nowhere{err: err}, Interval: time.Hour,
		Plan: plan.Config{Installation: "t", Host: sdn.NewID[sdn.HostID](), MTU: 1500},
	})
	require.NoError(t, nerr)
	return e, topo
}

func TestFailuresOfANamespaceArmOneRetry(t *testing.T) {
	e, topo := inNowhere(t, errors.New("refused"))
	r, err := topo.CreateRouter(t.Context(), sdn.Router{TenantID: "red", AdminStateUp: true})
	require.NoError(t, err)
	name := sdn.NamespaceName(sdn.DeviceID(r.ID))
	for range 20 {
		_, _, err := e.reconcile(t.Context(), name, work{observe: true})
		require.Error(t, err)
	}
	require.Equal(t, 1, e.timers.pending())
	require.NoError(t, e.Close())
	require.Zero(t, e.timers.pending())
	_, _, err = e.reconcile(t.Context(), name, work{observe: true})
	require.Error(t, err)
	require.Zero(t, e.timers.pending(), "a closed engine tries nothing again")
}

func TestTimersDoEachThingOnce(t *testing.T) {
	x := newTimers()
	defer x.stop()
	a, fired := alarm{"n", retryAlarm}, make(chan string, 3)
	x.after(a, time.Hour, func() { fired <- "first" })
	x.within(a, 0, func() { fired <- "second" })
	x.after(a, 0, func() { fired <- "third" })
	require.Equal(t, "third", <-fired)
	require.Zero(t, x.pending())
	require.Empty(t, fired)
}

func TestForgottenNamespacesLeaveNothingBehind(t *testing.T) {
	e, topo := inNowhere(t, fs.ErrNotExist)
	defer e.Close()
	for range 100 {
		r, err := topo.CreateRouter(t.Context(), sdn.Router{TenantID: "red", AdminStateUp: true})
		require.NoError(t, err)
		name := sdn.NamespaceName(sdn.DeviceID(r.ID))
		e.learn(name, sdn.DeviceID(r.ID))
		e.take(name).apply.Unlock()
		require.NoError(t, topo.DeleteRouter(t.Context(), r.ID))
		_, _, err = e.reconcile(t.Context(), name, work{observe: true})
		require.NoError(t, err)
	}
	require.Empty(t, e.spaces)
	require.Empty(t, e.devices)
}

// TestCloseDoesNotHoldUpAPassThatRuns closes while namespaces are taken.
func TestCloseWaitsForANamespaceWithoutHoldingTheEngine(t *testing.T) {
	e, _ := inNowhere(t, fs.ErrNotExist)
	s := e.take("busy")
	closed := make(chan error, 1)
	go func() { closed <- e.Close() }()
	require.Eventually(t, func() bool { e.timers.mu.Lock(); defer e.timers.mu.Unlock(); return e.timers.stopped }, 20*time.Second, time.Millisecond)
	e.learn("busy", "x") // what a running pass does
	s.apply.Unlock()
	require.NoError(t, <-closed)
}
