package main

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestArgumentsThatAreRefused(t *testing.T) {
	for _, args := range [][]string{
		{"what"}, {"--objects", "0"}, {"--objects", "10", "--listed", "11"}, {"--writers", "0"}, {"--time", "0s"},
		{"--lists", "0"}, {"--max-ratio", "x"}, {"--dir", "/nowhere/at/all"},
	} {
		require.Error(t, run(t.Context(), args, io.Discard, io.Discard), args)
	}
}

// TestMeasurement runs the whole thing small.
func TestMeasurement(t *testing.T) {
	o, err := parse([]string{"--dir", t.TempDir(), "--objects", "40", "--listed", "10", "--lists", "5", "--time", "100ms", "--writers", "4"})
	require.NoError(t, err)
	r, err := measure(t.Context(), o, io.Discard)
	require.NoError(t, err)
	require.Len(t, r.create.took, 40)
	require.Len(t, r.few.took, 5)
	require.Len(t, r.many.took, 5)
	require.Greater(t, r.bytes, int64(10*len(`{"id":"`)))
	require.NotEmpty(t, r.get.took)
	require.NotEmpty(t, r.getBeside.took)

	var out bytes.Buffer
	require.NoError(t, r.print(&out, o))
	require.Contains(t, out.String(), "list by tenant among 40 to among 10: ")
	o.maxRatio = 0.000001
	require.ErrorIs(t, r.print(io.Discard, o), errLimits)
	o.maxRatio, o.maxGetP99 = 0, time.Nanosecond
	require.ErrorIs(t, r.print(io.Discard, o), errLimits)
	o.maxGetP99 = time.Hour
	require.NoError(t, r.print(io.Discard, o))
}

func TestFailedCallsEndAMeasurement(t *testing.T) {
	o, err := parse([]string{"--dir", t.TempDir(), "--objects", "2", "--listed", "1"})
	require.NoError(t, err)
	i, err := install(t.Context(), o.dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, i.stop()) })
	c, err := newCaller(t.Context(), i.many, 1)
	require.NoError(t, err)
	b := &bench{options: o, caller: c, installation: i, progress: io.Discard, ids: []string{"no-uuid", "no-uuid"}}
	_, err = b.create(t.Context(), i.many, b.ids)
	require.ErrorContains(t, err, "status 400, not 201")
	_, err = b.gets(t.Context())
	require.ErrorContains(t, err, "status 404, not 200")
	_, err = newCaller(t.Context(), i.many+"/nothing", 1)
	require.ErrorContains(t, err, "no token")
	i.many = "http://127.0.0.1:1"
	require.Error(t, b.lists(t.Context(), &results{}))
}
