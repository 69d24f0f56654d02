package topology

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/embedetcd"
	"github.com/moatnet/moat/sdn/embedetcd/etcdproxy"
)

// An etcd that takes connections and never answers holds nobody up for longer
// than he said, and all goes on when it answers again.
func TestFrozenEtcdIsUnavailableInTime(t *testing.T) {
	server := startEtcd(t, embedetcd.Config{})
	p, err := etcdproxy.Start(server.Endpoint())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{p.Endpoint()}, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	s := furnish(t, openTest(t, client, Options{}))
	witness := openTest(t, server.Client(), Options{})
	b := s.bridge(t)
	p.Freeze()
	t.Cleanup(p.Thaw)

	// The machine may have other things to do; what does not keep its time never ends.
	const allowed, lateness = 300 * time.Millisecond, 5 * time.Second
	for name, call := range map[string]func(ctx context.Context) error{
		"read":   func(ctx context.Context) error { _, err := s.Bridges(ctx, ""); return err },
		"create": func(ctx context.Context) error { _, err := s.CreatePort(ctx, bridgePort(b)); return err },
		"delete": func(ctx context.Context) error { return s.DeleteBridge(ctx, b) },
		"refuse": func(ctx context.Context) error { return s.DeleteBridge(ctx, sdn.NewID[sdn.BridgeID]()) },
		"open":   func(ctx context.Context) error { _, err := OpenEtcd(ctx, client, Options{}); return err },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), allowed)
			defer cancel()
			begun := time.Now()
			require.ErrorIs(t, call(ctx), sdn.ErrUnavailable)
			require.Less(t, time.Since(begun), allowed+lateness)
		})
	}

	r, err := witness.CreateRouter(t.Context(), sdn.Router{})
	require.NoError(t, err)
	p.Thaw()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err = s.Router(ctx, r.ID)
	require.NoError(t, err, "the watch goes on")
	_, err = s.CreateBridge(ctx, sdn.Bridge{})
	require.NoError(t, err)
	requireSound(t, s.Topology)
}
