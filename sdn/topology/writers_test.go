package topology

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
)

// crowd is what random writers fight over: few IDs, so that they meet.
type crowd struct {
	host    sdn.HostID
	routers []sdn.RouterID
	bridges []sdn.BridgeID
	chains  []sdn.ChainID
	ports   []sdn.PortID
	rules   []sdn.RuleID
}

func newIDs[T ~string](n int) []T {
	list := make([]T, n)
	for i := range list {
		list[i] = sdn.NewID[T]()
	}
	return list
}

func newCrowd(host sdn.HostID) crowd {
	return crowd{host, newIDs[sdn.RouterID](4), newIDs[sdn.BridgeID](4), newIDs[sdn.ChainID](4), newIDs[sdn.PortID](24), newIDs[sdn.RuleID](12)}
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// step makes one random call.
func (c crowd) step(ctx context.Context, r *rand.Rand, api sdn.API) error {
	var err error
	switch r.IntN(14) {
	case 0:
		_, err = api.CreateRouter(ctx, sdn.Router{ID: pick(r, c.routers), InboundFilter: pick(r, c.chains)})
	case 1:
		_, err = api.CreateBridge(ctx, sdn.Bridge{ID: pick(r, c.bridges)})
	case 2:
		_, err = api.CreateChain(ctx, sdn.Chain{ID: pick(r, c.chains)})
	case 3, 4:
		p := routerPort(pick(r, c.routers))
		p.ID, p.OutboundFilter = pick(r, c.ports), pick(r, c.chains)
		_, err = api.CreatePort(ctx, p)
	case 5, 6:
		p := bridgePort(pick(r, c.bridges))
		p.ID, p.Host, p.Interface = pick(r, c.ports), c.host, fmt.Sprintf("eth%d", r.IntN(8))
		_, err = api.CreatePort(ctx, p)
	case 7:
		err = api.Link(ctx, pick(r, c.ports), pick(r, c.ports))
	case 8:
		p := bridgePort(pick(r, c.bridges))
		p.ID, p.Peer = pick(r, c.ports), pick(r, c.ports)
		_, err = api.CreatePort(ctx, p)
	case 9:
		_, err = api.CreateRule(ctx, sdn.Rule{ID: pick(r, c.rules), Chain: pick(r, c.chains), Type: sdn.RuleJump, JumpChain: pick(r, c.chains)})
	case 10:
		router := pick(r, c.routers)
		_, err = api.CreateRoute(ctx, route(router, pick(r, c.ports)))
	case 11:
		err = api.DeletePort(ctx, pick(r, c.ports))
	case 12:
		err = api.Unlink(ctx, pick(r, c.ports))
	case 13:
		err = c.remove(ctx, r, api)
	}
	return err
}

func (c crowd) remove(ctx context.Context, r *rand.Rand, api sdn.API) error {
	switch r.IntN(4) {
	case 0:
		return api.DeleteRouter(ctx, pick(r, c.routers))
	case 1:
		return api.DeleteBridge(ctx, pick(r, c.bridges))
	case 2:
		return api.DeleteChain(ctx, pick(r, c.chains))
	default:
		return api.DeleteRule(ctx, pick(r, c.rules))
	}
}

// fight lets 16 writers, spread over the topologies, make calls at once. It
// returns how many succeeded.
func (c crowd) fight(t *testing.T, calls int, tops ...*Topology) int {
	t.Helper()
	const writers = 16
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		done int
		odd  []error
	)
	for w := range writers {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 7))
			for range calls {
				err := c.step(ctx, r, tops[w%len(tops)])
				mu.Lock()
				switch {
				case err == nil:
					done++
				case !expected(err):
					odd = append(odd, err)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	require.Empty(t, odd)
	return done
}

func expected(err error) bool {
	for _, kind := range []error{sdn.ErrNotFound, sdn.ErrExists, sdn.ErrConflict, sdn.ErrInvalid} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

func testWriters(t *testing.T, open opener) {
	s := newSite(t, open)
	m := follow(t, s.Topology)
	done := newCrowd(s.host).fight(t, 60, s.Topology)
	require.Greater(t, done, 100, "calls that succeeded")
	requireSound(t, s.Topology)
	m.requireEqual(t, s.Topology)
	s.clear(t)
}
