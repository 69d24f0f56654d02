package queue

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
)

func TestALineLetsInSoManyAtOnce(t *testing.T) {
	l := Line{Most: 3}
	var wg sync.WaitGroup
	var inside, most atomic.Int32
	for range 200 {
		wg.Go(func() {
			leave, err := l.Enter(t.Context())
			if !assert.NoError(t, err) {
				return
			}
			n := inside.Add(1)
			for was := most.Load(); n > was && !most.CompareAndSwap(was, n); was = most.Load() {
			}
			inside.Add(-1)
			leave(nil)
		})
	}
	wg.Wait()
	require.LessOrEqual(t, most.Load(), int32(3))
	require.Zero(t, l.inside)
	require.Empty(t, l.waiting)
}

// wait returns when n calls wait.
func (l *Line) wait(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.waiting) == n
	}, 30*time.Second, time.Millisecond)
}

// visit goes in and out, and tells what Enter said.
func (l *Line) visit(ctx context.Context) <-chan error {
	told := make(chan error, 1)
	go func() {
		leave, err := l.Enter(ctx)
		if err == nil {
			leave(nil)
		}
		told <- err
	}()
	return told
}

func TestALineIsServedInTheOrderOfComing(t *testing.T) {
	const all = 20
	l := Line{Most: 1}
	leave, err := l.Enter(t.Context())
	require.NoError(t, err)
	served := make(chan int, all)
	for i := range all {
		go func() {
			leave, err := l.Enter(t.Context())
			if assert.NoError(t, err) {
				served <- i
				leave(nil)
			}
		}()
		l.wait(t, i+1)
	}
	leave(nil)
	for i := range all {
		require.Equal(t, i, <-served)
	}
}

func TestAllInALineAreToldOfASilentStore(t *testing.T) {
	l := Line{Most: 1}
	leave, err := l.Enter(t.Context())
	require.NoError(t, err)
	first, second := l.visit(t.Context()), l.visit(t.Context())
	l.wait(t, 2)
	silent := fmt.Errorf("etcd: %w", ipam.ErrUnavailable)
	leave(&silent)
	require.ErrorIs(t, <-first, ipam.ErrUnavailable)
	require.ErrorIs(t, <-second, ipam.ErrUnavailable)
	again, err := l.Enter(t.Context())
	require.NoError(t, err, "who comes later tries for itself")
	again(nil)
}

// A place that somebody gets in the moment in which it gives up is not lost.
func TestALineIsLeftWithTheContext(t *testing.T) {
	l := Line{Most: 1}
	for range 200 {
		leave, err := l.Enter(t.Context())
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		one := l.visit(ctx)
		l.wait(t, 1)
		other := l.visit(t.Context())
		l.wait(t, 2)
		go cancel()
		leave(nil)
		if err := <-one; err != nil {
			require.ErrorIs(t, err, context.Canceled)
		}
		require.NoError(t, <-other)
		require.Zero(t, l.inside)
		require.Empty(t, l.waiting)
	}
}
