package topology

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/embedetcd"
)

// startEtcd runs a server that ends with the test.
func startEtcd(t *testing.T, cfg embedetcd.Config) *embedetcd.Server {
	t.Helper()
	if cfg.Dir == "" {
		dir, err := os.MkdirTemp("", "topo")
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
		cfg.Dir = dir
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := embedetcd.Start(ctx, cfg)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

func openTest(t *testing.T, c *clientv3.Client, o Options) *Topology {
	t.Helper()
	top, err := OpenEtcd(t.Context(), c, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, top.Close()) })
	return top
}

func TestEtcd(t *testing.T) {
	client := startEtcd(t, embedetcd.Config{}).Client()
	suite(t, func(t *testing.T, o Options) *Topology {
		o.Prefix = "/" + string(sdn.NewID[sdn.RouterID]()) + "/"
		return openTest(t, client, o)
	})
}
