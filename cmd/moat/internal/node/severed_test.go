package node

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/cmd/moat/internal/config"
	"github.com/moatnet/moat/sdn/embedetcd"
	"github.com/moatnet/moat/sdn/embedetcd/etcdproxy"
)

// A connection on which nothing comes any more, without an end, is noticed: the
// watch goes on over another, and misses nothing.
func TestWatchOutlivesASilentConnection(t *testing.T) {
	dir, err := os.MkdirTemp("", "s")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	etcd, err := embedetcd.Start(t.Context(), embedetcd.Config{Dir: dir})
	require.NoError(t, err)
	t.Cleanup(etcd.Close)
	p, err := etcdproxy.Start(etcd.Endpoint())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	s, err := dialStore(t.Context(), config.Etcd{Endpoints: []string{p.Endpoint()}, Prefix: "/moat/"})
	require.NoError(t, err)
	t.Cleanup(s.close)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	watch := s.client.Watch(ctx, "k", clientv3.WithCreatedNotify())
	require.True(t, (<-watch).Created)

	p.Sever()
	for range 3 {
		_, err = etcd.Client().Put(ctx, "k", "v")
		require.NoError(t, err)
	}
	for seen := 0; seen < 3; {
		select {
		case res := <-watch:
			require.NoError(t, res.Err())
			seen += len(res.Events)
		case <-ctx.Done():
			t.Fatal("the watch is silent")
		}
	}
	_, err = s.client.Get(ctx, "k")
	require.NoError(t, err)
}
