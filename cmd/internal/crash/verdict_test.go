package crash

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// verdict is a test within a test: what is required of it and does not hold is
// noted, and fails nothing.
type verdict struct {
	testing.TB

	mu       sync.Mutex
	why      []string
	cleanups []func()
}

// judged runs f as a test within t, with its clean-ups, and returns why it failed;
// "": it did not.
func judged(t testing.TB, f func(t *verdict)) string {
	v := &verdict{TB: t}
	v.run(func() { f(v) })
	for {
		v.mu.Lock()
		n := len(v.cleanups)
		if n == 0 {
			v.mu.Unlock()
			return strings.Join(v.why, "\n")
		}
		next := v.cleanups[n-1]
		v.cleanups = v.cleanups[:n-1]
		v.mu.Unlock()
		v.run(next)
	}
}

// fails runs f and returns why it failed; the test that f is part of goes on.
func (v *verdict) fails(f func()) string {
	before := v.reasons()
	v.run(f)
	v.mu.Lock()
	defer v.mu.Unlock()
	why := slices.Clone(v.why[before:])
	v.why = v.why[:before]
	return strings.Join(why, "\n")
}

// run runs f to its end, or to where it was given up.
func (v *verdict) run(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

func (v *verdict) reasons() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.why)
}

// Errorf implements testing.TB.
func (v *verdict) Errorf(format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.why = append(v.why, fmt.Sprintf(format, args...))
}

// FailNow implements testing.TB.
func (v *verdict) FailNow() {
	v.mu.Lock()
	if len(v.why) == 0 {
		v.why = append(v.why, "given up")
	}
	v.mu.Unlock()
	runtime.Goexit()
}

// Failed implements testing.TB.
func (v *verdict) Failed() bool { return v.reasons() > 0 }

// Cleanup implements testing.TB.
func (v *verdict) Cleanup(f func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.cleanups = append(v.cleanups, f)
}
