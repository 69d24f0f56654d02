package auth

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/access"
)

func TestGateTurnsAwayWhatWouldWaitTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(2, 3)
		let, done := make(chan struct{}), make(chan error, 5)
		var inside atomic.Int32
		for range 5 {
			go func() { done <- g.pass(t.Context(), func() { inside.Add(1); <-let }) }()
		}
		synctest.Wait()
		require.EqualValues(t, 2, inside.Load())
		require.ErrorIs(t, g.pass(t.Context(), func() {}), sdn.ErrUnavailable)
		let <- struct{}{}
		synctest.Wait()
		require.NoError(t, <-done)
		require.EqualValues(t, 3, inside.Load())

		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error)
		go func() { gone <- g.pass(ctx, func() { inside.Add(1) }) }()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-gone, context.Canceled, "whoever has gone is not waited for")
		close(let)
		for range 4 {
			require.NoError(t, <-done)
		}
		require.EqualValues(t, 5, inside.Load())
		require.NoError(t, g.pass(t.Context(), func() {}))
	})
}

// An argon2id hash of the usual cost allocates its memory anew each time, which
// is seen where the time it takes would not be.
func TestUnknownUserCostsAHash(t *testing.T) {
	u, err := OpenUsers(t.TempDir()+"/users", Options{})
	require.NoError(t, err)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = u.Login(t.Context(), access.Credentials{User: "nobody", Password: "x"})
	runtime.ReadMemStats(&after)
	require.ErrorIs(t, err, sdn.ErrUnauthorized)
	require.Greater(t, after.TotalAlloc-before.TotalAlloc, uint64(usual.memory)<<10)
}

func TestTokensOfOneUserDoNotEndThoseOfOthers(t *testing.T) {
	k := newTokens(defaultTTL)
	other := k.give("other", digest{})
	first := k.give("one", digest{})
	for range maxTokensPerUser {
		k.give("one", digest{})
	}
	_, _, found := k.find(first.Key)
	require.False(t, found, "one's own oldest makes room")
	_, _, found = k.find(other.Key)
	require.True(t, found)
	for i := range maxTokens {
		k.give(string(rune('a'+i%20)), digest{})
	}
	_, _, found = k.find(other.Key)
	require.False(t, found)
	require.Len(t, k.live, maxTokens)
	require.Equal(t, maxTokens, k.oldest.Len())
	sum := 0
	for _, l := range k.ofUser {
		sum += l.Len()
	}
	require.Equal(t, maxTokens, sum)
}
