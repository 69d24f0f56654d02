package tenant

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
)

// slowStore answers a ping only when it is let go, or when its time is up.
type slowStore struct {
	ipam.Store
	pings atomic.Int64
	asked chan struct{}
	letGo chan struct{}
}

func (s *slowStore) Ping(ctx context.Context) error {
	s.pings.Add(1)
	s.asked <- struct{}{}
	select {
	case <-s.letGo:
		return s.Store.Ping(ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func newSlowStore(t *testing.T) (*Manager, *slowStore) {
	s := &slowStore{asked: make(chan struct{}, 8), letGo: make(chan struct{})}
	return newWorld(t).manager(t, func(o *Options) { s.Store = o.Store; o.Store = s }), s
}

// within returns what f returned, or fails when that takes too long.
func within(t *testing.T, what string, result <-chan error, patience time.Duration) error {
	t.Helper()
	select {
	case err := <-result:
		return err
	case <-time.After(patience):
		require.FailNow(t, what+" did not return")
		return nil
	}
}

func ask(ctx context.Context, m *Manager) <-chan error {
	result := make(chan error, 1)
	go func() { result <- m.Status(ctx) }()
	return result
}

func TestStatusWaitsNoLongerThanItsCaller(t *testing.T) {
	m, store := newSlowStore(t)
	patient := ask(t.Context(), m)
	<-store.asked
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := within(t, "a caller with a deadline", ask(short, m), time.Minute)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotEqual(t, CodeNotAvailable, code(t, err), "nothing is known to be wrong")
	close(store.letGo)
	require.NoError(t, within(t, "the patient caller", patient, time.Minute))
	require.EqualValues(t, 1, store.pings.Load(), "one question for all")
}

func TestStatusOfACallerThatWentAwayIsNobodyElses(t *testing.T) {
	m, store := newSlowStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	gone := ask(ctx, m)
	<-store.asked
	other := ask(t.Context(), m)
	cancel()
	require.ErrorIs(t, within(t, "the caller that went away", gone, time.Minute), context.Canceled)
	close(store.letGo)
	require.NoError(t, within(t, "the other", other, time.Minute))
	require.NoError(t, m.Status(t.Context()))
}

// Time that was too short says nothing about the next second.
func TestStatusForgetsThatThereWasNoTime(t *testing.T) {
	m, store := newSlowStore(t)
	err := within(t, "an unanswered question", ask(t.Context(), m), statusPatience+time.Minute)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, CodeNotAvailable, code(t, err))
	close(store.letGo)
	require.NoError(t, m.Status(t.Context()))
}
