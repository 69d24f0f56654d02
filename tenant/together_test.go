package tenant

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam/ledger"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/topology"
)

// Two agents with nothing in common but etcd and the SDN get the first pods of
// a tenant at once.
func TestFirstPodsOfATenantFromTwoAgentsBuildOneTenant(t *testing.T) {
	w, open := newEtcdWorld(t)
	own := []*topology.Topology{open(), open()}
	for round := range 10 {
		var agents []*Manager
		for _, topo := range own {
			agents = append(agents, w.manager(t, func(o *Options) { o.API = topo }))
		}
		tenant := fmt.Sprintf("tenant-%d", round)
		var mu sync.Mutex
		addresses := map[netip.Prefix]bool{}
		var wg sync.WaitGroup
		for i := range 32 {
			r := request(t, tenant, fmt.Sprintf("r%d-c%d", round, i))
			wg.Go(func() {
				got, err := agents[i%2].Attach(t.Context(), r)
				if assert.NoError(t, err) {
					mu.Lock()
					addresses[got.Addresses[0]] = true
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		require.Len(t, addresses, 32)
		require.Len(t, w.leases(t), 32*(round+1))
		all := w.everything(t)
		require.Equal(t, map[string]int{
			"router": 1 + (round + 1), // and the provider
			"bridge": round + 1,
			"chain":  2 * (round + 1),
			"rule":   10 * (round + 1),
			"port":   1 + (round+1)*(4+32),
			// of the provider 5, its Local route among them, and 2 for each
			// tenant; of each tenant 2; and 3 Local ones of router ports.
			"route": 5 + (round+1)*(2+2+3),
		}, kinds(all))
	}
	tenants, err := ledger.New(w.kv, ledger.Options{}).Tenants(t.Context())
	require.NoError(t, err)
	pairs := map[netip.Addr]bool{}
	for _, x := range tenants {
		require.Len(t, x.Subnets, 1)
		pairs[x.Transit.Tenant] = true
	}
	require.Len(t, pairs, 10)
}

func kinds(all []string) map[string]int {
	n := map[string]int{}
	for _, s := range all {
		n[strings.Fields(s)[0]]++
	}
	return n
}

func TestAttachDetachAndDeleteOfOneTenantAtOnceLeaveNothing(t *testing.T) {
	w := newWorld(t)
	agents := []*Manager{w.manager(t), w.manager(t)}
	_, err := agents[0].EnsureProvider(t.Context())
	require.NoError(t, err)
	before := w.everything(t)
	var wg sync.WaitGroup
	for i := range 8 {
		r := request(t, "blue", fmt.Sprint("c", i))
		wg.Go(func() {
			for range 10 {
				_, err := agents[i%2].Attach(t.Context(), r)
				if err != nil {
					assert.Equal(t, CodeTryAgain, code(t, err), "%v", err)
				}
				assert.NoError(t, agents[i%2].Detach(t.Context(), r.Attachment))
			}
		})
	}
	for i := range 2 {
		wg.Go(func() {
			for range 10 {
				if err := agents[i].DeleteTenant(t.Context(), "blue", false); err != nil {
					assert.Contains(t, []Code{CodeTenantDenied, CodeTryAgain}, code(t, err), "%v", err)
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, agents[0].DeleteTenant(t.Context(), sdn.TenantID("blue"), false))
	require.Equal(t, before, w.everything(t))
	require.Empty(t, w.leases(t))
	require.Empty(t, w.pods.pairs)
}

func TestTenantDeletedAndMadeAgainElsewhereIsNoticed(t *testing.T) {
	w := newWorld(t)
	m, other := w.manager(t), w.manager(t)
	_, err := m.Attach(t.Context(), request(t, "blue", "c1"))
	require.NoError(t, err)
	require.NoError(t, other.DeleteTenant(t.Context(), "blue", true))
	_, err = m.Attach(t.Context(), request(t, "blue", "c2"))
	require.NoError(t, err, "the memory of a network that is gone is dropped")
	require.NoError(t, other.DeleteTenant(t.Context(), "blue", true))
	n, err := other.EnsureTenant(t.Context(), "blue")
	require.NoError(t, err)
	_, err = m.Attach(t.Context(), request(t, "blue", "c3"))
	require.NoError(t, err)
	require.Equal(t, n.Record.Generation, w.leases(t)[0].Generation)
}
