package crash

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// The variables say how many random steps there are, with which first seed, and
// with how many seeds. `make test-crash` and `make test-long` set them; whoever
// repeats a failure does.
const (
	stepsVar = "MOAT_TEST_RANDOM_STEPS"
	seedVar  = "MOAT_TEST_RANDOM_SEED"
	seedsVar = "MOAT_TEST_RANDOM_SEEDS"
)

const (
	tenants   = 50
	mostPods  = 80 // that live at one time
	lastSteps = 60 // that a failure prints
	attempts  = 5  // of a call that is refused for now
)

func number(t *testing.T, name string, other int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return other
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, name)
	return n
}

// Pods come and go in any order over 50 namespaces, the daemon is killed anywhere
// and stopped, runtimes repeat their calls or forget them. No pod ever gets what
// another has, and at the end there is nothing that was not there at the start.
func TestRandomStepsLeaveNothing(t *testing.T) {
	steps, first := number(t, stepsVar, 300), number(t, seedVar, 1)
	for seed := first; seed < first+number(t, seedsVar, 1); seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			s := newStorm(t, uint64(seed))
			before := s.look()
			for s.count < steps {
				s.step()
			}
			s.unique()
			s.empty()
			s.comesBackTo(before, 2*sweep, fmt.Sprintf("%d random steps", s.count))
			t.Logf("seed %d: %d steps, %v; %d calls were refused for now", seed, s.count, s.kinds, s.refused.Load())
			require.Less(t, int(s.refused.Load()), 10+s.count/100, "calls that were refused for now")
		})
	}
}

// storm is a host in whose pods anything happens.
type storm struct {
	*host
	rnd     *rand.Rand
	living  []*lab.Pod
	made    int
	refused atomic.Int32    // calls that were to be tried again
	ghosts  map[string]bool // tenants of pods that went without a DEL

	count int
	kinds map[string]int
	last  []string
}

func newStorm(t *testing.T, seed uint64) *storm {
	s := &storm{host: newHost(t, "--config", write(t, "tenantPrefix: 28\n")),
		rnd: rand.New(rand.NewPCG(seed, 0)), ghosts: map[string]bool{}, kinds: map[string]int{}}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("after %d steps; repeat with %s=%d %s=%d; the last steps:", s.count, seedVar, seed, stepsVar, s.count)
			for _, l := range s.last {
				t.Log(l)
			}
		}
	})
	return s
}

// note counts a step and remembers it.
func (s *storm) note(kind string, about any) {
	s.count++
	s.kinds[kind]++
	s.last = append(s.last, fmt.Sprintf("%d: %s %v", s.count, kind, about))
	s.last = s.last[max(0, len(s.last)-lastSteps):]
	if s.count%500 == 0 {
		s.unique()
	}
}

// step is one thing that happens, drawn by weight.
func (s *storm) step() {
	kinds := []struct {
		weight int
		do     func()
	}{
		{200, s.comes}, {40, s.several}, {190, s.goes}, {32, s.again}, {24, s.vanishes}, {20, s.looked}, {16, s.tenantEnds},
		{4, s.killedInAdd}, {4, s.killedInDel}, {2, s.killedInSeveral}, {1, s.killedAtRest}, {1, s.stopped},
	}
	sum := 0
	for _, k := range kinds {
		sum += k.weight
	}
	draw := s.rnd.IntN(sum)
	for _, k := range kinds {
		if draw -= k.weight; draw < 0 {
			k.do()
			return
		}
	}
}

// patiently makes a call as runtimes do: one that is refused for now, because etcd took
// longer than a call waits on a busy machine, is made again.
func (s *storm) patiently(call func() error) error {
	for try := 1; ; try++ {
		err := call()
		var said *types.Error
		if try == attempts || !errors.As(err, &said) || said.Code != types.ErrTryAgainLater {
			return err
		}
		s.refused.Add(1)
	}
}

func once(call func() error) error { return call() }

func (s *storm) add(p *lab.Pod) {
	s.t.Helper()
	require.NoError(s.t, s.patiently(func() error { return s.runtime().Add(s.t.Context(), p) }))
}

func (s *storm) del(p *lab.Pod) {
	s.t.Helper()
	require.NoError(s.t, s.patiently(func() error { return s.runtime().Del(s.t.Context(), p) }))
}

// fresh is a pod that no runtime has called for yet.
func (s *storm) fresh() *lab.Pod {
	s.t.Helper()
	s.made++
	return s.pod(s.tenant(), fmt.Sprintf("p%d", s.made))
}

func (s *storm) tenant() string { return fmt.Sprintf("t%02d", s.rnd.IntN(tenants)) }

// one draws a pod that lives; nil: none does.
func (s *storm) one() *lab.Pod {
	if len(s.living) == 0 {
		return nil
	}
	return s.living[s.rnd.IntN(len(s.living))]
}

func (s *storm) comes() {
	if len(s.living) >= mostPods {
		s.goes()
		return
	}
	p := s.fresh()
	s.note("ADD", name(p))
	s.add(p)
	s.lives(p)
}

// several come at once.
func (s *storm) several() {
	pods := s.crowd()
	s.note("ADDs at once", names(pods))
	require.NoError(s.t, s.addAll(pods, s.patiently))
	for _, p := range pods {
		s.lives(p)
	}
}

func (s *storm) crowd() []*lab.Pod {
	pods := make([]*lab.Pod, 2+s.rnd.IntN(4))
	for i := range pods {
		pods[i] = s.fresh()
	}
	return pods
}

func (s *storm) addAll(pods []*lab.Pod, how func(call func() error) error) error {
	var all errgroup.Group
	rt := s.runtime()
	for _, p := range pods {
		all.Go(func() error { return how(func() error { return rt.Add(s.t.Context(), p) }) })
	}
	return all.Wait()
}

func (s *storm) goes() {
	if p := s.one(); p != nil {
		s.note("DEL", name(p))
		s.ends(p)
	}
}

// ends is what a runtime does at a pod's end: DEL, and DEL again without the
// namespace and the answer of ADD.
func (s *storm) ends(p *lab.Pod) {
	s.t.Helper()
	s.del(p)
	s.forget(p)
	for range s.rnd.IntN(3) {
		p.Args.NetNS = ""
		s.del(p)
	}
	require.NoError(s.t, p.Remove())
}

// again: a runtime that heard no answer repeats ADD.
func (s *storm) again() {
	if p := s.one(); p != nil {
		s.note("ADD again", name(p))
		had := p.Address
		s.add(p)
		require.Equal(s.t, had, p.Address, "ADD again of %s", name(p))
	}
}

// vanishes: a pod's namespace is gone and no runtime says so.
func (s *storm) vanishes() {
	if p := s.one(); p != nil {
		s.note("gone without DEL", name(p))
		s.haunts(p)
	}
}

func (s *storm) haunts(p *lab.Pod) {
	s.t.Helper()
	s.ghosts[p.Tenant] = true
	s.forget(p)
	require.NoError(s.t, p.Remove())
}

// looked: what ADD promised holds.
func (s *storm) looked() {
	if p := s.one(); p != nil {
		s.note("CHECK", name(p))
		s.works(p)
	}
}

// afterwards is what becomes of a pod whose ADD or DEL nobody heard the end of.
func (s *storm) afterwards(p *lab.Pod) {
	s.t.Helper()
	switch s.rnd.IntN(3) {
	case 0:
		s.ends(p)
	case 1:
		s.haunts(p)
	default:
		s.add(p)
		s.lives(p)
		s.works(p)
	}
}

func (s *storm) forget(p *lab.Pod) {
	s.living = slices.DeleteFunc(s.living, func(q *lab.Pod) bool { return p == q })
}

func name(p *lab.Pod) string { return fmt.Sprintf("%s %.8s %s", p.Name, p.ID, p.Address) }

func names(pods []*lab.Pod) (all []string) {
	for _, p := range pods {
		all = append(all, p.Name)
	}
	return all
}
