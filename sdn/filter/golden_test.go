package filter_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/filter"
	"github.com/moatnet/moat/sdn/nft"
)

func golden(t *testing.T, name string, tables []nft.Table) {
	t.Helper()
	file := filepath.Join("testdata", name+".nft")
	got := nft.Print(tables)
	if flag.Lookup("update").Value.(flag.Getter).Get().(bool) {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(string(want), got))
}

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write the golden files anew")
	flag.Parse()
	os.Exit(m.Run())
}

func TestTenantRouter(t *testing.T) {
	tables, err := filter.Router(tenant(), "default", routerID(1))
	require.NoError(t, err)
	golden(t, "tenant", tables)
}
