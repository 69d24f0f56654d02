package crash

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// undosDoc lists the undos; a test writes it from the code.
const undosDoc = "../../../docs/effects.md"

// atOnce is how many hosts are there at a time. Most of what takes long is waiting.
const atOnce = 12

// Every step that takes something back is taken out, one at a time, and each time
// some cell of the matrix fails: what it takes back is seen. `make test` takes out a
// few.
func TestEveryUndoIsMissed(t *testing.T) {
	listed := listedUndos(t)
	for _, undo := range slices.Concat(keysOf(mended), keysOf(elsewhere)) {
		require.Contains(t, listed, undo)
	}
	all, cells := listed, cellsOf(scenes())
	p := proof{t: t, allowed: asPromised}
	if os.Getenv(everyVar) == "" {
		all, cells, p.allowed = fewUndos, cellsOf([]scene{addFailsLate}), briefly
	}
	p.record(cells)
	all = slices.DeleteFunc(all, func(undo string) bool { return elsewhere[undo] != "" })
	slices.SortFunc(all, func(a, b string) int { return cmp.Compare(p.longest(b), p.longest(a)) }) // these first: the rest fits in beside them
	each(all, p.takeOut)
	t.Logf("of %d undos %d were taken out, one at a time, and %d turned the matrix red", len(listed), len(all), p.missed)
	for undo, where := range elsewhere {
		t.Logf("not here: %s; %s", undo, where)
	}
}

// listedUndos reads the undos from the list in docs.
func listedUndos(t *testing.T) (all []string) {
	text, err := os.ReadFile(undosDoc)
	require.NoError(t, err)
	_, table, found := strings.Cut(string(text), "| undo | where |\n|---|---|\n")
	require.True(t, found, "%s has a table of undos", undosDoc)
	for line := range strings.Lines(table) {
		cells := strings.Split(line, " | ")
		all = append(all, strings.TrimPrefix(cells[0], "| "))
	}
	require.NotEmpty(t, all)
	return all
}

func keysOf[V any](m map[string]V) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}

// cell is a scene at one of its points, and how long it took.
type cell struct {
	scene
	place
	took time.Duration
}

func (c cell) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", c.what, c.step, c.hold))
}

func cellsOf(all []scene) (cells []cell) {
	for _, s := range all {
		for _, at := range s.at {
			cells = append(cells, cell{scene: s, place: at})
		}
	}
	return cells
}

// allowance is how long the world may take to come back, by what is promised.
type allowance func(promised time.Duration) time.Duration

// asPromised is for cells without an undo: the matrix is more patient where nobody
// calls again.
func asPromised(promised time.Duration) time.Duration { return min(promised, sweep) }

// leisurely is for cells that must not fail: it is the matrix that holds the promise,
// with no other hosts beside it.
func leisurely(promised time.Duration) time.Duration { return 6 * promised }

// briefly is for make test.
func briefly(time.Duration) time.Duration { return 3 * time.Second }

// proof takes undos out of cells.
type proof struct {
	t       *testing.T
	allowed allowance // for cells without an undo

	mu     sync.Mutex
	asked  map[string][]cell // where each undo is asked for, the shortest cell first
	missed int
}

// record plays the cells with every undo in place, and notes what is asked for.
func (p *proof) record(cells []cell) {
	p.asked = map[string][]cell{}
	each(cells, func(c cell) {
		start := time.Now()
		red, asked := p.play(c, leisurely, nil)
		c.took = time.Since(start)
		if red != "" {
			p.t.Errorf("%s, with all undos in place: %s", c, red)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, undo := range asked {
			p.asked[undo] = append(p.asked[undo], c)
		}
	})
	for _, cells := range p.asked {
		slices.SortFunc(cells, func(a, b cell) int { return cmp.Compare(a.took, b.took) })
	}
}

// longest is how long the shortest cell of an undo takes, and of those that are
// mended by others.
func (p *proof) longest(undo string) time.Duration {
	if len(p.asked[undo]) == 0 {
		return 0
	}
	return p.asked[undo][0].took * time.Duration(1+len(mended[undo]))
}

// takeOut requires that a cell fails without an undo.
func (p *proof) takeOut(undo string) {
	for _, c := range p.asked[undo] {
		why := p.without(c, undo)
		if why == "" {
			continue
		}
		p.mu.Lock()
		p.missed++
		p.mu.Unlock()
		p.t.Logf("without %q: %s: %s", undo, c, gist(why))
		return
	}
	p.t.Errorf("undo %q is taken out, and of %d cells in which it is asked for none fails", undo, len(p.asked[undo]))
}

// tries is how often a cell is played in which an undo was asked for once and then
// was not.
const tries = 3

// without plays a cell without an undo and those that would do the same, and returns
// why it failed. That it fails for want of the one is only said when it does not for
// want of the others alone.
func (p *proof) without(c cell, undo string) string {
	others := mended[undo]
	for range tries {
		red, asked := p.play(c, p.allowed, append([]string{undo}, others...))
		switch {
		case red == "" && slices.Contains(asked, undo):
			return ""
		case red == "":
			continue
		case len(others) == 0:
			return red
		}
		if alone, _ := p.play(c, leisurely, others); alone == "" {
			return red
		}
		return ""
	}
	return ""
}

// play plays a cell on a host of its own without some undos, and returns why it
// failed and which undos were asked for.
func (p *proof) play(c cell, allowed allowance, out []string) (red string, asked []string) {
	broken := judged(p.t, func(v *verdict) {
		h := c.scene.host(v)
		h.gate.askedAnew()
		h.gate.takeOut(out)
		h.allowed = allowed
		red = v.fails(func() {
			point := c.scene.play(h, c.place)
			require.Equal(h.t, c.undisturbed(), point == "", "comes to its point")
		})
		asked = h.gate.undos()
		h.gate.takeOut(nil)
		if red != "" {
			h.abandon()
		}
	})
	if broken != "" && red == "" { // what a cell began may fail after it
		p.t.Errorf("host of %s: %s", c, broken)
	}
	return red, asked
}

// each calls f for all, some at a time.
func each[T any](all []T, f func(T)) {
	var tasks sync.WaitGroup
	places := make(chan struct{}, atOnce)
	for _, one := range all {
		places <- struct{}{}
		tasks.Go(func() {
			defer func() { <-places }()
			f(one)
		})
	}
	tasks.Wait()
}

// gist is what a failed requirement says, in a line.
func gist(why string) string {
	if _, said, found := strings.Cut(why, "Error:"); found {
		why = said
	}
	words := strings.Join(strings.Fields(why), " ")
	return words[:min(200, len(words))]
}
