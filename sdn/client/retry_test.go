package client

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPausesThatServersAskFor(t *testing.T) {
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		header http.Header
		want   time.Duration
	}{
		{http.Header{}, 0},
		{http.Header{"Retry-After": {"2"}}, 2 * time.Second},
		{http.Header{"Retry-After": {" 2 "}}, 2 * time.Second},
		{http.Header{"Retryafter": {"3"}}, 3 * time.Second}, // as net/http spells MidoNet's RetryAfter
		{http.Header{"Retry-After": {now.Add(5 * time.Second).Format(http.TimeFormat)}}, 5 * time.Second},
		{http.Header{"Retry-After": {now.Add(-time.Hour).Format(http.TimeFormat)}}, 0},
		{http.Header{"Retry-After": {"86400"}}, maxRest},
		{http.Header{"Retry-After": {now.AddDate(1, 0, 0).Format(http.TimeFormat)}}, maxRest},
		{http.Header{"Retry-After": {"-1"}}, 0},
		{http.Header{"Retry-After": {"soon"}}, 0},
		{http.Header{"Retry-After": {"soon"}, "Retryafter": {"1"}}, time.Second},
		{http.Header{"Retry-After": {"99999999999999999999"}}, 0},
	} {
		require.Equal(t, c.want, asked(c.header, now), "%v", c.header)
	}
}

func TestPausesEndBeforeTheCallersTimeDoes(t *testing.T) {
	require.Equal(t, time.Hour, capped(t.Context(), time.Hour))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.Equal(t, time.Second, capped(ctx, time.Second))
	require.InDelta(t, float64(45*time.Second), float64(capped(ctx, time.Hour)), float64(time.Second))
}

func TestRestsGrowAndEnd(t *testing.T) {
	e := &endpoint{}
	require.Zero(t, e.rest())
	var last time.Duration
	for range 8 {
		e.down(0, true)
		rest := time.Until(e.rest())
		require.LessOrEqual(t, rest, maxRest)
		require.Greater(t, rest+time.Second, last)
		last = rest
	}
	require.Greater(t, last, maxRest-time.Second)
	e.up()
	require.Zero(t, e.rest())
	e.down(10*time.Second, true)
	require.Greater(t, time.Until(e.rest()), 9*time.Second, "as the server asked")
}

func TestWritesOutliveTheirCallersCancellationAndNotTheirDeadline(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	later, end := lingering(ctx)
	defer end()
	cancel()
	require.NoError(t, later.Err())
	select {
	case <-later.Done():
	case <-time.After(10 * linger):
	}
	require.ErrorIs(t, later.Err(), context.Canceled, "not for ever")

	ctx, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	later, end = lingering(ctx)
	defer end()
	start := time.Now()
	<-later.Done()
	require.ErrorIs(t, later.Err(), context.DeadlineExceeded)
	require.Less(t, time.Since(start), linger)
}

func TestAnswersThatAreTooLargeAreNotAskedForAgain(t *testing.T) {
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/" {
			_, _ = w.Write([]byte(`{"version":"v5.0"}`))
			return
		}
		asked++
		_, _ = w.Write(bytes.Repeat([]byte(" "), 2000))
	}))
	defer s.Close()
	c, err := New(Options{Endpoints: []string{s.URL}})
	require.NoError(t, err)
	defer c.Close()
	c.http.SetResponseBodyLimit(1000)
	_, err = c.Routers(t.Context(), "")
	require.ErrorContains(t, err, "GET /routers")
	require.ErrorContains(t, err, "larger than")
	require.Equal(t, 1, asked)
}
