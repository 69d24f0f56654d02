package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// crowdsVar is the number of tenants; `make test-long` sets it to what the project
// promises.
const crowdsVar = "MOAT_TEST_CROWD_TENANTS"

const (
	podsEach = 5
	inFlight = 120 // calls at one time, so that the plugins' processes have room
)

// The first pods of many tenants, all at once, by three agents that share nothing
// but etcd and an API that refuses one call in ten. One agent is killed on the
// way. Runtimes do what they do: after an ADD that failed DEL, and then a new
// sandbox.
func TestFirstPodsOfManyTenantsFromThreeAgentsOfWhichOneDies(t *testing.T) {
	tenants := 20
	if text := os.Getenv(crowdsVar); text != "" {
		var err error
		tenants, err = strconv.Atoi(text)
		require.NoError(t, err, crowdsVar)
	}
	n, etcd := newNodeOverEtcd(t)
	rest, err := n.daemon.REST(t.Context(), listen)
	require.NoError(t, err)
	bare := n.objects(rest, "")
	api := newBusyAPI(n)
	c := &crowd{node: n, pods: map[*lab.Pod]*lab.Daemon{}, calls: make(chan struct{}, inFlight),
		pause: 3*time.Second + time.Duration(tenants)*50*time.Millisecond}
	for _, name := range []string{"a", "b", "c"} {
		c.agents = append(c.agents, n.agentBehind(api, name, etcd))
	}

	c.arrive(tenants)
	require.Positive(t, c.failed, "calls of the agent that died")
	require.Greater(t, api.refused.Load(), int64(tenants), "calls that the API refused")
	t.Logf("%d pods of %d tenants; %d calls of the API, %d refused; %d ADDs failed and were made again",
		len(c.pods), tenants, api.calls.Load(), api.refused.Load(), c.failed)
	c.eachOnce(newRecords(t, etcd), tenants)

	whole := map[string]int{}
	for kind, count := range bare {
		whole[kind] = count
	}
	for kind, count := range oneTenant {
		whole[kind] += tenants * (count + besideTenant[kind])
	}
	require.Equal(t, whole, n.objects(rest, ""), "what there is besides the tenants")
	for i := range tenants {
		require.Equal(t, oneTenant, n.objects(rest, crowdName(i)), crowdName(i))
	}
	for p := range c.pods { // the kernel has 1,024 neighbours for all its namespaces, two for each ping
		require.Eventually(t, func() bool { return lab.Ping(p.Namespace, p.Gateway, time.Second) == nil }, time.Minute, time.Second, p.Args.Args)
	}
	c.leave(tenants)
	require.Equal(t, bare, n.objects(rest, ""), "after the tenants' end nothing of them is left")
}

// oneTenant are the objects of a tenant with its pods, besideTenant those that the
// provider's router has for it: the far port of the link, and routes to the transit
// address, to the subnet, and the port's own.
var (
	oneTenant = map[string]int{
		"routers": 1, "router ports": 2, "routes": 4, "bridges": 1, "bridge ports": 1 + podsEach, "chains": 2, "rules": 10,
	}
	besideTenant = map[string]int{"router ports": 1, "routes": 3}
)

func crowdName(i int) string { return fmt.Sprintf("crowd%d", i) }

// crowd is pods that come at once by several agents.
type crowd struct {
	*node
	agents []*lab.Daemon
	calls  chan struct{} // as many as may run at one time
	// pause is how long a runtime waits before another sandbox: 13 s with 200 tenants,
	// as they do; calls for a third of the pods fail until their agent is back.
	pause time.Duration

	mu     sync.Mutex
	pods   map[*lab.Pod]*lab.Daemon // by whose agent they came
	failed int
}

// arrive adds all pods. When a third of them is there the last agent is killed; it
// is started again when the others' pods are there.
func (c *crowd) arrive(tenants int) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Minute+time.Duration(tenants)*6*time.Second)
	defer cancel()
	all := tenants * podsEach
	third := make(chan struct{})
	dies := len(c.agents) - 1
	var others, orphans errgroup.Group
	for i := range all {
		at := i % len(c.agents)
		group := &others
		if at == dies {
			group = &orphans
		}
		group.Go(func() error {
			p, err := c.comes(ctx, at, crowdName(i/podsEach), fmt.Sprintf("p%d", i))
			if err != nil {
				return err
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.pods[p] = c.agents[at]; len(c.pods) == all/3 {
				close(third)
			}
			return nil
		})
	}
	select {
	case <-third:
	case <-ctx.Done():
		require.NoError(c.t, ctx.Err(), "a third of the pods")
	}
	require.NoError(c.t, c.agents[dies].Kill())
	require.NoError(c.t, others.Wait())
	require.NoError(c.t, c.agents[dies].Start(ctx))
	require.NoError(c.t, orphans.Wait())
}

// comes is a pod's start as a runtime makes it: after an ADD that fails DEL, and
// another sandbox some time later.
func (c *crowd) comes(ctx context.Context, at int, tenant, name string) (*lab.Pod, error) {
	rt, err := c.agents[at].Runtime()
	if err != nil {
		return nil, err
	}
	for {
		c.mu.Lock()
		p, err := c.lab.NewPod(tenant, name)
		c.mu.Unlock()
		if err != nil {
			return nil, err
		}
		err = c.one(func() error { return rt.Add(ctx, p) })
		if err == nil {
			return p, nil
		}
		c.mu.Lock()
		c.failed++
		c.mu.Unlock()
		_ = c.one(func() error { return rt.Del(ctx, p) }) // its agent may be dead
		if err := p.Remove(); err != nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("ADD of %s/%s by agent %d: %w", tenant, name, at, err)
		case <-time.After(c.pause):
		}
	}
}

func (c *crowd) one(call func() error) error {
	c.calls <- struct{}{}
	defer func() { <-c.calls }()
	return call()
}

// eachOnce counts the records of every tenant, and looks for addresses that two
// pods have. What failed is undone behind the calls.
func (c *crowd) eachOnce(kept records, tenants int) {
	c.t.Helper()
	for i := range tenants {
		var have map[string]int
		require.Eventually(c.t, func() bool {
			have = kept.of(crowdName(i))
			delete(have, "freed") // by ADDs that failed
			return maps.Equal(have, map[string]int{
				"tenants": 1, "subnet slots": 1, "transit slots": 1, "addresses": podsEach, "attachments": podsEach})
		}, 3*time.Minute, 200*time.Millisecond, "records of %s", crowdName(i))
		require.Equal(c.t, podsEach, kept.boundPorts(crowdName(i)), crowdName(i))
	}
	holders := map[netip.Addr]string{}
	for p := range c.pods {
		require.Empty(c.t, holders[p.Address], "%s of %s", p.Address, p.Name)
		holders[p.Address] = p.Name
	}
}

// leave ends all pods, by their agents, and then the tenants. A DEL that is told to
// try again is repeated, as runtimes do.
func (c *crowd) leave(tenants int) {
	c.t.Helper()
	var gone errgroup.Group
	for p, agent := range c.pods {
		rt, err := agent.Runtime()
		require.NoError(c.t, err)
		gone.Go(func() (err error) {
			for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(time.Second) {
				if err = c.one(func() error { return rt.Del(c.t.Context(), p) }); err == nil {
					return nil
				}
			}
			return err
		})
	}
	require.NoError(c.t, gone.Wait())
	for i := range tenants {
		c.cli("tenant", "delete", crowdName(i))
	}
}
