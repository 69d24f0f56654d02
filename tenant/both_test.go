package tenant

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

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
