package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Two operators audit and repair over and over while pods come and go. There is
// nothing wrong, so neither may see anything; and no pod may notice them.
func TestAuditsWhilePodsComeAndGoFindNothing(t *testing.T) {
	const pods = 6
	n := newNode(t)
	lives := n.pod("red", "lives")
	done := make(chan struct{})
	var operators, runtimes sync.WaitGroup
	for range 2 {
		operators.Go(func() {
			for audits := 1; ; audits++ {
				out, err := n.daemon.CLI(t.Context(), "ip", "audit", "--repair")
				if !assert.NoError(t, err, out) || !assert.Contains(t, out, "0 findings") {
					return
				}
				select {
				case <-done:
					t.Logf("%d audits", audits)
					return
				default:
				}
			}
		})
	}
	for i := range 2 {
		runtimes.Go(func() {
			for k := range pods {
				p, err := n.lab.NewPod("red", fmt.Sprintf("p%d-%d", i, k))
				if !assert.NoError(t, err) || !assert.NoError(t, n.rt.Add(t.Context(), p)) || !assert.NoError(t, n.rt.Check(t.Context(), p)) {
					return
				}
				if k%2 == 0 {
					assert.NoError(t, n.rt.Del(t.Context(), p))
				}
			}
		})
	}
	runtimes.Wait()
	close(done)
	operators.Wait()
	require.Len(t, n.addresses(), 1+pods)
	n.reaches(lives.Namespace, outsideAddr.Addr())
}

// Of operators who reserve one address at once, one has it and all others are told
// whose it is; who releases it too late is told that it is free.
func TestOperatorsAtOnce(t *testing.T) {
	const operators = 6
	n := newNode(t)
	address := n.pod("red", "web").Address.Next().String()
	atOnce := func(args func(i int) []string) (done int, said []string) {
		var all sync.WaitGroup
		var mu sync.Mutex
		for i := range operators {
			all.Go(func() {
				out, err := n.daemon.CLI(t.Context(), args(i)...)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					done++
				} else {
					said = append(said, strings.TrimSpace(out))
				}
			})
		}
		all.Wait()
		return done, said
	}
	done, said := atOnce(func(i int) []string {
		return []string{"ip", "reserve", address, "--tenant", "red", "--note", fmt.Sprintf("operator %d", i)}
	})
	require.Equal(t, 1, done)
	for _, s := range said {
		require.Equal(t, said[0], s)
		require.Contains(t, s, "address "+address+" is reserved (operator ")
	}
	done, said = atOnce(func(int) []string { return []string{"ip", "release", address} })
	require.NotZero(t, done)
	for _, s := range said {
		require.Contains(t, s, "not found")
	}
	_, status := n.audit()
	require.Zero(t, status)
}
