package conformance_test

import (
	"context"
	"flag"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/auth"
	"github.com/moatnet/moat/sdn/embedetcd"
	"github.com/moatnet/moat/sdn/filter"
	"github.com/moatnet/moat/sdn/sdntest"
	"github.com/moatnet/moat/sdn/sdntest/conformance"
	"github.com/moatnet/moat/sdn/server"
	"github.com/moatnet/moat/sdn/topology"
	"github.com/moatnet/moat/sdn/wire"
)

const cellsFile = "../../../docs/midonet-cells.tsv"

// TestDialect runs every case on every target that it fits.
func TestDialect(t *testing.T) {
	ran := map[string]bool{}
	for _, target := range targets(t) {
		t.Run(target.Name, func(t *testing.T) {
			for name := range conformance.Run(t, target) {
				ran[name] = true
			}
		})
	}
	if strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
		return // only some were asked for
	}
	for _, c := range conformance.Cases() {
		require.True(t, ran[c.Name()], "case %s ran on no target", c.Name())
	}
}

// TestEveryCellIsProven holds the register to the list of cells.
func TestEveryCellIsProven(t *testing.T) {
	cells, err := conformance.ReadCells(cellsFile)
	require.NoError(t, err)
	require.NotEmpty(t, cells)
	faults := conformance.Faults(cells, conformance.Cases(), []conformance.Target{
		{Release: wire.V5, Own: &conformance.Own{}}, {Release: wire.V1, Own: &conformance.Own{}},
	})
	require.Empty(t, faults, "%d faults:\n%s", len(faults), strings.Join(faults, "\n"))
}

func targets(t *testing.T) []conformance.Target {
	outside := endpoint(t, "endpoint from outside", wire.V5)
	outside.Own = nil
	all := []conformance.Target{endpoint(t, "endpoint", wire.V5), endpoint(t, "endpoint of 1.9", wire.V1), overEtcd(t), outside}
	if url := os.Getenv("MOAT_SDN_URL"); url != "" {
		all = append(all, fromEnvironment(t, strings.TrimRight(url, "/")))
	}
	return all
}

// endpoint is what sdntest offers to the tests of others.
func endpoint(t *testing.T, name string, release wire.Release) conformance.Target {
	top := sdntest.NewMemory(t)
	t.Cleanup(func() { nothingLeft(t, top) })
	return conformance.Target{
		Name: name, URL: sdntest.Start(t, sdntest.WithAPI(top), sdntest.WithRelease(release)).URL,
		User: sdntest.User, Password: sdntest.Password, Release: release,
		Own: &conformance.Own{Topology: top, Serve: serve(top, release)},
	}
}

// nothingLeft holds the cases to their word that they remove what they made.
func nothingLeft(t *testing.T, top *topology.Topology) {
	assert.NoError(t, top.Audit())
	ctx := context.WithoutCancel(t.Context())
	tenants, err := top.Tenants(ctx)
	assert.NoError(t, err)
	assert.Empty(t, tenants)
	for name, count := range map[string]func() (int, error){
		"routers": counted(ctx, top.Routers, ""), "bridges": counted(ctx, top.Bridges, ""), "chains": counted(ctx, top.Chains, ""),
		"ports":        counted(ctx, top.Ports, ""),
		"hosts":        func() (int, error) { list, err := top.Hosts(ctx); return len(list), err },
		"tunnel zones": func() (int, error) { list, err := top.TunnelZones(ctx); return len(list), err },
		"port groups":  func() (int, error) { list, err := top.PortGroups(ctx, "", ""); return len(list), err },
		"IP groups":    func() (int, error) { list, err := top.IPAddrGroups(ctx); return len(list), err },
	} {
		n, err := count()
		assert.NoError(t, err)
		assert.Zero(t, n, "%s are left", name)
	}
}

func counted[N, K any](ctx context.Context, list func(context.Context, K) ([]N, error), of K) func() (int, error) {
	return func() (int, error) {
		all, err := list(ctx, of)
		return len(all), err
	}
}

// serve starts servers of a topology with the daemon's limits.
func serve(top *topology.Topology, release wire.Release) func(testing.TB, server.Options) string {
	return func(t testing.TB, o server.Options) string {
		o.Release = release
		if o.API == nil {
			o.API = top
		}
		if o.Auth == nil {
			o.Auth = auth.NewPasswordAuth(sdntest.User, sdntest.Password, time.Hour)
		}
		s := httptest.NewUnstartedServer(nil)
		s.Config = server.NewHTTPServer(server.New(o), server.Limits{})
		s.Start()
		t.Cleanup(s.Close)
		return s.URL + server.DefaultBase
	}
}

// overEtcd is a server as the daemon runs it, but that hosts need no engine.
func overEtcd(t *testing.T) conformance.Target {
	dir, err := os.MkdirTemp("", "conf")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	etcd, err := embedetcd.Start(ctx, embedetcd.Config{Dir: dir})
	require.NoError(t, err)
	t.Cleanup(etcd.Close)
	top, err := topology.OpenEtcd(t.Context(), etcd.Client(), topology.Options{
		Prefix: "/conformance/", Check: filter.Check, AllowDeadHosts: true,
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		nothingLeft(t, top)
		require.NoError(t, top.Close())
	})
	own := &conformance.Own{Topology: top, Serve: serve(top, wire.V5)}
	return conformance.Target{
		Name: "server over etcd", URL: own.Serve(t, server.Options{}), User: sdntest.User, Password: sdntest.Password, Own: own,
	}
}

// fromEnvironment is any server, such as a real MidoNet.
func fromEnvironment(t *testing.T, url string) conformance.Target {
	release := wire.V5
	if text := os.Getenv("MOAT_SDN_RELEASE"); text != "" {
		var err error
		release, err = wire.ReleaseOf(text)
		require.NoError(t, err)
	}
	return conformance.Target{
		Name: "environment", URL: url, Release: release,
		User: os.Getenv("MOAT_SDN_USER"), Password: os.Getenv("MOAT_SDN_PASSWORD"), Project: os.Getenv("MOAT_SDN_PROJECT"),
	}
}
