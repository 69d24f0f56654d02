package dataplane

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// awaited counts the facts that someone waits for, and those who do.
func (f *facts) awaited() (facts, waiting int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, w := range f.wait {
		waiting += w.count
	}
	return len(f.wait), waiting
}

func TestWaitInVainLeavesNothing(t *testing.T) {
	f := newFacts()
	short, cancel := context.WithCancel(t.Context())
	var inVain, others sync.WaitGroup
	for range 3 {
		inVain.Go(func() { require.ErrorIs(t, f.until(short, "port a"), context.Canceled) })
		others.Go(func() { require.NoError(t, f.until(t.Context(), "port a")) })
		inVain.Go(func() { require.ErrorIs(t, f.until(short, "port b"), context.Canceled) })
	}
	require.Eventually(t, func() bool { _, n := f.awaited(); return n == 9 }, 20*time.Second, time.Millisecond)
	cancel()
	inVain.Wait()
	keys, waiting := f.awaited()
	require.Equal(t, 1, keys, "the others still wait for port a")
	require.Equal(t, 3, waiting)
	require.True(t, f.set("port a", true))
	others.Wait()
	keys, _ = f.awaited()
	require.Zero(t, keys)

	f.set("port a", false)
	require.ErrorIs(t, f.until(short, "port a"), context.Canceled)
	keys, _ = f.awaited()
	require.Zero(t, keys)
}
