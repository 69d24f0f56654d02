package topology

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

// mirror follows a topology and holds it to sending every change once.
type mirror struct {
	mu      sync.Mutex
	objects map[key]any
	batches int
	wrong   []string
}

func follow(t *testing.T, top *Topology) *mirror {
	t.Helper()
	m := &mirror{objects: map[key]any{}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- top.Follow(ctx, m.take) }()
	t.Cleanup(func() {
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
	})
	require.Eventually(t, func() bool { m.mu.Lock(); defer m.mu.Unlock(); return m.batches > 0 }, 10*time.Second, time.Millisecond)
	return m
}

func (m *mirror) take(changes []sdn.Change) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.batches++
	for _, c := range changes {
		k := key{c.Kind, c.ID}
		if had := m.objects[k]; fmt.Sprintf("%+v", had) != fmt.Sprintf("%+v", c.Before) {
			m.wrong = append(m.wrong, fmt.Sprintf("%s: before %+v, had %+v", k, c.Before, had))
		}
		if c.After == nil {
			delete(m.objects, k)
		} else {
			m.objects[k] = c.After
		}
	}
}

func (m *mirror) batchCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.batches
}

// requireEqual waits until the mirror shows what the topology shows.
func (m *mirror) requireEqual(t *testing.T, top *Topology) {
	t.Helper()
	top.mu.RLock()
	want := map[key]any{}
	for _, c := range top.graph.everything() {
		want[key{c.Kind, c.ID}] = c.After
	}
	top.mu.RUnlock()
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		m.mu.Lock()
		defer m.mu.Unlock()
		require.Equal(t, want, m.objects)
	}, 20*time.Second, 5*time.Millisecond)
	m.mu.Lock()
	defer m.mu.Unlock()
	require.Empty(t, m.wrong)
}

func testFollow(t *testing.T, open opener) {
	x := newTangle(t, open)
	ctx := t.Context()
	m := follow(t, x.Topology)
	require.Equal(t, 1, m.batches, "what exists comes as one batch")
	m.requireEqual(t, x.Topology)

	x.rule(t, sdn.Rule{Chain: x.in, Type: sdn.RuleAccept})
	require.NoError(t, x.DeleteChain(ctx, x.out))
	require.NoError(t, x.DeleteRouter(ctx, x.left))
	x.SetActive(x.pod.ID, true)
	x.bound(t, x.bridge, "pod9")
	m.requireEqual(t, x.Topology)
	x.clear(t)
	m.requireEqual(t, x.Topology)
}

func testSlowFollower(t *testing.T, open opener) {
	s := newSite(t, open)
	ctx, cancel := context.WithCancel(t.Context())
	hold, first := make(chan struct{}), make(chan struct{}, 1)
	seen := make(chan int, 1)
	done := make(chan error, 1)
	go func() {
		total := 0
		done <- s.Follow(ctx, func(changes []sdn.Change) {
			select {
			case first <- struct{}{}:
			default:
			}
			<-hold
			for _, c := range changes {
				if c.Kind == sdn.KindChain {
					total++
				}
			}
			if total == 50 {
				seen <- total
			}
		})
	}()
	<-first
	for range 50 {
		s.chain(t)
	}
	close(hold)
	require.Equal(t, 50, <-seen, "a follower that stands still neither holds writers up nor misses anything")
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
}

func testFollowEnds(t *testing.T, open opener) {
	s := newSite(t, open)
	m := &mirror{objects: map[key]any{}}
	done := make(chan error, 1)
	go func() { done <- s.Follow(t.Context(), m.take) }()
	last := s.chain(t)
	require.NoError(t, s.Close())
	require.ErrorIs(t, <-done, sdn.ErrUnavailable, "a closed topology has no more changes")
	require.Contains(t, m.objects, key{sdn.KindChain, string(last)}, "what came before was handed over")
	require.ErrorIs(t, s.Follow(t.Context(), m.take), sdn.ErrUnavailable, "and none for a newcomer")
}
