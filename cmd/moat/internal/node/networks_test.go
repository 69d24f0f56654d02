package node

import (
	"log/slog"
	"net/netip"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/moat/internal/config"
	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn/embedetcd"
)

// What the daemon was told of pools holds for whoever helps it without being
// told: standalone calls, operators' commands, an engine alone.
func TestAllProcessesGiveATenantTheSame(t *testing.T) {
	dir, err := os.MkdirTemp("", "t")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	etcd, err := embedetcd.Start(t.Context(), embedetcd.Config{Dir: dir + "/etcd"})
	require.NoError(t, err)
	t.Cleanup(etcd.Close)
	open := func(as role, change func(*config.Raw)) (*base, error) {
		raw := config.Defaults()
		raw.Node, raw.DataDir, raw.MTU, raw.Etcd.Endpoints = "n1", dir+"/data", 1400, []string{etcd.Endpoint()}
		change(&raw)
		c, err := raw.Valid()
		require.NoError(t, err)
		b, err := openShared(t.Context(), c, slog.New(slog.DiscardHandler), as)
		if err == nil {
			t.Cleanup(b.close)
		}
		return b, err
	}
	silent := func(*config.Raw) {}
	gold := func(r *config.Raw) {
		r.Pools = []config.RawPool{{Name: "gold", Supernet: "10.64.0.0/16", TenantPrefix: 24}}
		r.Namespaces.Pools = map[string]string{"team-a": "gold"}
	}
	before, err := open(helper, silent)
	require.NoError(t, err)
	require.True(t, before.networks.Silent())
	daemon, err := open(assigner, gold)
	require.NoError(t, err)
	alone, err := open(helper, silent)
	require.NoError(t, err)
	for _, b := range []*base{daemon, alone} {
		from, err := b.networks.Assign("team-a")
		require.NoError(t, err)
		require.Equal(t, "gold", from.Pool)
		up, err := b.uplink()
		require.NoError(t, err)
		require.Contains(t, up.HostRoutes, netip.MustParsePrefix("10.64.0.0/16"))
		require.Contains(t, up.Masquerade, netip.MustParsePrefix("10.64.0.0/16"))
	}
	_, err = daemon.ledger.ClaimTenant(t.Context(), ipam.Claim{Tenant: "team-a", Generation: "g", Bridge: "b", Pool: "gold"})
	require.NoError(t, err)
	_, err = open(assigner, func(r *config.Raw) { gold(r); r.Pools[0].TenantPrefix = 25 })
	require.ErrorContains(t, err, "pools[0]")
	require.ErrorContains(t, err, "10.64.0.0/16 in /24")
	_, err = open(assigner, func(r *config.Raw) { r.ServiceNetworks = []string{"10.64.128.0/17"} })
	require.ErrorContains(t, err, "serviceNetworks[0]")
	require.ErrorContains(t, err, "pools.gold.supernet")
	later, err := open(assigner, silent)
	require.NoError(t, err)
	from, err := later.networks.Assign("team-a")
	require.NoError(t, err)
	require.Equal(t, ipam.DefaultPool, from.Pool, "a daemon that is told nothing has no mapping")
	require.Len(t, later.networks.Pools, 1, "but the pool is in use")
}
