package topology

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestIDsAreAnOrderedSet holds a set to a sorted slice, through many splits and
// until nothing is left.
func TestIDsAreAnOrderedSet(t *testing.T) {
	var none *ids
	require.Zero(t, none.len())
	require.Empty(t, slices.Collect(none.all()))
	r := rand.New(rand.NewPCG(1, 2))
	var s ids
	model := map[string]bool{}
	same := func() {
		t.Helper()
		want := make([]string, 0, len(model))
		for id := range model {
			want = append(want, id)
		}
		slices.Sort(want)
		require.Equal(t, len(want), s.len())
		require.Equal(t, want, append([]string{}, slices.Collect(s.all())...))
		for _, c := range s.chunks {
			require.NotEmpty(t, c)
			require.Less(t, len(c), chunkSize)
		}
	}
	for round := range 40 {
		for range 400 {
			id := fmt.Sprint(r.IntN(5000))
			if grow := round < 25; r.IntN(10) < 3 == grow {
				s.remove(id)
				delete(model, id)
			} else {
				s.add(id)
				model[id] = true
			}
		}
		same()
	}
	for id := range model {
		s.remove(id)
		delete(model, id)
	}
	same()
	s.add("a")
	s.add("a")
	require.Equal(t, 1, s.len())
}

func TestIDsEndEarly(t *testing.T) {
	var s ids
	for i := range 2000 {
		s.add(fmt.Sprintf("%04d", i))
	}
	n := 0
	for id := range s.all() {
		require.Equal(t, fmt.Sprintf("%04d", n), id)
		if n++; n == 700 {
			break
		}
	}
	require.Equal(t, 700, n)
}

func TestIndexesAreEqualHoweverTheyWereBuilt(t *testing.T) {
	e := edge{deviceOfPort, "d"}
	up, down := index{}, index{}
	for i := range 3000 {
		up.add(fmt.Sprintf("%04d", i), []edge{e})
		down.add(fmt.Sprintf("%04d", 2999-i), []edge{e})
	}
	require.True(t, up.equal(down))
	up.remove("1500", []edge{e})
	require.False(t, up.equal(down))
	up.add("1500x", []edge{e})
	require.False(t, up.equal(down))
	for id := range down[e].all() {
		up.remove(id, []edge{e})
	}
	up.remove("1500x", []edge{e})
	require.Empty(t, up)
}
