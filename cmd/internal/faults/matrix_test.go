package faults

import (
	"os"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/cniconf"
)

const (
	// short is the limit of calls under what does not pass by itself; shorter than
	// what the daemon gives a store or an API that does not answer, so that the
	// limit is what ends them.
	short = 2 * time.Second
	// passing is the limit of calls under what passes, or is late alone.
	passing = 30 * time.Second
)

// wholeVar has all cells run, as `make test-crash` does; else those of a diagonal.
const wholeVar = "MOAT_TEST_FAULTS_ALL"

// fault is a column of the matrix.
type fault struct {
	name  string
	limit time.Duration
	// strike has it happen to what comes now; lift ends it, and says whether it met
	// anything.
	strike func(s *site, o operation, x subject) (lift func() (met bool))
	// codes are what a call may answer; none: it must succeed.
	codes []cniconf.Code
	// certain says that a call meets the fault, whatever it does.
	certain bool
}

// again is the code of what passes.
var again = []cniconf.Code{cniconf.CodeTryAgain}

// matrix runs the cells of a table and says how many there were.
func (s *site) matrix(faults []fault, every int) {
	s.t.Helper()
	s.keep = s.pod("red")
	s.add(s.keep)
	before := s.steady()
	whole := os.Getenv(wholeVar) != ""
	cells, met, succeeded, latest := 0, 0, 0, -undisturbed
	for i, f := range faults {
		for j, o := range operations() {
			if !whole && (i+j)%every != 0 {
				continue
			}
			begun := time.Now()
			c := s.cell(f, o, before)
			s.t.Logf("%s / %s: met %t, %v in %s; whole cell %s", f.name, o.name, c.met, c.code(), c.took.Round(time.Millisecond), time.Since(begun).Round(time.Millisecond))
			cells++
			latest = max(latest, c.took-f.limit)
			if c.met {
				met++
			}
			if c.err == nil {
				succeeded++
			}
		}
	}
	require.Positive(s.t, met)
	s.t.Logf("%d cells of %d faults and %d operations: %d met their fault, %d calls succeeded, the latest ended %s behind its limit",
		cells, len(faults), len(operations()), met, succeeded, latest.Round(time.Millisecond))
	s.deleted(s.keep, form{prev: true})
	s.cli("tenant", "delete", "red")
}

// outcome is what became of a cell.
type outcome struct {
	answer
	met bool
}

func (o outcome) code() any {
	if o.err == nil {
		return "success"
	}
	return o.err.Code
}

// cell is one operation under one fault; of a machine that has other things to do
// the best of five counts.
func (s *site) cell(f fault, o operation, before []string) outcome {
	s.t.Helper()
	var c outcome
	for range 5 {
		if c = s.once(f, o, before); c.took <= f.limit+lateness && (c.met || !f.certain) {
			return c
		}
		s.t.Logf("%s / %s took %s of %s, met %t", f.name, o.name, c.took, f.limit, c.met)
	}
	if f.certain { // a call whose time is up before it comes to its step does not
		require.True(s.t, c.met, "%s does not meet %s", o.name, f.name)
	}
	require.LessOrEqual(s.t, c.took, f.limit+lateness, "%s under %s outlives its time limit", o.name, f.name)
	return c
}

func (s *site) once(f fault, o operation, before []string) outcome {
	s.t.Helper()
	what := o.name + " under " + f.name
	x := o.ready(s)
	lift := f.strike(s, o, x)
	a := o.run(s, x, f.limit)
	if a.err == nil {
		o.holds(s, x, a)
	} else if x.pod != nil { // an operator's command has no code
		require.Contains(s.t, f.codes, a.err.Code, "%s: %s", what, a.err)
		for _, text := range s.says {
			require.Contains(s.t, a.err.Error(), text, what)
		}
	}
	c := outcome{a, lift()}
	o.ended(s, x, a)
	s.comesBackTo(before, 2*sweep, what)
	return c
}
