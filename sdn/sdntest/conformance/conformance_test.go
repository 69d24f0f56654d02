package conformance_test

import (
	"context"
	"flag"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/auth"
	"github.com/moatnet/moat/sdn/embedetcd"
	"github.com/moatnet/moat/sdn/filter"
	"github.com/moatnet/moat/sdn/sdntest/conformance"
	"github.com/moatnet/moat/sdn/server"
	"github.com/moatnet/moat/sdn/topology"
	"github.com/moatnet/moat/sdn/wire"
)

const (
	cellsFile = "../../../docs/midonet-cells.tsv"
	user      = "admin"
	password  = "c0rrect-horse"
)

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
	all := []conformance.Target{
		own(t, "memory", wire.V5, topology.NewMemory(topology.Options{AllowDeadHosts: true})),
		own(t, "etcd", wire.V5, overEtcd(t)),
		own(t, "memory in 1.9", wire.V1, topology.NewMemory(topology.Options{AllowDeadHosts: true})),
	}
	if url := os.Getenv("MOAT_SDN_URL"); url != "" {
		release := wire.V5
		if text := os.Getenv("MOAT_SDN_RELEASE"); text != "" {
			var err error
			release, err = wire.ReleaseOf("v" + strings.TrimPrefix(text, "v"))
			require.NoError(t, err)
		}
		all = append(all, conformance.Target{
			Name: "environment", URL: strings.TrimRight(url, "/"), Release: release,
			User: os.Getenv("MOAT_SDN_USER"), Password: os.Getenv("MOAT_SDN_PASSWORD"), Project: os.Getenv("MOAT_SDN_PROJECT"),
		})
	}
	return all
}

// own is a server in this process over a topology.
func own(t *testing.T, name string, release wire.Release, top *topology.Topology) conformance.Target {
	t.Cleanup(func() { require.NoError(t, top.Close()) })
	serve := func(t testing.TB, o server.Options) string {
		o.Release = release
		if o.API == nil {
			o.API = sdn.API(top)
		}
		if o.Auth == nil {
			o.Auth = auth.NewPasswordAuth(user, password, time.Hour)
		}
		s := httptest.NewServer(server.New(o))
		t.Cleanup(s.Close)
		return s.URL + server.DefaultBase
	}
	return conformance.Target{
		Name: name, URL: serve(t, server.Options{}), User: user, Password: password, Release: release,
		Own: &conformance.Own{Topology: top, Serve: serve},
	}
}

// overEtcd is a topology as the daemon opens it, but for dead hosts.
func overEtcd(t *testing.T) *topology.Topology {
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
	return top
}
