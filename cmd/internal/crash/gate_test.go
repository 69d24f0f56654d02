package crash

import (
	"bufio"
	"errors"
	"math"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// gate is told of every step of a daemon that changes something, and lets it pass
// until the point that it waits for.
type gate struct {
	path string

	mu    sync.Mutex
	armed bool
	at    int      // the point, counted from 1 when it was armed
	seen  []string // points since it was armed
	fired chan string
	held  []net.Conn
}

func newGate(t *testing.T, dir string) *gate {
	g := &gate{path: filepath.Join(dir, "gate.sock"), fired: make(chan string, 1)}
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
		if g.holds(lines.Text(), c) {
			return // its process is killed; disarm closes the connection
		}
		if _, err := c.Write([]byte{'g'}); err != nil {
			break
		}
	}
	_ = c.Close()
}

// holds says whether the step waits at the point for its process's end.
func (g *gate) holds(point string, c net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.armed {
		return false
	}
	g.seen = append(g.seen, point)
	if len(g.seen) < g.at {
		return false
	}
	if len(g.seen) == g.at {
		g.fired <- point
	}
	g.held = append(g.held, c) // what comes after the point comes too late
	return true
}

// arm has the gate fire at the n-th point from now on.
func (g *gate) arm(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed, g.at, g.seen = true, n, nil
}

// record lets everything pass, and returns the steps that began while op ran and
// after it, until there was none for a while and none was under way: an engine works
// after the answer, too.
func (g *gate) record(op func()) (steps []string) {
	g.arm(math.MaxInt)
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

// disarm lets everything pass.
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
