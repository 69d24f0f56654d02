package tenant

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLockIsGivenUpWithTheContextAndLeavesNoTrace(t *testing.T) {
	var l locks[string]
	unlock, err := l.lock(t.Context(), "a")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = l.lock(ctx, "a")
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, l.taken("a"))
	other, err := l.lock(t.Context(), "b")
	require.NoError(t, err, "keys do not wait for each other")
	other()
	unlock()
	require.Empty(t, l.held)
}

func TestOneHoldsALockAtATime(t *testing.T) {
	var l locks[int]
	var wg sync.WaitGroup
	n := 0
	for range 50 {
		wg.Go(func() {
			unlock, err := l.lock(t.Context(), 1)
			if assert.NoError(t, err) {
				n++
				unlock()
			}
		})
	}
	wg.Wait()
	require.Equal(t, 50, n)
	require.Empty(t, l.held)
}

func TestOfTwoAtOnceTheCauseIsTheFirstError(t *testing.T) {
	first := errors.New("first")
	waits := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	fails := func(context.Context) error { return first }
	require.Equal(t, first, both(t.Context(), waits, fails))
	require.Equal(t, first, both(t.Context(), fails, waits))
	require.NoError(t, both(t.Context(), func(context.Context) error { return nil }, func(context.Context) error { return nil }))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, both(ctx, waits, waits), context.Canceled)
}
