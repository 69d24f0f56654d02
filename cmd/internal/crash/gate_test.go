package crash

import (
	"bufio"
	"errors"
	"maps"
	"math"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/effect"
)

// gate is told of every step of a process that changes something, and lets it pass
// until the point that it waits for.
type gate struct {
	path string

	mu      sync.Mutex
	armed   bool
	then    then
	place   place
	matched int      // points of that kind since it was armed
	seen    []string // points since it was armed
	fired   chan string
	held    []net.Conn

	out   map[string]bool // undos that are taken out
	asked map[string]bool // undos that a process began, or would have
}

// place is a point, "before" or "after" a step.
type place struct {
	step string // what its line begins with; "": any
	n    int    // which one of those, counted from 1; 0: each
	hold string // what the lines of steps begin with that are not answered; "": all are
}

// then is what becomes of the process at the point.
type then int

const (
	killed then = iota // it is going to be: nothing after the point is answered either
	failed             // the step fails, or its outcome is lost
	paused             // the step waits until the gate is disarmed
)

func newGate(t testing.TB, dir string) *gate {
	g := &gate{path: filepath.Join(dir, "gate.sock"), fired: make(chan string, 1), asked: map[string]bool{}}
	l, err := net.Listen("unix", g.path)
	require.NoError(t, err)
	var tasks sync.WaitGroup
	tasks.Go(func() {
		for {
			c, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				tasks.Go(func() { g.serve(c) })
			}
		}
	})
	t.Cleanup(func() {
		require.NoError(t, l.Close())
		g.disarm()
		tasks.Wait()
	})
	return g
}

func (g *gate) serve(c net.Conn) {
	lines := bufio.NewScanner(c)
	for lines.Scan() {
		answer := g.answer(lines.Text(), c)
		if answer == held {
			return // disarm closes the connection
		}
		if _, err := c.Write([]byte{answer}); err != nil {
			break
		}
	}
	_ = c.Close()
}

// held is the answer that never comes.
const held = 0

// answer is what a line is answered; held: its process waits.
func (g *gate) answer(line string, c net.Conn) byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	if undo, begins := strings.CutPrefix(line, effect.Undoing+" "); begins {
		g.asked[undo] = true
		if g.out[undo] {
			return effect.Pretend
		}
		return effect.GoOn
	}
	if !g.armed {
		return effect.GoOn
	}
	answer := g.at(line)
	if answer == held {
		g.held = append(g.held, c)
	}
	return answer
}

// at is the answer of an armed gate.
func (g *gate) at(line string) byte {
	g.seen = append(g.seen, line)
	if g.place.hold != "" && strings.HasPrefix(line, g.place.hold) {
		return held
	}
	here := strings.HasPrefix(line, g.place.step)
	if here {
		g.matched++
	}
	here = here && (g.matched == g.place.n || g.place.n == 0)
	if here && (g.matched == 1 || g.place.n > 0) {
		g.fired <- line
	}
	switch {
	case g.then == killed && g.matched >= g.place.n, g.then == paused && here:
		return held
	case g.then == failed && here:
		return effect.Fail
	}
	return effect.GoOn
}

// arm has something become of the process at a point that comes from now on.
func (g *gate) arm(at place, then then) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed, g.place, g.then, g.matched, g.seen = true, at, then, 0, nil
}

// takeOut has undos be taken out from now on, in place of those before.
func (g *gate) takeOut(undos []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.out = map[string]bool{}
	for _, u := range undos {
		g.out[u] = true
	}
}

// askedAnew forgets what was asked for so far.
func (g *gate) askedAnew() {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.asked)
}

// undos are those that were asked for so far, in order.
func (g *gate) undos() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Sorted(maps.Keys(g.asked))
}

// record lets everything pass, and returns the steps that began while op ran and
// after it, until there was none for a while and none was under way: an engine works
// after the answer, too.
func (g *gate) record(op func()) (steps []string) {
	g.arm(place{n: math.MaxInt}, killed)
	defer g.disarm()
	op()
	for passed := -1; passed != g.passed() || g.underWay(); time.Sleep(still) {
		passed = g.passed()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, point := range g.seen {
		if step, begins := strings.CutPrefix(point, "before "); begins {
			steps = append(steps, step)
		}
	}
	return steps
}

// still is how long nothing passes when all is done: longer than the second after
// which the daemon confirms attachments, also on a busy machine.
const still = 3 * time.Second

func (g *gate) passed() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.seen)
}

// underWay says whether a step has begun that has not ended.
func (g *gate) underWay() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for _, point := range g.seen {
		if strings.HasPrefix(point, "before ") {
			n++
		} else {
			n--
		}
	}
	return n > 0
}

// disarm lets everything pass, also what was held.
func (g *gate) disarm() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed = false
	for _, c := range g.held {
		_ = c.Close()
	}
	g.held = nil
	select {
	case <-g.fired:
	default:
	}
}

// kind is a point without its side.
func kind(point string) string {
	_, step, _ := strings.Cut(point, " ")
	return step
}
