package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
)

func TestQueueIsLeftWithTheContextAndLeavesNoTrace(t *testing.T) {
	var q Queue[string]
	leave, err := q.Enter(t.Context(), "a")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = q.Enter(ctx, "a")
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, q.Taken("a"))
	_, entered := q.Try(t.Context(), "a")
	require.False(t, entered)
	other, err := q.Enter(t.Context(), "b")
	require.NoError(t, err, "keys do not wait for each other")
	other(nil)
	leave(nil)
	again, entered := q.Try(t.Context(), "a")
	require.True(t, entered)
	again(nil)
	require.Empty(t, q.held)
}

func TestOneIsAtWorkAtATime(t *testing.T) {
	var q Queue[int]
	var wg sync.WaitGroup
	n := 0
	for range 50 {
		wg.Go(func() {
			leave, err := q.Enter(t.Context(), 1)
			if assert.NoError(t, err) {
				n++
				leave(nil)
			}
		})
	}
	wg.Wait()
	require.Equal(t, 50, n)
	require.Empty(t, q.held)
}

// waiting has n calls wait for key 1, which is taken, and returns what they are told.
func waiting(t *testing.T, q *Queue[int], n int) <-chan error {
	told := make(chan error, n)
	ctx := &counted{Context: t.Context()}
	for range n {
		go func() {
			leave, err := q.Enter(ctx, 1)
			if err == nil {
				leave(nil)
			}
			told <- err
		}()
	}
	require.Eventually(t, func() bool { return ctx.waits() == n }, 30*time.Second, time.Millisecond)
	return told
}

// counted counts who waits for its end.
type counted struct {
	context.Context
	mu sync.Mutex
	n  int
}

func (c *counted) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return c.Context.Done()
}

func (c *counted) waits() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

func TestWhoWaitedBehindASilentStoreIsToldSo(t *testing.T) {
	var q Queue[int]
	leave, err := q.Enter(t.Context(), 1)
	require.NoError(t, err)
	told := waiting(t, &q, 3)
	err = fmt.Errorf("lease: %w", ipam.ErrUnavailable)
	leave(&err)
	for range 3 {
		err := <-told
		require.ErrorIs(t, err, ipam.ErrUnavailable)
		require.EqualError(t, err, "store unavailable: it did not answer the call that this one waited for")
	}
	leave, err = q.Enter(t.Context(), 1)
	require.NoError(t, err, "who comes later asks the store itself")
	leave(nil)
	require.Empty(t, q.held)
}

func TestNobodyIsToldWhatDoesNotConcernHim(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	for name, of := range map[string]struct {
		ctx context.Context
		err error
	}{
		"done":              {t.Context(), nil},
		"refused":           {t.Context(), ipam.ErrInvalid},
		"full":              {t.Context(), ipam.ErrFull},
		"its own time's up": {ended, ipam.ErrUnavailable},
		"another cause":     {t.Context(), errors.New("no")},
	} {
		t.Run(name, func(t *testing.T) {
			var q Queue[int]
			leave, err := q.Enter(of.ctx, 1)
			require.NoError(t, err)
			told := waiting(t, &q, 2)
			leave(&of.err)
			require.NoError(t, <-told)
			require.NoError(t, <-told)
		})
	}
}
