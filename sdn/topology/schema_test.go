package topology

import (
	_ "embed"
	"encoding/json"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/embedetcd"
)

// version1 is what a program of schema version 1 wrote: two routers and a bridge
// that refer to one another in every way, and a deletion that it did not finish.
//
//go:embed testdata/version1.json
var version1 []byte

func putVersion1(t *testing.T, c *clientv3.Client) {
	t.Helper()
	var stored map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(version1, &stored))
	require.NotEmpty(t, stored)
	for k, v := range stored {
		_, err := c.Put(t.Context(), k, string(v))
		require.NoError(t, err)
	}
}

func schemaOf(t *testing.T, c *clientv3.Client) *clientv3.GetResponse {
	t.Helper()
	resp, err := c.Get(t.Context(), defaultPrefix+"meta/schema")
	require.NoError(t, err)
	return resp
}

func TestVersion1IsRaised(t *testing.T) {
	server := startEtcd(t, embedetcd.Config{})
	putVersion1(t, server.Client())
	// A program of version 1 that still runs relies on the version it found.
	old := schemaOf(t, server.Client()).Kvs[0].ModRevision

	top := openTest(t, server.Client(), Options{AllowDeadHosts: true})
	require.JSONEq(t, `{"object":3}`, string(schemaOf(t, server.Client()).Kvs[0].Value))
	resp, err := server.Client().Txn(t.Context()).If(clientv3.Compare(clientv3.ModRevision(defaultPrefix+"meta/schema"), "=", old)).Commit()
	require.NoError(t, err)
	require.False(t, resp.Succeeded, "a writer of version 1 is refused")

	require.Empty(t, top.unfinished(), "the deletion is finished")
	ctx := t.Context()
	counts := map[sdn.Kind]int{}
	for _, c := range top.graph.everything() {
		counts[c.Kind]++
	}
	require.Equal(t, map[sdn.Kind]int{sdn.KindHost: 1, sdn.KindTunnelZone: 1, sdn.KindChain: 2, sdn.KindRule: 5,
		sdn.KindRouter: 2, sdn.KindBridge: 1, sdn.KindPort: 5, sdn.KindRoute: 6}, counts)
	requireSound(t, top)

	bridges, err := top.Bridges(ctx, "a")
	require.NoError(t, err)
	require.NoError(t, top.CreateDHCPSubnet(ctx, subnet(bridges[0].ID, "10.0.0.0/24")))
	routers, err := top.Routers(ctx, "a")
	require.NoError(t, err)
	chains, err := top.Chains(ctx, "a")
	require.NoError(t, err)
	r := routers[0]
	r.Forward = chains[0].ID
	require.NoError(t, top.UpdateRouter(ctx, r))
	(&site{Topology: top}).clear(t)
}

func TestOneOfManyRaisesTheVersion(t *testing.T) {
	server := startEtcd(t, embedetcd.Config{})
	putVersion1(t, server.Client())
	before := schemaOf(t, server.Client()).Kvs[0].Version
	var wg sync.WaitGroup
	errs := make([]error, 8)
	tops := make([]*Topology, len(errs))
	for i := range errs {
		wg.Go(func() { tops[i], errs[i] = OpenEtcd(t.Context(), server.Client(), Options{}) })
	}
	wg.Wait()
	for i, err := range errs {
		require.NoError(t, err)
		require.NoError(t, tops[i].Close())
	}
	require.Equal(t, before+1, schemaOf(t, server.Client()).Kvs[0].Version, "written once")
}
